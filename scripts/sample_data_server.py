"""A web server on this machine that stands in for the sample job's data source and for Slack."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Self


class SampleDataServer:
    """Serves a folder's CSV files and takes messages at ``/slack``, on a free port of 127.0.0.1.

    ``fail_once`` names paths whose first request is answered with status 500. ``requests`` lists each
    request as (method, path, status), ``messages`` the texts that arrived at ``/slack``.
    """

    def __init__(self, folder: str | Path, *, fail_once: Iterable[str] = ()) -> None:
        self.requests: list[tuple[str, str, int]] = []
        self.messages: list[str] = []
        self._folder = Path(folder)
        self._still_to_fail = set(fail_once)
        self._lock = Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """The base address, without a slash at its end."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving and free the port."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _get(self, path: str) -> tuple[HTTPStatus, bytes]:
        # Only names that the folder lists are served, so no path leads out of it.
        files = {f"/{file.name}": file for file in self._folder.glob("*.csv")}
        if path not in files:
            return HTTPStatus.NOT_FOUND, b""
        return HTTPStatus.OK, files[path].read_bytes()

    def _post(self, path: str, body: bytes) -> tuple[HTTPStatus, bytes]:
        if path != "/slack":
            return HTTPStatus.NOT_FOUND, b""
        try:
            text = json.loads(body)["text"]
        except (ValueError, KeyError, TypeError):
            return HTTPStatus.BAD_REQUEST, b"invalid_payload"
        self.messages.append(text)
        return HTTPStatus.OK, b"ok"

    def _answer(self, method: str, path: str, body: bytes) -> tuple[HTTPStatus, bytes]:
        with self._lock:
            if path in self._still_to_fail:
                self._still_to_fail.remove(path)
                status, content = HTTPStatus.INTERNAL_SERVER_ERROR, b""
            elif method == "POST":
                status, content = self._post(path, body)
            else:
                status, content = self._get(path)
            self.requests.append((method, path, int(status)))
        return status, content

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._respond(b"")

            def do_POST(self) -> None:
                self._respond(self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def _respond(self, body: bytes) -> None:
                status, content = answer(self.command, self.path, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Keep quiet: ``requests`` has it all."""

        return Handler
