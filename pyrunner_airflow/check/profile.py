"""Where a list's workers lie, as far as that can be told without running the app's profile."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pyrunner_airflow.tasklist.columns import ENV_OPEN
from pyrunner_airflow.tasklist.files import read_file
from pyrunner_airflow.worker.app import find_app, worker_folders

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyrunner_airflow.tasklist import TaskList

Workers = tuple[str, list[str], str | None]
"""The root of an app, the folders that may hold its workers, and why a run may use others."""

_MORE = re.compile(r"^[ \t]*(?:source|\.|eval)[ \t]", re.MULTILINE)
_ASSIGNMENT = re.compile(r"^(?:export[ \t]+)?(APP_WORKER_DIR|APP_ROOT_DIR)=(.*)", re.MULTILINE)
_COMMENT = re.compile(r"[ \t]#.*")
_OWN_FOLDER = re.compile(
    r"\$\([ ]*cd[ ]+\"?\$\([ ]*dirname[ ]+\"?\$\{?BASH_SOURCE(?:\[0\])?\}?\"?[ ]*\)((?:/[.\w-]+)*)/?\"?"
    r"[ ]*(?:;|&&)[ ]*pwd[ ]*\)"
)
_IN_ROOT = re.compile(r"\$(?:APP_ROOT_DIR\b|\{APP_ROOT_DIR\})")
_NOT_PLAIN = re.compile(r"[$`\\*?~;&|<>(){}'\"\s]")


def find_workers(task_list: TaskList, path: str, shown: Callable[[str], str]) -> Workers:
    """Find out where the workers of a list at a path lie; `shown` says how a message shows another path."""
    options, source = task_list.options, task_list.source
    doubt = None
    app = find_app(path, options.app_root, options.cwd)
    if not os.path.isdir(app.root):
        doubt = f"{source}: app_root {app.root} is not on this machine"
        app = find_app(path, None, options.cwd)
    folder = options.env.get("APP_WORKER_DIR")
    if folder is None and app.profile:
        source = shown(app.profile)
        folder, is_sure = worker_folder(app.profile)
        if not is_sure:
            doubt = f"{source}: only running it shows what APP_WORKER_DIR is"
    elif folder and ENV_OPEN in folder:
        folder, doubt = None, f"{source}: only a run shows what APP_WORKER_DIR of [pyrunner] env is"
    is_inside = os.path.join(app.root, folder or "").startswith(os.path.join(app.root, ""))
    if folder and not (is_inside or os.path.isdir(folder)):
        folder, doubt = None, f"{source}: APP_WORKER_DIR {folder} is not on this machine"
    return app.root, worker_folders(app, {"APP_WORKER_DIR": folder} if folder else {}), doubt


def worker_folder(profile: str) -> tuple[str | None, bool]:
    """Return APP_WORKER_DIR as the profile at a path sets it, if it does, and whether that is sure."""
    try:
        text = read_file(profile).decode(errors="replace")
    except OSError:
        return None, False
    mentions = len(re.findall(r"\bAPP_WORKER_DIR\b", text))
    assigned = [(name, _COMMENT.sub("", value).rstrip(" \t")) for name, value in _ASSIGNMENT.findall(text)]
    folders = [value for name, value in assigned if name == "APP_WORKER_DIR"]
    roots = [value for name, value in assigned if name == "APP_ROOT_DIR"]
    if _MORE.search(text) or mentions > 1 or mentions != len(folders):
        return None, False
    folder = _literal(folders[0], roots, profile) if folders else None
    return folder, folder is not None or not folders


def _literal(value: str, roots: list[str], profile: str) -> str | None:
    """Return the folder that an assigned text is, if all of it is known."""
    text = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    if own := _OWN_FOLDER.fullmatch(text):
        return os.path.normpath(os.path.dirname(profile) + own[1])
    if inner := _IN_ROOT.match(text):
        root = _literal(roots[0], [], profile) if len(roots) == 1 else None
        text = text[inner.end() :]
        return os.path.normpath(f"{root}{text}") if root and not _NOT_PLAIN.search(text) else None
    return text if text and not _NOT_PLAIN.search(text) else None
