"""What a list's options say, once all documents that hold for it are put together."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from pyrunner_airflow.tasklist.documents import Document, Path
from pyrunner_airflow.tasklist.model import NotifyEmail, Options

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Section(NamedTuple):
    """The options of one document that hold for a list, or of the list's own table in it."""

    values: dict[str, Any]
    document: Document
    table: Path
    """Where the section begins: () or the list's name."""
    is_of_one_list: bool


def read_sections(document: Document, list_name: str) -> list[Section]:
    """Return what a ``pyrunner.toml`` says, the nearest to the list first; errors are reported."""
    values = document.parse()
    tables = {name: values.pop(name) for name in list(values) if name.endswith(".lst")}
    sections = [Section(_validate(values, (), document), document, (), False)] if values else []
    if list_name in tables:
        table = (list_name,)
        sections.insert(0, Section(_validate(tables[list_name], table, document), document, table, True))
    return sections


def read_front_matter(document: Document) -> list[Section]:
    """Return what a list itself says; errors are reported."""
    values = document.parse()
    return [Section(_validate(values, (), document), document, (), True)] if values else []


def check_tasks(sections: Iterable[Section], ids: Iterable[int]) -> None:
    """Report tables of tasks that the list does not have; a document for several lists may name others'."""
    known = {str(id_) for id_ in ids}
    for section in sections:
        for task_id in section.values.get("tasks", {}):
            if section.is_of_one_list and task_id not in known:
                section.document.error(
                    "unknown-task",
                    (*section.table, "tasks", task_id),
                    f"[tasks.{task_id}]: the list has no row with that ID",
                    _choices(task_id, sorted(known, key=int)),
                )


def merge(sections: Sequence[Section]) -> Options:
    """Return the options of a list from its sections, the nearest one first."""
    merged: dict[str, Any] = {}
    for section in reversed(sections):
        _update(merged, section.values)
    own = merged.pop("pyrunner", {})
    if "notify_email" in own:
        own["notify_email"] = NotifyEmail(**own["notify_email"])
    tasks = {int(task_id): arguments for task_id, arguments in merged.pop("tasks", {}).items()}
    return Options(default_args=merged.pop("default_args", {}), tasks=tasks, dag=merged, **own)


def _update(values: dict[str, Any], nearer: dict[str, Any]) -> None:
    for key, value in nearer.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _update(values[key], value)
        else:
            values[key] = value


def _validate(values: Any, table: Path, document: Document) -> dict[str, Any]:
    """Return what is set, as Airflow takes it; report what is unknown or of the wrong type."""
    from pydantic import ValidationError

    from pyrunner_airflow.tasklist.schema import DagOptions

    try:
        options = DagOptions.model_validate(values).model_dump(exclude_unset=True)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=False):
            path = tuple(str(part) for part in detail["loc"] if part != "[key]")
            if detail["type"] == "extra_forbidden":
                _report_unknown(path, table, document)
            else:
                _report_invalid(path, table, detail["msg"], document)
        return {}
    return options


def _report_invalid(path: Path, table: Path, message: str, document: Document) -> None:
    hint = message.removeprefix("Value error, ").replace("Input should be", "It should be")
    hint = f"{hint[0].upper()}{hint[1:].rstrip('.')}."
    document.error("invalid-option", table + path, f"{'.'.join(path)} cannot have this value", hint)


def _report_unknown(path: Path, table: Path, document: Document) -> None:
    *parents, key = path
    kind = "notify_email" if "notify_email" in parents else parents[0] if parents else "dag"
    where = f"[{'.'.join(parents)}]" if parents else "the DAG"
    document.error(
        "unknown-option",
        table + path,
        f"{where} has no option {key!r}",
        _home(key, tuple(parents), table, document) or _choices(key, _names(kind)),
    )


def _home(key: str, parents: Path, table: Path, document: Document) -> str | None:
    """Return where an option belongs that exists, but not here."""
    if key in _names("dag"):
        line = document.place((*table, *parents)).line
        return (
            f"{key} is an option of the DAG: move it above line {line}, where [{'.'.join(parents)}] begins."
        )
    if key in _names("pyrunner"):
        return f"{key} belongs below [pyrunner]."
    if key in _names("tasks"):
        return f"{key} belongs below [default_args], or below [tasks.<ID>] for one row."
    return None


def _names(table: str) -> list[str]:
    """Return the options that a table may have."""
    from pydantic import BaseModel

    from pyrunner_airflow.tasklist import schema

    models: dict[str, type[BaseModel]] = {
        "dag": schema.DagOptions,
        "pyrunner": schema.PyRunnerOptions,
        "notify_email": schema.NotifyEmail,
    }
    return list(models.get(table, schema.TaskOptions).model_fields)


def _choices(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known)
    return (f"Did you mean {' or '.join(near)}? " if near else "") + f"There are: {', '.join(known)}."
