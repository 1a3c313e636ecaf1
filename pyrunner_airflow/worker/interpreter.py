"""
Running a worker in an interpreter of its own, from the task's side.

That interpreter needs nothing but Python 3.8: this folder is all that it gets. It asks for the context over a
socket (see :mod:`.remote`); its standard output and error are the task's own.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from typing import Any, Dict, NamedTuple

from ..values import Allowed, Codec
from .app import AppError, resolve_env
from .running import FAILED, Host, Job, Outcome, WorkerFailed, failure, not_started

MINIMUM = "3.8"
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Any Python must understand this, to say that it is too old. The package gets into no sys.path: what lies
# beside it there is Airflow's.
_BOOT = """
import os, sys
if sys.version_info < (3, 8):
    os.write(int(sys.argv[2]), ('["old", "%d.%d"]\\n' % sys.version_info[:2]).encode())
    sys.exit()
sys.path[:] = [entry for entry in sys.path if entry]
folder, descriptor, interruptions = sys.argv[1:]
sys.argv[1:] = []
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location(
    "pyrunner_airflow", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
)
sys.modules["pyrunner_airflow"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["pyrunner_airflow"])
from pyrunner_airflow.worker.remote import main
main(int(descriptor), int(interruptions))
"""
# Beside the worker: a line means that it ended; the pipe's end, that the task's process died, and then the
# worker goes too, with all of its process group.
_GUARD = 'read -r ended && exit; kill -s KILL -- "-$1"'
_OF_OUR_PYTHON = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"})
_LOOK_AGAIN = 500
"""Milliseconds until it is looked again whether the process still runs."""
_SECONDS_TO_END = 60.0
"""How long a worker and its hooks may take after an interruption that names no time of its own."""
_SECONDS_TO_FLUSH = 10.0
"""How long the process may take to end once it has told the outcome."""


class WorkerRaised(Exception):
    """
    An exception of a worker in an interpreter of its own.

    :ivar name: its type's name.
    :ivar text: its text.
    """

    def __init__(self, name: str, text: str, python: str, traceback: str) -> None:
        super().__init__(f"{name}: {text} (in {python})\n{traceback}")
        self.name = name
        self.text = text


class _ProtocolError(Exception):
    """Something else than a message came."""


class Interpreter(NamedTuple):
    """What there is to know beside the job."""

    python: str
    """The list's text: a path, from the app's root; or a command's name; with ``~`` and ``$ENV{}``."""
    codec: Codec
    """Of values that the host's context may hold."""
    allowed: Allowed
    """The classes whose objects a context value may be."""


def run_worker_in(interpreter: Interpreter, job: Job, host: Host) -> Outcome:
    """
    Run one attempt of a row as :func:`.running.run_worker` does, in another interpreter.

    What interrupts the attempt comes back as the outcome's error, also if there is no worker yet.
    """
    try:
        python = find_interpreter(interpreter.python, job)
        with ExitStack() as stack:
            return _Child(python, interpreter, job, host, stack).run()
    except AppError as error:
        return not_started(job, error)


def find_interpreter(text: str, job: Job) -> str:
    """
    Return the path of the interpreter that a list names.

    :raises AppError: if there is none.
    """
    environment = {**os.environ, **job.environment}
    path = os.path.expanduser(resolve_env(text, environment))
    if os.sep not in path:
        found = shutil.which(path, path=environment.get("PATH"))
        if found is None:
            raise AppError(f"[pyrunner] python: there is no {path} in PATH: write its whole path")
        path = found
    path = os.path.join(job.app.root, path)
    if not os.path.exists(path):
        fault = f"is not on {socket.gethostname()}, where the task runs: make the environment there"
    elif os.path.isdir(path):
        fault = f"is a folder: name the interpreter in it, such as {os.path.join(path, 'bin', 'python')}"
    elif not os.access(path, os.X_OK):
        fault = "is not executable"
    else:
        return path
    raise AppError(f"[pyrunner] python: {path} {fault}")


