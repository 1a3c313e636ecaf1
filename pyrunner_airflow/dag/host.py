"""
The task's process while its worker runs in a process of its own.

It starts that process, answers what it asks, keeps what it writes to the context, and otherwise waits. What a
worker itself asks of Airflow may take minutes: a thread waits for that. Only while this process waits may
anything interrupt it: a timeout that raised in the middle of a request to Airflow would leave the answer
unread, and every later request would get the answer of the one before.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import partial
from math import inf
from queue import SimpleQueue
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from pyrunner_airflow.dag import relay
from pyrunner_airflow.dag.answering import Answering
from pyrunner_airflow.dag.asset_events import add_to_events
from pyrunner_airflow.dag.errors import WorkerRaised, WorkerTerminated, WorkerTraceback
from pyrunner_airflow.dag.journaling import Journaling
from pyrunner_airflow.dag.raised import load_error
from pyrunner_airflow.dag.versions import seconds_after_timeout
from pyrunner_airflow.values import Allowed, Codec, Encoded
from pyrunner_airflow.worker.app import AppError
from pyrunner_airflow.worker.attempt import FAILED, Job, Outcome, WorkerFailed, not_started
from pyrunner_airflow.worker.child import TOO_OLD, InAirflow, run_in_fork
from pyrunner_airflow.worker.groups import LEFT_RUNNING, end_group, guarded, hang_up
from pyrunner_airflow.worker.logger import append_end
from pyrunner_airflow.worker.protocol import (
    CUT_OFF,
    NO_ROOM,
    NoQuestion,
    no_question,
    read_question,
    receive_socket,
    to_line,
)

_SECONDS_TO_FLUSH = 1.0
"""How long a worker's process may take to end that was interrupted and has told its outcome."""
_LOOK_AGAIN = 0.1
"""Seconds until it is looked again whether the process ended, where the system does not tell (macOS)."""


class HostedContext(Protocol):
    """The context as the worker's process asks for it: with encoded values."""

    def get(self, key: str) -> tuple[Any, Any, str]:
        """Return a value, the order of its keys, and words on where it is from; raise KeyError."""

    def set(self, key: str, encoded: Encoded) -> None:
        """Keep a value."""

    def delete(self, key: str) -> None:
        """Forget a key; raise KeyError if there is none."""

    def has(self, key: str) -> bool:
        """Say whether there is a key."""

    def keys(self) -> list[str]:
        """Return all keys."""

    def journal(self) -> None:
        """Keep for the next attempt what has been written so far; called in another thread."""


