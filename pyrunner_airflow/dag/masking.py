"""Keeping secrets that environment variables hold out of what Airflow shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote

from airflow.sdk import conf
from airflow.sdk.log import mask_logs, mask_secret

from pyrunner_airflow.tasklist.secret_names import SECRET_NAME, URL_PASSWORD

_QUOTED: tuple[Callable[[str], str], ...] = (
    str,
    lambda text: repr(text)[1:-1],
    lambda text: repr(f'"{text}')[2:-1],  # with all single quotes escaped, as amid others; and bash's $'...'
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: text.replace("'", "'\"'\"'"),  # shlex, dash
    lambda text: text.replace("'", "'\\''"),  # bash
    lambda text: re.sub(r'(["$`\\])', r"\\\1", text),  # bash's `export -p`
)
"""How a text stands between quotes, as Python, JSON and shells write it."""
_MOST_LINES = 100
"""Of a secret that is masked by the line: a long key has fifty, and Airflow takes its time for each."""


def mask_secrets(variables: Mapping[str, str]) -> set[str]:
    """
    Mask what variables hold that are named like secrets, and passwords in URLs, in the task's log.

    Airflow sees to its own variables, and masks no value that is too short to mean something.

    :returns: what is masked.
    """
    words = re.findall(r"[^\s,]+", conf.get("core", "sensitive_var_conn_names", fallback="").lower())
    secrets: set[str] = set()
    for name, value in variables.items():
        if name.startswith("AIRFLOW"):
            continue
        value = value.encode("utf-8", "backslashreplace").decode()  # as the log shows it
        if SECRET_NAME.search(name) or any(word in name.lower() for word in words):
            secrets.update(_forms(value))
        for password in URL_PASSWORD.findall(value):
            secrets.update(_forms(password), _forms(unquote(password)))
    secrets.discard("")
    if secrets:
        mask_secret([*secrets])
    return secrets


def masked(text: str) -> str:
    """Return a text as Airflow's log would show it."""
    return str(mask_logs(None, "", {"event": text})["event"])


def mask_alone(secret: str, name: str | None) -> None:
    """
    Mask a secret that Airflow knows, also as it stands where lines are cut or set as one.

    :param name: what Airflow decides by whether it is one; None where it is one in any case.
    """
    lines = secret.splitlines()
    by_line = lines if 1 < len(lines) <= _MOST_LINES else ()
    mask_secret([*dict.fromkeys((secret, " ".join(secret.split()), *map(str.strip, by_line)))], name)


def _forms(secret: str) -> Iterator[str]:
    """Return a secret as it may be logged: whole or by the line, quoted or not, with single blanks."""
    for quote in _QUOTED:
        for text in (quote(secret), *map(quote, secret.splitlines())):
            yield from (text, text.strip(), " ".join(text.split()))
