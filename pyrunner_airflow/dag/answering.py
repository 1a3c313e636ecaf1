"""The answering end of the connections between a worker's process and the task's."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from concurrent.futures import Future

from pyrunner_airflow.worker.protocol import MAX_MESSAGE, NoQuestion

MAX_CONNECTIONS = 1000
MAX_WAITING = 1 << 30
"""How many bytes of questions that are not whole, and of answers that are not read, may wait here in all."""


class Answering:
    """
    Answers what is asked over any number of connections, each whenever it can be read or written.

    So a process that is stopped in the middle of either holds up nothing.

    :param answer: returns the answer to a question, at once or later; raises NoQuestion.
    :param soon: has something done by whoever waits for the selector.
    """

    def __init__(
        self,
        answer: Callable[[bytes], bytes | Future[bytes]],
        selector: selectors.BaseSelector,
        soon: Callable[[Callable[[], None]], None],
    ) -> None:
        self.answer = answer
        self.selector = selector
        self.soon = soon
        self.connections: set[_Connection] = set()

    def admit(self, connection: socket.socket) -> None:
        """Answer what comes over a connection; raises NoQuestion, if there are too many."""
        if len(self.connections) == MAX_CONNECTIONS:
            connection.close()
            raise NoQuestion(f"it opened more than {MAX_CONNECTIONS} connections to the task's process")
        self.connections.add(_Connection(connection, self))

    def close(self) -> None:
        """Answer nothing more."""
        for connection in list(self.connections):
            connection.close()

    def check_room(self) -> None:
        """Raise NoQuestion, if too much waits here."""
        if sum(connection.waiting for connection in self.connections) > MAX_WAITING:
            raise NoQuestion(f"it left more than {MAX_WAITING >> 20} MB waiting in the task's process")


class _Connection:
    """One connection: it reads, or answers one question, or writes, so that none keeps the others waiting."""

    def __init__(self, connection: socket.socket, all_of_them: Answering) -> None:
        self._socket = connection
        self._all = all_of_them
        self._received = bytearray()
        self._end = 0
        """Where the first question ends in what was received; 0 if it is not there as a whole."""
        self._to_send = memoryview(b"")
        self._is_unanswered = False
        self._all.selector.register(connection, selectors.EVENT_READ, self._go_on)

    @property
    def waiting(self) -> int:
        """How many bytes wait to be answered, or to be read."""
        return len(self._received) + len(self._to_send)

    def close(self) -> None:
        """Answer nothing more."""
        if not self._is_unanswered:
            self._all.selector.unregister(self._socket)
        self._socket.close()
        self._all.connections.discard(self)

    def _go_on(self) -> None:
        try:
            if self._to_send:
                self._send()
            elif self._end:
                self._answer()
            else:
                self._receive()
        except BlockingIOError:
            pass
        except OSError:  # its other end is closed, or it is no such socket as we make
            self.close()
        except NoQuestion:
            self.close()
            raise
        if self._socket.fileno() >= 0 and not self._is_unanswered:
            is_reading = not (self._to_send or self._end)
            events = selectors.EVENT_READ if is_reading else selectors.EVENT_WRITE
            self._all.selector.modify(self._socket, events, self._go_on)

    def _receive(self) -> None:
        data = self._socket.recv(1 << 20, socket.MSG_DONTWAIT)  # the other end may change its mode
        if not data:
            self.close()
            return
        before = len(self._received)
        self._received += data
        self._all.check_room()
        self._end = self._received.find(b"\n", before) + 1
        if (self._end or len(self._received)) > MAX_MESSAGE:
            raise NoQuestion(f"it sent a message of more than {MAX_MESSAGE >> 20} MB")
        if self._end:
            self._answer()

    def _answer(self) -> None:
        question = bytes(memoryview(self._received)[: self._end])
        del self._received[: self._end]
        self._end = self._received.find(b"\n") + 1
        answer = self._all.answer(question)
        if isinstance(answer, Future):  # until then there is nothing to read, and nothing to write
            self._all.selector.unregister(self._socket)
            self._is_unanswered = True
            answer.add_done_callback(lambda answer: self._all.soon(lambda: self._take(answer)))
            return
        self._to_send = memoryview(answer)
        self._all.check_room()
        self._send()

    def _take(self, answer: Future[bytes]) -> None:
        """Send an answer that was not to be had at once."""
        if self._socket.fileno() >= 0:
            self._is_unanswered = False
            self._all.selector.register(self._socket, selectors.EVENT_WRITE, self._go_on)
            self._to_send = memoryview(answer.result())
            self._all.check_room()

    def _send(self) -> None:
        self._to_send = self._to_send[self._socket.send(self._to_send, socket.MSG_DONTWAIT) :]
