"""Keeping secrets that environment variables hold out of what Airflow shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from airflow.sdk import conf
from airflow.sdk.log import mask_logs, mask_secret

# Airflow's own list of sensitive names and more, as whole words: TOKENIZERS_PARALLELISM is none, and PWD by
# itself is the working directory.
_SECRET_NAME = re.compile(
    "(^|_)("
    "access_?key|api_?key|auth_?header|authorization|bearer|connection_?string|credential|cred|dsn"
    "|keyfile_?dict|pass|passphrase|pgpass|private_?key|service_?account|service_?key|sshpass|webhook_?url"
    ")s?[0-9]*(_|$)|_pwd[0-9]*(_|$)|_conn$|(passwd|password|secret|token)s?[0-9]*(_|$)",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"://[^\s/:@]*:([^\s/]+)@")


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
        if _SECRET_NAME.search(name) or any(word in name.lower() for word in words):
            secrets.update(_forms(value))
        for password in _URL_PASSWORD.findall(value):
            secrets.update(_forms(password), _forms(unquote(password)))
    secrets.discard("")
    if secrets:
        mask_secret([*secrets])
    return secrets


def masked(text: str) -> str:
    """Return a text as Airflow's log would show it."""
    return str(mask_logs(None, "", {"event": text})["event"])


def _forms(secret: str) -> Iterator[str]:
    """Return a secret as it may be logged: whole, as Python writes it, by the line, with single blanks."""
    for text in (secret, repr(secret)[1:-1], *secret.splitlines()):
        yield from (text, text.strip(), " ".join(text.split()))