class Host:
    """
    Runs one attempt of a row in a process of its own; used once.

    :param log: takes a line that the worker logged: its level and its text.
    :param printed: takes lines that the worker printed: the stream's name and their text; without it the
        worker's process prints them itself.
    :param allowed: the classes whose objects a context value may be.
    :param airflow: what a fork has of Airflow.
    :param told: what an interpreter of its own has of Airflow.
    """

    def __init__(
        self,
        job: Job,
        context: HostedContext,
        log: Callable[[str, str], None],
        printed: Callable[[str, str], None] | None,
        allowed: Allowed,
        airflow: InAirflow,
        told: dict[str, Any],
    ) -> None:
        self._job = job
        self._context = context
        self._log = log
        self._printed = printed
        self._allowed = allowed
        self._airflow = airflow
        self._told = told
        self._is_waiting = False
        self._timeout_at = inf
        self._termination: WorkerTerminated | None = None
        self._interruption: BaseException | None = None
        self._give_up_at = inf
        self._journaling = Journaling(context.journal, partial(log, "WARN"), self._end_early)
        self._due: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._asking = ThreadPoolExecutor(
            1, "pyrunner airflow", signal.pthread_sigmask, (signal.SIG_BLOCK, signal.valid_signals())
        )
        self._is_fork = True
        self._refused = ""
        self._begun: Job | None = None
        self._outcome: Outcome | None = None
        self._has_succeeded = False
        self._answers: dict[str, Any] = {
            "get": context.get,
            "set": self._set,
            "delete": self._delete,
            "has": context.has,
            "keys": context.keys,
            "log": log,
            "print": printed,
            "airflow": self._forward,
            "become": self._become_interpreter,
            "start": self._start_interpreter,
            "events": partial(add_to_events, airflow.context),
            "begin": self._begin,
            "end": self._end,
        }

    def run(self) -> Outcome:
        """Run the attempt; what interrupts it comes back as the outcome's error, after the worker's hooks."""
        # Airflow's timer, which from now on runs only while this process waits.
        remaining, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        self._timeout_at = time.monotonic() + remaining if remaining else inf
        try:
            with ExitStack() as stack:
                self._start(stack)
                self._answer_until_it_ends()
                outcome = self._ended(self._process.exitcode or 0)
                if not outcome.code and hang_up(self._pid):
                    self._log("WARN", LEFT_RUNNING)
                self._has_succeeded = not outcome.code
        except AppError as error:
            outcome = not_started(error)
        return outcome

    @property
    def job(self) -> Job:
        """The job; once its worker's process has told it, with its ``$ENV{}`` resolved."""
        return self._begun or self._job

    def terminate(self, termination: WorkerTerminated) -> None:
        """Have the attempt end, as soon as that does no harm; for a signal's handler."""
        if self._is_waiting:
            raise termination
        self._termination = termination

    def _start(self, stack: ExitStack) -> None:
        self._selector = stack.enter_context(selectors.DefaultSelector())
        self._answering = Answering(self._answer, self._selector, self._soon)
        self._door, theirs = socket.socketpair(type=socket.SOCK_DGRAM)
        stack.enter_context(self._door)
        self._woken, self._waking = os.pipe()
        stack.callback(os.close, self._woken)
        stack.callback(os.close, self._waking)
        self._selector.register(self._woken, selectors.EVENT_READ, self._do_due)
        stack.callback(self._journaling.stop)
        stack.callback(self._asking.shutdown, cancel_futures=True)
        reading, self._interruptions = os.pipe()
        stack.callback(os.close, self._interruptions)
        os.set_blocking(reading, False)
        if multiprocessing.current_process().daemon:  # as in Celery's pool, and then it may have no children
            multiprocessing.current_process().daemon = False
        self._process = multiprocessing.get_context("fork").Process(
            target=self._be_worker, args=(theirs, reading)
        )
        self._process.start()
        theirs.close()
        os.close(reading)
        self._pid = int(self._process.pid or 0)
        stack.enter_context(guarded(self._pid))
        stack.callback(self._leave)
        self._selector.register(self._door, selectors.EVENT_READ, self._admit)
        if hasattr(os, "pidfd_open"):
            ending = os.pidfd_open(self._pid)
            stack.callback(os.close, ending)
            self._selector.register(ending, selectors.EVENT_READ, lambda: None)

    def _be_worker(self, door: socket.socket, interruptions: int) -> None:
        """Run the worker, in the fork: what it leaves running must see it when the task's process is gone."""
        self._door.close()
        os.close(self._interruptions)
        run_in_fork(door, interruptions, self._job, self._allowed, self._printed is not None, self._airflow)

    def _leave(self) -> None:
        """Let nothing outlive an attempt that did not succeed."""
        if not self._has_succeeded:
            self._kill()
        self._process.join()
        self._process.close()
        self._answering.close()

    def _kill(self) -> None:
        self._process.kill()  # it may not lead its process group yet
        end_group(self._pid, signal.SIGKILL, 0, signal.SIGKILL)

    def _answer_until_it_ends(self) -> None:
        while self._process.is_alive():
            for key, _ in self._wait():
                try:
                    key.data()
                except NoQuestion as error:
                    self._refused = self._refused or str(error)
                    self._kill()
            if time.monotonic() > self._give_up_at:
                self._kill()
                self._give_up_at = inf

    def _end_early(self, error: WorkerTerminated) -> None:
        """Have the attempt end; for the thread that keeps the journal."""
        self._soon(partial(self.terminate, error))

    def _soon(self, do: Callable[[], None]) -> None:
        """Have something done by the thread that waits; for the others."""
        self._due.put(do)
        os.write(self._waking, b"\0")

    def _do_due(self) -> None:
        os.read(self._woken, 1)
        self._due.get()()

    def _wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for something to do. Only here anything interrupts the attempt."""
        look_again = inf if hasattr(os, "pidfd_open") else _LOOK_AGAIN
        now = time.monotonic()
        seconds = min(max(self._give_up_at - now, 0), look_again)
        try:
            try:
                self._is_waiting = True
                if self._termination:
                    raise self._termination
                if self._timeout_at < inf:
                    signal.setitimer(signal.ITIMER_REAL, max(self._timeout_at - now, 1e-6))
                return self._selector.select(None if seconds == inf else seconds)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except BaseException as error:
            self._interrupt(error)
            return []
        finally:
            self._is_waiting = False

    def _interrupt(self, error: BaseException) -> None:
        """Raise an interruption in the worker, whose hooks then run; after a first one, only hurry."""
        seconds = getattr(error, "seconds_to_end", None)
        seconds = seconds_after_timeout() if seconds is None else seconds
        self._give_up_at = min(self._give_up_at, time.monotonic() + seconds)
        self._termination, self._timeout_at = None, inf
        name = type(error).__name__
        self._log("WARN", f"{name}: {error}: the worker's hooks have {seconds:g} s to end")
        if self._interruption is None:
            self._interruption = error
            with suppress(BrokenPipeError):  # it has closed that too
                os.write(self._interruptions, json.dumps([name, f"{error!s:.1000}"]).encode())
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)

    # What the process asks

    def _admit(self) -> None:
        """Take a new connection."""
        came = receive_socket(self._door)
        if isinstance(came, socket.socket):
            self._answering.admit(came)
        elif self._job.python and not self._begun and came.startswith(TOO_OLD):
            version = came[len(TOO_OLD) :].decode(errors="replace")
            raise AppError(f"[pyrunner] python: {self._job.python} is Python {version}, not 3.8 or later")
        elif came == NO_ROOM:
            raise NoQuestion("it opened more connections than the task's process may have files (ulimit -n)")
        else:
            raise no_question(came)

    def _answer(self, question: bytes) -> bytes | Future[bytes]:
        """Do what a question wants, and return the answer."""
        what, *arguments = read_question(question)
        if what == "airflow":
            return self._asking.submit(self._answer_to, what, arguments)
        return self._answer_to(what, arguments)

    def _answer_to(self, what: str, arguments: list[Any]) -> bytes:
        try:
            return to_line({"value": self._answers[what](*arguments)})
        except Exception as error:  # raised in the worker, as if it had called the context itself
            text = error.args[0] if isinstance(error, KeyError) and error.args else error
            return to_line({"error": [type(error).__name__, str(text)]})

    def _set(self, key: str, data: Any, orders: Any) -> None:
        self._context.set(key, Encoded(data, orders))
        self._journaling.soon()

    def _delete(self, key: str) -> None:
        self._context.delete(key)
        self._journaling.soon()

    def _become_interpreter(self) -> None:
        self._is_fork = False

    def _start_interpreter(self) -> dict[str, Any]:
        return {
            "job": self._job._asdict(),
            "allowed": self._allowed,
            "airflow": Codec(self._allowed).encode(self._told),
            "takes_output": self._printed is not None,
        }

    def _begin(self, module: str, worker: str, logfile: str | None) -> None:
        self._begun = self._job._replace(module=module, worker=worker, logfile=logfile)

    def _forward(self, message: str) -> str:
        if not self._is_fork:
            raise relay.RelayError("Airflow is not to be had in an interpreter of its own")
        return relay.forward(message)

    def _end(self, code: int, cause: str, started: bool, error: list[Any] | None) -> None:
        raised = self._error(code, cause, *error) if error else None
        self._outcome = Outcome(code, raised, cause, started)
        if self._interruption:  # which means now: what it has left running is not waited for
            self._give_up_at = min(self._give_up_at, time.monotonic() + _SECONDS_TO_FLUSH)

    def _error(
        self,
        code: int,
        cause: str,
        role: str,
        name: str,
        text: str,
        traceback: str,
        dumped: str | None,
    ) -> BaseException:
        if role == "code":
            return WorkerFailed(cause, code)
        error = self._interruption if role == "interrupted" else None
        if error is None and self._is_fork:
            error = load_error(dumped, Codec(self._allowed))
        if error is None:
            error = self._airflow.exceptions.get(role, partial(WorkerRaised, name))(text)
        try:
            raise WorkerTraceback(traceback)  # Airflow's log shows no cause that was never raised
        except WorkerTraceback as shown:
            error.__cause__ = shown
        return error

    # How it ended

    def _ended(self, status: int) -> Outcome:
        """Return the outcome that the process told, unless it did not come to its end after that."""
        outcome = self._outcome
        if outcome and not self._refused and (outcome.error or not status):
            return outcome
        how = f"signal {-status}, {signal.strsignal(-status)}" if status < 0 else f"exit status {status}"
        if status == CUT_OFF:
            how = "it has closed the descriptors by which it reaches Airflow"
        if self._interruption:
            cause = f"{type(self._interruption).__name__}, and the worker did not end"
        elif self._refused:
            cause = self._refused
        elif self._begun or self._job.python is None:
            cause = f"its process ended ({how})"
        else:
            raise AppError(
                f"[pyrunner] python: {self._job.python} ended before it ran the worker ({how}): "
                f"try {self._job.python} -c pass; the task's log says what it printed"
            )
        code = FAILED if self._refused or status in (0, CUT_OFF) else 128 - status if status < 0 else status
        return Outcome(code, self._interruption or WorkerFailed(cause, code), cause)

    def close_logfile(self, another_follows: bool) -> None:
        """Write the banner that ends an attempt, now that nothing of it is running any more."""
        job = self._begun
        if job is None or not job.logfile:
            return
        try:
            now = datetime.now(ZoneInfo(job.timezone) if job.timezone else None)
            append_end(job.logfile, now, (job.attempt, job.retry_wait_time) if another_follows else None)
        except (OSError, ValueError) as error:  # ValueError: what the worker's process told is no file's name
            self._log("WARN", f"LOGFILE ends here, the log goes on: {error}")
