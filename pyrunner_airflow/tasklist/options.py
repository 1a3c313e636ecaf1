"""What a list's options say, once all documents that hold for it are put together."""

from __future__ import annotations

import re
from copy import deepcopy
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

from pyrunner_airflow.tasklist.columns import MAX_NUMBER
from pyrunner_airflow.tasklist.diagnostics import Problems, did_you_mean, quote
from pyrunner_airflow.tasklist.documents import Document, KeyPath, Origin, options_file, to_key
from pyrunner_airflow.tasklist.files import ENDINGS
from pyrunner_airflow.tasklist.graph import id_hints
from pyrunner_airflow.tasklist.model import Notification, NotifyEmail, Options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pydantic_core import ErrorDetails


_MAX_OWNERS = 1700
"""Airflow has room for 2,000 characters; its own default owner may be among them."""
_TABLE = "It should be a table: its name in single brackets, then a line for each option."
_EXPECTED = {
    "model_type": _TABLE,
    "dict_type": _TABLE,
    "list_type": 'It should be an array, such as ["etl", "daily"].',
    "literal_error": "It should be {expected}.",
    "string_type": "It should be a text, in quotes.",
    "string_too_short": "It must not be empty.",
    "string_too_long": "It should have {max_length} characters or fewer.",
    "too_short": "It should have an entry.",
    "too_long": "It should have {max_length} entries or fewer.",
    "string_pattern_mismatch": "A name consists of letters, digits and _, and does not begin with a digit.",
    "bool_type": "It should be true or false.",
    "int_type": "It should be a whole number.",
    "greater_than_equal": "It should be {ge} or higher.",
    "less_than_equal": "It should be {le} or lower.",
    "missing": "It must not be left out.",
}
"""What should be there, by pydantic's name for what is wrong: its own words are about Python's types."""
_ELSEWHERE = {
    "dag_id": "The DAG ID is the name of the file; PyRunnerDag(dag_id=...), in Python, gives another.",
    "retries": "MAX_ATTEMPTS of each row says how often it is tried.",
    "retry_delay": "RETRY_WAIT_TIME of each row says how long to wait.",
    "email": "notify_email, below [pyrunner], says who gets a mail.",
}
"""What Airflow has a name for, and a list says in another way."""
_ENVIRONMENTS = "env"
_ENVIRONMENT = (
    "An environment is a table, such as [env.prod]; variables for workers belong below [pyrunner.env]."
)
ENVIRONMENT_NAME = r"[A-Za-z0-9_-]+"


class Section(NamedTuple):
    """The options of one document that hold for a list, or of a table in it."""

    values: dict[str, Any]
    document: Document
    table: KeyPath
    """Where the section begins: () or the keys of an environment, of a list, or of a list in one."""
    is_of_one_list: bool

    @property
    def is_of_environment(self) -> bool:
        """Whether the options hold for one environment."""
        return self.table[:1] == (_ENVIRONMENTS,)


class Option(NamedTuple):
    """An option that holds for a list: the keys that lead to it, and where it is from."""

    path: KeyPath
    origin: Origin


class OptionsFile:
    """A ``pyrunner.toml`` that was read once for all lists that it holds for."""

    def __init__(self, source: str, lines: Iterable[str]) -> None:
        self._problems = Problems(source)
        self._document = options_file(lines, self._problems)
        values = self._document.parse()
        environments = _environments(values.pop(_ENVIRONMENTS, {}), self._document)
        self._of_all = _Tables(values, (), self._document)
        self.environments = {
            name: _Tables(inner, (_ENVIRONMENTS, name), self._document)
            for name, inner in environments.items()
        }

    def sections(self, path: str, environment: str | None, problems: Problems) -> list[Section]:
        """Return what the file says for a list, the list's own table first; errors are reported.

        path: of the list, from the file's folder; a table may be named after it, or after its file alone.
        environment: the one that is chosen; errors of the others are reported too.
        """
        problems.add(self._problems)
        document = self._document.of(problems)
        sections = self._of_all.sections(path, document)
        for name, tables in self.environments.items():
            found = tables.sections(path, document)
            sections += found if name == environment else []
        return sections

    def report_unknown_environment(self, name: str, known: Iterable[str], problems: Problems) -> None:
        """Report that the environment that is chosen is none of those that there are."""
        names = sorted(known)
        path = (_ENVIRONMENTS, next(iter(self.environments)))
        message = f"the environment {quote(name)} is chosen, but there are: {', '.join(names)}"
        hint = (
            f"{did_you_mean(name, names)}[pyrunner_airflow] environment in airflow.cfg chooses; a table "
            f"[{to_key((_ENVIRONMENTS, name))}] may be empty."
        )
        self._document.of(problems).error("unknown-environment", path, message, hint)

    def check_lists(self, paths: Iterable[str], problems: Problems) -> None:
        """Warn of tables that are named after lists which are not there.

        paths: those of the lists, from the file's folder; not all are asked for if fewer will do.
        """
        tables = [table for each in (self._of_all, *self.environments.values()) for table in each.of_lists]
        missing = {table[-1] for table in tables}
        known: set[str] = set()
        for path in paths if missing else ():
            for name in (path, _file_name(path)):
                known.add(name)
                missing.discard(name)
            if not missing:
                return
        for table in sorted(tables):
            if table[-1] in missing:
                self._document.of(problems).report_unknown_list(table, sorted(known))


