"""Reading a task list: from lines to rows, with all problems of the file reported at once."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from pyrunner_airflow.tasklist.columns import (
    MAX_ID,
    check_characters,
    read_integer,
    read_parents,
    read_retries,
    read_text,
    read_worker,
)
from pyrunner_airflow.tasklist.diagnostics import Place, Problems, did_you_mean, quote
from pyrunner_airflow.tasklist.documents import OPTIONS_FILE, front_matter
from pyrunner_airflow.tasklist.fields import BOM, HEADER, Column, Row, split_arguments
from pyrunner_airflow.tasklist.files import StrPath, read_file
from pyrunner_airflow.tasklist.graph import check_graph
from pyrunner_airflow.tasklist.json_tasks import is_json, read_tasks
from pyrunner_airflow.tasklist.model import TaskList, TaskRow
from pyrunner_airflow.tasklist.options import (
    OptionsFile,
    check_sums,
    check_tasks,
    merge,
    read_front_matter,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pyrunner_airflow.tasklist.diagnostics import Diagnostic, LstError
    from pyrunner_airflow.tasklist.options import Section

MAX_ROWS = 20_000
_LINE_END = re.compile(r"\r\n|\r|\n")
_ELSEWHERE = os.path.join(os.path.pardir, "")
_SHELL_HEADER = "#SHELL"
_SHELL_COLUMNS = 7
_SHELL_ROW = HEADER.replace("MODULE_NAME|WORKER_NAME|ARGUMENTS", "pyrunner|ShellWorker|<command>")
# Absolute, relative to a variable or to a folder, or plainly a log. Not 2024/01/31, not a URL.
_PATH = re.compile(r"(?:[~.]{0,2}|\$ENV\{[^{}]*\})/[^,]*|(?:[\w.~-]+/)+[\w-]+\.\w+|[^,]*\.log")


def read_lst(
    path: StrPath, options_folder: StrPath | None = None, environment: str | None = None
) -> TaskList:
    """Read a task list file, and the ``pyrunner.toml`` files that hold for it.

    options_folder: the topmost folder whose file counts; by default only the list's own.
    environment: whose tables in these files count.
    Raises LstError if one of them can't be read, is not UTF-8, or has errors.
    """
    source = os.fspath(path)
    return parse_lst(read_list_text(source), source, source, options_folder, environment)


def read_list_text(path: str) -> str:
    """Return the text of a task list file. Raises LstError if it can't be read, or is not UTF-8."""
    try:
        return read_file(path).decode()
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a path with NUL in it
        problems = Problems(path)
        _report_unreadable(path, error, problems)
        raise problems.as_error() from error


def parse_lst(
    text: str,
    source: str = "<text>",
    path: StrPath | None = None,
    options_folder: StrPath | None = None,
    environment: str | None = None,
) -> TaskList:
    """Parse the text of a task list; `source` is what messages call it.

    path: where it lies, or would lie; without one no ``pyrunner.toml`` holds for it.
    options_folder: as for `read_lst`.
    environment: as for `read_lst`.
    Raises LstError with every error and warning if there is an error.
    """
    task_list, error = parse_as_far_as_possible(text, source, path, options_folder, lambda: environment)
    if error:
        raise error
    return task_list


def parse_as_far_as_possible(
    text: str,
    source: str,
    path: StrPath | None,
    options_folder: StrPath | None,
    choose_environment: Callable[[], str | None],
) -> tuple[TaskList, LstError | None]:
    """Parse a list as `parse_lst` does; return also its errors and warnings, if there is an error.

    choose_environment: returns the environment; only called if there are any.
    What could not be read is then empty, 0, or left out: IDs and parents need not fit together.
    """
    problems = Problems(source)
    lines = split_lines(text)
    sections = read_sections(lines, path, options_folder, choose_environment, problems)
    options = merge(sections)
    most = MAX_ROWS + 1
    if is_json(text):
        rows = read_tasks(text, problems, options.templates, most)
    else:
        rows = _read_list(lines, problems, options.templates, most)
    ids = [task.id for task in rows if task.id]
    if len(rows) > MAX_ROWS:  # what is said of rows that were not read is not wrong
        hint = "Make several lists of it: a DAG of so many tasks keeps Airflow itself busy for very long."
        message = f"the file can't be read: it has more than {MAX_ROWS} rows"
        problems.error("unreadable-file", Place(), message, hint)
    elif rows:
        check_tasks(sections, ids)
    check_sums(sections, options, ids)
    found = problems.as_error()
    task_list = TaskList(tuple(rows[:MAX_ROWS]), source, found.diagnostics, options)
    return task_list, found if problems.has_errors else None


