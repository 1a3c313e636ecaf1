"""What a task list says, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyrunner_airflow.tasklist.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One row of a list. ``$ENV{NAME}`` and templates stand as they are written.

    id: unique in its list, 1 or higher.
    parent_ids: the rows that run before this one, each once, in the order written; () for none.
    max_attempts: 1 or higher.
    retry_wait_time: whole seconds between two attempts.
    arguments: ARGUMENTS split at its commas; () for an empty column.
    arguments_text: ARGUMENTS unsplit and trimmed, with its quotes.
    logfile: None for an empty column.
    line: where the row stands in its file, from 1.
    """

    id: int
    parent_ids: tuple[int, ...]
    max_attempts: int
    retry_wait_time: int
    name: str
    module: str
    worker: str
    arguments: tuple[str, ...]
    arguments_text: str
    logfile: str | None
    line: int


@dataclass(frozen=True, slots=True)
class TaskList:
    """A list without errors: its rows in the order of the file, and what is odd about it.

    source: the path or name it was read from, as shown in messages.
    """

    rows: tuple[TaskRow, ...]
    source: str
    warnings: tuple[Diagnostic, ...]
