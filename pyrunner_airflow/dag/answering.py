"""The answering end of a connection between a worker's process and the task's."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from contextlib import suppress


class Answering:
    """
    The answering end of a connection: reads a question, or writes an answer, whichever can be done now.

    So a process that is stopped in the middle of either holds up nothing.
    """

    def __init__(
        self,
        connection: socket.socket,
        answer: Callable[[bytes], bytes],
        selector: selectors.BaseSelector,
    ) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._answer = answer
        self._selector = selector
        self._received = bytearray()
        self._to_send = memoryview(b"")
        selector.register(connection, selectors.EVENT_READ, self._go_on)

    def _go_on(self) -> None:
        try:
            if self._to_send:
                self._to_send = self._to_send[self._socket.send(self._to_send) :]
            else:
                self._receive()
        except (BrokenPipeError, ConnectionResetError):
            self._close()
            return
        if self._socket.fileno() >= 0:
            events = selectors.EVENT_WRITE if self._to_send else selectors.EVENT_READ
            self._selector.modify(self._socket, events, self._go_on)

    def _receive(self) -> None:
        data = self._socket.recv(1 << 20)
        if not data:
            self._close()
            return
        self._received += data
        if data.endswith(b"\n"):  # who asks waits for the answer, so that this is the question's end
            question, self._received = bytes(self._received), bytearray()
            self._to_send = memoryview(self._answer(question))
            with suppress(BlockingIOError):
                self._to_send = self._to_send[self._socket.send(self._to_send) :]

    def _close(self) -> None:
        self._selector.unregister(self._socket)
        self._socket.close()
