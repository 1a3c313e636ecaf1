"""The clock while app_profile is sourced: it stands at the run's time, in the list's time zone."""

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from worker_jobs import RUN, run_row, write

from pyrunner_airflow.worker import app as worker_app
from pyrunner_airflow.worker.app import app_environment, find_app

CLOCK = Path(worker_app.__file__).with_name("clock")
SATURDAY = datetime(2026, 11, 14, 1, 30, 15, tzinfo=UTC)  # 02:30:15 in Berlin

# What GNU date says at the run's time, as it did under a faked clock.
IN_BERLIN = [
    ("", "2026-11-14 00:00:00"),
    ("now", "2026-11-14 02:30:15"),
    ("today", "2026-11-14 02:30:15"),
    ("yesterday", "2026-11-13 02:30:15"),
    ("tomorrow", "2026-11-15 02:30:15"),
    ("-1 day", "2026-11-13 02:30:15"),
    ("1 day ago", "2026-11-13 02:30:15"),
    ("+2 days", "2026-11-16 02:30:15"),
    ("-1 week", "2026-11-07 02:30:15"),
    ("12 hours ago", "2026-11-13 14:30:15"),
    ("-90 minutes", "2026-11-14 01:00:15"),
    ("10 days ago", "2026-11-04 02:30:15"),
    ("fortnight ago", "2026-10-31 02:30:15"),
    ("next month -1 day", "2026-12-13 02:30:15"),
    ("1 year ago", "2025-11-14 02:30:15"),
    ("last monday", "2026-11-09 00:00:00"),
    ("last saturday", "2026-11-07 00:00:00"),
    ("saturday", "2026-11-14 00:00:00"),
    ("next saturday", "2026-11-21 00:00:00"),
    ("next friday", "2026-11-20 00:00:00"),
    ("friday", "2026-11-20 00:00:00"),
    ("2 friday", "2026-11-27 00:00:00"),
    ("third thursday", "2026-12-03 00:00:00"),
    ("sunday last week", "2026-11-08 00:00:00"),
    ("last monday -1 week", "2026-11-02 00:00:00"),
    ("monday 06:00", "2026-11-16 06:00:00"),
    ("06:00 last monday -1 week", "2026-11-02 06:00:00"),
    ("18:30 last friday", "2026-11-13 18:30:00"),
    ("Tue, 06:00", "2026-11-17 06:00:00"),
    ("LAST SUNDAY", "2026-11-08 00:00:00"),
    ("06:00", "2026-11-14 06:00:00"),
    ("6am", "2026-11-14 06:00:00"),
    ("0600", "2026-11-14 06:00:00"),
    ("tomorrow 06:00", "2026-11-15 06:00:00"),
    ("06:00 tomorrow", "2026-11-15 06:00:00"),
    ("yesterday 23:59:59", "2026-11-13 23:59:59"),
    ("-1 day 12:00", "2026-11-13 12:00:00"),
    ("yesterday 12:00 UTC", "2026-11-13 13:00:00"),
    ("12:00 +0200", "2026-11-14 11:00:00"),
    ('TZ="Asia/Tokyo" yesterday', "2026-11-13 02:30:15"),
    ('TZ="America/New_York" last monday', "2026-11-09 06:00:00"),
]
WITH_A_DAY_OF_THEIR_OWN = [
    ("2001-02-03", "2001-02-03 00:00:00"),
    ("2001-02-03 -1 day", "2001-02-02 00:00:00"),
    ("20010203", "2001-02-03 00:00:00"),
    ("@981154800", "2001-02-03 00:00:00"),
    ("3 Feb 2001 04:05", "2001-02-03 04:05:00"),
    ("02/03/2001 last month", "2001-01-03 00:00:00"),
    ("Sat, 3 Feb 2001 10:00:00 +0100", "2001-02-03 10:00:00"),
    ("2001-02-03T04:05:06Z", "2001-02-03 05:05:06"),
]
AT_THE_END_OF_MARCH_2031_IN_KOLKATA = [
    ("1 month ago", "2031-03-03 00:30:00"),
    ("last month", "2031-03-03 00:30:00"),
    ("next month", "2031-05-01 00:30:00"),
    ("-1 month -1 day", "2031-03-02 00:30:00"),
    ("last tuesday", "2031-03-25 00:00:00"),
    ("Nov 13", "2031-11-13 00:00:00"),
    ("1/15", "2031-01-15 00:00:00"),
]


