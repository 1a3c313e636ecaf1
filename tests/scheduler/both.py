"""Apps that run under Airflow and under PyRunner itself, for tests to compare what the two leave behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from scripts.local_airflow import BIN
from tests.scheduler.apps import TIMEOUT, Apps, Run

REAL_APPS = Path(__file__).with_name("real_apps")
LONG = 1200
"""Seconds that a run of many rows may take."""


def make_app(name: str, folder: Path, apps: Path = REAL_APPS) -> Path:
    """Make an app: PyRunner's own driver and profile, and what its author added or changed."""
    setup = [BIN / "pyrunner", "--setup"]
    subprocess.run(setup, cwd=folder, input=f"{name}\n\n\n", text=True, capture_output=True, check=True)
    app = folder / name
    shutil.copytree(apps / name, app, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    if (app / "make_list.py").exists():
        subprocess.run([sys.executable, "make_list.py"], cwd=app, check=True)
    return app


def run_under_pyrunner(app: Path) -> None:
    """Run an app's driver in the app's folder, as its crontab line does, but 100 ticks a second."""
    done = subprocess.run(
        [sys.executable, f"{app.name}.py", "-t", "100", "--nozip"],
        cwd=app,
        env={name: value for name, value in os.environ.items() if not name.startswith("APP_")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stdout


class Both(NamedTuple):
    """An app after its runs: in Airflow's dags folder, and where PyRunner ran it."""

    ours: Path
    theirs: Path
    runs: list[Run]


def run_both(apps: Apps, folder: Path, name: str, times: int = 1, apps_folder: Path = REAL_APPS) -> Both:
    """Run an app under Airflow and, in a folder of its own, under PyRunner, so many times each."""
    theirs = make_app(name, folder, apps_folder)
    ours = apps.copy(theirs)
    for _ in range(times):
        run_under_pyrunner(theirs)
    return Both(ours.path, theirs, [ours.trigger().finish(LONG) for _ in range(times)])
