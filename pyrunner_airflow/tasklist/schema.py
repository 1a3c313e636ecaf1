"""
Which options there are, and of what types. Imported only where there are some: pydantic is not cheap.

Names and meanings of the DAG's and the tasks' arguments are Airflow's own.
"""

from __future__ import annotations

import json
import zoneinfo
from datetime import date, timedelta
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
_LONGEST_ID = len(str(MAX_ID))


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
    return duration


def _moment(value: Any) -> date:
    if not isinstance(value, date):
        raise ValueError("A date is written without quotes, such as 2024-01-31 or 2024-01-31T06:00:00+01:00.")
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
    return text


def _backoff(value: Any) -> bool | float:
    if isinstance(value, bool):
        return value
    if not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError("It should be true, false, or the number that the wait is multiplied by each time.")
    return float(value)


def _params(values: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(values, allow_nan=False)
    except (TypeError, ValueError):
        kinds = "texts, numbers, truth values, arrays and tables"
        raise ValueError(f"A run's parameters are {kinds}; a date is written as a text, in quotes.") from None
    return values


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
Moment = Annotated[Any, PlainValidator(_moment)]
"""A ``date`` or a ``datetime``."""
Text = Annotated[str, Field(min_length=1)]
ParamName = Annotated[Text, AfterValidator(_param_name)]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class TaskOptions(TypedDict, total=False):
    """``[default_args]`` and ``[tasks.<ID>]``: arguments of Airflow's tasks."""

    owner: Text
    pool: Text
    pool_slots: Count
    queue: Text
    priority_weight: Annotated[int, Field(ge=-MAX_NUMBER, le=MAX_NUMBER)]
    executor: Text
    execution_timeout: Duration
    retry_exponential_backoff: Annotated[bool | float, PlainValidator(_backoff)]
    max_retry_delay: Duration
    depends_on_past: bool
    run_as_user: Text
    max_active_tis_per_dag: Count


class RowPyRunnerOptions(TypedDict, total=False):
    """``[tasks.<ID>.pyrunner]``: what Airflow has no argument for, of one row."""

    python: Text


class RowOptions(TaskOptions, total=False):
    """``[tasks.<ID>]``: arguments of one task, and the table below them."""

    pyrunner: RowPyRunnerOptions


class NotifyEmailOptions(TypedDict, total=False):
    """``notify_email``: who gets a mail when a run ends, and after which end; PyRunner's ``email``."""

    to: Required[list[Text]]
    on_success: bool
    on_fail: bool


def _notify_email(value: Any) -> Any:
    table = value if isinstance(value, dict) else {"to": value}
    return {**table, "to": [table["to"]]} if isinstance(table.get("to"), str) else table


class PyRunnerOptions(RowPyRunnerOptions, total=False):
    """``[pyrunner]``: what Airflow has no argument for."""

    timezone: Annotated[str, AfterValidator(_time_zone)]
    env: dict[VariableName, str]
    cvar: dict[Text, Any]
    notify_email: Annotated[NotifyEmailOptions, BeforeValidator(_notify_email)]
    templates: bool
    app_root: Text
    cwd: Text


@with_config(ConfigDict(extra="forbid", strict=True))  # for the tables in it, too
class DagOptions(TypedDict, total=False):
    """A whole document: arguments of Airflow's DAG, and the tables below them."""

    description: str
    schedule: Annotated[str, AfterValidator(_schedule)]
    start_date: Moment
    end_date: Moment
    catchup: bool
    max_active_runs: Count
    max_active_tasks: Count
    dagrun_timeout: Duration
    tags: list[Text]
    params: Annotated[dict[ParamName, Any], AfterValidator(_params)]
    is_paused_upon_creation: bool
    rerun_with_latest_version: bool
    default_args: TaskOptions
    tasks: dict[Annotated[str, AfterValidator(_task_id)], RowOptions]
    pyrunner: PyRunnerOptions


DOCUMENT = TypeAdapter(DagOptions)
