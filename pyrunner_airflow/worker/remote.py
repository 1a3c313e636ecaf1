"""
An interpreter of its own, from within: it runs one worker, and asks whoever started it for the context.

Both sides write lines of JSON to a socket that is nothing else's; see :mod:`.interpreter` for the other side.
What is asked (``["get", key]``) is answered, by ``{"value": ...}`` or ``{"error": [type, text]}``; ``log``,
``set``, ``begin`` and ``end`` are only told. What is wrong with a ``set`` answers what is asked next.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, MutableMapping, Tuple, Type

from ..values import Allowed, Codec, ContextValueError
from .app import App
from .context import ContextProcessError
from .logger import print_line
from .running import FAILED, Job, Outcome, WorkerFailed, run_worker, text_of, traceback_of


class HostError(RuntimeError):
    """What Airflow's side of the context could not do, in its words."""


_ERRORS: Dict[str, Type[Exception]] = {"KeyError": KeyError, "ContextValueError": ContextValueError}


class WorkerInterrupted(BaseException):
    """The attempt's time is up, or it was stopped: called as Airflow's side calls it."""


class _ByName(type):
    """Recognises an exception by its class's name: Airflow's own cannot be imported here."""

    def __instancecheck__(cls, error: object) -> bool:
        return any(base.__name__ == cls.__name__ for base in type(error).__mro__)


def _by_name(names: List[str]) -> Tuple[Type[BaseException], ...]:
    return tuple(_ByName(name, (Exception,), {}) for name in names)  # type: ignore[misc]


class Channel:
    """Lines of JSON, to the other side and back."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines = open(descriptor, "rb", closefd=False)  # noqa: SIM115 - for good

    def send(self, message: Any) -> None:
        """Send a message."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            data = data[os.write(self._descriptor, data) :]

    def receive(self) -> Any:
        """Wait for the next message."""
        line = self._lines.readline()
        if not line:
            raise HostError("the task's process is gone")
        return json.loads(line)


class _Interrupts:
    """
    Takes SIGTERM, by which the other side says that there is something to read from a pipe: an interruption.

    It raises in the worker's own code, but not while something that it asked is not yet answered.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pid = os.getpid()
        self._pending: WorkerInterrupted | None = None
        self._is_allowed = False
        self._is_held = False
        signal.signal(signal.SIGTERM, self._on_signal)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let a signal interrupt what runs in this context: the worker's own code."""
        self._is_allowed = True
        try:
            self._deliver()
            yield
        finally:
            self._is_allowed = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Put off an interruption until what runs in this context is over."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        self._deliver()

    def _on_signal(self, signum: int, _: object) -> None:
        if os.getpid() != self._pid:  # a child that the worker forked: as if we had never been here
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)
            return
        try:
            name, text = json.loads(os.read(self._descriptor, 1 << 16))
        except BlockingIOError:  # it was not the other side that sent it
            name, text = "WorkerInterrupted", "SIGTERM"
        self._pending = type(name, (WorkerInterrupted,), {"__module__": __name__})(text)
        self._deliver()

    def _deliver(self) -> None:
        if self._pending and self._is_allowed and not self._is_held:
            error, self._pending = self._pending, None
            raise error


class _Context(MutableMapping[str, Any]):
    """The context, kept by the other side; what was read or written is kept here too, for the attempt."""

    def __init__(self, host: _Host, codec: Codec) -> None:
        self._host = host
        self._codec = codec
        self._seen: Dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._seen:
            self._seen[key] = self._host.ask("get", _checked(key))
        try:
            return self._codec.decode(self._seen[key])
        except ContextValueError as error:
            raise ContextValueError(f"context[{key!r}]: {error}") from error

    def __setitem__(self, key: str, value: Any) -> None:
        try:
            form = self._codec.encode(value).data
        except ContextValueError as error:
            raise ContextValueError(f"context[{key!r}]: {error}") from error
        self._host.write(key, form)
        self._seen[key] = form

    def __delitem__(self, key: str) -> None:
        self._host.ask("delete", _checked(key))
        self._seen.pop(key, None)

    def __contains__(self, key: object) -> bool:
        return key in self._seen or (isinstance(key, str) and bool(self._host.ask("has", key)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._host.ask("keys"))

    def __len__(self) -> int:
        return len(list(iter(self)))


def _checked(key: object) -> object:
    if not isinstance(key, str):
        raise KeyError(key)
    return key


class _Host:
    """The other side, as a worker's runner sees it."""

    airflow = None

    def __init__(self, channel: Channel, interrupts: _Interrupts, start: Dict[str, Any]) -> None:
        self._channel = channel
        self._interrupts = interrupts
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self.context = _Context(self, Codec(Allowed(*start["allowed"])))
        self._is_unsettled = False
        self.skip_exceptions = _by_name(start["skip"])
        self.final_exceptions = _by_name(start["final"])

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Surround the worker's own code, which is over when the other side has taken all that it wrote."""
        with self._interrupts.allowed():
            yield
            if self._is_unsettled and os.getpid() == self._pid:
                self.ask("settle")

    def write(self, key: str, form: Any) -> None:
        """Tell the other side what the worker wrote; what is wrong with it is the next answer."""
        self._check_process()
        self._is_unsettled = True
        self._tell("set", key, form)

    def ask(self, *request: Any) -> Any:
        """Return the other side's answer."""
        self._check_process()
        with self._interrupts.held(), self._lock:
            self._channel.send(request)
            answer = self._channel.receive()
        self._is_unsettled = False
        if "error" in answer:
            name, text = answer["error"]
            raise _ERRORS[name](text) if name in _ERRORS else HostError(f"{name}: {text}")
        return answer["value"]

    def log(self, level: str, text: str) -> None:
        """Tell the other side a line that the worker logged; a forked child only prints it."""
        if os.getpid() != self._pid:
            print_line(level, text)
        else:
            self._tell("log", level, text)

    def _tell(self, *message: Any) -> None:
        with self._interrupts.held(), self._lock:
            self._channel.send(message)

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise ContextProcessError

    def outcome(self, outcome: Outcome) -> Dict[str, Any]:
        """Return an outcome as it is told."""
        error = outcome.error
        told: Dict[str, Any] = {**outcome._asdict(), "error": None}
        if error is not None:
            told["error"] = [self._role(error), type(error).__name__, text_of(error), traceback_of(error)]
        return told

    def _role(self, error: BaseException) -> str:
        roles: Dict[str, Tuple[Type[BaseException], ...]] = {
            "skip": self.skip_exceptions,
            "final": self.final_exceptions,
            "interrupted": (WorkerInterrupted,),
            "code": (WorkerFailed,),
        }
        return next((role for role, types in roles.items() if isinstance(error, types)), "raised")


def main(descriptor: int, interruptions: int) -> None:
    """
    Run the worker that the other side tells, and end the process.

    :param descriptor: of the socket to the other side.
    :param interruptions: of the pipe that is to be read at a SIGTERM.
    """
    interrupts = _Interrupts(interruptions)
    channel = Channel(descriptor)
    channel.send(["begin"])
    start = channel.receive()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    host = _Host(channel, interrupts, start)
    job = start["job"]
    try:
        outcome = run_worker(Job(**{**job, "app": App(*job["app"])}), host)
    except BaseException as error:  # of before there was a worker
        outcome = Outcome(FAILED, error)
    channel.send(["end", host.outcome(outcome)])
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)  # as Airflow ends a task's process
