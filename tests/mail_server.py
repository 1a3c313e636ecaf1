"""A real SMTP server that keeps the messages it gets."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler


class Mailbox(MessageHandler):
    """The messages, and Airflow's connection to their server, as its REST API takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.com"}
        self.connection = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": self.port,
            "extra": json.dumps(extra),
        }

    def handle_message(self, message: Message) -> None:
        self.messages.append(message)


@contextmanager
def open_mailbox() -> Iterator[Mailbox]:
    """Run the server."""
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    yield box
    controller.stop()


def text_of(mail: Message) -> str:
    """Return all that a message has in its parts."""
    return b"".join(part.get_payload(decode=True) or b"" for part in mail.walk()).decode()
