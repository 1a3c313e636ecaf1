"""What a person sees of a list while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

if TYPE_CHECKING:
    from pyrunner_airflow.tasklist import TaskList, TaskRow

_LOG_LINES = 40
_STYLES = {"success": "green", "skipped": "dim", "up_for_retry": "yellow", "failed": "red"}


class Progress:
    """
    Shows the rows of a list as they end, and the log of those that fail.

    :ivar states: the last state of each row that was started, by its ID, in Airflow's words.
    """

    def __init__(self, tasks: TaskList, log: Path) -> None:
        self.states: dict[int, str] = {}
        self._rows = {row.id: row for row in tasks.rows}
        self._log = log
        self._console = Console(highlight=False, soft_wrap=True)
        self._spinner = self._console.status("starting Airflow")
        self._began: dict[str, Any] = {}
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
        self.states[row.id] = state
        if state == "running":
            self._began = event
            attempt = f" (attempt {event['attempt']} of {row.max_attempts})" if row.max_attempts > 1 else ""
            self._spinner.update(escape(f"{row.id} {row.name}{attempt}"))
            return
        self._spinner.update("")
        seconds = event["time"] - self._began["time"] if self._began.get("row") == row.id else 0
        self._line(row, state, f"{seconds:6.1f} s{_attempts(row, event)}")
        if state in ("failed", "up_for_retry"):
            self._show_log(self._began.get("log_size", 0), event["log_size"])

    def show_end(self, succeeded: bool) -> None:
        """Show which rows were not run, and how the run ended."""
        if not succeeded:
            for row in self._rows.values():
                if row.id not in self.states:
                    self._line(row, "not run", "")
        states = list(self.states.values())
        counts = [
            f"{states.count(state)} {what}"
            for state, what in (("success", "done"), ("skipped", "skipped"), ("failed", "failed"))
            if state in states
        ]
        end = "[green]succeeded[/]" if succeeded else "[bold red]failed[/]"
        self._console.print(f"{end}: {', '.join(counts) or 'no row was run'}")
        self._console.print(Text(f"log: {self._log}", style="dim"))

    def _line(self, row: TaskRow, state: str, rest: str) -> None:
        word = {"success": "done", "up_for_retry": "failed"}.get(state, state)
        text = Text(f"{row.id:>{self._ids}}  {row.name:<{self._names}}  ")
        text.append(f"{word:<8}", style=_STYLES.get(state, "dim"))
        text.append(rest)
        text.rstrip()
        self._console.print(text)

    def _show_log(self, start: int, end: int) -> None:
        with self._log.open("rb") as file:
            file.seek(start)
            lines = file.read(end - start).decode(errors="replace").splitlines()
        for line in lines[-_LOG_LINES:]:
            self._console.print(Text(f"    {line}", style="dim"))


def _attempts(row: TaskRow, event: dict[str, Any]) -> str:
    if row.max_attempts == 1:
        return ""
    text = f"  attempt {event['attempt']} of {row.max_attempts}"
    return (
        f"{text}, the next follows in {row.retry_wait_time} s" if event["state"] == "up_for_retry" else text
    )
