"""Run PyRunner task lists (``.lst``) unchanged on Apache Airflow."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyrunner_airflow.dag import PyRunnerDag, WorkerOperator
    from pyrunner_airflow.discovery.loader import load_lst_dags, show_lst_errors
    from pyrunner_airflow.tasklist import LstError, TaskList, parse_lst, read_lst
    from pyrunner_airflow.worker import ShellWorker, Worker

# Imported on first use: a Worker's unit test must not pay for Airflow, nor a linter for a Worker.
_HOMES = {
    "LstError": "pyrunner_airflow.tasklist",
    "PyRunnerDag": "pyrunner_airflow.dag",
    "ShellWorker": "pyrunner_airflow.worker",
    "TaskList": "pyrunner_airflow.tasklist",
    "Worker": "pyrunner_airflow.worker",
    "WorkerOperator": "pyrunner_airflow.dag",
    "load_lst_dags": "pyrunner_airflow.discovery.loader",
    "parse_lst": "pyrunner_airflow.tasklist",
    "read_lst": "pyrunner_airflow.tasklist",
    "show_lst_errors": "pyrunner_airflow.discovery.loader",
}

__all__ = [
    "LstError",
    "PyRunnerDag",
    "ShellWorker",
    "TaskList",
    "Worker",
    "WorkerOperator",
    "load_lst_dags",
    "parse_lst",
    "read_lst",
    "show_lst_errors",
]


def __getattr__(name: str) -> object:
    """Import a public name from its home (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
