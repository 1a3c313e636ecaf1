"""Airflow's REST API, for the commands that look at a run or change one."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

import click

from pyrunner_airflow.cli.failure import Failure

_PAGE = 100
_SECONDS = 60.0
_LOG_IN = "Say who asks, by AIRFLOW_CLI_TOKEN, or by AIRFLOW_USERNAME and AIRFLOW_PASSWORD in the environment"


class NoAnswer(Failure):
    """Airflow does not answer; if it did before, it may do so again."""


class NotThere(Failure):
    """Airflow has nothing of that name."""


class _NoRedirects(HTTPRedirectHandler):
    """A token is for whom it was meant."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Airflow:
    """
    A running Airflow, as one of its users sees it.

    Which one, the environment tells: ``AIRFLOW_CLI_TOKEN``, as for ``airflowctl``, or ``AIRFLOW_USERNAME``
    and ``AIRFLOW_PASSWORD``; or nothing, where Airflow takes everybody for its admin.

    :param url: where its UI is.
    :raises Failure: if it does not answer, or does not let the user in; so does each request.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._open = build_opener(_NoRedirects).open
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        token = os.environ.get("AIRFLOW_CLI_TOKEN") or self._token()
        self._headers["Authorization"] = f"Bearer {token}"

    def get(self, *path: str, **query: Any) -> Any:
        """Return the answer to ``GET /api/v2/...``; the parts of the path are quoted here."""
        asked = f"?{urlencode(query, doseq=True)}" if query else ""
        return self._call("GET", f"/api/v2/{'/'.join(map(_quoted, path))}{asked}")

    def get_all(self, name: str, *path: str) -> list[Any]:
        """Return what all pages of an answer have under a name."""
        found: list[Any] = []
        while True:
            page = self.get(*path, limit=_PAGE, offset=len(found))
            found += page[name]
            if not page[name] or len(found) >= page["total_entries"]:
                return found

    def send(self, method: str, *path: str, body: dict[str, Any]) -> Any:
        """Return the answer to a request that changes something."""
        return self._call(method, f"/api/v2/{'/'.join(map(_quoted, path))}", body)

    def page(self, *path: str) -> str:
        """Return the address of a page of the UI."""
        return "/".join([self._url, *map(_quoted, path)])

    def _token(self) -> Any:
        user, password = (os.environ.get(f"AIRFLOW_{name}") for name in ("USERNAME", "PASSWORD"))
        login = {"username": user, "password": password} if user and password else None
        return self._call("POST" if login else "GET", "/auth/token", login)["access_token"]

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            data = None if body is None else json.dumps(body).encode()
            request = Request(self._url + path, data, self._headers, method=method)
            with self._open(request, timeout=_SECONDS) as answer:
                return json.load(answer)
        except HTTPError as error:
            asked = f"{method} {path.partition('?')[0]}"
            text = _explained(error.code, error.read().decode(errors="replace"), asked)
            raise _kind(error.code)(text) from None
        except (OSError, HTTPException, ValueError) as error:
            why = f"no Airflow answers at {self._url} ({error})"
            raise NoAnswer(f"{why}: give its address by --api-url or AIRFLOW_API_URL") from None


def _quoted(part: str) -> str:
    return quote(part, safe="~")


def _kind(status: int) -> type[Failure]:
    if status == HTTPStatus.NOT_FOUND:
        return NotThere
    return NoAnswer if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Failure


def _explained(status: int, text: str, asked: str) -> str:
    """Return what an error of Airflow's means, and what to do."""
    with contextlib.suppress(ValueError, KeyError, TypeError):  # then it is not Airflow's own
        text = json.loads(text)["detail"]
    what = f"Airflow answered {status} to {asked}: {text!s:.500}"
    if status == HTTPStatus.UNAUTHORIZED:
        return f"{what}\n{_LOG_IN}."
    if status == HTTPStatus.FORBIDDEN:
        return f"{what}\nThis user may not do that: ask for the right to it, or be another one. {_LOG_IN}."
    return what


def api_url(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option that says where Airflow is."""
    what = "Where Airflow's UI is; by default what airflow.cfg has as [api] base_url."
    return click.option("--api-url", metavar="URL", envvar="AIRFLOW_API_URL", help=what)(command)


def connect(url: str | None) -> Airflow:
    """Return the Airflow at an address, or at that of ``airflow.cfg``."""
    if url is None:
        try:
            from airflow.sdk import conf  # takes long to load
        except ModuleNotFoundError:
            raise Failure(
                "no Airflow is installed here: give its address by --api-url or AIRFLOW_API_URL"
            ) from None

        url = conf.get("api", "base_url", fallback=None) or "http://localhost:8080"
    return Airflow(url)
