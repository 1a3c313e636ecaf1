"""The files of a new job, in PyRunner's layout."""

from __future__ import annotations

import json

from pyrunner_airflow.tasklist.fields import HEADER
from pyrunner_airflow.tasklist.layout import align

# A Python file that has both Airflow's name and the word for its jobs in it would be taken for one of those.
_IGNORE = """\
# Python files of this job that Airflow must not take for DAGs
tests/
workers/
"""

_PROFILE = """\
#!/bin/bash
# bash sources this before the job runs. The rows see what begins with APP_, and nothing else.

export APP_NAME="{name}"
export APP_VERSION="0.0.1"

APP_ROOT_DIR="$(cd "$(dirname "${{BASH_SOURCE[0]}}")/.." && pwd)"
export APP_ROOT_DIR
export APP_CONFIG_DIR="$APP_ROOT_DIR/config"
export APP_WORKER_DIR="$APP_ROOT_DIR/workers"
export APP_TEMP_DIR="$APP_ROOT_DIR/temp"
export APP_ROOT_LOG_DIR="$APP_ROOT_DIR/logs"
export APP_LOG_RETENTION="30" # days

APP_LOG_DIR="$APP_ROOT_LOG_DIR/$(date +%Y-%m-%d)"
APP_EXEC_TIMESTAMP="$(date +%Y%m%d_%H%M%S)"
export APP_LOG_DIR APP_EXEC_TIMESTAMP

mkdir -p "$APP_LOG_DIR" "$APP_TEMP_DIR"
"""

_NO_SCHEDULE = '# To run it every morning at six, add a line: #AIRFLOW schedule = "0 6 * * *"'

_WORKERS = '''\
from pyrunner import Worker


class Greet(Worker):
    """Greets whoever is named in ARGUMENTS, and leaves the name for the rows that come after."""

    def run(self):
        name = self.argv[0]
        self.logger.info(f"Hello, {name}")
        self.context["greeted"] = name
'''

_CONFTEST = '''\
"""Lets the tests import the workers as the job does."""

import importlib
import sys
from pathlib import Path

import pyrunner_airflow
import pytest

FOLDER = Path(__file__).parents[1] / "workers"


@pytest.fixture
def workers(monkeypatch):
    """The module workers of this job: others, whose tests may run along with these, have one too."""
    monkeypatch.setitem(sys.modules, "pyrunner", pyrunner_airflow)
    monkeypatch.syspath_prepend(FOLDER)
    for file in FOLDER.glob("*.py"):
        sys.modules.pop(file.stem, None)
    return importlib.import_module("workers")
'''

_TEST = """\
def test_greet_leaves_the_name_for_the_rows_that_come_after(workers):
    context = {}
    workers.Greet(context=context, logfile=None, argv=["World"]).run()
    assert context == {"greeted": "World"}
"""


def task_list(name: str, schedule: str | None) -> str:
    """Return the text of a job's task list, with one row."""
    options = f"#AIRFLOW schedule = {json.dumps(schedule)}" if schedule else _NO_SCHEDULE
    row = "1|-1|1|0|Greet|workers|Greet|World|$ENV{APP_LOG_DIR}/greet.log"
    description = f'#AIRFLOW description = "What {name} does"'
    return align(f"#PYTHON\n{description}\n{options}\n#{HEADER}\n{row}\n")


def files(name: str, schedule: str | None) -> dict[str, str]:
    """Return the content of each file of a job, by its path from the job's folder."""
    return {
        f"config/{name}.lst": task_list(name, schedule),
        "config/app_profile": _PROFILE.format(name=name),
        "workers/workers.py": _WORKERS,
        "tests/conftest.py": _CONFTEST,
        f"tests/test_{name}.py": _TEST,
        ".airflowignore": _IGNORE,
    }
