"""What lies between the tasks and the API server: it passes requests on, or disturbs them as a test wants."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from threading import Thread
from typing import NamedTuple, Self
from urllib.parse import urlsplit

_DAG = re.compile(r"/xcoms/([^/]+)/")
_TI = re.compile(r"/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:/|$)")
_OF_ONE_CONNECTION = {
    "accept-encoding",
    "connection",
    "content-length",
    "date",
    "host",
    "server",
    "transfer-encoding",
}


class Lost(Exception):
    """Nothing comes back: neither an answer nor an error."""


class Answer(NamedTuple):
    """What the API server answers."""

    status: int
    headers: dict[str, str]
    body: bytes


class Request(NamedTuple):
    """What a task's supervisor asks."""

    method: str
    path: str
    size: int
    pass_on: Callable[[], Answer]


Disturbance = Callable[[Request], Answer]
"""Returns what is answered to a request; raises Lost."""


class Link(ThreadingHTTPServer):
    """A server for `[core] execution_api_server_url`; used as a context."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/execution/"
        self.api_server = ""
        """The address of Airflow, as soon as there is one."""
        self.disturbed: dict[str, Disturbance] = {}
        """By DAG ID: what becomes of its tasks' requests once they run."""
        self.asked: list[tuple[str, str, str]] = []
        """Of each request that was answered the DAG ID, the method, and the path."""
        self._dags: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._thread = Thread(target=self.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def answer(self, request: Request) -> Answer:
        """Return what is answered to a request; raises Lost."""
        ti = _TI.search(request.path)
        dag = _DAG.search(request.path)
        dag_id = self._dags.get(ti[1], "") if ti else dag[1] if dag else ""
        disturb = self.disturbed.get(dag_id)
        answer = disturb(request) if disturb else request.pass_on()
        if ti and request.path.endswith("/run") and answer.status == HTTPStatus.OK:
            self._dags[ti[1]] = json.loads(answer.body)["dag_run"]["dag_id"]
        self.asked.append((dag_id, request.method, request.path))
        return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Link

    def setup(self) -> None:
        super().setup()
        self._onward = HTTPConnection(urlsplit(self.server.api_server).netloc)

    def finish(self) -> None:
        self._onward.close()
        super().finish()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, self.path, len(body), lambda: self._pass_on(body))
        try:
            answer = self.server.answer(request)
        except Lost:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_DELETE = do_GET = do_HEAD = do_PATCH = do_POST = do_PUT = _answer

    def _pass_on(self, body: bytes) -> Answer:
        self._onward.request(self.command, self.path, body, _to_hand_on(self.headers.items()))
        answer = self._onward.getresponse()
        return Answer(answer.status, _to_hand_on(answer.getheaders()), answer.read())

    def log_message(self, *_: object) -> None:
        pass


def _to_hand_on(headers):
    return {name: value for name, value in headers if name.lower() not in _OF_ONE_CONNECTION}


def slow(seconds: float) -> Disturbance:
    """Answer each request only after so long."""

    def disturb(request: Request) -> Answer:
        time.sleep(seconds)
        return request.pass_on()

    return disturb


def far(seconds: float) -> Disturbance:
    """Take so long for each 64 kB, as if no more were sent before they are known to have come."""

    def disturb(request: Request) -> Answer:
        time.sleep(seconds * (1 + request.size // 2**16))
        return request.pass_on()

    return disturb


def away(seconds: float, method: str, path: str) -> Disturbance:
    """Leave all unanswered for so long, from the first request on of this method, with this in its path."""
    end = None

    def disturb(request: Request) -> Answer:
        nonlocal end
        if end is None and request.method == method and path in request.path:
            end = time.monotonic() + seconds
        if end and time.monotonic() < end:
            raise Lost
        return request.pass_on()

    return disturb


def flaky(*paths: str) -> Disturbance:
    """Of what is written to such paths, refuse this and leave that unanswered, though it was done."""
    turns = cycle([HTTPStatus.SERVICE_UNAVAILABLE, None, HTTPStatus.CONFLICT, None, "lost", None])

    def disturb(request: Request) -> Answer:
        if request.method == "GET" or not any(path in request.path for path in paths):
            return request.pass_on()
        turn = next(turns)
        if isinstance(turn, HTTPStatus):
            return Answer(turn, {"Content-Type": "application/json"}, b'{"detail": "not now"}')
        answer = request.pass_on()
        if turn == "lost":
            raise Lost
        return answer

    return disturb
