"""What a person sees of a list while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from pyrunner_airflow.tasklist.diagnostics import showable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyrunner_airflow.tasklist import TaskList, TaskRow

_LOG_LINES = 50
_STYLES = {"success": "green", "up_for_retry": "yellow", "failed": "red"}
_WORDS = {"success": "done", "up_for_retry": "failed", "earlier": "done earlier"}
_COUNTED = (("success", "done"), ("earlier", "done earlier"), ("skipped", "skipped"), ("failed", "failed"))


class Progress:
    """
    Shows the rows of a list as they end, and the log of those that fail.

    :param done: the rows that an earlier run has done.
    :ivar states: the last state of each row that was started, by its ID, in Airflow's words.
    """

    def __init__(self, tasks: TaskList, done: Iterable[int], log: Path) -> None:
        self.states: dict[int, str] = {}
        self._done = frozenset(done)
        self._rows = {row.id: row for row in tasks.rows}
        self._log = log
        self._console = Console(highlight=False, soft_wrap=True)
        self._spinner = self._console.status("starting Airflow")
        self._began: float | None = None
        self._log_start = 0
        self._ids = max(len(str(id_)) for id_ in self._rows)
        self._names = min(max(len(row.name) for row in tasks.rows), 40)

    def __enter__(self) -> Progress:
        self._spinner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._spinner.stop()

    def show(self, event: dict[str, Any]) -> None:
        """Show what the engine tells of a row."""
        row, state = self._rows[event["row"]], event["state"]
        if state == "skipped" and row.id in self._done:
            state = "earlier"
        self.states[row.id] = state
        began, log_start = self._began, self._log_start
        self._began, self._log_start = None, event["log_size"]
        if state == "running":
            self._began = event["time"]
            attempt = _attempt(row, event)
            self._spinner.update(escape(f"{row.id} {row.name}{attempt and f' ({attempt})'}"))
            return
        self._spinner.update("")
        if state in ("skipped", "earlier"):
            self._line(row, state, "")
            return
        # Airflow does not begin with a row whose templates it can't render.
        took = "" if began is None else f"{event['time'] - began:6.1f} s"
        following = f", the next follows in {row.retry_wait_time} s" if state == "up_for_retry" else ""
        self._line(row, state, f"{took}  {_attempt(row, event)}{following}")
        if state != "success":
            self._show_log(log_start, event["log_size"])

    def show_end(self, succeeded: bool, ended: str, go_on: str) -> None:
        """
        Show which rows were not run, and how the run ended.

        :param ended: what became of a row that was still running.
        :param go_on: the command that goes on where it failed.
        """
        if not succeeded:
            for row in self._rows.values():
                if row.id not in self.states:
                    self._line(row, "not run", "")
                elif self.states[row.id] == "running":
                    self.states[row.id] = "failed"
                    self._line(row, "failed", f"  {ended}")
                    self._show_log(self._log_start)
        states = list(self.states.values())
        counts = [f"{states.count(state)} {what}" for state, what in _COUNTED if state in states]
        end = "[green]succeeded[/]" if succeeded else "[bold red]failed[/]"
        self._console.print(f"{end}: {', '.join(counts) or 'no row was run'}")
        self._console.print(Text(f"log: {showable(str(self._log))}", style="dim"))
        if not succeeded:
            self._console.print(Text(f"to go on here: {showable(go_on)}", style="dim"))

    def _line(self, row: TaskRow, state: str, rest: str) -> None:
        text = Text(f"{row.id:>{self._ids}}  {row.name:<{self._names}}  ")
        text.append(f"{_WORDS.get(state, state):<8}", style=_STYLES.get(state, "dim"))
        text.append(rest)
        text.rstrip()
        self._console.print(text)

    def _show_log(self, start: int, end: int | None = None) -> None:
        with self._log.open("rb") as file:
            file.seek(start)
            lines = file.read(-1 if end is None else end - start).decode(errors="replace").splitlines()
        for line in lines[-_LOG_LINES:]:
            self._console.print(Text(f"    {showable(line.expandtabs())}", style="dim"))


def _attempt(row: TaskRow, event: dict[str, Any]) -> str:
    return f"attempt {event['attempt']} of {row.max_attempts}" if row.max_attempts > 1 else ""
