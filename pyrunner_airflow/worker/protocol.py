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
import socket
from typing import Any, Dict, List, Type

from ..values import ContextValueError


class HostError(RuntimeError):
    """What the task's process could not do for its worker, in that process's words."""


class HostGone(HostError):
    """The task's process cannot be reached: this process has closed its way there, or that one is gone."""

    def __init__(self) -> None:
        super().__init__("the task's process is gone, or the descriptors were closed that lead to it")


CUT_OFF = 213
"""The exit status of a process that cannot tell its outcome."""
_ERRORS: Dict[str, Type[Exception]] = {"KeyError": KeyError, "ContextValueError": ContextValueError}


class Host:
    """
    The task's process, as its worker's process and all that this forks reach it.

    :param door: the socket over which connections are opened.
    """

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        # An exchange takes a connection out and puts it back when it is over: no lock is needed, and what
        # breaks an exchange off, whether a signal or a fork, leaves no half of it to the next.
        self._idle: List[Connection] = []
        os.register_at_fork(after_in_child=self._idle.clear)

    def ask(self, *question: Any) -> Any:
        """
        Return the answer of the task's process.

        :raises KeyError, ContextValueError: as the context raises them.
        :raises HostError: if the task's process could not do what was asked.
        :raises HostGone: if it cannot be reached.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            connection.send(question)
            answer = connection.receive()
        except OSError as error:
            raise HostGone from error
        self._idle.append(connection)
        if "error" in answer:
            name, text = answer["error"]
            raise _ERRORS[name](text) if name in _ERRORS else HostError(f"{name}: {text}")
        return answer["value"]

    def log(self, level: str, text: str) -> None:
        """Log a line; it is logged when this returns, so that nothing that is printed later overtakes it."""
        self.ask("log", level, text)

    def print(self, stream: str, lines: bytes) -> None:
        """Print lines to the task's standard output or error: to the log, when this returns."""
        self.ask("print", stream, lines.decode("utf-8", "replace"))

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

    def send(self, message: Any) -> None:
        """Send a message."""
        self._socket.sendall(to_line(message))

    def receive(self) -> Any:
        """Wait for the next message."""
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise HostGone
        return from_line(line)


def to_line(message: Any) -> bytes:
    """Return a message as it is sent: halves of characters too, which JSON's own escapes would join."""
    return json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def from_line(line: bytes) -> Any:
    """Return the message that was sent; raises ValueError if there is none."""
    return json.loads(line.decode("utf-8", "surrogatepass"))


def send_socket(door: socket.socket, connection: socket.socket) -> None:
    """Send a copy of a socket over the door."""
    descriptors = array.array("i", [connection.fileno()])
    try:
        door.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
    except OSError as error:
        raise HostGone from error


def receive_socket(door: socket.socket) -> socket.socket | bytes:
    """Return the socket that came over the door; where no socket came, the bytes."""
    data, descriptors, _, _ = socket.recv_fds(door, 256, 1)
    return socket.socket(fileno=descriptors[0]) if descriptors else data
