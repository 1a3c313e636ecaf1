"""
Removes the log files that are older than ``APP_LOG_RETENTION`` says, as PyRunner does at the end of a job.

As there, what lies directly in ``APP_ROOT_LOG_DIR`` stays or goes as a whole; but its youngest file says how
old it is, not the folder. So the folder of a run that is running stays, on whichever host it runs: its
LOGFILEs are young. Folders themselves stay: a run may be about to write there.
"""

from __future__ import annotations

import os
import stat
import time
from typing import Callable, Iterator, List, Mapping

from .app import App

_DAY = 24 * 3600


def remove_old_logs(app: App, environment: Mapping[str, str], tell: Callable[[str, str], object]) -> None:
    """
    Remove the regular files below ``APP_ROOT_LOG_DIR`` that are old; links are neither followed nor removed.

    :param environment: the run's. Nothing is done without ``APP_LOG_RETENTION``, a number of days, nor with a
        negative one, by which PyRunner too keeps everything.
    :param tell: told what was removed and what could not be: a log's level, and a text.
    """
    text, folder = environment.get("APP_LOG_RETENTION"), environment.get("APP_ROOT_LOG_DIR")
    if text is None or not folder:
        return
    root, days = os.path.realpath(folder), _whole_number(text)
    if not days:
        tell("WARN", f"APP_LOG_RETENTION is {text!r:.100}, no number of days above 0: no log file goes")
    elif _holds(root, app.root) or _holds(root, app.list_path):  # as where a variable in its path is empty
        tell("WARN", f"APP_LOG_RETENTION: the app itself lies in APP_ROOT_LOG_DIR, {root}: no log file goes")
    elif days > 0:
        own = [path for path in map(environment.get, ("APP_LOG_DIR", "APP_TEMP_DIR")) if path]
        removed = _remove(root, own, int(time.time()) - days * _DAY, tell)
        if removed:
            tell("INFO", f"APP_LOG_RETENTION: removed {removed} log files older than {days} days from {root}")


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def _holds(folder: str, path: str) -> bool:
    """Say whether a path is a folder, which is none by a link, or lies below it."""
    return os.path.commonpath((folder, os.path.realpath(path))) == folder


def _remove(root: str, own: List[str], before: int, tell: Callable[[str, str], object]) -> int:
    """Remove what last changed before a time, beside the run's own folders; return the number of files."""
    removed = 0
    try:
        entries = list(os.scandir(root))
    except FileNotFoundError:
        return 0  # no run has written there yet
    except OSError as error:
        tell("WARN", f"APP_LOG_RETENTION: no log file goes: {error}")
        return 0
    for entry in entries:
        try:
            is_own = any(_holds(entry.path, path) for path in own)
            if is_own or any(changed >= before for _, _, changed in _files(entry)):
                continue
            for name, folder, changed in _files(entry):
                if changed < before:
                    os.unlink(name, dir_fd=folder)
                    removed += 1
        except FileNotFoundError:
            pass  # the run of another job is at it
        except (OSError, RecursionError) as error:
            tell("WARN", f"APP_LOG_RETENTION: what is old in {entry.path} could not all be removed: {error}")
    return removed


def _files(entry: os.DirEntry[str]) -> Iterator[tuple[str, int | None, float]]:
    """Yield the regular files that an entry is or holds: name, folder's descriptor, time of change."""
    if entry.is_dir(follow_symlinks=False):
        for _, _, names, folder in os.fwalk(entry.path, onerror=_raise):
            for name in names:
                yield from _regular(name, folder)
    else:
        yield from _regular(entry.path, None)


def _regular(name: str, folder: int | None) -> Iterator[tuple[str, int | None, float]]:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISREG(status.st_mode):
        yield name, folder, status.st_mtime


def _raise(error: OSError) -> None:
    raise error
