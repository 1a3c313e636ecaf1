"""PyRunner's other format: task lists in JSON, whose tasks have names in place of IDs."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from contextlib import suppress
from functools import lru_cache, partial
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

from pyrunner_airflow.tasklist.columns import check_characters, read_retries, read_worker
from pyrunner_airflow.tasklist.diagnostics import Place, did_you_mean, quote
from pyrunner_airflow.tasklist.fields import BOM, Column, Row
from pyrunner_airflow.tasklist.files import StrPath, read_beginning, read_file
from pyrunner_airflow.tasklist.graph import find_cycles
from pyrunner_airflow.tasklist.model import TaskRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyrunner_airflow.tasklist.diagnostics import Problems

_KEYS = {
    "dependencies": Column.PARENT_IDS,
    "retries": Column.MAX_ATTEMPTS,
    "max_attempts": Column.MAX_ATTEMPTS,
    "retry_wait_time": Column.RETRY_WAIT_TIME,
    "module": Column.MODULE_NAME,
    "worker": Column.WORKER_NAME,
    "argv": Column.ARGUMENTS,
    "arguments": Column.ARGUMENTS,
    "logfile": Column.LOGFILE,
}
"""Of two for the same the later counts, as in PyRunner."""
_TIMEOUT = "timeout"
_KNOWN = (*_KEYS, _TIMEOUT)
_MAX_TIMEOUT = 10_000 * 24 * 60 * 60  # as of any duration among the options
_EXAMPLE = '{"tasks": {"Load": {"module": "workers", "worker": "Load"}}}'
_OWN_NAME = "Give each task a name of its own."
_LOOKS_LIKE_TASKS = [
    re.compile(rb'"tasks"\s*:\s*\{'),
    re.compile(rb'"module"\s*:'),
    re.compile(rb'"worker"\s*:'),
]
_BEGINNING = 65_536
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}:,]|[^\s\[\]{}:,"]+')
_LINE_END = re.compile(r"\r\n|\r|\n")
_TASK, _DEEPEST = 2, 4
"""How many keys lead to a task, and to an argument: ``tasks``, the task's name, ``arguments``, a number."""

_Path = tuple[Any, ...]


def is_json(text: str) -> bool:
    """Say whether the text of a list is JSON: no other list may begin so."""
    return text.removeprefix(BOM).lstrip().startswith("{")


def is_task_list(path: StrPath) -> bool:
    """Say whether a file has the shape of a task list, and is not somebody else's JSON.

    One with an error of syntax is taken for a list if it has all of a list's words.
    """
    with suppress(OSError):
        data = read_beginning(path, _BEGINNING).replace(b"\0", b"")  # of UTF-16, which is to be told
        if all(words.search(data) for words in _LOOKS_LIKE_TASKS):
            try:
                document = json.loads(read_file(path))
            except (OSError, ValueError, RecursionError):  # too large, or no JSON: to be told as of a list
                return True
            tasks = document.get("tasks") if isinstance(document, dict) else None
            inner = tasks.values() if isinstance(tasks, dict) else ()
            return any(isinstance(task, dict) and {"module", "worker"} <= task.keys() for task in inner)
    return False


class JsonTask(Row):
    """One task of a list in JSON: its columns, and where each of them stands."""

    def __init__(self, places: _Places, number: int, name: str, values: dict[str, Any]) -> None:
        self._places = places
        self._path = ("tasks", name)
        self._keys = {
            column: key
            for key, column in _KEYS.items()
            if values.get(key) not in (None, "", []) and _is_right(key, values[key])
        }
        self.values = values
        self.arguments = self.texts(Column.ARGUMENTS)
        self._offsets = list(accumulate((len(text) + 1 for text in self.arguments), initial=0))[:-1]
        self.fields = [self._field(column) for column in Column]
        self.fields[Column.ID], self.fields[Column.PROCESS_NAME] = str(number), name.strip()
        # Several lines are well in an argument, which check_characters does not know.
        self.fields[Column.ARGUMENTS] = re.sub(r"[\r\n]", " ", ",".join(self.arguments))
        self.text = "|".join(self.fields)
        self.width = len(self.fields)
        self.line = self.place(Column.ID).line

    def value(self, column: Column) -> Any:
        """Return what the task has in a column; None for nothing."""
        return self.values.get(self._keys.get(column, ""))

    def texts(self, column: Column) -> list[str]:
        """Return the texts of an array, numbers among them as PyRunner has them."""
        value = self.value(column)
        return list(map(str, value)) if isinstance(value, list) else []

    def _field(self, column: Column) -> str:
        value = self.value(column)
        return "" if value is None or isinstance(value, list) else str(value).strip()

    def called(self, column: Column) -> str:
        """Return how the file calls a column."""
        default = next((key for key, its in _KEYS.items() if its is column), "the task's name")
        return self._keys.get(column, default)

    def place(self, index: int, offset: int = 0, length: int | None = None) -> Place:
        """Return where a column's value stands, of arguments the one at an offset; else the task's name."""
        column = Column(index)
        path: _Path = (*self._path, self._keys[column]) if column in self._keys else self._path
        if column is Column.ARGUMENTS and self._offsets and column in self._keys:
            path = (*path, bisect_right(self._offsets, offset) - 1)
        return self._places.place(path, is_key=path == self._path)

    def key_place(self, *keys: Any, is_key: bool = False) -> Place:
        """Return where a key of the task stands, or its value."""
        return self._places.place((*self._path, *keys), is_key)

    def items(self, column: Column) -> Iterator[tuple[int, str]]:
        """Yield the arguments, each with its offset, as a row does."""
        yield from zip(self._offsets, self.arguments, strict=True)

    def quote_note(self) -> str:
        """Return nothing: quotes are JSON's."""
        return ""


