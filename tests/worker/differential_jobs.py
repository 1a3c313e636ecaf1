"""
Writes one job of many workers, and runs it under python-batch-runner and under ours.

Each case is a row with a module of its own. What is seen of a row: the code of each attempt, the hooks that
ran and the code that each found, the text of its LOGFILE, and what it left in the context.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import textwrap
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from differential_engine import leave
from worker_jobs import REPOSITORY, MemoryContext, run_row, write

from pyrunner_airflow.tasklist import parse_lst
from pyrunner_airflow.worker.attempt import Job
from scripts.interpreters import INTERPRETERS

PYTHONS = {"fork": None, **{name: INTERPRETERS[name] for name in ("3.8", "3.13") if name in INTERPRETERS}}
"""Where the workers run under ours: in a fork python-batch-runner's Worker is found, else the stand-in's."""
HERE = str(Path(__file__).parent)
RETRIED = -1
"""What python-batch-runner's engine calls a failure that is tried again."""

_HOOKS = ("__init__", "on_start", "run", "on_success", "on_fail", "on_exit", "on_destroy")
_HEAD = """
import logging, multiprocessing, os, signal, subprocess, sys, threading, time, traceback, warnings
from pyrunner import Worker, ShellWorker
KEY = __name__
def note(text):
    with open(os.path.join(os.environ["APP_TEMP_DIR"], f"{__name__}.calls"), "a") as calls:
        calls.write(f"{text}\\n")
"""
_PROFILE = """
export APP_NAME=job
export APP_ROOT_DIR={root}
export APP_CONFIG_DIR={root}/config
export APP_WORKER_DIR={root}/workers
export APP_TEMP_DIR={root}/temp
export APP_ROOT_LOG_DIR={root}/logs
export APP_LOG_DIR={root}/logs
"""


class Case(NamedTuple):
    """A row, and the worker that it runs."""

    name: str
    methods: dict[str, str]
    """Their bodies, by name."""
    preamble: str = ""
    """Stands before the class; without methods it is all there is."""
    attempts: int = 1
    wait: int = 0
    arguments: str = ""
    worker: str = "W"
    module: str | None = None
    """Where the worker lies, if not in the case's own module."""
    after: str | None = None
    """The name of the case whose row is the parent."""
    logfile: str | None = "own.log"
    """Below the folder of the row's logs."""


class Seen(NamedTuple):
    """What came of a case."""

    codes: list[int]
    """Of each attempt; a negative one is RETRIED, or the signal that ended the process."""
    calls: list[str]
    log: list[str]
    """LOGFILE without times and the frames of tracebacks; the banners are in brackets."""
    context: dict[str, str]
    lines: list[str]
    """The first line of each log line: from LOGFILE under PyRunner, else as the task's process had it."""


def case(name, preamble="", **columns):
    """Make a case: columns are its methods' bodies by their names, and the fields of Case."""
    methods = {hook: columns.pop(hook) for hook in _HOOKS if hook in columns}
    return Case(name, methods, preamble, **columns)


def source(case):
    """Return the case's module: each hook notes that it was called, and the code that it found."""
    lines = [_HEAD, textwrap.dedent(case.preamble)]
    if case.methods:
        lines.append("class W(Worker):")
    for name, body in case.methods.items():
        note = "" if name == "__init__" else f'note(f"{name} {{self.retcode}}")\n'
        parameters = "self, context, logfile, argv" if name == "__init__" else "self"
        lines.append(f"    def {name}({parameters}):")
        lines.append(textwrap.indent(note + textwrap.dedent(body).strip(), " " * 8))
    return "\n".join(lines) + "\n"


