"""The rules for one column's value. What breaks a rule is reported, and a harmless value stands in."""

from __future__ import annotations

import re
from keyword import iskeyword
from typing import TYPE_CHECKING

from pyrunner_airflow.tasklist.diagnostics import quote
from pyrunner_airflow.tasklist.fields import Column
from pyrunner_airflow.tasklist.templates import check_templates

if TYPE_CHECKING:
    from pyrunner_airflow.tasklist.diagnostics import Problems
    from pyrunner_airflow.tasklist.fields import Row

MAX_ID = 10**18 - 1
# The largest number that Airflow's database and timedelta both hold.
MAX_NUMBER = 2**31 - 1

ENV_OPEN = "$ENV{"
_ENV = re.compile(r"\$ENV\{[^{}]*\}")
_BAD_ENV = re.compile(r"\$ENV\{(?:\s*+(\})|[^{}]*+(?!\}))")
# int() takes time that is quadratic in the length, and refuses more than 4,300 digits.
_LONGEST_NUMBER = 40
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")


def check_characters(row: Row, problems: Problems) -> None:
    """Report control characters, which no path, name or ID can hold, and take them out of the row."""
    if not _CONTROL.search(row.text):
        return
    for index, field in enumerate(row.fields):
        if match := _CONTROL.search(field):
            place = row.place(index, match.start(), 1)
            name = row.called(Column(index)) if index < len(Column) else f"column {index + 1}"
            hint = "Remove it, or retype the field: such characters are invisible in most editors."
            message = f"{name} contains the control character {match[0]!a}"
            problems.error("control-character", place, message, hint)
            row.fields[index] = _CONTROL.sub("", field)


def read_integer(
    row: Row, column: Column, problems: Problems, minimum: int, maximum: int, default: int | None
) -> int:
    """Return a whole number; the default for an empty column, `minimum` - 1 where an error is reported."""
    text = row.fields[column]
    if not text:
        if default is not None:
            return default
        _require(row, column, problems, f"Give every row a number of its own, {minimum} or higher.")
        return minimum - 1
    value = to_integer(text)
    if value is not None and minimum <= value <= maximum:
        return value
    if ENV_OPEN in text:
        refuse_env(row, column, problems)
    elif value is None and not _is_long_number(text):
        message = f"{row.called(column)} {quote(text)} is not a whole number"
        hint = f"Write a number of {minimum} or higher."
        problems.error("invalid-integer", row.place(column), message, hint)
    else:
        message = f"{row.called(column)} {quote(text)} is out of range"
        hint = f"Write a number from {minimum} to {maximum}."
        problems.error("integer-out-of-range", row.place(column), message, hint)
    return minimum - 1


def read_parents(row: Row, problems: Problems) -> tuple[int, ...]:
    """Return the parents of a row, each once; -1 means none."""
    column = Column.PARENT_IDS
    text = row.fields[column]
    if text == "-1":
        return ()
    if not text:
        _require(row, column, problems, "Write -1 for a row without parents.")
        return ()
    if ENV_OPEN in text:
        refuse_env(row, column, problems)
        return ()
    numbers = [to_integer(item) for item in text.split(",")]
    parents = [number for number in numbers if number is not None and 1 <= number <= MAX_ID]
    if len(parents) + numbers.count(-1) < len(numbers):
        _report_parents(row, problems)
    return tuple(dict.fromkeys(parents))


def _report_parents(row: Row, problems: Problems) -> None:
    for offset, item in row.items(Column.PARENT_IDS):
        number = to_integer(item)
        if number is None or not (number == -1 or 1 <= number <= MAX_ID):
            what = f"contains {quote(item)}, which is no ID" if item else "has a comma too many"
            place = row.place(Column.PARENT_IDS, offset, len(item))
            hint = "Write the IDs of the rows to wait for, separated by commas, or -1 for none."
            problems.error("invalid-parent", place, f"PARENT_IDS {what}", f"{hint} IDs begin at 1.")


def read_text(row: Row, column: Column, problems: Problems) -> str:
    """Return a text that must not be blank, nor depend on the environment."""
    text = row.fields[column]
    if not text.strip():
        _require(row, column, problems, "Name the row, for people to read.")
    elif ENV_OPEN in text:
        refuse_env(row, column, problems)
    return text