@pytest.fixture
def said(root, monkeypatch):
    """Return what a command prints in the profile of a run."""

    def run_in_profile(command, due=SATURDAY, zone="Europe/Berlin"):
        monkeypatch.setenv("TZ", zone)
        write(root / "config" / "app_profile", f'export APP_X="$(\n{command}\n)"\n')
        run = RUN._replace(time=due.timestamp())
        return app_environment(find_app(str(root / "config/job.lst")), run, "/none", print)["APP_X"]

    return run_in_profile


def quoted(text):
    return "'" + text + "'"


class TestDate:
    @pytest.mark.parametrize(("text", "expected"), IN_BERLIN)
    def test_what_is_relative_is_so_to_the_runs_time(self, said, text, expected):
        assert said(f"date -d {quoted(text)} '+%F %T'") == expected

    @pytest.mark.parametrize(("text", "expected"), WITH_A_DAY_OF_THEIR_OWN)
    def test_an_absolute_date_stays(self, said, text, expected):
        assert said(f"date -d {quoted(text)} '+%F %T'") == expected

    @pytest.mark.parametrize(("text", "expected"), AT_THE_END_OF_MARCH_2031_IN_KOLKATA)
    def test_months_and_days_without_a_year(self, said, text, expected):
        due = datetime(2031, 3, 30, 19, 0, tzinfo=UTC)  # where it is the 31st
        assert said(f"date -d {quoted(text)} '+%F %T'", due, "Asia/Kolkata") == expected

    @pytest.mark.parametrize(
        ("text", "expected"), [("now", "02:30:00 +0100"), ("1 hour ago", "02:30:00 +0200")]
    )
    def test_an_hour_that_comes_twice(self, said, text, expected):
        second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
        assert said(f"date -d {quoted(text)} '+%T %z'", second) == expected

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ("-d yesterday +%F", "2026-11-13"),
            ("-dyesterday +%F", "2026-11-13"),
            ("--date=yesterday +%F", "2026-11-13"),
            ("--date yesterday +%F", "2026-11-13"),
            ("--da=yesterday +%F", "2026-11-13"),
            ("+%F -d yesterday", "2026-11-13"),
            ("-d tomorrow -d yesterday +%F", "2026-11-13"),
            ("-u -d 'yesterday 00:00' '+%F %T'", "2026-11-13 00:00:00"),
            ("-ud yesterday '+%F %T'", "2026-11-13 01:30:15"),
            ("--utc --date=yesterday +%T", "01:30:15"),
            ("-I -d yesterday", "2026-11-13"),
            ("-Iseconds -d yesterday", "2026-11-13T02:30:15+01:00"),
            ("--iso-8601=seconds -d yesterday", "2026-11-13T02:30:15+01:00"),
            ("-Rd yesterday", "Fri, 13 Nov 2026 02:30:15 +0100"),
            ("-I", "2026-11-14"),
            ("-R", "Sat, 14 Nov 2026 02:30:15 +0100"),
            ("+%s", "1794619815"),
            ("-d yesterday -- +%F", "2026-11-13"),
            ("-r ref +%F", "2002-03-04"),
            ("-uf dates +%F", "2026-11-13\n2001-02-03\n2026-11-07"),
            ("--file=dates -I", "2026-11-13\n2001-02-03\n2026-11-07"),
            ("-f - +%F <dates", "2026-11-13\n2001-02-03\n2026-11-07"),
        ],
    )
    def test_options_in_every_spelling(self, said, root, options, expected):
        os.utime(write(root / "ref", ""), (1015200000, 1015200000))
        write(root / "dates", "yesterday\n2001-02-03\nlast saturday")
        assert said(f"date {options}") == expected

    @pytest.mark.parametrize(
        "options", ["-d 'no such day'", "-d", "-f /none", "--nonsense", "-d 'yesterday 25:00'", "01020304"]
    )
    def test_what_is_wrong_is_dates_to_say(self, said, options):
        assert said(f"date {options} >/dev/null 2>message; echo $?; grep -c ^date: message") == "1\n1"


