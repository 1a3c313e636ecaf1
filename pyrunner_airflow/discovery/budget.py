"""
How much of a folder one file loads, which Airflow ends, with all DAGs, if it takes longer than is allowed.

It is counted, not measured: the same lists come to the same, whatever else the machine does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from airflow.sdk import conf

from pyrunner_airflow.tasklist.files import JSON_ENDING, read_file
from pyrunner_airflow.tasklist.lst import option_files

# Two thirds of what there is time for on a machine that does nothing else.
_ROWS_A_SECOND = 2500
# What takes as long as a row: so many beginnings of templates, commas, other characters, characters of
# options, and characters of options that were read for another list already.
_TEMPLATES, _COMMAS, _CHARACTERS, _OPTIONS, _KNOWN_OPTIONS = 4, 15, 2000, 300, 20_000


def affordable(paths: Iterable[Path], top: Path) -> Iterator[Path]:
    """
    Yield the lists for which there is time, the smallest first: one that is huge takes only its own place.

    :param top: the topmost folder whose ``pyrunner.toml`` counts.
    """
    seconds = conf.getfloat("core", "dagbag_import_timeout", fallback=30.0)
    left = seconds * _ROWS_A_SECOND if seconds > 0 else float("inf")  # 0 is no limit
    options: set[str] = set()
    files = {path: option_files(os.fspath(path), top) for path in paths}
    for path in sorted(files, key=lambda path: (_size(path) + sum(map(_size, files[path])), path)):
        left -= _rows(path)
        for file in files[path]:
            left -= _size(file) / (_KNOWN_OPTIONS if file in options else _OPTIONS)
            options.add(file)
        if left < 0:
            return
        yield path


def _size(file: str | Path) -> int:
    with suppress(OSError):
        return os.stat(file).st_size
    return 0


def _rows(path: Path) -> float:
    try:
        text = read_file(path)
    except OSError:  # to be told when it is loaded
        return 1
    is_json = path.suffix == JSON_ENDING  # a row in several lines, or all in one
    lines = text.count(b"{") if is_json else 1 + text.count(b"\n") + text.count(b"\r")
    templates = sum(map(text.count, (b"{{", b"{%", b"{#")))
    return lines + templates / _TEMPLATES + text.count(b",") / _COMMAS + len(text) / _CHARACTERS
