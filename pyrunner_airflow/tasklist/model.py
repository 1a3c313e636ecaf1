"""What a task list says, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pyrunner_airflow.tasklist.diagnostics import Diagnostic


RUN_PARAMETERS = ("exec_only", "norun", "from", "to", "cvar")
"""PyRunner's options for one run, which are parameters of every run in Airflow."""
FAILURE_KEY = "pyrunner.failure"
"""The XCom in which a failed task tells why it failed."""


class TaskRow(NamedTuple):
    """One row of a list. ``$ENV{NAME}`` and templates stand as they are written.

    id: unique in its list, 1 or higher.
    parent_ids: the rows that run before this one, each once, in the order written; () for none.
    max_attempts: 1 or higher.
    retry_wait_time: whole seconds between two attempts.
    arguments: ARGUMENTS split at its commas; () for an empty column.
    arguments_text: ARGUMENTS unsplit and trimmed, with its quotes.
    logfile: None for an empty column.
    line: where the row stands in its file, from 1.
    timeout: how many seconds an attempt may take, where the list is JSON; None for any.
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
    timeout: int | None = None


class NotifyEmail(NamedTuple):
    """Who gets a mail when a run ends, and after which end."""

    to: list[str]
    on_success: bool = True
    on_fail: bool = True


class Notification(NamedTuple):
    """What of Airflow's or of its providers tells of the end of a run.

    notifier: the import path of a class.
    on: the end that is told, ``failed`` or ``succeeded``; None for both.
    arguments: those of the class.
    refused: the error of the list, but for its hint, where it is not to be had.
    """

    notifier: str
    on: str | None
    arguments: Mapping[str, Any]
    refused: Diagnostic


class AssetSchedule(NamedTuple):
    """A schedule by Airflow's assets: a run starts when all of them were updated, or any; by their URIs."""

    assets: list[str]
    any: bool = False

    def __str__(self) -> str:
        """Return it as a person says it."""
        return f"when {(' or ' if self.any else ' and ').join(self.assets)} was updated"


class Options(NamedTuple):
    """What a list's front matter and its ``pyrunner.toml`` files say, put together; only what they say.

    dag, default_args: Airflow's own arguments of a DAG, and of all its tasks; but assets are their URIs, and
        a schedule by them is an AssetSchedule.
    tasks: Airflow's own arguments of single tasks, by the ID of their row.
    timezone: of cron and of dates without one; None for Airflow's own.
    env: variables set after the profile.
    cvar: what the context holds before a row writes to it.
    templates: whether Airflow renders ARGUMENTS and LOGFILE.
    app_root: where the app lives; None for where the list lies.
    cwd: the working directory, from the app's root; None for that root.
    python: the interpreter that runs the workers; None for Airflow's own.
    row_python: those of single rows, by their IDs.
    """

    dag: Mapping[str, Any] = {}
    default_args: Mapping[str, Any] = {}
    tasks: Mapping[int, Mapping[str, Any]] = {}
    timezone: str | None = None
    env: Mapping[str, str] = {}
    cvar: Mapping[str, Any] = {}
    notify_email: NotifyEmail | None = None
    notify: Sequence[Notification] = ()
    templates: bool = True
    app_root: str | None = None
    cwd: str | None = None
    python: str | None = None
    row_python: Mapping[int, str] = {}

    def python_of(self, row: TaskRow) -> str | None:
        """Return the interpreter that runs a row's worker; None for Airflow's own."""
        return self.row_python.get(row.id, self.python)


class TaskList(NamedTuple):
    """A list without errors: its rows in the order of the file, its options, and what is odd about it.

    source: the path or name it was read from, as shown in messages.
    """

    rows: tuple[TaskRow, ...]
    source: str
    warnings: tuple[Diagnostic, ...]
    options: Options = Options()