def read_identifier(row: Row, column: Column, problems: Problems, example: str) -> str:
    """Return the name of a class, or of a module with its dots; "" where an error is reported.

    ``$ENV{NAME}`` may be part of it.
    """
    text = row.fields[column]
    if not text:
        _require(row, column, problems, f"Write {example}.")
        return text
    # No keyword has an underscore in it, so that no variable can make one.
    plain = _ENV.sub("_", text) if ENV_OPEN in text else text
    if not check_env(row, column, problems):
        return ""
    if not _is_name(plain, column):
        hint = f"Write {example}."
        guess = text.removesuffix(".py").strip("./").replace("/", ".").replace("-", "_")
        if _is_name(guess, column):
            hint = f"Did you mean {quote(guess)}? {hint}"
        kind = "a dotted name" if column is Column.MODULE_NAME else "a name"
        message = f"{row.called(column)} {quote(text)} is not {kind} that Python can import"
        problems.error("invalid-name", row.place(column), message, hint)
        return ""
    return text


def read_retries(row: Row, problems: Problems) -> tuple[int, int]:
    """Return MAX_ATTEMPTS and RETRY_WAIT_TIME."""
    return (
        read_integer(row, Column.MAX_ATTEMPTS, problems, 1, MAX_NUMBER, default=1),
        read_integer(row, Column.RETRY_WAIT_TIME, problems, 0, MAX_NUMBER, default=0),
    )


def read_worker(row: Row, problems: Problems, templates: bool) -> tuple[str, str]:
    """Return MODULE_NAME and WORKER_NAME; what the worker is given is checked too."""
    module = read_identifier(row, Column.MODULE_NAME, problems, "the worker's module, such as workers")
    worker = read_identifier(row, Column.WORKER_NAME, problems, "the name of a Worker class, such as Start")
    check_env(row, Column.ARGUMENTS, problems)
    check_env(row, Column.LOGFILE, problems)
    if templates:
        check_templates(row, problems)
    return module, worker


def check_env(row: Row, column: Column, problems: Problems) -> bool:
    """Report each ``$ENV{`` that is never closed or names nothing; return whether all are well."""
    text = row.fields[column]
    well = True
    for match in _BAD_ENV.finditer(text) if ENV_OPEN in text else ():
        well = False
        if match[1]:
            code, fault, length = "env-without-name", "names no variable", len(match[0])
        else:
            code, fault, length = "env-not-closed", "is never closed", len(ENV_OPEN)
        place = row.place(column, match.start(), length)
        message = f"{match[0][:length]} in {row.called(column)} {fault}"
        problems.error(code, place, message, "Write $ENV{NAME}, with the name of a variable.")
    return well


def refuse_env(row: Row, column: Column, problems: Problems) -> None:
    """Report ``$ENV{`` in a column that shapes the DAG."""
    offset = row.fields[column].index(ENV_OPEN)
    message = f"{row.called(column)} must not depend on the environment"
    hint = "Write the value itself. $ENV{NAME} stands in MODULE_NAME, WORKER_NAME, ARGUMENTS and LOGFILE, "
    hint += "because only the machine that runs the task knows its variables."
    problems.error("env-not-allowed", row.place(column, offset), message, hint)


def to_integer(text: str) -> int | None:
    """Return what PyRunner, by int(), takes for an integer; None for all else and for endless digits."""
    if len(text) > _LONGEST_NUMBER:
        return None
    try:
        return int(text)
    except ValueError:
        return None


def _is_long_number(text: str) -> bool:
    return len(text) > _LONGEST_NUMBER and text.lstrip("+-").isdecimal()


def _is_name(text: str, column: Column) -> bool:
    if column is Column.MODULE_NAME and "." in text:
        return all(part.isidentifier() and not iskeyword(part) for part in text.split("."))
    return text.isidentifier() and not iskeyword(text)


def _require(row: Row, column: Column, problems: Problems, hint: str) -> None:
    """Report an empty column, unless the row is so short that it lacks the column altogether."""
    if column < row.width:
        problems.error(
            "missing-value", row.place(column), f"{row.called(column)} is empty", hint + row.quote_note()
        )
