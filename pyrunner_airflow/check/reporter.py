"""How the problems of a list and of its workers' modules are told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pyrunner_airflow.tasklist.diagnostics import Place, Problems, showable
from pyrunner_airflow.tasklist.fields import Row
from pyrunner_airflow.tasklist.graph import rows_text
from pyrunner_airflow.tasklist.json_tasks import is_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyrunner_airflow.check.flow import Site
    from pyrunner_airflow.check.modules import Class, Function
    from pyrunner_airflow.tasklist import Diagnostic, TaskRow
    from pyrunner_airflow.tasklist.fields import Column

    Spot = Site | Class | Function

_WARNINGS = ("true-is-failure", "unknown-hook", "unordered-read", "unordered-writes", "unwritten-key")


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
        self._is_json = is_json("\n".join(lines))
        self._problems = Problems(source)
        self.did_you_mean = self._problems.did_you_mean

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All of them, once each: a base class is looked at with each class that extends it."""
        return tuple(dict.fromkeys(self._problems.as_error().diagnostics))

    def in_list(self, code: str, column: Column, rows: Sequence[TaskRow], message: str, hint: str) -> None:
        """Report a problem at the first of the rows that have it."""
        first, *others = rows
        ids = [row.id for row in others if row.id]  # 0 is one that can't be read
        message += f" (also {rows_text(ids)})" if ids else ""
        line = self._lines[first.line - 1]
        if self._is_json:
            name = line.strip()
            place = Place(first.line, line.index(name) + 1, len(name), None, line)
        else:
            place = Row(first.line, line).place(column)
        self._report(self._problems, code, place, message, hint)

    def in_module(self, code: str, spot: Spot, message: str, hint: str) -> None:
        """Report a problem of a module."""
        problems = self._problems.of(self.shown(spot.module.file))
        self._report(problems, code, spot.module.place(spot.node), message, hint)

    def _report(self, problems: Problems, code: str, place: Place, message: str, hint: str) -> None:
        report = problems.warning if self.is_unsure or code in _WARNINGS else problems.error
        report(code, place, showable(message), showable(hint))

    def shown(self, path: str) -> str:
        """Return a path as the list's own was given."""
        return path if os.path.isabs(self.source) else os.path.relpath(path)

    def where(self, spot: Spot) -> str:
        """Return a place in a module as text."""
        return f"{self.shown(spot.module.file)}:{spot.node.lineno}"
