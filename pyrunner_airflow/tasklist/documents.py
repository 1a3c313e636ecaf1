"""Options as TOML: the ``#AIRFLOW`` comments of a list, and files called ``pyrunner.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyrunner_airflow.tasklist.diagnostics import Place, Problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OPTIONS_FILE = "pyrunner.toml"
_PREFIX = re.compile(r"\s*#AIRFLOW(?=\s|$)")
# Only where options seem to be meant: a comment may well speak of Airflow.
_NEARLY = re.compile(r"\s*#+\s*AIRFLOW\s+(\[|\w+\s*=)", re.IGNORECASE)
_TABLE = re.compile(r"\s*\[[^\[].*\]\s*(#.*)?")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

Path = tuple[str, ...]
"""The keys that lead to a value."""


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    offset: int
    """Where the TOML begins in the line."""
    whole: str

    @property
    def toml(self) -> str:
        return self.whole[self.offset :]


class Document:
    """One TOML document, which knows where in its file each key stands."""

    def __init__(self, problems: Problems, lines: Iterable[_Line]) -> None:
        self._problems = problems
        self._lines = list(lines)

    def __bool__(self) -> bool:
        return bool(self._lines)

    def error(self, code: str, path: Path, message: str, hint: str) -> None:
        """Report an error at a key."""
        self._problems.error(code, self.place(path), message, hint)

    def parse(self) -> dict[str, Any]:
        """Return the document's values; {} if it is no TOML, which is reported."""
        try:
            return tomllib.loads("\n".join(line.toml for line in self._lines))
        except tomllib.TOMLDecodeError as error:
            message = str(error)
            found = _POSITION.search(message)
            row, column = (int(number) for number in found.groups(default=0)) if found else (0, 0)
            self._problems.error(
                "invalid-toml",
                self._point(row, column),
                _POSITION.sub("", message),
                'Options are written like schedule = "0 6 * * *"; tables begin with [pyrunner] or [tasks.4].',
            )
            return {}

    def place(self, path: Path) -> Place:
        """Return where a key stands, or the nearest table around it."""
        places = dict(self._places())
        return next((places[path[:end]] for end in range(len(path), 0, -1) if path[:end] in places), Place())

    def _places(self) -> Iterator[tuple[Path, Place]]:
        table: Path = ()
        for line in self._lines:
            if _TABLE.fullmatch(line.toml):
                table = _only_path(line.toml)
                yield table, self._point_at(line, line.toml.strip())
            elif key := _KEY.match(line.toml):
                yield (*table, *_only_path(f"{key[1]} = 0")), self._point_at(line, key[1])

    def _point(self, row: int, column: int) -> Place:
        """Return a place given by tomllib: from 1, or 0 for the end of the document."""
        line = self._lines[row - 1]
        start = line.offset + column if row else len(line.whole)
        return Place(line.number, max(start, 1), 1, None, line.whole)

    def _point_at(self, line: _Line, text: str) -> Place:
        start = line.whole.index(text, line.offset)
        return Place(line.number, start + 1, len(text), None, line.whole)


def front_matter(lines: Iterable[str], problems: Problems) -> Document:
    """Return the document that a list carries in its comments."""
    found = []
    for number, line in enumerate(lines, 1):
        if "#" not in line:
            continue
        if match := _PREFIX.match(line):
            found.append(_Line(number, match.end(), line))
        elif _NEARLY.match(line):
            problems.warning(
                "not-front-matter",
                Place(number, 1, len(line), None, line),
                "this is a comment without effect, though it looks like an option",
                "Begin the line with #AIRFLOW, in capitals and without a blank, if it is meant as one.",
            )
    return Document(problems, found)


def options_file(text: str, problems: Problems) -> Document:
    """Return the document that a ``pyrunner.toml`` is."""
    return Document(problems, (_Line(number, 0, line) for number, line in enumerate(text.splitlines(), 1)))


def _only_path(toml: str) -> Path:
    """Return the keys of a text that has one table or one value; () if it has none after all."""
    path: list[str] = []
    try:
        values: Any = tomllib.loads(toml)
    except tomllib.TOMLDecodeError:
        return ()
    while isinstance(values, dict) and values:
        key, values = next(iter(values.items()))
        path.append(key)
    return tuple(path)
