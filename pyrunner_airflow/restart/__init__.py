"""
What ``-r`` means: which rows of a run that has ended run again, and the one request that clears them.

The page of a run has the same rule in JavaScript; ``tests/restart/cases.json`` is tried on both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

Row = TypeVar("Row")

_KEPT = frozenset({"success", "removed"})
_STATE_IS_KEPT_FROM = (3, 4)
"""The first Airflow in which a clear would drop what a failed task has written, unless it is told not to."""


def rows_to_run(states: Iterable[tuple[Row, str | None]], left_out: Collection[Row]) -> list[Row]:
    """
    Return the rows that did not succeed, in the order given, as PyRunner's ``-r`` runs them.

    Airflow has no state for a row that an abort kept from running: it is skipped, as is one that the
    parameters of the run leave out, and that counts as done.

    :param states: the rows of a run that has ended, with their states in Airflow's words.
    :param left_out: the rows that the run's own parameters leave out.
    """
    return [row for row, state in states if not (state in _KEPT or (state == "skipped" and row in left_out))]


def clear_request(run_id: str, task_ids: Iterable[str], airflow_version: str) -> dict[str, Any]:
    """Return the body of ``POST /api/v2/dags/{dag_id}/clearTaskInstances``: these tasks and no others."""
    version = tuple(map(int, airflow_version.split(".")[:2]))
    return {
        "dag_run_id": run_id,
        "task_ids": list(dict.fromkeys(task_ids)),
        "dry_run": False,
        "only_failed": False,
        "prevent_running_task": True,
        **({"keep_task_state": True} if version >= _STATE_IS_KEPT_FROM else {}),  # 3.3 refuses what it lacks
    }
