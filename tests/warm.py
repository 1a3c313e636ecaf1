"""`airflow` commands without the seconds that each takes to load Airflow: forks of a process that has it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from scripts.local_airflow import LocalAirflow, LocalAirflowError

SERVER = """
import json, os, sys, tempfile, traceback
from airflow.__main__ import main
from airflow.cli.commands import backfill_command, dag_command, task_command  # main loads them late
from airflow.dag_processing import dagbag

def command(args):
    sys.argv = ["airflow", *args]
    try:
        main()
    except SystemExit as end:
        return end.code
    except BaseException:
        traceback.print_exc()
        return 1

for line in sys.stdin:
    with tempfile.TemporaryFile("w+") as printed:
        pid = os.fork()
        if not pid:
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            code = command(json.loads(line))
            sys.stdout.flush()
            os._exit(code if isinstance(code, int) else bool(code))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        printed.seek(0)
        print(json.dumps({"code": code, "printed": printed.read()}), flush=True)
"""


class WarmCommands:
    """The commands of a running Airflow, which ends this process, too."""

    def __init__(self, airflow: LocalAirflow) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            env=airflow.env | {"PYTHONWARNINGS": "ignore"},
            cwd=airflow.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, *args: str) -> str:
        """Run a command and return what it printed."""
        self._process.stdin.write(json.dumps(args) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if answer["code"]:
            raise LocalAirflowError(f"{args} ended with {answer['code']}:\n{answer['printed']}")
        return str(answer["printed"])
