"""Run PyRunner task lists (``.lst``) unchanged on Apache Airflow."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyrunner_airflow.dag import PyRunnerDag, PyRunnerTaskGroup, WorkerOperator
    from pyrunner_airflow.discovery.loader import load_lst_dags, show_lst_errors
    from pyrunner_airflow.tasklist import LstError, TaskList, parse_lst, read_lst
    from pyrunner_airflow.worker import ShellWorker, Worker

# Imported on first use: a Worker's unit test must not pay for Airflow, nor a linter for a Worker.
_HOMES = {
    "dag": ("PyRunnerDag", "PyRunnerTaskGroup", "WorkerOperator"),
    "discovery.loader": ("load_lst_dags", "show_lst_errors"),
    "tasklist": ("LstError", "TaskList", "parse_lst", "read_lst"),
    "worker": ("ShellWorker", "Worker"),
}

__all__ = [
    "LstError",
    "PyRunnerDag",
    "PyRunnerTaskGroup",
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
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
