"""
How a worker's process and the task's process talk: lines of JSON over socket pairs that are nothing else's.

The worker's process asks ``[what, *arguments]`` and waits for the answer, ``{"value": ...}`` or
``{"error": [type, text]}``. It opens a connection by sending one end of a new socket pair over the *door*, a
datagram socket that it and all processes that it forks inherit. So each thread and each process asks over a
connection of its own: none gets another's answer, none waits for another's lock, and one that is killed or
interrupted in the middle of a question spoils nothing but its own connection.
"""

from __future__ import annotations

import array
import json
import os
import re
import socket
from typing import Any

from ..values import ORDERS, ContextValueError, fits, is_encoded
from .base import MAX_CODE
from .context import KEY


class HostError(RuntimeError):
    """What the task's process could not do for its worker, in that process's words."""


class HostGone(HostError):
    """The task's process cannot be reached: this process has closed its way there, or that one is gone."""

    def __init__(self) -> None:
        super().__init__("the task's process is gone, or the descriptors were closed that lead to it")


class MessageTooLong(HostError):
    """A message of more than :data:`MAX_MESSAGE`, which was not sent."""


class NoQuestion(Exception):
    """What a worker's process did with its way to the task's process that is no question."""


CUT_OFF = 213
"""The exit status of a process that cannot tell its outcome."""
NO_ROOM = b"\0"
"""What comes over the door with a socket, and alone where that would be one file too many."""
MAX_MESSAGE = 128 << 20
"""The length of the longest question, in bytes: room for a value of 50 MB, whose JSON may be longer."""
_PIECE = 16 << 20
"""How much is logged or printed at once: JSON may need six times as much."""
_ERROR = [re.compile("code|final|interrupted|raised|skip"), str, str, str, (None, str)]
QUESTIONS: dict[str, list[Any]] = {
    "get": [str],
    "set": [KEY, is_encoded, ORDERS],
    "delete": [str],
    "has": [str],
    "keys": [],
    "log": [re.compile("DEBUG|INFO|SUCCESS|WARN|ERROR"), str],
    "print": [re.compile("stdout|stderr"), str],
    "airflow": [str],
    "become": [],
    "start": [],
    "events": [[[str, str, dict], ...]],
    "begin": [str, str, (None, str)],
    "end": [lambda code: type(code) is int and 0 <= code <= MAX_CODE, str, bool, (None, _ERROR)],
}
"""What may be asked, and the shapes of its arguments: see :func:`~pyrunner_airflow.values.fits`."""
_ERRORS: dict[str, type[Exception]] = {"KeyError": KeyError, "ContextValueError": ContextValueError}


class Host:
    """
    The task's process, as its worker's process and all that this forks reach it.

    :param door: the socket over which connections are opened.
    """

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        # An exchange takes a connection out and puts it back when it is over: no lock is needed, and what
        # breaks an exchange off, whether a signal or a fork, leaves no half of it to the next.
        self._idle: list[Connection] = []
        os.register_at_fork(after_in_child=self._idle.clear)

    def ask(self, *question: Any) -> Any:
        """
        Return the answer of the task's process.

        :raises KeyError, ContextValueError: as the context raises them.
        :raises MessageTooLong: if the question cannot be sent.
        :raises HostError: if the task's process could not do what was asked.
        :raises HostGone: if it cannot be reached.
        """
        line = to_line(question)
        if len(line) > MAX_MESSAGE:
            size = f"{len(line) / 2**20:,.0f} MB as JSON, more than the limit of {MAX_MESSAGE >> 20} MB"
            raise MessageTooLong(f"the task's process is told {size}")
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            answer = connection.exchange(line)
        except OSError as error:
            raise HostGone from error
        self._idle.append(connection)
        if "error" in answer:
            name, text = answer["error"]
            raise _ERRORS[name](text) if name in _ERRORS else HostError(f"{name}: {text}")
        return answer["value"]

    def log(self, level: str, text: str) -> None:
        """Log a line; it is logged when this returns, so that nothing that is printed later overtakes it."""
        for start in range(0, len(text) or 1, _PIECE):
            self.ask("log", level, text[start : start + _PIECE])

    def print(self, stream: str, lines: bytes) -> None:
        """Print lines to the task's standard output or error: to the log, when this returns."""
        for start in range(0, len(lines), _PIECE):
            self.ask("print", stream, lines[start : start + _PIECE].decode("utf-8", "replace"))

    def _connect(self) -> Connection:
        ours, theirs = socket.socketpair()
        with theirs:
            send_socket(self._door, theirs)
        return Connection(ours)


class Connection:
    """The asking end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lines = connection.makefile("rb")

    def exchange(self, question: bytes) -> Any:
        """Send a question, and wait for its answer."""
        self._socket.sendall(question)
        answer = self._lines.readline()
        if not answer.endswith(b"\n"):
            raise HostGone
        return from_line(answer)


def to_line(message: Any) -> bytes:
    """Return a message as it is sent: halves of characters too, which JSON's own escapes would join."""
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def from_line(line: bytes) -> Any:
    """Return the message that was sent; raises ValueError if there is none."""
    return json.loads(line.decode("utf-8", "surrogatepass"))


def read_question(line: bytes) -> list[Any]:
    """Return what is asked, and the arguments; raises NoQuestion, if it is not one of :data:`QUESTIONS`."""
    try:
        what, *arguments = from_line(line)
        if type(what) is str and fits([what, *arguments], [str, *QUESTIONS[what]]):
            return [what, *arguments]
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise no_question(line)


def no_question(written: bytes) -> NoQuestion:
    """Return what to raise about something else that was written."""
    return NoQuestion(f"it wrote {written[:100]!r} to a descriptor that is nothing but its way to Airflow")


def send_socket(door: socket.socket, connection: socket.socket) -> None:
    """Send a copy of a socket over the door."""
    descriptors = array.array("i", [connection.fileno()])
    try:
        door.sendmsg([NO_ROOM], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
    except OSError as error:
        raise HostGone from error


def receive_socket(door: socket.socket) -> socket.socket | bytes:
    """Return the socket that came over the door; where no socket came, the bytes."""
    data, descriptors, _, _ = socket.recv_fds(door, 256, 1)
    for descriptor in descriptors:
        try:
            return socket.socket(fileno=descriptor)
        except OSError:  # it is something else
            os.close(descriptor)
    return data
