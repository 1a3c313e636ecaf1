"""What differs between the versions of Airflow that this package runs on, beside how lists are found."""

from __future__ import annotations

from airflow import __version__
from airflow.sdk import conf

_IS_3_3 = __version__.startswith("3.3.")
_SECONDS_TO_PUBLISH = 1.0


def seconds_after_sigterm() -> float:
    """Return how long a worker's hooks may take after SIGTERM, so that the context is published in time."""
    killed_after = 5.0 if _IS_3_3 else conf.getfloat("core", "killed_task_cleanup_time")
    return max(killed_after - _SECONDS_TO_PUBLISH, 0.0)
