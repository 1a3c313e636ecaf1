"""How the problems of a list and of its workers' modules are told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pyrunner_airflow.check.source import Site
from pyrunner_airflow.tasklist.diagnostics import Problems, did_you_mean
from pyrunner_airflow.tasklist.fields import Row
from pyrunner_airflow.tasklist.graph import ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pyrunner_airflow.tasklist import Diagnostic, TaskRow
    from pyrunner_airflow.tasklist.fields import Column

    Rows = Sequence[TaskRow]

_WARNINGS = ("true-is-failure", "unknown-hook", "unordered-read", "unordered-writes", "unwritten-key")
# A near match costs a comparison with every name that there is.
_NEAR_MATCHES = 10


class Reporter:
    """Collects problems of a list, and of its workers' modules.

    source: the list's, as messages show it; other paths are shown as relative as it is.
    lines: the list's own, without line ends.
    is_unsure: the job may look for its workers elsewhere, so there are warnings in place of errors.
    """

    def __init__(self, source: str, lines: Sequence[str]) -> None:
        self.source = source
        self.is_unsure = False
        self._lines = lines
        self._problems = Problems(source)
        self._asked = 0

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All of them, once each: a base class is looked at with each class that extends it."""
        return tuple(dict.fromkeys(self._problems.as_error().diagnostics))

    def report(self, code: str, where: Site | tuple[Rows, Column], message: str, hint: str) -> None:
        """Add a problem of a module, or of a column of the list, at the first of the rows that have it."""
        if isinstance(where, Site):
            problems, place = self._problems.of(self.shown(where.source.file)), where.place
        else:
            (first, *others), column = where
            problems, place = self._problems, Row(first.line, self._lines[first.line - 1]).place(column)
            message += f" (also {rows_text(row.id for row in others)})" if others else ""
        report = problems.warning if self.is_unsure or code in _WARNINGS else problems.error
        report(code, place, message, hint)

    def did_you_mean(self, name: str, known: Iterable[str], shown: Callable[[str], str] = str) -> str:
        """Ask about the first unknown names alone: each is compared with all others."""
        self._asked += 1
        return did_you_mean(name, known, shown=shown) if self._asked <= _NEAR_MATCHES else ""

    def shown(self, path: str) -> str:
        """Return a path as the list's own was given."""
        return path if os.path.isabs(self.source) else os.path.relpath(path)

    def where(self, site: Site) -> str:
        """Return a place in a module as text."""
        return f"{self.shown(site.source.file)}:{site.node.lineno}"


def rows_text(ids: Iterable[int]) -> str:
    """Return ``row 4``, or ``rows 2 to 4``."""
    numbers = set(ids)
    return f"{'row' if len(numbers) == 1 else 'rows'} {ranges(numbers)}"