class TestOtherWays:
    @pytest.mark.parametrize(
        "command",
        [
            "/bin/date +%F",
            "/usr/bin/date +%F",
            "date=/bin/date; $date +%F",
            "$(command -v date) +%F",
            "command date +%F",
            "env date +%F",
            "echo +%F | xargs date",
            "sh -c 'date +%F'",
            "bash -c 'date +%F'",
            "bash -c '/bin/date +%F'",
            'function date { /bin/date -u "$@"; }; date +%F',
            "sh -c 'bash -c date' | date -f - +%F",
            "PATH=/usr/bin:/bin; date +%F",
            "set -euo pipefail; date +%F",
            "IFS=-; date +%F",
            f"{sys.executable} -c 'import os; os.system(\"date +%F\")'",
            "printf '%(%F)T'",
            "printf '%(%F)T' -1",
            "printf '%(%F)T' -2",
            "printf -v day '%(%F)T'; echo $day",
            "printf -vday -- '%(%F)T' -1; echo $day",
            "bash -c 'printf \"%(%F)T\"'",
            "date -d @$EPOCHSECONDS +%F",
            "date -d @$EPOCHREALTIME +%F",
            "bash -c 'date -d @$EPOCHSECONDS +%F'",
        ],
    )
    def test_to_ask_for_the_day(self, said, command):
        assert said(command) == "2026-11-14"

    @pytest.mark.parametrize(
        "command",
        [
            f"{sys.executable} -c 'import time; print(time.strftime(\"%F\"))'",
            "sh -c '/bin/date +%F'",
            "env /bin/date +%F",
            "exec /bin/date +%F",
            "PATH=/usr/bin:/bin; sh -c 'date +%F'",
            "PATH=/usr/bin:$PATH; env date +%F",
            "PATH=/usr/bin:/bin; command date +%F",
            "env -i date +%F",
            "command -p date +%F",
            "builtin printf '%(%F)T'",
            "day='\\D{%F}'; echo ${day@P}",
            "bash -p -c '/bin/date +%F'",
            "bash --posix -c '/bin/date +%F'",
            "export POSIXLY_CORRECT=1; bash -c 'printf \"%(%F)T\"'",
            "BASH_ENV= bash -c '/bin/date +%F'",
            "touch now; date -r now +%F",
        ],
    )
    def test_where_the_clock_does_not_reach(self, said, command):
        """As docs/profile.md says."""
        assert said(command) > "2026-11-14"

    @pytest.mark.parametrize("how", ["bash -p -c", "bash --posix -c", "BASH_ENV= bash -c", "sh -c"])
    def test_it_reaches_date_without_a_path_even_there(self, said, how):
        assert said(f"{how} 'date +%F'") == "2026-11-14"

    @pytest.mark.parametrize(
        ("arguments", "printed"),
        [
            ("'%s %(%F)T %s\\n' a -1 b", "a 2026-11-14 b"),
            ("'%s %(%F)T\\n' a", "a 2026-11-14"),
            ("'%s%(%F)T' ''", "2026-11-14"),
            ("'%(%F)T %(%F)T\\n' 0 -1 -2 86400", "1970-01-01 2026-11-14\n2026-11-14 1970-01-02"),
            ("'%*d|%%|%-5s|%(%Y)T|%.2f' 3 7 x -1 1.5", "  7|%|x    |2026|1.50"),
            ("'%5.3s|%(%d)T' abcdef", "  abc|14"),
            ("'%s\\n' '%(%F)T' -1", "%(%F)T\n-1"),
            ("'%d-%(%F)T'", "0-2026-11-14"),
            ("'100%'", "100"),
        ],
    )
    def test_printf_is_what_it_always_was(self, said, arguments, printed):
        assert said(f"printf {arguments} 2>/dev/null") == printed

    def test_seconds_pass(self, said):
        assert said("SECONDS=7; echo $SECONDS") == "7"

    def test_bash_reads_what_it_would_read_anyway(self, said, tmp_path, monkeypatch):
        monkeypatch.setenv("BASH_ENV", str(write(tmp_path / "bashenv", "greet() { echo hello; }")))
        assert said("greet; bash -c greet") == "hello\nhello"

    def test_so_it_does_where_the_files_name_has_variables(self, said, tmp_path, monkeypatch):
        monkeypatch.setenv("PLACE", str(write(tmp_path / "bashenv", "greet() { echo hello; }").parent))
        monkeypatch.setenv("BASH_ENV", "${PLACE}/bashenv")
        assert said("greet; bash -c greet") == "hello\nhello"

    def test_bash_does_without_a_file_that_is_not_there(self, said, monkeypatch):
        monkeypatch.setenv("BASH_ENV", "/none/bashenv")
        assert said("set -eu; bash -euc 'echo hello' 2>&1") == "hello"

    @pytest.mark.parametrize("command", ["date +%F", "/bin/date +%F", "bash -c 'printf \"%(%F)T\"'"])
    def test_a_task_of_strict_posix_has_the_clock_too(self, said, monkeypatch, command):
        monkeypatch.setenv("POSIXLY_CORRECT", "1")
        assert said(command) == "2026-11-14"

    def test_what_the_profile_makes_of_path_is_without_it(self, said, monkeypatch):
        monkeypatch.setenv("PATH", "/opt/bin:/usr/bin:/bin")
        assert said('echo "$PATH"') == "/opt/bin:/usr/bin:/bin"

    def test_it_can_be_run(self):
        assert os.access(CLOCK / "date", os.X_OK)


