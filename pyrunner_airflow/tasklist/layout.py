"""How a task list's text is laid out: its columns one below the other, and nothing else changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pyrunner_airflow.tasklist.diagnostics import display_width
from pyrunner_airflow.tasklist.fields import BLANKS, BOM, Column, split_unquoted

if TYPE_CHECKING:
    from collections.abc import Collection

_LINE_END = re.compile(r"(\r\n|\r|\n)")
# Whatever the columns are called there: nobody reads the names but people.
_HEADER = re.compile(rf"[ \t]*#+[ \t]*ID[ \t]*(?:\|[ \t]*[A-Z_]+[ \t]*){{6,{len(Column) - 1}}}")
# One endless ARGUMENTS must not make every row as long as its own: it sticks out instead.
_WIDEST = 200


def align(text: str) -> str:
    """Return a list's text with the columns of its rows and of its header line aligned.

    Fields stay as they are, and so do all other lines, the line ends and a byte order mark. The last column
    of a line is not padded. What is aligned already is returned as it is.
    """
    bare = text.removeprefix(BOM)
    lines = _LINE_END.split(bare)  # at every other place a line end
    table = {place: row for place in range(0, len(lines), 2) if (row := _columns(lines[place]))}
    widths = _widths(table.values())
    for place, row in table.items():
        lines[place] = "|".join([*map(_pad, row[:-1], widths), row[-1]])
    return text[: len(text) - len(bare)] + "".join(lines)


def _columns(line: str) -> list[str]:
    """Return the columns of a row or a header line, trimmed; [] for any other line."""
    stripped = line.strip()
    # What looks like a byte order mark would become one, without the blanks before it.
    if not stripped or stripped.startswith(BOM):
        return []
    if stripped.startswith("#") and not _HEADER.fullmatch(line):
        return []
    return [field.strip(BLANKS) for field in split_unquoted(line, "|")]


def _widths(rows: Collection[list[str]]) -> list[int]:
    # At least 1: PyRunner takes ||| for one empty column.
    widths = [1] * max(map(len, rows), default=0)
    for row in rows:
        for column, width in enumerate(map(display_width, row)):
            if widths[column] < width <= _WIDEST:
                widths[column] = width
    return widths


def _pad(field: str, width: int) -> str:
    return field + " " * (width - display_width(field))
