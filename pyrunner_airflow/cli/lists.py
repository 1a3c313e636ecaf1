"""The task lists that a command is given: files, folders, standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from pyrunner_airflow.configuration import environment
from pyrunner_airflow.discovery.folder import find_lists
from pyrunner_airflow.tasklist import LstError, TaskList
from pyrunner_airflow.tasklist.diagnostics import Place, Problems, showable
from pyrunner_airflow.tasklist.lst import parse_as_far_as_possible, read_list_text, read_sections, split_lines
from pyrunner_airflow.tasklist.options import Option, origins

STDIN = "-"
STDIN_NAME = "<stdin>"


def find(paths: Iterable[str]) -> Iterator[str]:
    """Yield each path once, and in place of a folder the lists in and below it, in order.

    As in Airflow, ``.airflowignore`` leaves lists out; not those that are given themselves.
    Raises click.UsageError for a folder without lists.
    """
    seen = set()
    for path in paths:
        found = sorted(map(str, find_in(path))) if os.path.isdir(path) else [path]
        if not found:
            raise click.UsageError(f"there is no task list in the folder {showable(path)}")
        for each in found:
            if (key := os.path.abspath(each)) not in seen:
                seen.add(key)
                yield each


def read(path: str) -> tuple[str, TaskList]:
    """Return the text of a list, as it stands in the file, and what it says.

    Each ``pyrunner.toml`` in a folder above it counts. `path` may be ``-``, for standard input: as if
    it lay in the current folder.
    Raises LstError if the list, or such a file, has errors or can't be read.
    """
    text, tasks, error = read_as_far_as_possible(path)
    if error:
        raise error
    return text, tasks


def read_as_far_as_possible(path: str) -> tuple[str, TaskList, LstError | None]:
    """Return a list as `read` does, and its errors, if it has some: the rest is what could be read.

    Raises LstError if there is no text to read.
    """
    text, source = read_text(path), place(path)
    return text, *parse_as_far_as_possible(text, source, source, os.sep, environment)


def read_options(path: str) -> list[Option]:
    """Return each option of a list, and where it is from. Raises LstError as `read` does."""
    text, _ = read(path)
    source = place(path)
    return origins(read_sections(split_lines(text), source, os.sep, environment, Problems(source)))


def read_text(path: str) -> str:
    """Return the text of a file, or of standard input. Raises LstError if there is none to read."""
    return _decode(sys.stdin.buffer.read()) if path == STDIN else read_list_text(path)


def place(path: str) -> str:
    """Return where a list lies, or would lie."""
    return STDIN_NAME if path == STDIN else path


def find_in(folder: str) -> Iterator[Path]:
    """Yield the lists in and below a folder that no ``.airflowignore`` leaves out, in any order."""
    return find_lists(Path(folder), os.environ.get("AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX", "glob"))


def find_all_in(folder: str) -> Iterator[Path]:
    """Yield also the lists that an ``.airflowignore`` leaves out: a DAG file may name them."""
    return find_lists(Path(folder), None)


def counted(number: int, what: str) -> str:
    """Return how many there are of a thing: ``1 list``, ``2 lists``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        problems = Problems(STDIN_NAME)
        message = f"the byte 0x{data[error.start]:02x} at offset {error.start} is not UTF-8"
        problems.error("not-utf8", Place(), message, "Convert it first, for example by iconv.")
        raise problems.as_error() from error
