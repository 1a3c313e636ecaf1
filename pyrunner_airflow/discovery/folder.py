"""Which task lists lie in a folder."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pyrunner_airflow.tasklist.files import ENDINGS, JSON_ENDING, read_file
from pyrunner_airflow.tasklist.json_tasks import is_task_list

log = logging.getLogger(__name__)
_IGNORE_FILE = ".airflowignore"

# What pathspec makes of `*`, with what must follow it up to the next one.
_STAR = r"\[\^/\]\*"
_UP_TO_NEXT = re.compile(rf"(?:{_STAR})+((?:\\.|(?!{_STAR})\[(?:\\.|[^\]\\])*\]|[^\\\[\]()/$])*)(?={_STAR})")
_MOST_FOLDERS = 2
_MOST_BYTES = 50_000

_Rule = Callable[[str], bool | None]
"""Says whether an ignore file ignores a path (a folder's ends with ``/``); None if it is silent on it."""


def find_lists(top: Path, ignore_syntax: str | None) -> Iterator[Path]:
    """
    Yield the task lists in a folder and below it that no ``.airflowignore`` leaves out, in any order.

    :param ignore_syntax: of the ignore files: Airflow's ``[core] dag_ignore_file_syntax``, ``glob`` or
        ``regexp``; None for all lists, also those that are left out.
    """
    inherited: dict[str, list[_Rule]] = {}
    entered: set[str] = set()
    for folder, subfolders, files in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        if real in entered:  # a link that leads back
            subfolders.clear()
            continue
        entered.add(real)
        ignores = _read_ignores(Path(folder), top, ignore_syntax) if ignore_syntax else []
        rules = [*inherited.pop(folder, []), *ignores]
        subfolders[:] = [name for name in subfolders if not _is_ignored(f"{folder}/{name}/", rules)]
        inherited.update((os.path.join(folder, name), rules) for name in subfolders)
        for name in files:
            if name.endswith(ENDINGS) and not _is_ignored(f"{folder}/{name}", rules):
                path = Path(folder, name)
                if is_list(path):
                    yield path


def is_list(path: Path) -> bool:
    """Say whether a file with one of the endings is a task list: JSON may be anybody's."""
    return path.suffix != JSON_ENDING or is_task_list(path)


def ignore_syntax() -> str:
    """Return how Airflow is set to read ``.airflowignore``, as :func:`find_lists` takes it."""
    from airflow.sdk import conf  # takes long to load, and `check` does without

    return str(conf.get("core", "dag_ignore_file_syntax", fallback="glob"))


def find_list(folder: Path, file_name: str, ignore_syntax: str) -> Path | None:
    """Return the task list of that name in the folder itself, without looking at the others."""
    path = folder / file_name
    if (
        not path.is_file()
        or not is_list(path)
        or _is_ignored(path.as_posix(), _read_ignores(folder, folder, ignore_syntax))
    ):
        return None
    return path


def _read_ignores(folder: Path, top: Path, syntax: str) -> list[_Rule]:
    file = folder / _IGNORE_FILE
    try:
        # As Python has the names of files.
        text = read_file(file, _MOST_BYTES).decode(errors="surrogateescape")
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("%s can't be read, and leaves no file out: %s", file, error.strerror)
        return []
    lines = [line for line in map(_without_comment, text.splitlines()) if line]
    if syntax == "regexp":
        expressions = [re.compile(line) for line in _valid(lines, re.compile, file)]
        return [lambda path: any(e.search(os.path.relpath(path, top)) for e in expressions) or None]
    from pathspec import GitIgnoreSpec  # only folders with such a file pay for it

    def compiled(line: str) -> GitIgnoreSpec:
        if line.count("**") > _MOST_FOLDERS:
            raise ValueError(f"it has ** more than {_MOST_FOLDERS} times")
        return GitIgnoreSpec.from_lines([line])

    spec = GitIgnoreSpec.from_lines(_valid(lines, compiled, file))
    for pattern in spec.patterns:
        if pattern.regex:  # each star takes the least that will do: else many would try each place for each
            pattern.regex = re.compile(_UP_TO_NEXT.sub(r"(?>[^/]*?\1)", pattern.regex.pattern))
    prefix = len(folder.as_posix().rstrip("/")) + 1
    return [lambda path: spec.check_file(path[prefix:]).include]


def _without_comment(line: str) -> str:
    pattern, mark, _ = line.partition("#")
    return pattern.rstrip(" \t") if mark else line


def _valid(lines: Iterable[str], compile_line: Callable[[str], object], file: Path) -> Iterator[str]:
    """Yield the lines of an ignore file that are patterns; warn of the others, as Airflow does."""
    for line in lines:
        try:
            compile_line(line)
        except Exception as error:  # re's and pathspec's own, and whatever else they meet in a text
            log.warning("Ignoring invalid pattern %r from %s: %s", line, file, error)
        else:
            yield line


def _is_ignored(path: str, rules: list[_Rule]) -> bool:
    """Ask the ignore files from the top down: the nearest that says anything has the last word."""
    answers = [answer for rule in rules if (answer := rule(path)) is not None]
    return bool(answers) and bool(answers[-1])
