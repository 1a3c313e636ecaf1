"""PyRunner's options for one run, as parameters of an Airflow run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from pyrunner_airflow.tasklist import RUN_PARAMETERS, TaskRow
from pyrunner_airflow.tasklist.diagnostics import did_you_mean
from pyrunner_airflow.tasklist.selection import kept_by

_PYRUNNERS = {
    "-x": "exec_only",
    "exec_proc_name": "exec_only",
    "-N": "norun",
    "-D": "from",
    "descendents": "from",
    "-A": "to",
    "ancestors": "to",
}
"""Other names that the ``pyrunner`` command has for them."""


class RunParameterError(AirflowFailException):
    """
    A parameter that a run does not have, or one of the DAG's author that has the name of one of ours.

    No further attempt is made of a row that raises it: it would end in the same way.
    """


def run_parameters(rows: Iterable[TaskRow]) -> dict[str, Param]:
    """Return the parameters that every run of a task list takes; the trigger form offers the rows by name."""
    labels = {str(row.id): f"{row.id} {row.name}" for row in rows}
    ids = [int(id_) for id_ in labels]
    # The form reads each field's own schema, so each of the four has the labels.

    def several(title: str, description: str) -> Param:
        items = {"enum": [*ids, *labels]}  # the form hands on as text what was chosen
        schema: dict[str, Any] = {"items": items, "examples": ids, "values_display": labels}
        return Param(None, description, type=["null", "array"], title=title, **schema)

    def one(title: str, description: str) -> Param:
        schema: dict[str, Any] = {"enum": [None, *ids], "values_display": {"null": "all rows", **labels}}
        return Param(None, description, title=title, **schema)

    return {
        "exec_only": several(
            "exec_only (-x)", "Run only these rows; the others are skipped and count as done."
        ),
        "norun": several("norun (-N)", "Skip these rows; they count as done."),
        "from": one("from (-D)", "Run only this row and all rows below it."),
        "to": one("to (-A)", "Run only this row and all rows above it."),
        "cvar": Param(None, "Keys and values that the context starts with.", type=["null", "object"]),
    }


def check_own(names: Iterable[str]) -> None:
    """
    Refuse parameters of the DAG's author that have the name of one of ours, which would take their place.

    :raises RunParameterError: names the first of them.
    """
    for name in names:
        if name in RUN_PARAMETERS:
            raise RunParameterError(
                f"PyRunnerDag was given the parameter {name!r}: every run has one of that name, which is an "
                "option of PyRunner; give this one another name"
            )


def are_for(task: Any) -> bool:
    """Say whether a run's parameters are for a task: a row of the DAG's own list, not one in a group."""
    return hasattr(task, "row") and bool(task.task_group.is_root)


def left_out_by(task: Any, params: Mapping[str, Any]) -> list[str]:
    """
    Return the parameters of a run that leave a row out, if there are any.

    :param task: the row's operator, with its DAG around it, which may have tasks of other kinds too.
    :raises RunParameterError: if they leave out all rows: such a run would be a success that did nothing.
    """
    if not are_for(task) or all(params.get(name) is None for name in RUN_PARAMETERS):
        return []
    tasks = task.dag.tasks
    nodes = {other.task_id: other.row.id if are_for(other) else other.task_id for other in tasks}
    graph = {nodes[other.task_id]: [nodes[parent] for parent in other.upstream_task_ids] for other in tasks}
    ids = {node for node in nodes.values() if isinstance(node, int)}
    kept = kept_by(graph, ids, params)
    if not ids.intersection(*kept.values()):
        raise RunParameterError(
            f"the run's {' and '.join(kept)} leave no row to run. "
            "Start another run with other values: a run's parameters are fixed."
        )
    return [name for name, rows in kept.items() if task.row.id not in rows]


def check_conf(conf: Mapping[str, Any], known: Iterable[str]) -> None:
    """
    Refuse parameters that a run does not have: Airflow takes any, and would run all rows.

    :param known: the DAG's parameters, its author's own among them.
    :raises RunParameterError: names them, and what they may have meant.
    """
    known = list(known)
    unknown = [f"{name!r}{_meant(name, known)}" for name in conf if name not in known]
    if unknown:
        raise RunParameterError(
            f"the run was started with what is no parameter of this DAG: {', '.join(unknown)}. It has: "
            f"{', '.join(known)}. Start another run with the right names: a run's parameters are fixed."
        )


def _meant(name: str, known: list[str]) -> str:
    word = name.strip("-_").lower().replace("-", "_")
    same = _PYRUNNERS.get(name) or _PYRUNNERS.get(word)
    question = did_you_mean(same or word, known, limit=1, shown=repr)
    return f" ({question.strip()})" if question else ""
