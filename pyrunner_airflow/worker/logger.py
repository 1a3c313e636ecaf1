"""``self.logger`` and the LOGFILE column, in the text that PyRunner writes."""

from __future__ import annotations

import io
import os
import sys
import threading
import traceback
from datetime import datetime
from functools import partial
from typing import Any, Callable, TextIO

Sink = Callable[[str, str], None]
"""Takes a log line: its level (``INFO``, ``SUCCESS``, ``WARN``, ``ERROR``, ``DEBUG``) and its text."""

_RULE = "#" * 76
_REPLACED: list[TextIO] = []
"""The process's own streams: Airflow's would close their descriptors if they were freed."""


class Logger:
    """What a worker logs with: PyRunner's four levels, and the names of :mod:`logging` beside them."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def debug(self, text: object) -> None:
        """Log a line of level DEBUG."""
        self._sink("DEBUG", str(text))

    def info(self, text: object) -> None:
        """Log a line of level INFO."""
        self._sink("INFO", str(text))

    def success(self, text: object) -> None:
        """Log a line of level SUCCESS."""
        self._sink("SUCCESS", str(text))

    def warn(self, text: object) -> None:
        """Log a line of level WARN."""
        self._sink("WARN", str(text))

    warning = warn

    def error(self, text: object) -> None:
        """Log a line of level ERROR."""
        self._sink("ERROR", str(text))

    def exception(self, text: object) -> None:
        """Log a line of level ERROR with the traceback of the exception being handled."""
        self._sink("ERROR", f"{text}\n{traceback.format_exc()}")

    def get_file_handle(self) -> TextIO:
        """Return the stream that print writes to: PyRunner's is its log file."""
        return sys.stdout

    @property
    def logfile_handle(self) -> TextIO:
        """The same stream, by PyRunner's other name."""
        return sys.stdout


def format_line(level: str, text: str) -> str:
    """Return a line as PyRunner writes it to a log file: ``LEVEL - time - text``."""
    return f"{level} - {datetime.now()} - {text}\n"


def print_line(level: str, text: str) -> None:
    """Log to standard output: what a worker does that is run by hand, as in a unit test."""
    sys.stdout.write(format_line(level, text))


class WholeLines:
    """
    Hands on what is written, in whole lines: the rest of one waits for its end from the same thread.

    :param write: takes the lines.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._waiting: dict[tuple[int, int], bytes] | None = {}

    def write(self, data: bytes) -> None:
        """Take bytes."""
        if self._waiting is None:
            self._write(data)
            return
        writer = os.getpid(), threading.get_ident()
        lines, newline, rest = (self._waiting.pop(writer, b"") + data).rpartition(b"\n")
        if rest:
            self._waiting[writer] = rest
        if newline:
            self._write(lines + newline)

    def stop_waiting(self) -> None:
        """Hand on what waits: from now on nobody may come by to do it later."""
        waiting, self._waiting = self._waiting or {}, None
        for data in waiting.values():
            self._write(data)


class LogFile(WholeLines):
    """
    The file that a row's LOGFILE names: appended to, in whole lines, so that runs beside each other mix none.

    :raises OSError: where the file or its folders cannot be made or written.
    """

    on_error: Callable[[OSError], None] | None = None
    """Told once that nothing more can be written, as when the disk is full; without it, that is raised."""

    def __init__(self, path: str) -> None:
        super().__init__(self._write_all)
        self.path = os.path.abspath(path)
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self._file: io.FileIO | None = open(self.path, "ab", buffering=0)  # noqa: SIM115 - for good

    def start(self) -> None:
        """Write the banner that opens an attempt."""
        self._write_text(f"{_RULE}\n# LOG START - {datetime.now()}\n{_RULE}\n\n")

    def line(self, level: str, text: str) -> None:
        """Write a log line."""
        self._write_text(format_line(level, text))

    def fileno(self) -> int:
        """Return the descriptor to which a worker's commands may write; -1 once nothing can be written."""
        return self._file.fileno() if self._file else -1

    def _write_text(self, text: str) -> None:
        self.write(text.encode("utf-8", "backslashreplace"))

    def _write_all(self, data: bytes) -> None:
        file = self._file
        try:
            while data and file:
                data = data[file.write(data) :]
        except OSError as error:
            if self.on_error is None:
                raise
            self._file = None
            self.on_error(error)


def append_end(path: str, now: datetime, restart: tuple[int, int] | None) -> None:
    """
    Write the banner that closes an attempt to its log file; for a task's process, when its worker's is gone.

    :param now: the time that the banner tells, in the list's time zone.
    :param restart: the number of an attempt that failed, and the wait in seconds until the next; writes the
        banner that stands between the two.
    :raises OSError: where the file cannot be written, such as a FIFO that nobody reads.
    """
    told = now.replace(tzinfo=None)
    text = f"\n{_RULE}\n# LOG END - {told}\n{_RULE}\n\n"
    if restart:
        text += (
            f"\n{_RULE}\n# RESTART ATTEMPT {restart[0]} - {told}\n"
            f"# Waiting {restart[1]} seconds before retrying...\n{_RULE}\n\n"
        )
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
    with open(descriptor, "ab", buffering=0) as file:
        file.write(text.encode())


class _Output(io.RawIOBase):
    """
    A standard stream of a worker's process.

    :param write: takes what is written, for the task's own output.
    """

    def __init__(self, write: Callable[[bytes], object], fileno: int, logfile: LogFile | None) -> None:
        self._write = write
        self._fileno = fileno
        self._logfile = logfile

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        # As under PyRunner: a command cannot write to both.
        descriptor = self._logfile.fileno() if self._logfile else -1
        return self._fileno if descriptor < 0 else descriptor

    def write(self, data: Any) -> int:
        data = bytes(data)
        self._write(data)
        if self._logfile:
            self._logfile.write(data)
        return len(data)


def take_output(
    printed: Callable[[str, bytes], object] | None, logfile: LogFile | None
) -> Callable[[], None]:
    """
    Have ``print`` and standard error reach the task's output and the log file, as under PyRunner.

    :param printed: takes whole lines for the task's output, with the stream's name; without it they go where
        that stream goes.
    :returns: what to call when the worker's methods are over.
    """
    lines: list[WholeLines] = [logfile] if logfile else []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        _REPLACED.append(stream)
        write: Callable[[bytes], object] = partial(_write_through, stream)
        if printed:
            lines.append(WholeLines(partial(printed, name)))
            write = lines[-1].write
        raw = _Output(write, stream.fileno(), logfile)
        options: Any = {"encoding": "utf-8", "errors": "backslashreplace", "write_through": True}
        setattr(sys, name, io.TextIOWrapper(raw, **options))

    def stop_waiting() -> None:
        for each in lines:
            each.stop_waiting()

    return stop_waiting


def _write_through(stream: TextIO, data: bytes) -> None:
    stream.buffer.write(data)
    stream.flush()
