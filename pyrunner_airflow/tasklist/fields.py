"""One line of a task list, split into its columns and arguments."""

from __future__ import annotations

import re
from enum import IntEnum
from itertools import accumulate
from typing import TYPE_CHECKING

from pyrunner_airflow.tasklist.diagnostics import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

BLANKS = " \t"
BOM = "\ufeff"


class Column(IntEnum):
    """The columns of a row, by their names in PyRunner's header line."""

    ID = 0
    PARENT_IDS = 1
    MAX_ATTEMPTS = 2
    RETRY_WAIT_TIME = 3
    PROCESS_NAME = 4
    MODULE_NAME = 5
    WORKER_NAME = 6
    ARGUMENTS = 7
    LOGFILE = 8


_COLUMNS = len(Column)
HEADER = "|".join(column.name for column in Column)

# Possessive: a quote that never closes costs one look at the rest of the line, and there is
# at most one such quote of each kind.
_QUOTED = r""""[^"]*+"|'[^']*+'"""
_PAIR = re.compile(_QUOTED)
_PAIR_OR = {separator: re.compile(f"{_QUOTED}|{re.escape(separator)}") for separator in "|,"}


class Row:
    """A row's text and its columns, trimmed; knows where each of them stands.

    fields: at least nine; columns that the row lacks are empty.
    width: how many columns the row really has.
    """

    __slots__ = ("_starts", "fields", "line", "text", "width")

    def __init__(self, line: int, text: str) -> None:
        self.line = line
        self.text = text
        self.fields = [field.strip(BLANKS) for field in split_unquoted(text, "|")]
        self.width = len(self.fields)
        if self.width < _COLUMNS:
            self.fields += [""] * (_COLUMNS - self.width)
        self._starts: list[int] | None = None

    def called(self, column: Column) -> str:
        """Return how the file calls a column."""
        return column.name

    def place(self, index: int, offset: int = 0, length: int | None = None) -> Place:
        """Return where a column stands, or `length` characters from `offset` on within it.

        A column that the row lacks stands at the end of the line.
        """
        if self._starts is None:
            self._starts = _starts(self.text)
        missing = index >= len(self._starts)
        start = len(self.text.rstrip(BLANKS)) if missing else self._starts[index]
        if length is None:
            length = len(self.fields[index]) - offset
        name = Column(index).name if index < len(Column) else None
        return Place(self.line, start + offset + 1, length, name, self.text)

    def items(self, column: Column) -> Iterator[tuple[int, str]]:
        """Yield the comma-separated parts of a column, trimmed, each with its offset there."""
        end = 0
        for part in split_unquoted(self.fields[column], ","):
            yield end + len(part) - len(part.lstrip()), part.strip()
            end += len(part) + 1

    def quote_note(self) -> str:
        """Return a sentence on the first pair of quotes that keeps a ``|`` from separating columns."""
        for match in _PAIR.finditer(self.text):
            if "|" in match[0]:
                first, last = match.start() + 1, match.end()
                return f" The quotes in columns {first} and {last} are a pair: no | separates there."
        return ""


def split_unquoted(text: str, separator: str) -> list[str]:
    """Split at each ``|`` or ``,`` that is not inside a balanced pair of quotes, in linear time."""
    if '"' not in text and "'" not in text:
        return text.split(separator)
    parts = []
    start = 0
    for match in _PAIR_OR[separator].finditer(text):
        if match[0] == separator:
            parts.append(text[start : match.start()])
            start = match.end()
    parts.append(text[start:])
    return parts


def split_arguments(text: str) -> tuple[str, ...]:
    """Split ARGUMENTS as PyRunner does: ``a,,b`` is two arguments, ``a, ,b`` three."""
    return tuple([clean_argument(part) for part in split_unquoted(text, ",") if part])


def clean_argument(text: str) -> str:
    """Trim an argument and take off the double quotes around it; single quotes stay."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text.strip('"')
    return text


def _starts(text: str) -> list[int]:
    """Return where each column's trimmed text begins; of a blank column, where the column does."""
    parts = split_unquoted(text, "|")
    begins = accumulate((len(part) + 1 for part in parts[:-1]), initial=0)
    return [
        begin + (len(part) - len(part.lstrip(BLANKS)) if part.strip(BLANKS) else 0)
        for begin, part in zip(begins, parts, strict=True)
    ]
