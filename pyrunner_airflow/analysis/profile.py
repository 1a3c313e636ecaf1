"""What a profile says about the app's worker folder, as far as that can be told without running it."""

from __future__ import annotations

import os
import re

_MORE = re.compile(r"^[ \t]*(?:source|\.|eval)[ \t]", re.MULTILINE)
_ASSIGNMENT = re.compile(
    r"^(?:export[ \t]+)?(APP_WORKER_DIR|APP_ROOT_DIR)=(.*?)[ \t]*(?:#.*)?$", re.MULTILINE
)
_OWN_FOLDER = re.compile(
    r"\$\([ ]*cd[ ]+\"?\$\([ ]*dirname[ ]+\"?\$\{?BASH_SOURCE(?:\[0\])?\}?\"?[ ]*\)((?:/[.\w-]+)*)/?\"?"
    r"[ ]*(?:;|&&)[ ]*pwd[ ]*\)"
)
_IN_ROOT = re.compile(r"\$(?:APP_ROOT_DIR\b|\{APP_ROOT_DIR\})")
_NOT_PLAIN = re.compile(r"[$`\\*?~;&|<>(){}'\"\s]")


def worker_folder(profile: str) -> tuple[str | None, bool]:
    """Return APP_WORKER_DIR as a profile sets it, None where it does not; and whether that is sure.

    profile: the file's absolute path.
    """
    try:
        with open(profile, "rb") as file:
            text = file.read().decode(errors="replace")
    except OSError:
        return None, False
    values: dict[str, list[str]] = {"APP_WORKER_DIR": [], "APP_ROOT_DIR": []}
    for name, value in _ASSIGNMENT.findall(text):
        values[name].append(value)
    mentions = len(re.findall(r"\bAPP_WORKER_DIR\b", text))
    if _MORE.search(text) or mentions > 1:
        return None, False
    if not mentions:
        return None, True
    if len(values["APP_WORKER_DIR"]) != 1:
        return None, False
    folder = _literal(values["APP_WORKER_DIR"][0], values["APP_ROOT_DIR"], profile)
    return folder, folder is not None


def _literal(value: str, roots: list[str], profile: str) -> str | None:
    """Return the folder that an assigned text is, if all of it is known."""
    text = _unquoted(value)
    if own := _OWN_FOLDER.fullmatch(text):
        return os.path.normpath(os.path.dirname(profile) + own[1])
    if inner := _IN_ROOT.match(text):
        root = _literal(roots[0], [], profile) if len(roots) == 1 else None
        text = text[inner.end() :]
        return os.path.normpath(f"{root}{text}") if root and not _NOT_PLAIN.search(text) else None
    return text if text and not _NOT_PLAIN.search(text) else None


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
