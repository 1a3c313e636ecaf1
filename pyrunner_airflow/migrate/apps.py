"""The folders of PyRunner apps: which of their files a command means."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pyrunner_airflow.migrate.driver import UNKNOWN, Driver
from pyrunner_airflow.tasklist.files import read_beginning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_PYTHON, _SHELL = "python", "sh"
_LANGUAGES = {".py": _PYTHON, ".sh": _SHELL, ".bash": _SHELL, ".ksh": _SHELL}
_FIRST_LINE = re.compile(rb"#!.*\b(?:(python)|(?:ba|da|k|z)?sh\b)")
_SKIPPED = frozenset((".git", "__pycache__", "logs", "node_modules", "temp", "venv", ".venv"))


class Apps:
    """
    Folders of apps, each with its lists.

    :param lists: the paths of the lists of each folder.
    :ivar drivers: the files of Python in which there is something of PyRunner's own start.
    :ivar scripts: those of a shell.
    """

    def __init__(self, lists: Mapping[str, Iterable[str]]) -> None:
        self._folders = [os.path.abspath(folder) for folder in lists]
        self.lists = sorted({os.path.abspath(path) for found in lists.values() for path in found})
        languages = {file: _language(file) for folder in self._folders for file in _files(folder)}
        python = {file: Driver(file) for file, language in languages.items() if language == _PYTHON}
        self.drivers = {file: driver for file, driver in python.items() if driver.is_one}
        self.scripts = [file for file, language in languages.items() if language == _SHELL]
        apps = [one for one in self._folders if any(_is_below(one, path) for path in self.lists)]
        self._names = {os.path.basename(path) for path in (*apps, *self.lists, *python, *self.scripts)}

    def table(self, path: str, into: str) -> str:
        """Return what the table of a list is called in the options file of a folder."""
        name, into = os.path.basename(path), os.path.abspath(into)
        if [os.path.basename(other) for other in self.lists].count(name) == 1:
            return name
        same = [folder for folder in self._folders if os.path.basename(folder) == os.path.basename(into)]
        return _below([into, *same, *map(os.path.dirname, self._folders)], path)

    def shown(self, path: str) -> str:
        """Return a path as messages show it: from the folder around its app."""
        return _below(map(os.path.dirname, self._folders), path)

    def find(
        self, path: str, folder: str | None, exists: Callable[[str], bool] = os.path.isfile
    ) -> list[str]:
        """
        Return the files of the apps that a path in a command can mean: the one, if it is clear.

        :param folder: where the command is started, if that is known. Neither need be on this machine: an
            app is known by its folder's name, too.
        :param exists: `os.path.isdir` to look for a folder.
        """
        whole = os.path.normpath(os.path.join(folder or "", path))
        if any(_is_below(one, whole) for one in self._folders) and exists(whole):
            return [whole]
        parts = whole.split(os.sep)
        found: list[str] = []
        for one in self._folders:
            rests = [parts[index + 1 :] for index, part in enumerate(parts) if part == os.path.basename(one)]
            if not os.path.isabs(whole) and (folder is None or "$" in folder):
                rests.append([part for part in os.path.normpath(path).split(os.sep) if part != ".."])
            found += filter(exists, (os.path.join(one, *rest) for rest in rests))
        return [*dict.fromkeys(found)]

    def find_lists(self, path: str, folder: str | None, driver: str | None) -> list[str]:
        """Return the lists that a path can mean, of which a driver may know only parts."""
        if driver and path.endswith(".lst"):
            end = ".*".join(map(re.escape, os.path.normpath(path).split(UNKNOWN)))
            near = [one for one in self.lists if _is_below(os.path.dirname(driver), one)]
            if found := [one for one in near if re.fullmatch(f"(?:.*/)?{end}", one)]:
                return found
        return [one for one in self.find(path, folder) if one in self.lists] if path else []

    def is_mentioned(self, text: str) -> bool:
        """Say whether a command has the name of an app, a list or a script in it."""
        return any(re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text) for name in self._names)


def _is_below(folder: str, path: str) -> bool:
    return f"{path}/".startswith(os.path.join(folder, ""))


def _below(folders: Iterable[str], path: str) -> str:
    """Return a path from the first of the folders that it is in, or as it is."""
    return next((os.path.relpath(path, folder) for folder in folders if _is_below(folder, path)), path)


def _files(top: str) -> Iterable[str]:
    for folder, subfolders, files in os.walk(top):
        subfolders[:] = sorted(name for name in subfolders if name not in _SKIPPED)
        yield from (os.path.join(folder, name) for name in sorted(files))


def _language(file: str) -> str:
    """Return the language of a file, by its name or its first line; "" if in none that counts."""
    if end := os.path.splitext(file)[1]:
        return _LANGUAGES.get(end, "")
    try:
        found = _FIRST_LINE.match(read_beginning(file, 200))
    except OSError:
        return ""
    return (_PYTHON if found[1] else _SHELL) if found else ""