def environment_of(job: Job) -> Dict[str, str]:
    """
    Return what the interpreter's environment is: this process's, and the job's.

    Left out is what is meant for the Python that Airflow runs in, and Airflow's own settings, which hold its
    secrets; ``AIRFLOW_CTX_*``, which tells of the run, stays.
    """
    ours = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("AIRFLOW_CTX_")
        or not (name in _OF_OUR_PYTHON or name.startswith(("AIRFLOW_", "_AIRFLOW_")))
    }
    return {**ours, **job.environment}


class _Child:
    """The other interpreter; used once."""

    def __init__(self, python: str, interpreter: Interpreter, job: Job, host: Host, stack: ExitStack) -> None:
        self._python = python
        self._interpreter = interpreter
        self._job = job
        self._host = host
        self._interruption: BaseException | None = None
        self._give_up_at = float("inf")
        self._has_begun = self._has_told = False
        self._refused: Exception | None = None
        self._received = bytearray()
        self._socket, theirs = socket.socketpair()
        stack.enter_context(self._socket)
        reading, self._interruptions = os.pipe()
        os.set_blocking(reading, False)
        stack.callback(os.close, self._interruptions)
        stack.callback(os.close, reading)
        with theirs:
            self._process = self._start(theirs.fileno(), reading)
        stack.callback(self._end)
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def _start(self, connection: int, interruptions: int) -> subprocess.Popen[bytes]:
        command = [self._python, "-c", _BOOT, _PACKAGE, str(connection), str(interruptions)]
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=(connection, interruptions),
                env=environment_of(self._job),
                start_new_session=True,
            )
        except OSError as error:
            raise AppError(f"[pyrunner] python: {self._python} cannot be run: {error}") from error

    def _end(self) -> None:
        """Let nothing of an attempt that did not end by itself outlive it."""
        try:
            self._process.wait(_SECONDS_TO_FLUSH if self._has_told else 0)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()
        self._guard.communicate(b"ended\n")

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def run(self) -> Outcome:
        """Answer what the worker asks until it ends."""
        try:
            while True:
                line = self._receive()
                if line is None:
                    return self._died()
                told = self._message(line)
                if told is not None:
                    return self._outcome(**told)
        except _ProtocolError as error:
            self._kill()
            return self._failed(FAILED, str(error))

    def _message(self, line: bytes) -> Dict[str, Any] | None:
        """Do what a message wants; return the outcome that it tells, if any."""
        try:
            what, *arguments = json.loads(line)
            if what == "begin":
                self._has_begun = True
                self._send(self._what_to_run())
            elif what == "old":
                raise AppError(
                    f"[pyrunner] python: {self._python} is Python {arguments[0]}, not {MINIMUM} or later"
                )
            elif what == "log":
                self._host.log(*arguments)
            elif what == "set":
                self._write(*arguments)
            elif what == "end":
                (told,) = arguments
                self._has_told = True
                if self._refused:  # hooks after it failed too, and did not ask
                    self._host.log("ERROR", f"the context did not take what was written: {self._refused}")
                return dict(told)
            else:
                self._send(self._answer(_REQUESTS[what], arguments))
        except (ValueError, TypeError, LookupError) as error:
            raise _ProtocolError(
                f"it wrote {line[:100]!r} to a descriptor that is nothing but the context's way to Airflow"
            ) from error
        return None

    def _what_to_run(self) -> Dict[str, Any]:
        return {
            "job": self._job._asdict(),
            "allowed": self._interpreter.allowed,
            "skip": [cls.__name__ for cls in self._host.skip_exceptions],
            "final": [cls.__name__ for cls in self._host.final_exceptions],
        }

    def _write(self, key: str, form: Any) -> None:
        try:
            self._host.context[key] = self._interpreter.codec.decode(form)
        except Exception as error:  # raised in the worker when it asks next, or has nothing else to do
            self._refused = self._refused or error

    def _answer(self, request: Any, arguments: list[Any]) -> Dict[str, Any]:
        refused, self._refused = self._refused, None
        try:
            if refused:
                raise refused
            return {"value": request(self._host.context, self._interpreter.codec, *arguments)}
        except Exception as error:  # raised in the worker, as if it had called the context itself
            text = error.args[0] if isinstance(error, KeyError) and error.args else error
            return {"error": [type(error).__name__, str(text)]}

    def _send(self, message: Any) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it is dead, which is seen when it is read
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def _receive(self) -> bytes | None:
        """Wait for the next line; None if the process ended, or was ended."""
        start = 0
        while True:
            end = self._received.find(b"\n", start)
            if end >= 0:
                line = bytes(self._received[:end])
                del self._received[: end + 1]
                return line
            start = len(self._received)
            chunk = self._socket.recv(1 << 20) if self._wait() else b""
            if not chunk:
                return None
            self._received += chunk

    def _wait(self) -> bool:
        """Wait for something to read; False if there will be nothing. Only here a signal raises."""
        while True:
            try:
                with self._host.interruptible():
                    ready = self._poll.poll(_LOOK_AGAIN)
            except BaseException as error:
                self._interrupt(error)
                continue
            if time.monotonic() > self._give_up_at:
                return False
            if ready:
                return True
            if self._process.poll() is not None:  # its forked children may hold the socket open
                return bool(self._poll.poll(0))

    def _interrupt(self, error: BaseException) -> None:
        """Raise an interruption in the worker, whose hooks then run."""
        self._interruption = self._interruption or error
        self._give_up_at = time.monotonic() + getattr(error, "seconds_to_end", _SECONDS_TO_END)
        os.write(self._interruptions, json.dumps([type(error).__name__, f"{error!s:.1000}"]).encode())
        self._process.send_signal(signal.SIGTERM)

    def _died(self) -> Outcome:
        """Return the outcome of a worker that told none."""
        if self._interruption:
            self._kill()
            cause = f"{type(self._interruption).__name__}, and the worker did not end"
            return self._failed(FAILED, cause)._replace(error=self._interruption)
        status = self._process.wait()
        self._kill()  # what it has forked
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        if not self._has_begun:
            raise AppError(
                f"[pyrunner] python: {self._python} ended before it ran the worker ({how}): "
                f"try {self._python} -c pass; the task's log says what it printed"
            )
        return self._failed(128 - status if status < 0 else status or FAILED, f"its process ended ({how})")

    def _failed(self, code: int, cause: str) -> Outcome:
        report = failure(self._job, self._host, cause)
        return Outcome(code, WorkerFailed(report, code), report)

    def _outcome(self, error: list[str] | None, code: int, report: str, started: bool) -> Outcome:
        return Outcome(code, self._error(code, report, *error) if error else None, report, started)

    def _error(
        self, code: int, report: str, role: str, name: str, text: str, traceback: str
    ) -> BaseException:
        if role == "interrupted" and self._interruption:
            return self._interruption
        if role == "code":
            return WorkerFailed(report, code)
        raised = WorkerRaised(name, text, self._python, traceback)
        if role == "skip":
            return self._host.skip_exceptions[0](text)
        return self._host.final_exceptions[0](str(raised)) if role == "final" else raised


def _get(context: Any, codec: Codec, key: str) -> Any:
    return codec.encode(context[key]).data


def _settle(context: Any, codec: Codec) -> None:
    """Take note that all that was written before has been taken."""


def _delete(context: Any, codec: Codec, key: str) -> None:
    del context[key]


def _has(context: Any, codec: Codec, key: str) -> bool:
    return key in context


def _keys(context: Any, codec: Codec) -> list[str]:
    return list(context)


_REQUESTS = {"get": _get, "settle": _settle, "delete": _delete, "has": _has, "keys": _keys}