def _read_list(lines: list[str], problems: Problems, templates: bool, most: int) -> list[TaskRow]:
    """Return the rows of a list, or so many of them; report what is wrong."""
    rows = list(islice(_read_rows(lines, problems, templates), most))
    if not rows:
        hint = f"Write one row for each task:\n        {HEADER}"
        problems.error("no-rows", Place(), "the list has no rows", hint)
    if len(rows) < most:
        check_graph(rows, problems)
    _check_names(rows, problems)
    return [task for _, task in rows]


def read_sections(
    lines: list[str],
    path: StrPath | None,
    options_folder: StrPath | None,
    choose_environment: Callable[[], str | None],
    problems: Problems,
) -> list[Section]:
    """Return all options that hold for a list: those of the environment first, then the nearest ones."""
    sections = read_front_matter(front_matter(lines, problems))
    files = _read_options(os.fspath(path), options_folder, problems) if path is not None else {}
    known = {name for options in files.values() for name in options.environments}
    environment = choose_environment() if known else None
    for file, options in files.items():
        inner = os.path.relpath(os.fspath(path or ""), os.path.dirname(file))
        sections += options.sections(inner, environment, problems.of(file))
    if environment and environment not in known:
        file, options = next(each for each in files.items() if each[1].environments)
        options.report_unknown_environment(environment, known, problems.of(file))
    return sorted(sections, key=lambda section: not section.is_of_environment)


def _read_options(path: str, options_folder: StrPath | None, problems: Problems) -> dict[str, OptionsFile]:
    found = {}
    for file in option_files(path, options_folder):
        try:
            found[file] = _options_file(file, read_file(file).decode())
        except (OSError, ValueError) as error:
            _report_unreadable(file, error, problems.of(file))
    return found


@lru_cache(maxsize=1000)
def _options_file(file: str, text: str) -> OptionsFile:
    """Parse an options file: once for all lists that it holds for, as long as it says the same."""
    return OptionsFile(file, split_lines(text))


def find_unknown_lists(
    file: str, known: Iterable[str], find_lists: Callable[[str], Iterable[StrPath]]
) -> tuple[Diagnostic, ...]:
    """Return a warning for each table of a ``pyrunner.toml`` that is named after a list that is not there.

    known: lists that are there.
    find_lists: returns all those in a folder and below it; called if `known` are not enough.
    """
    problems = Problems(file)
    with suppress(OSError, ValueError):  # which is told with the lists that it holds for
        options = _options_file(file, read_file(file).decode())
        folder = os.path.dirname(file)
        everywhere = chain(known, chain.from_iterable(map(find_lists, [folder])))
        paths = (os.path.relpath(path, folder) for path in everywhere)
        options.check_lists((path for path in paths if not path.startswith(_ELSEWHERE)), problems)
    return problems.as_error().diagnostics


def split_lines(text: str) -> list[str]:
    """Return the lines of a list's text, without its byte order mark and line ends."""
    return _LINE_END.split(text.removeprefix(BOM))


def option_files(source: str, top: StrPath | None) -> list[str]:
    """Return the options files that hold for a list, the nearest one first, by paths like the list's own."""
    folders = [os.path.dirname(os.path.abspath(source))]
    highest = os.path.abspath(top) if top is not None else folders[0]
    if folders[0].startswith(os.path.join(highest, "")):
        while folders[-1] != highest:
            folders.append(os.path.dirname(folders[-1]))
    paths = (os.path.join(folder, OPTIONS_FILE) for folder in folders)
    # A link that leads nowhere is none that can be left out: the list would run with other options.
    files = [path for path in paths if os.path.lexists(path) and not os.path.isdir(path)]
    return files if os.path.isabs(source) else list(map(os.path.relpath, files))


def _read_rows(lines: list[str], problems: Problems, templates: bool) -> Iterator[tuple[Row, TaskRow]]:
    shell = False
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if stripped == _SHELL_HEADER:
            shell = True
            place = Place(number, line.index(_SHELL_HEADER) + 1, len(_SHELL_HEADER), None, line)
            message = "lists of shell commands, from before PyRunner 5, are not supported"
            hint = f"Remove this line, and write each command as a row of ShellWorker:\n        {_SHELL_ROW}"
            problems.error("shell-list", place, message, hint)
        elif stripped and not stripped.startswith("#"):
            row = Row(number, line)
            old_shell = shell and not any(row.fields[_SHELL_COLUMNS:])
            yield row, _read_row(row, problems, old_shell, templates)


