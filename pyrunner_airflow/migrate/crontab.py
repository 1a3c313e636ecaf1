"""
The text of a crontab: its lines, as cron understands them.

Behaviour is that of Vixie's cron and of cronie. It may be in the form of ``/etc/cron.d``, with its users.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from croniter import croniter

from pyrunner_airflow.migrate.shell import STARTERS
from pyrunner_airflow.tasklist.diagnostics import Place, did_you_mean, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyrunner_airflow.tasklist.diagnostics import Problems

_VARIABLE = re.compile(r"""[ \t]*(["']?)([A-Za-z_]\w*)\1[ \t]*=[ \t]*(.*?)[ \t]*""")
_PART = r"(?:\*|\w+(?:[-~]\w+)?|~)(?:/\d+)?"
_FIELD = rf"{_PART}(?:,{_PART})*"
_TIME = re.compile(rf"[ \t]*-?(?P<schedule>@\w+|{_FIELD}(?:[ \t]+{_FIELD}){{4}})[ \t]+(?P<rest>\S.*)")
_USER = re.compile(r"([a-z_][\w.-]*\$?)[ \t]+((?!-)\S.*)")
_PRESETS = {name: name for name in ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")}
_PRESETS |= {"@midnight": "@daily", "@annually": "@yearly"}
_DAY, _MONTH, _WEEKDAY = 2, 3, 4
_STEP = timedelta(minutes=30)
_NAMES = {
    _MONTH: ("", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    _WEEKDAY: ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}


class Entry(NamedTuple):
    """A line that says when a command is run, and the variables above it.

    schedule: when, for Airflow; "" if Airflow has no such schedule.
    reason: why it has none.
    user: in the form of ``/etc/cron.d``; "" otherwise.
    command: without what cron hands to its standard input.
    """

    number: int
    line: str
    schedule: str
    reason: str
    user: str
    command: str
    has_input: bool
    variables: Mapping[str, str]


class Variable(NamedTuple):
    """A line that sets a variable for the lines below it."""

    number: int
    line: str
    name: str


def read_crontab(lines: Iterable[str], problems: Problems) -> list[Entry | Variable]:
    """Return what the lines of a crontab say, in their order; lines that cron refuses are reported."""
    numbered = {number: line for number, line in enumerate(lines, 1) if re.match(r"\s*[^#\s]", line)}
    times = [_TIME.match(line) for line in numbered.values() if not _VARIABLE.fullmatch(line)]
    has_users = any(times) and all(_user(match["rest"])[0] for match in times if match)
    found: list[Entry | Variable] = []
    variables: dict[str, str] = {}
    for number, line in numbered.items():
        if match := _VARIABLE.fullmatch(line):
            variables[match[2]] = re.sub(r"""^(["'])(.*)\1$""", r"\2", match[3])
            found.append(Variable(number, line, match[2]))
            continue
        match = _TIME.match(line)
        written = match["schedule"] if match else line.strip()
        fault = _fault(written) if match else "it is neither a schedule with a command nor a variable"
        if match and not fault:
            user, rest = _user(match["rest"]) if has_users else ("", match["rest"])
            command, *given = re.split(r"(?<!\\)%", rest, maxsplit=1)
            command = command.replace(r"\%", "%").strip()
            told = (*for_airflow(written), user, command, bool(given), dict(variables))
            found.append(Entry(number, line, *told))
        else:
            place = Place(number, line.index(written) + 1, len(written), None, line)
            hint = "A line is like 30 2 * * * COMMAND, or @daily COMMAND, or NAME=value, or begins with #."
            problems.error("invalid-crontab", place, f"cron refuses {quote(written)}: {fault}", hint)
    return found


def _user(rest: str) -> tuple[str, str]:
    """Return the user, in the form with users, and the command; "" if there is none."""
    match = _USER.fullmatch(rest)
    return (match[1], match[2]) if match and match[1] not in STARTERS else ("", rest)


def _fault(schedule: str) -> str:
    """Return why cron takes a text for no schedule; "" if it does."""
    if schedule.startswith("@"):
        known = (*_PRESETS, "@reboot")
        return "" if schedule in known else f"{did_you_mean(schedule, known)}There are: {', '.join(known)}."
    plain = re.sub(r"\w*~\w*", "0", schedule)  # a random number, of cronie's
    names = (
        (name, field) for field, text in enumerate(plain.split()) for name in re.findall(r"[^\W\d]\w*", text)
    )
    if unknown := next((name for name, field in names if name.lower() not in _NAMES.get(field, ())), ""):
        return f"{quote(unknown)} is the name of nothing there"
    return "" if croniter.is_valid(plain) else "one of its numbers is too high or too low"


def for_airflow(schedule: str) -> tuple[str, str]:
    """Return a schedule of cron for Airflow, letter for letter where both mean the same; or "" and why."""
    if schedule.startswith("@"):
        reason = "Airflow has no @reboot: let what starts the host trigger the DAG"
        return _PRESETS.get(schedule, ""), "" if schedule in _PRESETS else reason
    if "~" in schedule:
        return "", "~ is a random number, which Airflow has not: choose one"
    fields = schedule.split()
    for index, field in enumerate(fields):
        for first, last, step in re.findall(r"(\w+)-(\w+)(/\d+)?", field):
            start, end = (
                int(text) if text.isdigit() else _NAMES[index].index(text.lower()) for text in (first, last)
            )
            if start == end:  # croniter would go round
                fields[index] = re.sub(rf"(?<!\w){first}-{last}{step}(?![\w/])", first, fields[index])
            elif start > end and not (index == _WEEKDAY and end == 0):
                return "", f"cron never runs {first}-{last}, which goes backwards; Airflow would go round"
    # Of two days that are given, either will do, but where one begins with a star, cron wants both.
    day, weekday = fields[_DAY], fields[_WEEKDAY]
    if "*" in (day[0], weekday[0]):
        any_day, any_weekday = (not {"*", "*/1"}.isdisjoint(field.split(",")) for field in (day, weekday))
        if not any_day and not any_weekday:
            return "", f"cron wants both days, {day} and {weekday}; for Airflow either would do"
        fields[_WEEKDAY if any_weekday else _DAY] = "*"
    return " ".join(fields), ""


def moves_with_clocks(schedule: str, zone: str) -> bool:
    """Say whether cron and Airflow part when clocks change: on what is due then, but not each hour."""
    if not schedule or croniter.expand(schedule)[0][1] == ["*"]:
        return False
    moment = timedelta(seconds=1)
    dues = ((croniter(schedule, start - moment).get_next(datetime), start) for start in _changes(zone))
    return any(due < start + _STEP for due, start in dues)


@cache
def _changes(zone: str) -> list[datetime]:
    """Return where in a year the local time begins to be left out or to come twice, each half hour."""
    first, local = datetime.now().replace(minute=0, second=0, microsecond=0), ZoneInfo(zone)
    times = (first + number * _STEP for number in range(366 * 48))
    return [one for one in times if len({one.replace(tzinfo=local, fold=f).utcoffset() for f in (0, 1)}) > 1]
