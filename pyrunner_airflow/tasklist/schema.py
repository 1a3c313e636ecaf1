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
from typing import Annotated, Any, Literal, Required

from croniter import croniter
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    TypeAdapter,
    with_config,
)
from typing_extensions import TypedDict  # before Python 3.12 pydantic does not take typing's

from pyrunner_airflow.tasklist.columns import MAX_ID, MAX_NUMBER
from pyrunner_airflow.tasklist.diagnostics import did_you_mean, quote
from pyrunner_airflow.tasklist.model import RUN_PARAMETERS, AssetSchedule

# Airflow's, of airflow.sdk.
_PRESETS = frozenset(
    ("@once", "@continuous", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
)
_CRON_YEARS = 130  # from 1970; the year of a cron expression ends at 2099
_MAX_CRON_IN_WORDS = 700
"""In English: there is room for 1,000, and no language that a locale may make of it needs half more."""
_SHORT_CRON = 30  # none so short is longer than that in words
_MAX_DURATION = timedelta(days=10_000)
# MySQL's timestamps end in January 2038. The end of a DAG is no timestamp there.
_FIRST_YEAR, _LAST_START, _LAST_END = 1971, 2037, 2999
_MAX_PARAMS = 100_000
_MAX_URI = (
    1000  # Airflow has room for 1,500; but it is name and URI, and PostgreSQL's index of both takes 2,704
)
_MAX_JSON_INTEGER = 2**63 - 1
# What editors are told of a text that a function looks at: JSON Schema has nothing but patterns for it.
_DURATION = (
    r"^\+?(?=.*[1-9])(P([\d.,]+[YMWD])*(T([\d.,]+[HMS])+)?"
    r"|(\d+ ?[dD]([aA][yY][sS]?)?,? ?)?\d{2,}:[0-5]\d(:[0-5]\d([.,]\d+)?)?|\d+ ?[dD]([aA][yY][sS]?)?)$"
)
_TO_2037 = r"^(197[1-9]|19[89]\d|20[0-2]\d|203[0-7])-\d\d-\d\d"
_TO_2999 = r"^(197[1-9]|19[89]\d|2\d{3})-\d\d-\d\d"
_CRON = (
    r"^(@(once|continuous|hourly|daily|midnight|weekly|monthly|quarterly|yearly|annually)|\S+(\s+\S+){4,6})$"
)
_TASK_ID = rf"^(0|[1-9][0-9]{{0,{len(str(MAX_ID)) - 1}}})$"
_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"
_LINE_ENDS_AND_TABS = r"\t\n\r\x85\u2028\u2029"
_CONTROL = re.compile(f"[{_CONTROLS}]")
_LINE_END_OR_TAB = re.compile(f"[{_LINE_ENDS_AND_TABS}]")
# As Airflow takes them; without what it can't take apart (brackets), and what it drops (a password, a
# fragment, a slash at the end): two names of what is one URI then are a conflict.
_URI = r"(?!airflow:)[a-z][a-z0-9+.-]*://(?![^/]*:[^/]*@)[!\"$-Z\\^-~]*[!\"$-.0-Z\\^-~]"
_DOTTED = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+"
_ADDRESS = r"[^\s@<>,;]+@[^\s@<>,;]+"  # as a host may have one without a dot: root@localhost


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
    from cron_descriptor import Options, get_description  # type: ignore[import-untyped]  # only long ones pay for it

    english = Options(use_24hour_time_format=True, locale_code="en_US")
    try:
        # Twice, as Airflow has it where a day of the month and one of the week are given.
        is_too_long = 2 * len(get_description(text, english)) > _MAX_CRON_IN_WORDS
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


def _address(text: str) -> str:
    if not re.fullmatch(rf"{_ADDRESS}|[^@<>,;]*<{_ADDRESS}>", text):
        what = "ops@example.com or Operations <ops@example.com>, several as [..., ...]"
        raise ValueError(f"{quote(text)} is no mail address: write one like {what}.")
    return text


def _uri(text: str) -> str:
    if not re.fullmatch(_URI, text):
        hint = "in ASCII, and without blanks, brackets, #, a password or a slash at its end"
        raise ValueError(f"{quote(text)} is no asset's URI: write one like s3://lake/orders, {hint}.")
    return text


def _import_path(text: str) -> str:
    if not re.fullmatch(_DOTTED, text):
        example = "airflow.providers.slack.notifications.slack_webhook.SlackWebhookNotifier"
        raise ValueError(f"{quote(text)} is no import path: write one like {example}.")
    return text


def _task_id(text: str) -> str:
    if not re.fullmatch(_TASK_ID, text):  # with 01 there would be two tables for one row
        raise ValueError(f"[tasks.<ID>] is named after the ID of a row, not {quote(text)}.")
    return text


def _access(value: Any) -> Any:
    return {"DAGs": value} if isinstance(value, list) else value


_parse_duration = TypeAdapter(timedelta).validate_strings
_Seconds = Annotated[float, Field(gt=0, le=_MAX_DURATION.total_seconds())]
_DurationText = Annotated[str, Field(pattern=_DURATION, examples=["PT1H30M"])]
Duration = Annotated[timedelta, BeforeValidator(_duration, json_schema_input_type=_Seconds | _DurationText)]
"""Seconds, ``01:30:00`` or ISO 8601's ``PT1H30M``."""
Count = Annotated[int, Field(ge=1, le=MAX_NUMBER)]
_StartText = Annotated[str, Field(pattern=_TO_2037, examples=["2026-01-31T06:00:00"])]
_EndText = Annotated[str, Field(pattern=_TO_2999, examples=["2026-01-31T06:00:00"])]
StartDate = Annotated[Any, PlainValidator(partial(_moment, last_year=_LAST_START), _StartText)]
"""A ``date`` or a ``datetime``; editors take both for texts."""
EndDate = Annotated[Any, PlainValidator(partial(_moment, last_year=_LAST_END), _EndText)]
_TEXT: dict[str, Any] = {"pattern": f"^[^{_CONTROLS}]*$"}
_LINE = Field(json_schema_extra={"pattern": f"^[^{_CONTROLS}{_LINE_ENDS_AND_TABS}]*$"})
Name = Annotated[str, Field(min_length=1, max_length=250), _LINE, AfterValidator(_line)]
_IMPORT_PATH: dict[str, Any] = {"pattern": f"^{_DOTTED}$"}
_MAIL: dict[str, Any] = {"pattern": f"^({_ADDRESS}|[^@<>,;]*<{_ADDRESS}>)$"}
Address = Annotated[Name, Field(json_schema_extra=_MAIL), AfterValidator(_address)]
DagTag = Annotated[str, Field(min_length=1, max_length=100), _LINE, AfterValidator(_line)]
_URI_PATTERN: dict[str, Any] = {"pattern": f"^{_URI}$"}
Uri = Annotated[str, Field(max_length=_MAX_URI, json_schema_extra=_URI_PATTERN), AfterValidator(_uri)]
Uris = Annotated[list[Uri], Field(min_length=1, max_length=100)]
Path = Annotated[str, Field(min_length=1, max_length=4000), _LINE, AfterValidator(_line)]
ParamName = Annotated[Name, AfterValidator(_param_name)]
_Backoff = bool | Annotated[float, Field(ge=0, le=MAX_NUMBER)]
TaskId = Annotated[str, Field(json_schema_extra={"pattern": _TASK_ID}), AfterValidator(_task_id)]
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
    retry_exponential_backoff: Annotated[bool | float, PlainValidator(_backoff, _Backoff)]
    max_retry_delay: Duration
    depends_on_past: bool
    run_as_user: Name
    max_active_tis_per_dag: Count


class RowPyRunnerOptions(TypedDict, total=False):
    """``[tasks.<ID>.pyrunner]``: what Airflow has no argument for, of one row."""

    python: Path


class RowOptions(TaskOptions, total=False):
    """``[tasks.<ID>]``: arguments of one task, and the table below them."""

    # Not of all tasks: Airflow 3.3 answers 500 for the details of a DAG whose default_args hold an asset.
    outlets: Uris
    pyrunner: RowPyRunnerOptions


_Addresses = Address | list[Address]


def _names(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class NotifyEmailOptions(TypedDict, total=False):
    """``notify_email``: who gets a mail when a run ends, and after which end; PyRunner's ``email``."""

    to: Required[Annotated[list[Address], BeforeValidator(_names, json_schema_input_type=_Addresses)]]
    on_success: bool
    on_fail: bool


def _notify_email(value: Any) -> Any:
    return value if isinstance(value, dict) else {"to": value}


@with_config(ConfigDict(extra="allow", strict=True))
class NotifierOptions(TypedDict, total=False):
    """``notify``: a notifier by its import path, the end of a run that it tells, and its arguments."""

    notifier: Required[Annotated[Name, Field(json_schema_extra=_IMPORT_PATH), AfterValidator(_import_path)]]
    on: Literal["failed", "succeeded"]


class PyRunnerOptions(RowPyRunnerOptions, total=False):
    """``[pyrunner]``: what Airflow has no argument for."""

    timezone: Annotated[str, Field(examples=["Europe/Berlin"]), AfterValidator(_time_zone)]
    env: Annotated[dict[VariableName, str], AfterValidator(_with_good_texts)]
    cvar: Annotated[dict[Name, Any], AfterValidator(_with_good_texts)]
    notify_email: Annotated[
        NotifyEmailOptions,
        BeforeValidator(_notify_email, json_schema_input_type=_Addresses | NotifyEmailOptions),
    ]
    notify: Annotated[
        list[Annotated[NotifierOptions, AfterValidator(_with_good_texts)]], Field(max_length=100)
    ]
    templates: bool
    app_root: Path
    cwd: Path


_OfDags = Literal["can_read", "can_edit", "can_delete"]
_OfRuns = Literal["can_read", "can_create", "can_delete", "menu_access"]
AccessOptions = TypedDict(
    "AccessOptions",
    {
        "DAGs": Annotated[list[_OfDags], AfterValidator(set)],
        "DAG Runs": Annotated[list[_OfRuns], AfterValidator(set)],
    },
    total=False,
)
AccessOptions.__doc__ = """A role in ``access_control``: what it may do with the DAG, and with its runs."""
Access = Annotated[
    AccessOptions, BeforeValidator(_access, json_schema_input_type=list[_OfDags] | AccessOptions)
]


class AssetScheduleOptions(TypedDict, total=False):
    """``schedule = { assets = [...] }``: a run starts when all of these assets were updated, or any."""

    assets: Required[Uris]
    any: bool


TEXT, TABLE = "[text]", "[table]"
"""What a schedule may be: these stand in the path to what is wrong with one."""
_Cron = Annotated[
    str,
    Field(json_schema_extra={"pattern": _CRON}, examples=["0 6 * * *", "@daily"]),
    AfterValidator(_schedule),
    Tag(TEXT),
]
_ByAssets = Annotated[AssetScheduleOptions, AfterValidator(lambda table: AssetSchedule(**table)), Tag(TABLE)]


@with_config(ConfigDict(extra="forbid", strict=True))  # for the tables in it, too
class DagOptions(TypedDict, total=False):
    """A whole document: arguments of Airflow's DAG, and the tables below them."""

    description: Annotated[str, Field(max_length=10_000, json_schema_extra=_TEXT), AfterValidator(_text)]
    schedule: Annotated[
        _Cron | _ByAssets, Discriminator(lambda value: TABLE if isinstance(value, dict) else TEXT)
    ]
    start_date: StartDate
    end_date: EndDate
    catchup: bool
    max_active_runs: Count
    max_active_tasks: Count
    dagrun_timeout: Duration
    tags: Annotated[list[DagTag], Field(max_length=100)]
    params: Annotated[dict[ParamName, Any], AfterValidator(_params)]
    is_paused_upon_creation: bool
    rerun_with_latest_version: bool
    # FAB's names: one that it does not know would be an import error of all lists on Airflow 3.3.
    access_control: dict[Name, Access]
    default_args: TaskOptions
    tasks: dict[TaskId, RowOptions]
    pyrunner: PyRunnerOptions


DOCUMENT = TypeAdapter(DagOptions)
