"""
Which options there are, and of what types. Imported only where there are some: pydantic is not cheap.

Names and meanings of the DAG's and the tasks' arguments are Airflow's own.
"""

from __future__ import annotations

import zoneinfo
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from croniter import CroniterError, croniter
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

# Airflow's, of airflow.sdk.
_PRESETS = frozenset(
    ("@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
)


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _time_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; one is called like Europe/Berlin") from None
    return name


def _duration(value: Any) -> timedelta:
    try:
        duration = timedelta(seconds=value) if type(value) in (int, float) else _parse_duration(value)
    except (ValueError, OverflowError):
        duration = timedelta()
    if duration <= timedelta():
        raise ValueError("a duration is a number of seconds above 0, or a text such as PT1H30M or 01:30:00")
    return duration


def _schedule(text: str) -> str:
    if text not in _PRESETS:
        try:
            croniter(text)
        except (CroniterError, ValueError) as error:
            presets = ", ".join(sorted(_PRESETS))
            raise ValueError(f"a schedule is a cron expression or one of {presets}: {error}") from None
    return text


def _task_id(text: str) -> str:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"[tasks.<ID>] is named after the ID of a row, not {text!r}")
    return text


_parse_duration = TypeAdapter(timedelta).validate_strings
Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""Seconds, ``01:30:00`` or ISO 8601's ``PT1H30M``."""
Count = Annotated[int, Field(ge=1)]
Moment = datetime | date
Text = Annotated[str, Field(min_length=1)]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class TaskOptions(_Options):
    """``[default_args]`` and ``[tasks.<ID>]``: arguments of Airflow's tasks."""

    owner: Text = ""
    pool: Text = ""
    pool_slots: Count = 1
    queue: Text = ""
    priority_weight: int = 1
    executor: Text = ""
    execution_timeout: Duration = timedelta()
    retry_exponential_backoff: bool | float = False
    max_retry_delay: Duration = timedelta()
    depends_on_past: bool = False
    run_as_user: Text = ""
    max_active_tis_per_dag: Count = 1


class NotifyEmail(_Options):
    """Who gets a mail when a run ends, and after which end: PyRunner's ``email`` options."""

    to: list[Text]
    on_success: bool = True
    on_fail: bool = True


def _notify_email(value: Any) -> Any:
    return {"to": [value]} if isinstance(value, str) else {"to": value} if isinstance(value, list) else value


class PyRunnerOptions(_Options):
    """``[pyrunner]``: what Airflow has no argument for."""

    timezone: Annotated[str, AfterValidator(_time_zone)] = ""
    env: dict[VariableName, str] = {}
    cvar: dict[Text, Any] = {}
    notify_email: Annotated[NotifyEmail, BeforeValidator(_notify_email)] = NotifyEmail(to=[])
    templates: bool = True
    app_root: Text = ""
    cwd: Text = ""


class DagOptions(_Options):
    """A whole document: arguments of Airflow's DAG, and the tables below them."""

    description: str = ""
    schedule: Annotated[str, AfterValidator(_schedule)] = ""
    start_date: Moment = date.min
    end_date: Moment = date.min
    catchup: bool = False
    max_active_runs: Count = 1
    max_active_tasks: Count = 1
    dagrun_timeout: Duration = timedelta()
    tags: list[Text] = []
    params: dict[Text, Any] = {}
    is_paused_upon_creation: bool = False
    rerun_with_latest_version: bool = False
    default_args: TaskOptions = TaskOptions()
    tasks: dict[Annotated[str, AfterValidator(_task_id)], TaskOptions] = {}
    pyrunner: PyRunnerOptions = PyRunnerOptions()
