"""What docs/moving.md says of PyRunner's options and settings, and of time, is so and leaves nothing out."""

from __future__ import annotations

import re
import subprocess
import sys

import pendulum
import pytest
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable

from tests.moving import PAGE, crontab, pyrunner_takes

BERLIN = "Europe/Berlin"

# What PyRunner's documentation lists, and its --help does not or misspells.
DOCUMENTED = {"--es", "--ef", "--to", "--from", "--max-procs"}
MISSPELT = {"--max_procs"}
VALUES = {
    "-c": "app_profile",
    "-l": "my.lst",
    **dict.fromkeys(("-e", "--email"), "me@example.com"),
    "--env": "NAME=value",
    "--cvar": "name=value",
    "--exec-proc-name": "Load",
    "--serde": "json",
    "--email-on-fail": "false",
    "--email-on-success": "false",
    **dict.fromkeys(
        ("-n", "--max-procs", "-x", "--exec-only", "-N", "--norun", "-D", "--from", "-A", "--to"), "1"
    ),
    **dict.fromkeys(("--ancestors", "-t", "--time-between-tasks"), "1"),
}


def table(title: str) -> dict[str, str]:
    """Return the first cells of a table, with what stands beside each."""
    section = PAGE.read_text().partition(f"### {title}\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| (`.+?) \| (.+) \|$", section, re.MULTILINE)
    return {name: text for first, text in rows for name in re.findall("`(.+?)`", first)}


def help_options() -> set[str]:
    pyrunner = "from pyrunner.cli import main; main()"
    printed = subprocess.run([sys.executable, "-c", pyrunner, "-h"], capture_output=True, text=True).stdout
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*(?=[ ,])", printed, re.IGNORECASE))


def test_every_option_of_pyrunner_has_a_line():
    assert (help_options() | DOCUMENTED) - set(table("Options")) == MISSPELT


def test_pyrunner_takes_the_options_of_the_table_unless_it_says_that_5_2_1_refuses_them():
    options = table("Options")
    lines = [[option, *([VALUES[option]] if option in VALUES else [])] for option in options]
    refused = {option for option, taken in zip(options, pyrunner_takes(lines), strict=True) if not taken}
    told = {option for option, text in options.items() if re.search("5.2.1 refuses", text)}
    assert refused <= told
    assert refused == {"--descendents", "--ef", "--es", "--tickrate", "--allow-duplicate-jobs"}


def test_every_setting_of_pyrunner_has_a_line():
    from pyrunner.core.config import Config

    assert set(table("Settings")) - {"APP_..."} == set(Config())


def test_the_crontab_has_no_option_that_the_table_does_not():
    (block,) = re.findall(r"^```crontab\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    used = {word for _, command in crontab(block) for word in command.split() if re.match("--?[a-z]", word)}
    assert used <= set(table("Options"))


@pytest.mark.parametrize(
    ("schedule", "first", "due"),
    [
        ("30 2 * * *", "2027-03-27 03:00", ["03-28 03:30 CEST", "03-29 02:30 CEST"]),
        ("30 2 * * *", "2026-10-24 03:00", ["10-25 02:30 CET", "10-26 02:30 CET"]),
        ("*/30 * * * *", "2027-03-28 01:30", ["03-28 01:30 CET", "03-28 03:00 CEST"]),
        (
            "*/30 * * * *",
            "2026-10-25 01:30",
            [
                "10-25 01:30 CEST",
                "10-25 02:00 CEST",
                "10-25 02:30 CEST",
                "10-25 02:00 CET",
                "10-25 02:30 CET",
            ],
        ),
        ("0 6 1 * 1", "2026-11-24 00:00", ["11-30 06:00 CET", "12-01 06:00 CET"]),
    ],
)
def test_when_a_schedule_is_due(schedule, first, due):
    timetable = CronTriggerTimetable(schedule, timezone=BERLIN)
    restriction = TimeRestriction(pendulum.parse(first, tz=BERLIN), None, catchup=True)
    found: list[str] = []
    last: DataInterval | None = None
    for _ in due:
        run = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        last = run.data_interval
        found.append(run.run_after.in_timezone(BERLIN).strftime("%m-%d %H:%M %Z"))
    assert found == due
