"""
Which options there are, and of what types. Imported only where there are some: pydantic is not cheap.

Names and meanings of the DAG's and the tasks' arguments are Airflow's own. So are the limits: what its
databases have no room for would end its DAG processor or its scheduler, and with them all other lists.
"""

from __future__ import annotations

import json
import re
import zoneinfo
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from typing import Annotated, Any, Required

from croniter import croniter
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    TypeAdapter,
    with_config,
)
from typing_extensions import TypedDict  # before Python 3.12 pydantic does not take typing's

from pyrunner_airflow.tasklist.columns import MAX_ID, MAX_NUMBER
from pyrunner_airflow.tasklist.diagnostics import did_you_mean, quote
from pyrunner_airflow.tasklist.model import RUN_PARAMETERS

# Airflow's, of airflow.sdk.
_PRESETS = frozenset(
    ("@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
)
_CRON_YEARS = 130  # from 1970; the year of a cron expression ends at 2099
_MAX_CRON_IN_WORDS = 1000
_SHORT_CRON = 60  # none so short is longer than that in words
_MAX_DURATION = timedelta(days=10_000)
# MySQL's timestamps end in January 2038. The end of a DAG is no timestamp there.
_FIRST_YEAR, _LAST_START, _LAST_END = 1971, 2037, 2999
_MAX_PARAMS = 100_000
_MAX_JSON_INTEGER = 2**63 - 1
_LONGEST_ID = len(str(MAX_ID))
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_LINE_END_OR_TAB = re.compile("[\t\n\r\x85\u2028\u2029]")


def _text(text: str) -> str:
    if found := _CONTROL.search(text):
        raise ValueError(f"It contains the control character {found[0]!a}: remove it.")
    return text


def _line(text: str) -> str:
    if found := _LINE_END_OR_TAB.search(text):
        raise ValueError(f"It contains {found[0]!a}: write it in one line, and without tabs.")
    return _text(text)


def _parts(value: Any) -> Iterator[Any]:
    """Yield all that is in tables and arrays, the names in tables too."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for item in value:
            yield from _parts(item)
    else:
        yield value


def _with_good_texts(values: dict[str, Any]) -> dict[str, Any]:
    for part in _parts(values):
        if isinstance(part, str):
            _text(part)
    return values


def _time_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = did_you_mean(name, zoneinfo.available_timezones(), limit=1, cutoff=0.7)
        raise ValueError(f"{near}A time zone is called like Europe/Berlin.") from None
    return name


def _duration(value: Any) -> timedelta:
    try:
        duration = timedelta(seconds=value) if type(value) in (int, float) else _parse_duration(value)
    except (ValueError, OverflowError):
        duration = timedelta()
    if duration <= timedelta():
        raise ValueError("A duration is a number of seconds above 0, or a text such as PT1H30M or 01:30:00.")
    if duration > _MAX_DURATION:
        raise ValueError(f"A duration is at most {_MAX_DURATION.days} days.")
    return duration


def _moment(value: Any, last_year: int) -> date:
    if not isinstance(value, date):
        raise ValueError("A date is written without quotes, such as 2024-01-31 or 2024-01-31T06:00:00+01:00.")
    if not _FIRST_YEAR <= value.year <= last_year:
        raise ValueError(f"It should lie in one of the years {_FIRST_YEAR} to {last_year}.")
    return value


def _schedule(text: str) -> str:
    if text not in _PRESETS:
        try:
            # From a fixed day on, so that a list is not good today and bad tomorrow.
            croniter(text, 0, max_years_between_matches=_CRON_YEARS).get_next()
        except Exception as error:  # croniter's own, and whatever else it meets in a text
            near = did_you_mean(text, _PRESETS, limit=1, cutoff=0.7)
            what = f"A schedule is a cron expression or one of {', '.join(sorted(_PRESETS))}"
            raise ValueError(f"{near}{what} ({str(error).rstrip('.')}).") from None
        if len(text) > _SHORT_CRON:
            _check_cron_in_words(text)
    return text


def _check_cron_in_words(text: str) -> None:
    """Refuse a cron expression for whose description, as Airflow makes it, there would be no room."""
    from cron_descriptor import get_description  # type: ignore[import-untyped]  # only long ones pay for it

    try:
        # Twice, as Airflow has it where a day of the month and one of the week are given.
        is_too_long = 2 * len(get_description(text)) > _MAX_CRON_IN_WORDS
    except Exception:  # its own, and whatever else it meets in a text
        is_too_long = True
    if is_too_long:
        hint = "write ranges and steps, or fewer numbers"
        raise ValueError(f"It is too long when it is put into words: {hint}.")


def _backoff(value: Any) -> bool | float:
    if isinstance(value, bool):
        return value
    if not isinstance(value, int | float) or not 0 <= value <= MAX_NUMBER:
        raise ValueError("It should be true, false, or the number that the wait is multiplied by each time.")
    return float(value)


def _params(values: dict[str, Any]) -> dict[str, Any]:
    try:
        length = len(json.dumps(values, allow_nan=False))
    except (TypeError, ValueError):
        kinds = "texts, numbers, truth values, arrays and tables"
        raise ValueError(f"A run's parameters are {kinds}; a date is written as a text, in quotes.") from None
    if length > _MAX_PARAMS:
        raise ValueError(f"A run's parameters take at most {_MAX_PARAMS} characters together.")
    if any(isinstance(part, int) and abs(part) > _MAX_JSON_INTEGER for part in _parts(values)):
        raise ValueError(f"A number is at most {_MAX_JSON_INTEGER}; write a larger one as a text, in quotes.")
    return _with_good_texts(values)


def _param_name(text: str) -> str:
    if text in RUN_PARAMETERS:
        *names, last = RUN_PARAMETERS
        taken = f"Every run has the parameters {', '.join(names)} and {last}, which are PyRunner's options"
        raise ValueError(f"{taken}: give this one another name.")
    return text


def _task_id(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID):
        raise ValueError(f"[tasks.<ID>] is named after the ID of a row, not {quote(text)}.")
    return text


_parse_duration = TypeAdapter(timedelta).validate_strings
Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""Seconds, ``01:30:00`` or ISO 8601's ``PT1H30M``."""
Count = Annotated[int, Field(ge=1, le=MAX_NUMBER)]
StartDate = Annotated[Any, PlainValidator(partial(_moment, last_year=_LAST_START))]
"""A ``date`` or a ``datetime``."""
EndDate = Annotated[Any, PlainValidator(partial(_moment, last_year=_LAST_END))]
Name = Annotated[str, Field(min_length=1, max_length=250), AfterValidator(_line)]
Tag = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_line)]
Path = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_line)]
ParamName = Annotated[Name, AfterValidator(_param_name)]
VariableName = Annotated[str, Field(max_length=250, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class TaskOptions(TypedDict, total=False):
    """``[default_args]`` and ``[tasks.<ID>]``: arguments of Airflow's tasks."""

    owner: Name
    pool: Name
    pool_slots: Count
    queue: Name
    priority_weight: Annotated[int, Field(ge=-MAX_NUMBER, le=MAX_NUMBER)]
    executor: Name
    execution_timeout: Duration
    retry_exponential_backoff: Annotated[bool | float, PlainValidator(_backoff)]
    max_retry_delay: Duration
    depends_on_past: bool
    run_as_user: Name
    max_active_tis_per_dag: Count


class RowPyRunnerOptions(TypedDict, total=False):
    """``[tasks.<ID>.pyrunner]``: what Airflow has no argument for, of one row."""

    python: Path


class RowOptions(TaskOptions, total=False):
    """``[tasks.<ID>]``: arguments of one task, and the table below them."""

    pyrunner: RowPyRunnerOptions


class NotifyEmailOptions(TypedDict, total=False):
    """``notify_email``: who gets a mail when a run ends, and after which end; PyRunner's ``email``."""

    to: Required[list[Name]]
    on_success: bool
    on_fail: bool


def _notify_email(value: Any) -> Any:
    table = value if isinstance(value, dict) else {"to": value}
    return {**table, "to": [table["to"]]} if isinstance(table.get("to"), str) else table


class PyRunnerOptions(RowPyRunnerOptions, total=False):
    """``[pyrunner]``: what Airflow has no argument for."""

    timezone: Annotated[str, AfterValidator(_time_zone)]
    env: Annotated[dict[VariableName, str], AfterValidator(_with_good_texts)]
    cvar: Annotated[dict[Name, Any], AfterValidator(_with_good_texts)]
    notify_email: Annotated[NotifyEmailOptions, BeforeValidator(_notify_email)]
    templates: bool
    app_root: Path
    cwd: Path


@with_config(ConfigDict(extra="forbid", strict=True))  # for the tables in it, too
class DagOptions(TypedDict, total=False):
    """A whole document: arguments of Airflow's DAG, and the tables below them."""

    description: Annotated[str, Field(max_length=10_000), AfterValidator(_text)]
    schedule: Annotated[str, AfterValidator(_schedule)]
    start_date: StartDate
    end_date: EndDate
    catchup: bool
    max_active_runs: Count
    max_active_tasks: Count
    dagrun_timeout: Duration
    tags: Annotated[list[Tag], Field(max_length=100)]
    params: Annotated[dict[ParamName, Any], AfterValidator(_params)]
    is_paused_upon_creation: bool
    rerun_with_latest_version: bool
    default_args: TaskOptions
    tasks: dict[Annotated[str, AfterValidator(_task_id)], RowOptions]
    pyrunner: PyRunnerOptions


DOCUMENT = TypeAdapter(DagOptions)
