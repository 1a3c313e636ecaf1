"""Whole commands, as a person types them: how long they take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import jobs

PROFILE = """\
export APP_NAME=bench APP_ROOT_DIR="{root}" APP_CONFIG_DIR="{root}/config" APP_WORKER_DIR="{root}/workers"
export APP_TEMP_DIR="{root}/temp" APP_ROOT_LOG_DIR="{root}/logs" APP_LOG_DIR="{root}/logs"
"""


def write_app(root: Path, rows: jobs.Rows) -> Path:
    """Write an app that PyRunner and we can run, and return the path of its list."""
    for folder in ("config", "workers", "temp", "logs"):
        (root / folder).mkdir(parents=True)
    (root / "config/app_profile").write_text(PROFILE.format(root=root))
    (root / "workers/workers.py").write_text(jobs.WORKERS.replace("pyrunner_airflow", "pyrunner"))
    task_list = root / "config/job.lst"
    task_list.write_text(jobs.as_list(rows))
    return task_list


def ours(*arguments: str | Path) -> dict[str, float]:
    """Time ``pyrunner-airflow`` where no Airflow is configured."""
    hidden = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    state = {"XDG_STATE_HOME": os.environ["AIRFLOW_HOME"]}
    return _time([sys.executable, "-m", "pyrunner_airflow", *arguments], hidden | state)


def dags_test(dags: Path, dag_id: str) -> dict[str, float]:
    """Time ``airflow dags test``."""
    settings = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
    return _time([sys.executable, "-m", "airflow", "dags", "test", dag_id], os.environ | settings)


def pyrunner(task_list: Path) -> dict[str, float]:
    """Time ``pyrunner`` as it comes: it looks once a second what has ended."""
    program = Path(sys.executable).with_name("pyrunner")
    profile = task_list.with_name("app_profile")
    return _time([program, "-c", profile, "-l", task_list], dict(os.environ))


def _time(command: list[str | Path], environment: dict[str, str]) -> dict[str, float]:
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stdout}{done.stderr}")
    return {"time": time.perf_counter() - started}