def _read_row(row: Row, problems: Problems, old_shell: bool, templates: bool) -> TaskRow:
    """Return the row as data. Where an error was reported, a stand-in keeps the other checks going.

    old_shell: the columns from MODULE_NAME on are a command and a path, reported with the header.
    """
    check_characters(row, problems)
    id_ = read_integer(row, Column.ID, problems, 1, MAX_ID, default=None)
    parents = read_parents(row, problems)
    attempts, wait = read_retries(row, problems)
    name = read_text(row, Column.PROCESS_NAME, problems)
    if old_shell:
        return TaskRow(id_, parents, attempts, wait, name, "", "", (), "", None, row.line)
    _check_width(row, problems)
    module, worker = read_worker(row, problems, templates)
    text = row.fields[Column.ARGUMENTS]
    logfile = row.fields[Column.LOGFILE] or None
    arguments = split_arguments(text)
    return TaskRow(id_, parents, attempts, wait, name, module, worker, arguments, text, logfile, row.line)


def _check_width(row: Row, problems: Problems) -> None:
    """Report columns that are missing, too many, or one to the left of where they belong."""
    if row.width <= Column.WORKER_NAME:
        missing = ", ".join(Column(index).name for index in range(row.width, Column.ARGUMENTS))
        count = "1 column" if row.width == 1 else f"{row.width} columns"
        hint = f"A row is {HEADER}; ARGUMENTS and LOGFILE may be left out.{row.quote_note()}"
        message = f"the row has {count}, and lacks {missing}"
        problems.error("missing-columns", row.place(row.width), message, hint)
    elif row.width == Column.LOGFILE and _PATH.fullmatch(row.fields[Column.ARGUMENTS]):
        message = "the last of 8 columns is ARGUMENTS, but looks like a LOGFILE"
        hint = "Write || before a LOGFILE without ARGUMENTS; end the row with | if it is an argument."
        problems.warning("path-in-arguments", row.place(Column.ARGUMENTS), message, hint)
    elif surplus := next((index for index in range(len(Column), row.width) if row.fields[index]), None):
        message = f"the row has {row.width} columns, but LOGFILE, the 9th, is the last"
        hint = "Remove what is too much, or put double quotes around a text that contains |."
        problems.error("extra-columns", row.place(surplus), message, hint)


def _check_names(rows: list[tuple[Row, TaskRow]], problems: Problems) -> None:
    first: dict[str, TaskRow] = {}
    for row, task in rows:
        other = first.setdefault(task.name, task)
        if other is not task and task.name:
            message = f"PROCESS_NAME {quote(task.name)} is used already in line {other.line}"
            hint = "Give each row a name of its own, to tell them apart in Airflow."
            problems.warning("duplicate-name", row.place(Column.PROCESS_NAME), message, hint)


def _report_unreadable(source: str, error: OSError | ValueError, problems: Problems) -> None:
    if isinstance(error, UnicodeDecodeError):
        _report_not_utf8(error.object, error.start, problems)
        return
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    hint = "Check the path, and that this user may read the file."
    if isinstance(error, FileNotFoundError):
        if os.path.islink(source):
            reason = f"it is a link to {quote(os.readlink(source), 1000)}, where there is nothing"
        else:
            neighbours = [entry.name for entry in Path(source).parent.glob("*.lst")]
            hint = did_you_mean(Path(source).name, neighbours) + hint
    problems.error("unreadable-file", Place(), f"the file can't be read: {reason}", hint)


def _report_not_utf8(data: bytes, position: int, problems: Problems) -> None:
    before = _LINE_END.split(data[:position].decode().removeprefix(BOM))
    after = _LINE_END.split(data[position:].decode(errors="replace"), maxsplit=1)[0]
    hint = "Save the file as UTF-8; iconv -f WINDOWS-1252 -t UTF-8 converts one from Windows."
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        hint = "The file is UTF-16: save it as UTF-8, for example by iconv -f UTF-16 -t UTF-8."
    place = Place(len(before), len(before[-1]) + 1, 1, None, before[-1] + after)
    problems.error("not-utf8", place, f"the byte 0x{data[position]:02x} is not UTF-8", hint)
