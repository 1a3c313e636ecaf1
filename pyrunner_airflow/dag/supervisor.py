"""
The one place that knows how a task talks to Airflow's supervisor, and how it is interrupted.

A task sends its requests over a socket and waits for the answer. Two things can break that, and Airflow has
no public way around either:

* The socket is file descriptor 0, which every child process of the worker inherits as its standard input.
  A child that reads it steals the answers, and the task hangs.
* ``execution_timeout`` (SIGALRM) and termination (SIGTERM) raise in the middle of whatever the main thread
  does. In the middle of a request they leave its answer unread, and every later request gets the answer of
  the one before.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from airflow.sdk.execution_time import task_runner

_REQUEST_MODULES = frozenset({"airflow.sdk.execution_time.comms", "airflow.sdk.execution_time.supervisor"})
_LOOK_AGAIN = 0.01
"""Seconds until a signal is looked at again that came in the middle of a request."""


class WorkerTerminated(BaseException):
    """Airflow ended the task (SIGTERM): not an Exception, so that no worker swallows it by accident."""

    seconds_to_end = 4.0
    """How long the attempt may go on: Airflow kills the task's process after 5."""


@contextmanager
def empty_stdin() -> Iterator[None]:
    """Make standard input ``/dev/null``, for child processes too; requests move to another descriptor."""
    comms = getattr(task_runner, "SUPERVISOR_COMMS", None)
    channel = getattr(comms, "socket", None)
    if comms is not None and channel is not None and channel.fileno() == 0:
        comms.socket = socket.socket(fileno=os.dup(0))
        channel.detach()
        _redirect_stdin()
        yield  # for good: the task's process ends after its worker
        return
    before = os.dup(0)
    _redirect_stdin()
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


def _redirect_stdin() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


class Interrupts:
    """
    Takes SIGALRM and SIGTERM while a worker runs, and hands them on when they can do no harm.

    That is while the worker's own code runs (:meth:`allowed`), but no request is on its way. The first one
    raises there; the attempt is over then, and later ones are dropped. Everything happens on the main
    thread; a worker that runs on another one is not interrupted, as under plain Airflow.
    """

    def __init__(self) -> None:
        self._call: tuple[float, Callable[[], None]] | None = None
        self._timeout_at: float | None = None
        self._previous: dict[int, Any] = {}
        self._pending: int | None = None
        self._is_allowed = False
        self._is_over = False
        self._pid = os.getpid()

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            remaining, _ = signal.setitimer(signal.ITIMER_REAL, 0)
            self._timeout_at = time.monotonic() + remaining if remaining else None
            for signum in (signal.SIGALRM, signal.SIGTERM):
                self._previous[signum] = signal.signal(signum, self._on_signal)
            # Airflow's, from when it parsed the DAG's file, would have a crash repeated for ever.
            if callable(signal.getsignal(signal.SIGSEGV)):
                self._previous[signal.SIGSEGV] = signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            self._set_timer()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._previous:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let a signal interrupt what runs in this context: the worker's own code."""
        self._is_allowed = True
        try:
            if self._pending:
                self._deliver(None)
            self._set_timer()
            yield
        finally:
            self._is_allowed = False

    def call_in(self, seconds: float, function: Callable[[], None]) -> None:
        """Call a function so many seconds from now, between two of the worker's steps; one at a time."""
        if self._call is None and self._owns_timer():
            self._call = time.monotonic() + seconds, function
            self._set_timer()

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a child that the worker forked: as if we had never been here
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)
            return
        now = time.monotonic()
        if signum == signal.SIGTERM:
            self._pending = signum
        elif self._timeout_at is not None and now >= self._timeout_at:
            self._timeout_at = None
            self._pending = self._pending or signum
        if self._is_allowed and not _in_request(frame):
            self._do_what_is_due(frame)
        elif self._is_allowed and sys.getprofile() is None:
            # A worker that asks again and again leaves no gap that the timer would find.
            sys.setprofile(self._on_return)
        self._set_timer()

    def _on_return(self, frame: FrameType, event: str, _: object) -> None:
        """Act as soon as the request is over: Python calls this for each function of this thread."""
        if event == "return" and not _in_request(frame.f_back):
            sys.setprofile(None)
            if self._is_allowed:
                self._do_what_is_due(frame.f_back)
                self._set_timer()

    def _do_what_is_due(self, frame: FrameType | None) -> None:
        if self._call and time.monotonic() >= self._call[0]:
            _, function = self._call
            self._call = None
            function()
        if self._pending:
            self._deliver(frame)

    def _deliver(self, frame: FrameType | None) -> None:
        signum, self._pending = self._pending, None
        if signum is None or self._is_over:
            return
        self._is_over = True
        self._set_timer()
        handler = self._previous[signum]
        if callable(handler):
            handler(signum, frame)
        if signum == signal.SIGTERM:
            raise WorkerTerminated("Airflow ended this task (SIGTERM)")

    def _set_timer(self) -> None:
        """Let SIGALRM come for the next thing that is due."""
        if not self._owns_timer():
            return
        now = time.monotonic()
        moments = (self._timeout_at, self._call and self._call[0])
        due = [moment - now for moment in moments if moment is not None]
        if self._pending or any(seconds <= 0 for seconds in due):
            due = [_LOOK_AGAIN] if self._is_allowed else []
        signal.setitimer(signal.ITIMER_REAL, max(min(due), 0.001) if due else 0)

    def _owns_timer(self) -> bool:
        """Say whether SIGALRM is ours: a worker that takes it for itself may, and so loses its timeout."""
        return bool(self._previous) and signal.getsignal(signal.SIGALRM) == self._on_signal


def _in_request(frame: FrameType | None) -> bool:
    """Say whether a request to Airflow is on the way, looking no further down than the worker's own code."""
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if module in _REQUEST_MODULES:
            return True
        if module == "pyrunner_airflow.worker.running":
            return False
        frame = frame.f_back
    return False
