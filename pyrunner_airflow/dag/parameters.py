"""PyRunner's options for one run, as parameters of an Airflow run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk import Param

from pyrunner_airflow.tasklist import RUN_PARAMETERS, TaskRow

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


class RunParameterError(ValueError):
    """A parameter that a run does not have, or one of the DAG's author that has the name of one of ours."""


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


def is_selected(task: Any, params: Mapping[str, Any]) -> bool:
    """
    Say whether a row takes part in a run; several parameters narrow each other down.

    :param task: the row's operator, with its DAG around it.
    """
    only, without, below, above = (params.get(name) for name in ("exec_only", "norun", "from", "to"))
    row_id = task.row.id
    return (
        (only is None or row_id in map(int, only))
        and row_id not in map(int, without or ())
        and (below is None or below in {row_id, *_relatives(task, upstream=True)})
        and (above is None or above in {row_id, *_relatives(task, upstream=False)})
    )


def _relatives(task: Any, upstream: bool) -> set[int]:
    """Return the IDs of the rows above or below a row; a DAG may have tasks of other kinds too."""
    return {other.row.id for other in task.get_flat_relatives(upstream=upstream) if hasattr(other, "row")}


def check_names(conf: Mapping[str, Any], known: Iterable[str]) -> None:
    """
    Refuse a parameter that is meant to be one of ours: Airflow takes any, and would run all rows.

    :raises RunParameterError: names the parameter and what it may have meant.
    """
    for name in conf:
        meant = None if name in known else _meant(name)
        if meant:
            raise RunParameterError(
                f"the run was started with {name!r}, which is no parameter of this DAG. Did you mean "
                f"{meant!r}? Start another run with the right name: a run's parameters are fixed."
            )


def _meant(name: str) -> str | None:
    """Return the parameter of ours that somebody meant; a short name is rather another's than a slip."""
    from difflib import get_close_matches  # only odd parameters pay for it

    word = name.strip("-_").lower().replace("-", "_")
    if word in RUN_PARAMETERS:
        return word
    near = get_close_matches(word, ("exec_only", "norun"), n=1, cutoff=0.8)
    return _PYRUNNERS.get(name) or _PYRUNNERS.get(word) or (near[0] if near else None)