class _Tables:
    """What a file says whatever the environment, or for one environment."""

    def __init__(self, values: dict[str, Any], table: KeyPath, document: Document) -> None:
        self._table = table
        names = [name for name in values if name.endswith(ENDINGS)]
        self.of_lists = {(*table, name): values.pop(name) for name in names}
        self._of_all = _validate(values, table, document) if values else {}

    def sections(self, path: str, document: Document) -> list[Section]:
        """Return what there is for a list, its own table first; errors of that are reported."""
        sections = [Section(self._of_all, document, self._table, False)] if self._of_all else []
        own = [(*self._table, name) for name in dict.fromkeys((path, _file_name(path)))]
        tables = [table for table in own if table in self.of_lists]
        if tables[1:]:
            message = f"[{to_key(tables[1])}] is a second table of the list {quote(path)}"
            hint = "Write all options of a list in one table."
            document.error("invalid-option", tables[1], message, hint)
        for table in tables[:1]:
            values = _validate(self.of_lists[table], table, document)
            sections.insert(0, Section(values, document, table, True))
        return sections


def _environments(values: Any, document: Document) -> dict[str, dict[str, Any]]:
    """Return the tables of the environments, by name; report what is none."""
    if not isinstance(values, dict):
        document.error("invalid-option", (_ENVIRONMENTS,), "env cannot have this value", _ENVIRONMENT)
        return {}
    for name, inner in values.items():
        path = (_ENVIRONMENTS, name)
        if not isinstance(inner, dict):
            document.error("invalid-option", path, f"{_name(path)} cannot have this value", _ENVIRONMENT)
        elif not re.fullmatch(ENVIRONMENT_NAME, name):
            hint = "An environment's name consists of letters, digits, _ and -."
            document.error("invalid-option", path, f"{_name(path)} cannot have this name", hint)
    return {name: inner for name, inner in values.items() if isinstance(inner, dict)}


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]


def read_front_matter(document: Document) -> list[Section]:
    """Return what a list itself says; errors are reported."""
    values = document.parse() if document else {}
    return [Section(_validate(values, (), document), document, (), True)] if values else []


def check_tasks(sections: Iterable[Section], ids: Iterable[int]) -> None:
    """Report tables of tasks that the list does not have; a document for several lists may name others'."""
    known = set(ids)
    names = {str(id_) for id_ in known}
    unknown = [
        (section, task_id)
        for section in sections
        if section.is_of_one_list
        for task_id in section.values.get("tasks", {})
        if task_id not in names
    ]
    hints = id_hints([task_id for _, task_id in unknown], known)
    for (section, task_id), hint in zip(unknown, hints, strict=True):
        message = f"[tasks.{task_id}]: the list has no row with that ID"
        section.document.error("unknown-task", (*section.table, "tasks", task_id), message, hint)


