"""When a schedule is due: for cron, for croniter in the crontab's time zone, and for Airflow."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.timetables.base import TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable
from croniter import croniter
from migrate_jobs import HERE

from pyrunner_airflow.migrate.crontab import Entry, for_airflow, moves_with_clocks, read_crontab
from pyrunner_airflow.tasklist.diagnostics import Problems

TIMES = 20
NAMES = {
    3: ["-", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    4: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
RANGES = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


def fixtures():
    for name in ("crontab", "cron.d"):
        for entry in read_crontab((HERE / name).read_text().split("\n"), Problems(name)):
            if isinstance(entry, Entry) and entry.schedule:
                yield entry.schedule, entry.variables["CRON_TZ"]


def airflow_times(schedule, zone, start):
    timetable = CronTriggerTimetable(schedule, timezone=zone)
    restriction = TimeRestriction(pendulum.instance(start), None, catchup=True)
    last, found = None, []
    for _ in range(TIMES):
        run = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        last = run.data_interval
        found.append(run.run_after.astimezone(UTC))
    return found


def croniter_times(schedule, zone, start):
    due = croniter(schedule, (start - timedelta(seconds=1)).astimezone(ZoneInfo(zone)))
    return [due.get_next(datetime).astimezone(UTC) for _ in range(TIMES)]


def values(field, number):
    """Return the numbers that a field of cron stands for, as Vixie's cron does."""
    low, high = RANGES[number]
    found = set()
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        ends = [
            NAMES[number].index(end) if end.isalpha() else int(end)
            for end in (first, last)
            if end not in ("", "*")
        ]
        if span == "*":
            ends = [low, high]
        elif len(ends) == 1:
            ends.append(high if step else ends[0])
        if number == 4 and ends[1] == 0 < ends[0]:
            ends[1] = 7
        found |= set(range(ends[0], ends[1] + 1, int(step or 1)))
    return {day % 7 for day in found} if number == 4 else found


def cron_times(schedule, start):
    """Return when cron would run it, minute by minute, where clocks are never changed."""
    fields = schedule.split()
    minutes, hours, days, months, weekdays = (values(field, number) for number, field in enumerate(fields))
    wants_both = fields[2].startswith("*") or fields[4].startswith("*")
    found, moment = [], start
    while len(found) < TIMES and moment.year < start.year + 12:
        on_day = moment.day in days
        on_weekday = moment.isoweekday() % 7 in weekdays
        is_day = moment.month in months and (
            (on_day and on_weekday) if wants_both else (on_day or on_weekday)
        )
        if is_day:
            found += [
                moment.replace(hour=hour, minute=minute)
                for hour in sorted(hours)
                for minute in sorted(minutes)
            ]
        moment += timedelta(days=1)
    return found[:TIMES]


@pytest.mark.parametrize(
    "start", ["2026-07-01", "2026-10-24T12:00", "2026-10-31T12:00", "2027-03-13T12:00", "2027-03-27T12:00"]
)
@pytest.mark.parametrize(("schedule", "zone"), sorted(set(fixtures())))
def test_airflow_has_the_times_of_croniter(schedule, zone, start):
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
    ours, cron = airflow_times(schedule, zone, moment), croniter_times(schedule, zone, moment)
    if moves_with_clocks(schedule, zone):
        ours, cron = ([due for due in times if not is_night_of_change(due, zone)] for times in (ours, cron))
        length = min(len(ours), len(cron))
        ours, cron = ours[:length], cron[:length]
    assert ours == cron


def is_night_of_change(moment, zone):
    """Say whether clocks are changed on the day of a moment, there."""
    day = moment.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0)
    return day.utcoffset() != (day + timedelta(days=1)).utcoffset()


def random_schedules(count):
    choose = random.Random(17)

    def part(number):
        low, high = RANGES[number]
        first, last = sorted((choose.randint(low, high), choose.randint(low, high)))
        step = choose.choice(["", "", "/1", "/2", "/3", f"/{choose.randint(1, high)}"])
        kinds = [
            "*",
            f"*{step}",
            str(first),
            f"{first}-{last}{step}",
            f"{first},{last}",
            f"{first}-{last},{low or 1}",
        ]
        kinds += [NAMES[number][first % 7 or 1]] if number in NAMES else []
        return choose.choice(kinds)

    for _ in range(count):
        yield " ".join(map(part, range(5)))


@pytest.mark.parametrize("schedule", random_schedules(150))
def test_airflow_has_the_times_of_cron(schedule):
    """Or it has none, and is told so."""
    ours, reason = for_airflow(schedule)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    due = cron_times(schedule, start)
    assert bool(ours) != bool(reason)
    if ours and due:
        assert airflow_times(ours, "UTC", start)[: len(due)] == due
