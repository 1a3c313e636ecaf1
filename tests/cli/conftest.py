"""A server that stands in for Airflow's, for the commands that ask its REST API."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


@pytest.fixture
def server():
    """A server whose answers a test decides, by path, which may end in ``*``; it keeps what it was asked.

    Of several answers, in a list, it gives one after the other, and the last one for good.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.command, self.path, self.headers["Authorization"], self._body()))
            path = self.path.partition("?")[0]
            status, answer = self._answer(answers.get(path) or answers.get(f"{path.rpartition('/')[0]}/*"))
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PATCH = do_GET

        def _answer(self, found):
            if isinstance(found, list):
                return found.pop(0) if len(found) > 1 else found[0]
            return found or (404, {"detail": "Not Found"})

        def _body(self):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()

        def log_message(self, *args):
            pass

    asked, answers = [], {"/auth/token": (201, {"access_token": "made"})}
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answers = asked, answers
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
