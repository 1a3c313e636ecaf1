"""A run in a running Airflow, as the rows of its list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pyrunner_airflow.cli.failure import Failure
from pyrunner_airflow.cli.rest import NoAnswer, NotThere
from pyrunner_airflow.restart import rows_to_run
from pyrunner_airflow.tasklist import FAILURE_KEY
from pyrunner_airflow.tasklist.selection import below, left_out_of

if TYPE_CHECKING:
    from pyrunner_airflow.cli.rest import Airflow

ENDED = frozenset({"success", "failed"})
_WORDS = {
    "success": "done",
    "failed": "failed",
    "skipped": "not run",
    "upstream_failed": "not run",
    None: "not run",
}


@dataclass(frozen=True)
class RemoteRow:
    """
    A task of a run.

    :ivar id: the row's ID; None if it is no row but another operator.
    :ivar name: as Airflow shows it: the ID and the name.
    :ivar state: in Airflow's words; None if it has none yet.
    :ivar seconds: how long its latest attempt took; None if there was none.
    """

    task_id: str
    map_index: int
    id: int | None
    name: str
    state: str | None
    attempt: int
    max_attempts: int
    seconds: float | None

    @property
    def place(self) -> tuple[str, int]:
        """What it is known by, whatever becomes of it."""
        return self.task_id, self.map_index


class RemoteRun:
    """A run of a DAG; what is not needed is not asked for."""

    def __init__(self, airflow: Airflow, run: dict[str, Any]) -> None:
        self.dag_id: str = run["dag_id"]
        self.run_id: str = run["dag_run_id"]
        self.state: str = run["state"]
        self.note: str = run["note"] or ""
        self.path = ("dags", self.dag_id, "dagRuns", self.run_id)
        self._conf: dict[str, Any] = run["conf"] or {}
        self.page = airflow.page("dags", self.dag_id, "runs", self.run_id)
        self._airflow = airflow

    def look_again(self) -> None:
        """Ask anew for the state of the run, and then for those of its rows."""
        self.state = self._airflow.get(*self.path)["state"]
        for name in ("rows", "_left_out"):
            vars(self).pop(name, None)
        self.rows  # noqa: B018

    @cached_property
    def rows(self) -> list[RemoteRow]:
        """The tasks by their row's ID; a mapped one as often as it is mapped."""
        instances = self._airflow.get_all("task_instances", *self.path, "taskInstances")
        rows = [
            RemoteRow(
                task_id=ti["task_id"],
                map_index=ti["map_index"],
                id=_row_id(ti),
                name=ti["task_display_name"],
                state=ti["state"],
                attempt=ti["try_number"],
                max_attempts=max(ti["max_tries"] + 1, ti["try_number"]),
                seconds=ti["duration"] if ti["try_number"] else None,
            )
            for ti in instances
        ]
        return sorted(rows, key=lambda row: (row.id is None, row.id or 0, row.task_id))

    def to_restart(self) -> list[RemoteRow]:
        """Return what ``-r`` runs."""
        return rows_to_run([(row, row.state) for row in self.rows], self._left_out)

    def from_row(self, row_id: int) -> list[RemoteRow]:
        """Return a row and all below it but what the run's parameters leave out."""
        nodes = below(self._graph, row_id)
        return [row for row in self.rows if _node(row) in nodes and row not in self._left_out]

    def failure(self, row: RemoteRow) -> str | None:
        """Return the line by which a row's log tells why it failed, if its task has lived to tell it."""
        path = (*self.path, "taskInstances", row.task_id, "xcomEntries", FAILURE_KEY)
        try:
            told = self._airflow.get(*path, map_index=row.map_index)["value"]
        except NotThere:
            return None
        return str(told["line"]) if isinstance(told, dict) and "line" in told else None

    def word(self, row: RemoteRow) -> str:
        """Return a row's state as people say it."""
        return (
            "left out" if row in self._left_out else _WORDS.get(row.state, str(row.state).replace("_", " "))
        )

    @cached_property
    def _left_out(self) -> set[RemoteRow]:
        """The rows that the run's parameters leave out, but for those that a failed one stops."""
        needs_graph = any(self._conf.get(name) is not None for name in ("from", "to"))
        ids = [row.id for row in self.rows if row.id is not None]
        left_out = left_out_of(self._graph if needs_graph else {}, ids, self._conf)
        return {row for row in self.rows if row.id in left_out and row.state == "skipped"}

    @cached_property
    def _graph(self) -> dict[Any, list[Any]]:
        nodes = {row.task_id: _node(row) for row in self.rows}
        graph: dict[Any, list[Any]] = {node: [] for node in nodes.values()}
        for task in self._airflow.get("dags", self.dag_id, "tasks")["tasks"]:
            for child in task["downstream_task_ids"]:
                parent = nodes.get(task["task_id"], task["task_id"])
                graph.setdefault(nodes.get(child, child), []).append(parent)
        return graph


def _row_id(ti: dict[str, Any]) -> int | None:
    found = re.fullmatch(r"(\d+)\w*", ti["task_id"], re.ASCII)  # not one in a task group, which has a dot
    return int(found[1]) if found and ti["operator_name"] == "WorkerOperator" else None


def _node(row: RemoteRow) -> int | str:
    return row.task_id if row.id is None else row.id


def names_of_rows(airflow: Airflow, dag_id: str) -> dict[int, str]:
    """Return the PROCESS_NAMEs of a DAG's rows, by their IDs; none if it is not made from a list."""
    tasks = airflow.get("dags", dag_id, "tasks")["tasks"]
    ids = ((_row_id(task), task["task_display_name"]) for task in tasks)
    return {id_: name.partition(" ")[2] for id_, name in ids if id_ is not None}


def start_run(airflow: Airflow, dag_id: str, conf: dict[str, Any]) -> RemoteRun:
    """Start a run of a DAG with parameters, once: also where only the answer has been lost."""
    run_id = f"manual__{datetime.now(UTC).isoformat()}"  # as Airflow would name it
    body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
    try:
        return RemoteRun(airflow, airflow.send("POST", "dags", dag_id, "dagRuns", body=body))
    except NoAnswer as error:
        with suppress(Failure):
            return find_run(airflow, dag_id, run_id)
        unknown = f"Whether the run {run_id} was started is not known: look before you start another"
        raise Failure(f"{error.message}\n{unknown}") from error


def find_run(airflow: Airflow, dag_id: str, run_id: str) -> RemoteRun:
    """Return a run by its ID."""
    return RemoteRun(airflow, airflow.get("dags", dag_id, "dagRuns", run_id))


def latest_runs(airflow: Airflow, dag_id: str, count: int) -> Iterator[RemoteRun]:
    """Yield the latest runs of a DAG that have ended, the last one first."""
    query = {"state": sorted(ENDED), "order_by": "-run_after", "limit": count}
    for run in airflow.get("dags", dag_id, "dagRuns", **query)["dag_runs"]:
        yield RemoteRun(airflow, run)
