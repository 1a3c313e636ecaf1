"""
The journal is written beside the worker, whom no answer of Airflow's holds up.

Airflow tries a request five times that its API server leaves unanswered, or answers with an error: that may
take minutes. So a thread waits for it, and the task's process goes on answering its worker.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

from pyrunner_airflow.dag.errors import TakenOver

_SECONDS = 1.0
"""How often the journal is written, at most."""
_MAX_SECONDS = 60.0
"""The longest pause after failures, unless they take longer themselves."""


class Journaling:
    """
    Writes a journal whenever there is something new, in a thread; used for one attempt.

    :param write: writes it; raises TakenOver, after which it is not tried again.
    :param warn: told when it begins to fail.
    :param end: told that the attempt was taken over.
    """

    def __init__(
        self, write: Callable[[], None], warn: Callable[[str], None], end: Callable[[TakenOver], None]
    ) -> None:
        self._write = write
        self._warn = warn
        self._end = end
        self._is_due = threading.Event()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def soon(self) -> None:
        """Have the journal written within a second; returns at once."""
        self._is_due.set()
        if self._thread is None:
            # Named, since a fork goes on counting: its worker's first thread is Thread-1, as under PyRunner.
            self._thread = threading.Thread(target=self._run, name="pyrunner journal", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Write no more. Returns when no request is under way: the next may be made by whoever called."""
        self._is_over.set()
        self._is_due.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        # Signals are the main thread's, which waits in `select` to be interrupted by them.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        pause, has_failed = _SECONDS, False
        while self._is_due.wait() and not self._is_over.wait(pause):
            self._is_due.clear()
            if self._is_over.is_set():  # just now: what `stop` set after it has been cleared here
                return
            begin = time.monotonic()
            failure = ""
            try:
                self._write()
            except TakenOver as error:
                self._end(error)
                return
            except Exception as error:
                failure = repr(error)
                self._is_due.set()
            if failure and not has_failed:
                self._warn(f"what this attempt wrote to the context could not be kept so far: {failure}")
            has_failed = bool(failure)
            pause = next_pause(pause, time.monotonic() - begin, has_failed)


def next_pause(pause: float, took: float, has_failed: bool) -> float:
    """
    Return the seconds to wait until the journal is written again.

    Airflow's supervisor does one thing after the other, heartbeats and what the worker asks of Airflow too:
    failures of the journal take at most half of its time.

    :param pause: the seconds that were waited last.
    :param took: the seconds that writing took.
    """
    return max(took, min(2 * pause, _MAX_SECONDS)) if has_failed else _SECONDS