class App:
    """The cases as an app: row n runs the module ``case_n``."""

    def __init__(self, root, cases):
        self.root = root
        for folder in ("temp", "output"):
            (root / folder).mkdir()
        ids = {case.name: number for number, case in enumerate(cases, 1)}
        lines = []
        for case in cases:
            number = ids[case.name]
            write(root / "workers" / f"case_{number}.py", source(case))
            module, logfile = case.module or f"case_{number}", f"$ENV{{APP_LOG_DIR}}/{number}/{case.logfile}"
            (root / "logs" / str(number)).mkdir(parents=True)
            lines.append(
                f"{number}|{ids.get(case.after, -1)}|{case.attempts}|{case.wait}|Case {number}|{module}|"
                f"{case.worker}| {case.arguments} | {logfile if case.logfile else ''}\n"
            )
        write(root / "config" / "app_profile", _PROFILE.format(root=root))
        write(root / "config" / "job.lst", "".join(lines))
        rows = parse_lst("".join(lines)).rows
        self.ids = [row.id for row in rows]
        write(root / "rows.json", json.dumps([row._asdict() for row in rows]))
        self._process = None

    def start(self, *command):
        """Run the app with a command that leaves ``result.json``; what it prints goes to a file."""
        with open(self.root / "printed.txt", "wb") as printed:
            self._process = subprocess.Popen(
                [*map(str, command), str(self.root)],
                cwd=self.root,
                stdin=subprocess.PIPE,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._process.stdin.write(b"typed\n")
        self._process.stdin.close()

    def finish(self):
        """Return what is seen of each row, or None if the job itself broke down."""
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)  # its group keeps its number
        if not (self.root / "result.json").exists():
            return None
        result = json.loads((self.root / "result.json").read_text())
        return [self._seen(number, result) for number in self.ids]

    def stop(self):
        """End the command, and all that it left behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def printed(self):
        """Return the end of what the command printed."""
        return (self.root / "printed.txt").read_bytes()[-5000:].decode(errors="replace")

    def _seen(self, number, result):
        calls = self.root / "temp" / f"case_{number}.calls"
        logs = [path.read_bytes() for path in (self.root / "logs" / str(number)).rglob("*.log")]
        text = self._comparable(number, b"".join(logs).decode("utf-8", "surrogateescape"))
        own = re.compile(rf"case_{number}(?!\d)")
        lines = result.get("lines") or {
            str(number): [f"{level} - {rest}" for level, rest in re.findall("([A-Z]+) - TIME - (.*)", text)]
        }
        return Seen(
            result["codes"].get(str(number), []),
            calls.read_text().splitlines() if calls.exists() else [],
            text.removesuffix("\n").split("\n") if text else [],
            {own.sub("", key, 1): value for key, value in result["context"].items() if own.match(key)},
            lines[str(number)],
        )

    def _comparable(self, number, text):
        rule = "#" * 76
        for pattern, replacement in (
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,6}", "TIME"),
            (rf"{rule}\n# LOG START - TIME\n{rule}\n\n", "[start]\n"),
            (rf"\n{rule}\n# LOG END - TIME\n{rule}\n\n", "[end]\n"),
            (
                rf"\n{rule}\n# RESTART ATTEMPT (\d+) - TIME\n# Waiting (\d+) seconds before retrying\.\.\.\n"
                rf"{rule}\n\n",
                r"[restart after \1, \2 s]\n",
            ),
            (r"(?m)^( *\| )?  File .*\n(( *\| )?    .*\n)*", ""),
            (r"<unprintable \w+ object>", "<exception str() failed>"),  # Python 3.8
            (r"(?m)^  \[Previous line repeated .*\n", ""),
            (r"0x[0-9a-f]+", "0x"),
            (r"Process-\d+(:\d+)*", "Process-N"),
            (re.escape(str(self.root)), "ROOT"),
            (rf"case_{number}(?!\d)", "MODULE"),
        ):
            text = re.sub(pattern, replacement, text)
        return text


def run_under_ours(root, python):
    """Run the app in ``root`` row by row, each attempt in a fork or in an interpreter of its own."""
    _leave_out_airflows_logging()
    codes: dict[int, list[int]] = {}
    lines: dict[int, list[str]] = {}
    context = MemoryContext()
    for row in json.loads((root / "rows.json").read_text()):
        fields = {column: value for column, value in row.items() if column in Job._fields}
        for attempt in range(1, row["max_attempts"] + 1):
            ran = run_row(root, context, python, airflow={}, attempt=attempt, **fields)
            goes_on = ran.code > 0 and ran.outcome.started and attempt < row["max_attempts"]
            codes.setdefault(row["id"], []).append(RETRIED if goes_on else ran.code)
            lines.setdefault(row["id"], []).extend(
                f"{level} - {text}".split("\n")[0] for level, text in ran.lines
            )
            if not goes_on:
                break
    leave(root, codes, context.values, lines=lines)


def _leave_out_airflows_logging():
    """Let ``logging`` and ``warnings`` be as Python has them, since PyRunner changes nothing there."""
    show = warnings.showwarning
    import_module("airflow.sdk")
    warnings.showwarning = show
    logging.getLogger().handlers.clear()


def ours(python):
    """Return the command that runs an app under ours, in a process of its own."""
    script = f"import sys; sys.path[:0] = {[str(REPOSITORY), HERE]!r}\nfrom pathlib import Path\n"
    script += f"from differential_jobs import run_under_ours\nrun_under_ours(Path(sys.argv[1]), {python!r})"
    return (sys.executable, "-c", script)


def pyrunners(python):
    """Return the command that runs an app with python-batch-runner, which is installed beside this Python."""
    site = str(Path(find_spec("pyrunner").origin).parents[1])
    script = f"import sys; sys.path[:0] = [{HERE!r}]; sys.path.append({site!r})\nfrom pathlib import Path\n"
    return (
        python or sys.executable,
        "-c",
        script + "import differential_engine as e; e.run(Path(sys.argv[1]))",
    )
