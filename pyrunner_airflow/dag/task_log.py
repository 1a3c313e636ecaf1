"""A task's log: what its worker says goes there, and the end of it can be told."""

from __future__ import annotations

import logging
import os
import stat
from collections import deque
from collections.abc import Callable
from typing import Any

from pyrunner_airflow.dag.errors import WorkerTraceback
from pyrunner_airflow.dag.masking import masked
from pyrunner_airflow.tasklist.diagnostics import showable

_LEVELS = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "SUCCESS": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
}
_STREAM_LEVELS = {"stdout": logging.INFO, "stderr": logging.ERROR}
_LINES = 50
_WIDTH = 500
"""How much of a line of a log is kept, in characters."""
_LOOKED_THROUGH = 1 << 16
"""How much of it is looked through for secrets before: no mask would know half of one."""


def log_line(log: Any, level: str, text: str) -> None:
    """Log a line of a worker, or one about it, at a level of PyRunner's."""
    text = text.encode("utf-8", "backslashreplace").decode()  # file names are not always UTF-8
    log.log(_LEVELS[level], "%s", text)


def stdout_is_supervised() -> bool:
    """
    Say whether standard output is a way to Airflow's log that is another than the log's own.

    Airflow's supervisor gives a task a socket for each, and reads one after the other: what was printed would
    not keep its place among the lines that were logged.
    """
    return stat.S_ISSOCK(os.fstat(1).st_mode)


def print_lines(stream: str, lines: str) -> None:
    """Log what a worker printed as Airflow's supervisor does."""
    log, level = logging.getLogger(f"task.{stream}"), _STREAM_LEVELS[stream]
    for line in lines.rstrip("\n").split("\n"):
        log.log(level, "%s", line)


class LogEnd:
    """The last lines of an attempt's log."""

    def __init__(self) -> None:
        self._texts: deque[str] = deque(maxlen=_LINES)

    def of(self, take: Callable[[str, str], None]) -> Callable[[str, str], None]:
        """Return what hands on lines, with their level or their stream's name, and remembers the last."""

        def remember(name: str, text: str) -> None:
            self._add(text)
            take(name, text)

        return remember

    def text(self, error: BaseException | None) -> str:
        """
        Return the lines, with secrets masked.

        :param error: of which Airflow will log the traceback.
        """
        if error and isinstance(error.__cause__, WorkerTraceback):
            self._add(error.__cause__.args[0])
        # As a whole, and only then the last: some secrets are several lines.
        lines = masked("\n".join(self._texts)).split("\n")[-_LINES:]
        return "\n".join(_short(line.expandtabs()) for line in lines)

    def _add(self, text: str) -> None:
        self._texts.append("\n".join(line[:_LOOKED_THROUGH] for line in text.rstrip("\n").split("\n")))


def _short(line: str) -> str:
    return showable(line if len(line) <= _WIDTH else f"{line[:_WIDTH]} ...")