class _Places:
    """Where in a text of JSON the keys and the values of tasks stand."""

    def __init__(self, text: str) -> None:
        self._lines = _LINE_END.split(text)
        self._starts = [0, *(end.end() for end in _LINE_END.finditer(text))]
        self._found: dict[tuple[_Path, bool], tuple[int, int]] = {}
        self.repeated: dict[_Path, Place] = {}
        """Keys that an object has already; not those of what has such a key."""
        self._read(text)

    def _read(self, text: str) -> None:
        path: list[Any] = []
        objects: list[bool] = []
        awaits_key = False
        for token in _TOKEN.finditer(text):
            match token[0]:
                case "{" | "[" as opening:
                    self._note(path, token)
                    objects.append(opening == "{")
                    awaits_key = objects[-1]
                    path.append(None if awaits_key else 0)
                case "}" | "]":
                    objects.pop()
                    path.pop()
                    awaits_key = False
                case "," if objects[-1]:
                    awaits_key = True
                case ",":
                    path[-1] += 1
                case ":":
                    awaits_key = False
                case name if awaits_key:
                    path[-1] = json.loads(name)
                    self._note(path, token, is_key=True)
                case _:
                    self._note(path, token)

    def _note(self, path: list[Any], token: re.Match[str], is_key: bool = False) -> None:
        if len(path) > _DEEPEST or path[:1] != ["tasks"]:
            return
        where = tuple(path), is_key
        if is_key and where in self._found:
            around = (where[0][:length] for length in range(len(path)))
            if not any(above in self.repeated for above in around):
                self.repeated[where[0]] = self._at(*token.span())
        self._found.setdefault(where, token.span())

    def place(self, path: _Path, is_key: bool = False) -> Place:
        """Return where a value stands, or a key."""
        return self._at(*self._found.get((path, is_key), (0, 0)))

    def _at(self, start: int, end: int) -> Place:
        line = bisect_right(self._starts, start)
        return Place(line, start - self._starts[line - 1] + 1, end - start, None, self._lines[line - 1])


def read_tasks(text: str, problems: Problems, templates: bool, most: int) -> list[TaskRow]:
    """Return the tasks of a list, numbered in their order, as PyRunner numbers them; report what is wrong.

    most: so many are read.
    """
    text = text.removeprefix(BOM)
    places, tasks = _load(text, problems)
    if places is None:
        return []
    for path, place in places.repeated.items():
        hint = _OWN_NAME if len(path) == _TASK else "Remove one of the two."
        problems.error("repeated-key", place, f"{quote(path[-1])} is there already", hint)
    ids: dict[str, int] = {}
    for number, name in enumerate(tasks, 1):
        if ids.setdefault(name.strip(), number) != number:  # which PyRunner takes for one name
            place = places.place(("tasks", name), is_key=True)
            problems.error("repeated-key", place, f"{quote(name.strip())} is there already", _OWN_NAME)
    rows = []
    for number, (name, values) in enumerate(islice(tasks.items(), most), 1):
        if isinstance(values, dict):
            task = JsonTask(places, number, name, values)
            rows.append((task, _read_task(task, ids, problems, templates)))
        else:
            place = places.place(("tasks", name))
            problems.error("invalid-json", place, "the task is no object", f"Write it like {_EXAMPLE}.")
    _check_cycles(rows, problems)
    return [row for _, row in rows]


def _load(text: str, problems: Problems) -> tuple[_Places | None, dict[str, Any]]:
    try:
        document = json.loads(text)
        tasks = document.get("tasks") if isinstance(document, dict) else None
        if isinstance(tasks, dict) and tasks:
            return _Places(text), tasks
        hint = f"Write it like {_EXAMPLE}."
        problems.error("no-rows", Place(), "the list has no tasks", hint)
    except json.JSONDecodeError as error:
        lines = _LINE_END.split(text)
        before = _LINE_END.split(text[: error.pos])
        line = lines[len(before) - 1]
        place = Place(len(before), len(before[-1]) + 1, int(len(before[-1]) < len(line)), None, line)
        hint = "Mend it: JSON has double quotes, a comma between two values and none after the last."
        problems.error("invalid-json", place, f"this is no JSON: {error.msg}", hint)
    except (ValueError, RecursionError):  # what int() says to more than 4,300 digits
        message = "numbers are too long, or brackets nested too deeply"
        problems.error("invalid-json", Place(), message, "No task list needs that: write less.")
    return None, {}