def check_sums(sections: Sequence[Section], options: Options, ids: Iterable[int]) -> None:
    """Report what a row may have, but not all rows together: Airflow adds up weights, and joins owners."""
    if not sections:
        return
    rows = {id_: {**options.default_args, **options.tasks.get(id_, {})} for id_ in ids}
    weights = {id_: row.get("priority_weight", 1) for id_, row in rows.items()}
    for sign in (1, -1):
        if sum(max(0, sign * weight) for weight in weights.values()) > MAX_NUMBER:
            largest = max(weights, key=lambda id_: sign * weights[id_])
            hint = f"The weights of all rows, added up, are {MAX_NUMBER} at most: write smaller ones."
            _report_argument("priority_weight", largest, hint, sections)
    owners = {row["owner"]: id_ for id_, row in rows.items() if "owner" in row}
    if len(", ".join(owners)) > _MAX_OWNERS:
        hint = f"The owners of all rows take {_MAX_OWNERS} characters at most, joined by commas."
        _report_argument("owner", owners[max(owners, key=len)], hint, sections)


def _report_argument(key: str, row_id: int, hint: str, sections: Sequence[Section]) -> None:
    """Report an argument of a task where it comes from: its own table, or else that of all tasks."""
    for tables in (("tasks", str(row_id)), ("default_args",)):
        for section in sections:
            values: Any = section.values
            for table in tables:
                values = values.get(table, {})
            if key in values:
                path = (*section.table, *tables, key)
                section.document.error("invalid-option", path, f"{_name(path)} cannot have this value", hint)
                return


def origins(sections: Sequence[Section]) -> list[Option]:
    """Return each option of a list, and where it is from, by its sections, the nearest one first."""
    found = [_origins(section.values, (), section) for section in reversed(sections)]
    return list(_options(reduce(_merge, found, {})))


def _origins(values: dict[str, Any], path: KeyPath, section: Section) -> dict[str, Any]:
    """Return the same tables, with each option in place of its value."""
    return {
        key: _origins(value, (*path, key), section)
        if isinstance(value, dict)
        else Option((*path, key), section.document.origin((*section.table, *path, key)))
        for key, value in values.items()
    }


def _options(tables: dict[str, Any]) -> Iterator[Option]:
    for value in tables.values():
        yield from _options(value) if isinstance(value, dict) else (value,)


def merge(sections: Sequence[Section]) -> Options:
    """Return the options of a list from its sections, the nearest one first."""
    merged: dict[str, Any] = reduce(_merge, [section.values for section in reversed(sections)], {})
    own = dict(merged.pop("pyrunner", {}))
    if "notify_email" in own:
        own["notify_email"] = NotifyEmail(**own["notify_email"])
    if "notify" in own:
        own["notify"] = _notifications(own["notify"], sections)
    tasks = {int(task_id): dict(arguments) for task_id, arguments in merged.pop("tasks", {}).items()}
    of_rows = {task_id: arguments.pop("pyrunner", {}) for task_id, arguments in tasks.items()}
    own["row_python"] = {task_id: row["python"] for task_id, row in of_rows.items() if "python" in row}
    return Options(default_args=merged.pop("default_args", {}), tasks=tasks, dag=merged, **own)


def _notifications(wanted: list[dict[str, Any]], sections: Iterable[Section]) -> list[Notification]:
    """Return what is to tell of a run's end, each with its place: in the nearest section that has any."""
    section = next(section for section in sections if "notify" in section.values.get("pyrunner", {}))
    found = []
    for number, table in enumerate(wanted):
        arguments = {name: value for name, value in table.items() if name not in ("notifier", "on")}
        path = (*section.table, "pyrunner", "notify", str(number))
        message = f"{_name(path)} cannot have this value"
        refused = section.document.diagnostic("invalid-option", path, message)
        found.append(Notification(table["notifier"], table.get("on"), arguments, refused))
    return found


def _merge(values: Any, nearer: Any) -> Any:
    """Return both tables in one, key by key; of anything else the nearer. Neither is changed."""
    if not (isinstance(values, dict) and isinstance(nearer, dict)):
        return nearer
    return {**values, **{key: _merge(values.get(key), value) for key, value in nearer.items()}}


def _validate(values: Any, table: KeyPath, document: Document) -> dict[str, Any]:
    """Return what is set and right, as Airflow takes it; report what is unknown or of the wrong type."""
    from pydantic import ValidationError

    from pyrunner_airflow.tasklist.schema import DOCUMENT, TABLE, TEXT

    try:
        return dict(DOCUMENT.validate_python(values))
    except ValidationError as error:
        details = error.errors(include_url=False)
    values = deepcopy(values)
    for detail in details:
        path = tuple(str(part) for part in detail["loc"] if part not in ("[key]", TEXT, TABLE))
        if detail["type"] == "extra_forbidden":
            _report_unknown(path, table, detail["input"], document)
        else:
            _report_invalid(path, table, detail, document)
        if not path:
            return {}
        _remove(values, path)
    try:  # the rest counts for other checks: templates may be off, tasks may be unknown
        return dict(DOCUMENT.validate_python(values))
    except ValidationError:
        return {}