class TestTimeZone:
    """The list's, whatever the task's process has."""

    DUE = datetime(2026, 11, 13, 23, 30, tzinfo=UTC)
    BODY = """
    def run(self):
        said = [os.environ[name] for name in ("APP_DAY", "APP_ZONE", "APP_LOG_DIR", "TZ")]
        self.context["said"] = [*said, time.strftime("%H:%M", time.localtime(0))]
    """

    @pytest.fixture
    def said(self, root, run, monkeypatch):
        monkeypatch.setenv("TZ", "America/New_York")
        time.tzset()
        profile = "export APP_DAY=$(date +%F) APP_ZONE=$TZ\nexport TZ=Asia/Tokyo\n"
        write(root / "config" / "app_profile", profile)

        def said(**fields):
            ran = run(self.BODY, "import os, time", run_time=self.DUE.timestamp(), **fields)
            *most, zone, clock = ran.context["said"]
            return [os.path.basename(most.pop()), *most, zone, clock]

        yield said
        monkeypatch.undo()
        time.tzset()

    def test_the_profile_and_the_worker_have_it(self, said):
        zone = "Europe/Berlin"
        assert said(timezone=zone) == ["2026-11-14", "2026-11-14", zone, zone, "01:00"]

    def test_without_one_it_is_the_tasks(self, said):
        zone = "America/New_York"
        assert said() == ["2026-11-13", "2026-11-13", zone, zone, "19:00"]

    def test_the_list_may_give_the_worker_another(self, said):
        zone = "Asia/Kolkata"
        said = said(timezone="Europe/Berlin", env={"TZ": zone})
        assert said == ["2026-11-14", "2026-11-14", "Europe/Berlin", zone, "05:30"]

    def test_one_that_the_host_does_not_know_is_an_error(self, root, tmp_path, monkeypatch):
        monkeypatch.setenv("TZDIR", str(tmp_path))
        assert "AppError: time zone Europe/Berlin: " in run_row(root, timezone="Europe/Berlin").cause
