"""
What differs between the versions of Airflow that this package runs on: all of it stands here.

Beside it there are only the two ways in which lists are found, the loader and the importer.
"""

from __future__ import annotations

from typing import NamedTuple

from airflow import __version__
from airflow.sdk import conf


class _Version(NamedTuple):
    """What a version of Airflow does."""

    killed_after: float | None
    """Seconds from a task's SIGTERM to its SIGKILL; None: ``[core] killed_task_cleanup_time``."""
    ended_after: float | None
    """Seconds that a task has left after its timeout; None: the same option's, and then it gets SIGTERM."""
    clear_forgets: bool
    """Whether a task's ``task_state_store`` is dropped when it is cleared by itself, and not with its run."""


_SECONDS_TO_PUBLISH = 1.0
_3_3 = _Version(killed_after=5.0, ended_after=61.0, clear_forgets=False)
_3_4 = _Version(killed_after=None, ended_after=None, clear_forgets=True)
HERE = _3_3 if __version__.startswith("3.3.") else _3_4


def seconds_after_sigterm() -> float:
    """Return how long a worker's hooks may take after SIGTERM, so that the context is published in time."""
    return _to_publish(HERE.killed_after)


def seconds_after_timeout() -> float:
    """Return how long a worker's hooks may take after the task's timeout."""
    return _to_publish(HERE.ended_after)


def _to_publish(seconds: float | None) -> float:
    if seconds is None:
        seconds = conf.getfloat("core", "killed_task_cleanup_time")
    return max(seconds - _SECONDS_TO_PUBLISH, 0.0)