def _read_task(task: JsonTask, ids: dict[str, int], problems: Problems, templates: bool) -> TaskRow:
    """Return a task as data. Where an error was reported, a stand-in keeps the other checks going."""
    _check_keys(task, problems)
    check_characters(task, problems)
    name = task.fields[Column.PROCESS_NAME]
    if not name:
        problems.error("missing-value", task.place(Column.ID), "the task has no name", "Name it, for people.")
    parents = _read_dependencies(task, ids, problems)
    attempts, wait = read_retries(task, problems)
    module, worker = read_worker(task, problems, templates)
    return TaskRow(
        int(task.fields[Column.ID]),
        parents,
        attempts,
        wait,
        name,
        module,
        worker,
        tuple(task.arguments),
        ",".join(task.arguments),
        task.fields[Column.LOGFILE] or None,
        task.line,
        _read_timeout(task, problems),
    )


def _check_keys(task: JsonTask, problems: Problems) -> None:
    """Report keys that PyRunner does not know, and values of a wrong type."""
    for key, value in task.values.items():
        if key not in _KNOWN:
            near = _near(key)
            report = problems.error if near else problems.warning
            hint = f"{near}A task has: {', '.join(_KNOWN)}."
            message = f"PyRunner knows no {quote(key)}, which has no effect"
            report("unknown-key", task.key_place(key, is_key=True), message, hint)
        elif value not in (None, "", []) and not _is_right(key, value):
            what = {"dependencies": "an array of names", "arguments": "an array", "argv": "an array"}
            expected = what.get(key, "a text" if key in ("module", "worker", "logfile") else "a whole number")
            message = f"{key} is not {expected}"
            problems.error("invalid-json", task.key_place(key), message, f"Write {expected}.")
            if key in ("module", "worker"):
                task.fields[_KEYS[key]] = "stand_in"


@lru_cache(maxsize=256)
def _near(key: str) -> str:
    """Ask about the known keys that are nearest: of each key, as it decides what is an error."""
    return did_you_mean(key, _KNOWN)


def _is_right(key: str, value: Any) -> bool:
    match key:
        case "dependencies":
            return isinstance(value, list) and all(isinstance(name, str) for name in value)
        case "arguments" | "argv":
            return isinstance(value, list)
        case "module" | "worker" | "logfile":
            return isinstance(value, str)
    return isinstance(value, int | str) and not isinstance(value, bool)


def _read_dependencies(task: JsonTask, ids: dict[str, int], problems: Problems) -> tuple[int, ...]:
    parents: dict[int, None] = {}
    own = int(task.fields[Column.ID])
    for index, name in enumerate(task.texts(Column.PARENT_IDS)):
        place = partial(task.key_place, "dependencies", index)
        match ids.get(name.strip()):
            case None:
                hint = f"{problems.did_you_mean(name, ids)}Write the names of the tasks to wait for."
                message = f"dependencies names {quote(name)}, but no task has that name"
                problems.error("unknown-parent", place(), message, hint)
            case id_ if id_ == own:
                message = "the task depends on itself, and would wait for itself for ever"
                problems.error("self-parent", place(), message, "Remove it from dependencies.")
            case id_:
                parents[id_] = None
    return tuple(parents)


def _read_timeout(task: JsonTask, problems: Problems) -> int | None:
    value = task.values.get(_TIMEOUT)
    if not value or not _is_right(_TIMEOUT, value):
        return None
    with suppress(ValueError):
        if 1 <= (seconds := int(value)) <= _MAX_TIMEOUT:
            return seconds
    hint = f"Write a number of seconds from 1 to {_MAX_TIMEOUT}."
    problems.error("integer-out-of-range", task.key_place(_TIMEOUT), "timeout is out of range", hint)
    return None


def _check_cycles(rows: Sequence[tuple[JsonTask, TaskRow]], problems: Problems) -> None:
    by_id = {row.id: (task, row) for task, row in rows}
    for cycle in find_cycles({row.id: row.parent_ids for _, row in rows}):
        names = " -> ".join(quote(by_id[id_][1].name) for id_ in [*cycle[:12], cycle[0]])
        task = by_id[cycle[0]][0]
        message = f"these tasks wait for each other: {names}"
        hint = "Remove one of these dependencies."
        problems.error("cycle", task.place(Column.PARENT_IDS), message, hint)