def _remove(values: dict[str, Any], path: KeyPath) -> None:
    """Remove a key, or the innermost one around an element of an array."""
    key, *below = path
    if below and isinstance(values.get(key), dict):
        _remove(values[key], tuple(below))
    else:
        values.pop(key, None)


def _report_invalid(path: KeyPath, table: KeyPath, detail: ErrorDetails, document: Document) -> None:
    part = "name" if "[key]" in detail["loc"] else "value"
    fault = "is missing" if detail["type"] == "missing" else f"cannot have this {part}"
    if expected := _EXPECTED.get(detail["type"]):
        hint = expected.format(**detail.get("ctx", {}))
    else:
        hint = detail["msg"].removeprefix("Value error, ")
    document.error("invalid-option", table + path, f"{_name(path or table)} {fault}", hint)


def _name(path: Iterable[str]) -> str:
    return quote(".".join(path))[1:-1]


def _report_unknown(path: KeyPath, table: KeyPath, value: Any, document: Document) -> None:
    *parents, key = path
    known = _names(_kind(parents))
    hint = _ELSEWHERE.get(key) or _home(key, tuple(parents), table, document)
    if not parents and isinstance(value, dict) and "lst" in value:
        hint = f'The table of one list is called ["{_name([key])}.lst"], with the quotes.'
    elif not parents and key == _ENVIRONMENTS and _has_tables(value):
        one = '[env.<name>."my.lst"]'
        hint = f"Environments stand in pyrunner.toml, side by side: [env.<name>], and for one list {one}."
    elif not parents and key.endswith(ENDINGS):
        hint = f"In a list itself all options are its own: leave [{key!r}] out.".replace("'", '"')
    where = f"[{_name(parents)}]" if parents else "the DAG"
    message = f"{where} has no option {quote(key)}"
    hint = hint or f"{did_you_mean(key, known)}There are: {', '.join(known)}."
    document.error("unknown-option", table + path, message, hint)


def _has_tables(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(inner, dict) for inner in value.values())


def _kind(parents: Sequence[str]) -> str:
    """Return the name of the table that a key stands in."""
    if "notify_email" in parents:
        return "notify_email"
    if parents[:1] == ["tasks"] and parents[2:] == ["pyrunner"]:
        return "tasks.pyrunner"
    return parents[0] if parents else "dag"


def _home(key: str, parents: KeyPath, table: KeyPath, document: Document) -> str | None:
    """Return where an option belongs that exists, but not here."""
    name = to_key(table)
    own = f"{name}." if table else ""
    if key in ("default_args", "tasks", "pyrunner"):
        return f"Tables stand side by side: write [{own}{key}]." if parents else None
    if key in _names("dag"):
        line = document.line_of_table(table)
        if line is None:
            what = f"below a line [{name}]" if table else "on a line of its own, with nothing before it"
            return f"{key} is an option of the DAG: write it {what}."
        where = f"directly below line {line}, [{name}]" if table else f"above line {line}, the first table"
        return f"{key} is an option of the DAG: move it {where}."
    if key in _names("pyrunner"):
        return f"{key} belongs below [{own}pyrunner]."
    if key in _names("default_args"):
        return f"{key} belongs below [{own}default_args], or below [{own}tasks.<ID>] for one row."
    if key in _names("tasks"):
        return f"{key} belongs below [{own}tasks.<ID>]."
    return None


def _names(table: str) -> list[str]:
    """Return the options that a table may have."""
    from pyrunner_airflow.tasklist import schema

    tables: dict[str, type] = {
        "dag": schema.DagOptions,
        "pyrunner": schema.PyRunnerOptions,
        "access_control": schema.AccessOptions,
        "notify_email": schema.NotifyEmailOptions,
        "schedule": schema.AssetScheduleOptions,
        "tasks": schema.RowOptions,
        "tasks.pyrunner": schema.RowPyRunnerOptions,
    }
    return list(tables.get(table, schema.TaskOptions).__annotations__)
