"""The APP_* variables: defaults, and what bash finds when it sources app_profile."""

import io
import os
import signal
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime

import pytest
from pyrunner import cli
from pyrunner.core.config import Config
from worker_jobs import RUN, run_row, source, wait_until, write

from pyrunner_airflow.worker.app import AppError, app_environment, find_app


@pytest.fixture
def variables(root):
    """Return APP_* as the app's profile, if it has one, sets them; what it printed goes to ``warnings``."""

    def source_profile(profile=None, run=RUN, list_name="config/job.lst", warnings=None):
        if profile is not None:
            data = profile if isinstance(profile, bytes) else profile.encode()
            (root / "config").mkdir(exist_ok=True)
            (root / "config" / "app_profile").write_bytes(data)

        def tell(_, text):
            assert warnings is not None, text
            warnings.append(text)

        return app_environment(find_app(str(root / list_name)), run, str(root.parent / "writable"), tell)

    return source_profile


def local_time(pattern, time=RUN.time):
    return datetime.fromtimestamp(time).strftime(pattern)


class TestDefaults:
    def test_without_a_profile(self, root, variables):
        writable = root.parent / "writable" / "job"
        assert variables() == {
            "APP_NAME": "job",
            "APP_ROOT_DIR": str(root),
            "APP_CONFIG_DIR": str(root / "config"),
            "APP_TEMP_DIR": str(writable / "temp"),
            "APP_ROOT_LOG_DIR": str(writable),
            "APP_LOG_DIR": str(writable / local_time("%Y-%m-%d")),
            "APP_RUN_ID": "manual__1",
            "APP_LOGICAL_DATE": "2024-02-29T23:30:00+00:00",
        }

    def test_a_list_in_the_root_is_its_own_config(self, root, variables):
        assert variables(list_name="job.lst")["APP_CONFIG_DIR"] == str(root)

    def test_a_profile_stands_above_them(self, variables):
        assert variables("export APP_NAME=mine")["APP_NAME"] == "mine"

    def test_they_stand_where_the_profile_is_silent(self, root, variables):
        assert variables("export APP_NAME=mine")["APP_ROOT_DIR"] == str(root)


class TestStockProfile:
    """The one that ``pyrunner --setup`` writes."""

    @pytest.fixture
    def app(self, tmp_path, monkeypatch):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"stock-app\n{tmp_path}\n\n"))
        with redirect_stdout(io.StringIO()):
            cli.setup()
        return tmp_path / "stock-app"

    def test_its_variables(self, app):
        found = app_environment(find_app(str(app / "config" / "stock-app.lst")), RUN, "/none", print)
        assert found == {
            "APP_VERSION": "0.0.1",
            "APP_NAME": "stock-app",
            "APP_ROOT_DIR": str(app),
            "APP_CONFIG_DIR": str(app / "config"),
            "APP_TEMP_DIR": str(app / "temp"),
            "APP_ROOT_LOG_DIR": str(app / "logs"),
            "APP_LOG_RETENTION": "30",
            "APP_WORKER_DIR": str(app / "workers"),
            "APP_EXEC_TIMESTAMP": local_time("%Y%m%d_%H%M%S"),
            "APP_LOG_DIR": str(app / "logs" / local_time("%Y-%m-%d")),
            "APP_RUN_ID": "manual__1",
            "APP_LOGICAL_DATE": "2024-02-29T23:30:00+00:00",
        }

    def test_it_makes_its_folders(self, app):
        app_environment(find_app(str(app / "config" / "stock-app.lst")), RUN, "/none", print)
        assert (app / "temp").is_dir()
        assert (app / "logs" / local_time("%Y-%m-%d")).is_dir()

    def test_its_app_runs(self, app):
        write(app / "workers" / "workers.py", source("def run(self): print('hello')"))
        ran = run_row(app, list_name="config/stock-app.lst", logfile="$ENV{APP_LOG_DIR}/x.log")
        assert ran.code == 0
        assert "hello\n" in (app / "logs" / local_time("%Y-%m-%d") / "x.log").read_text()


class TestDate:
    @pytest.mark.parametrize(
        ("command", "pattern"),
        [
            ('date +"%Y-%m-%d"', "%Y-%m-%d"),
            ("date '+%Y%m%d_%H%M%S'", "%Y%m%d_%H%M%S"),
            ("date +%s", str(int(RUN.time))),
            ("date -u +%FT%T", "2024-02-29T23:30:15"),
            ("date --utc +%H", "23"),
            ("date -u -Iseconds", "2024-02-29T23:30:15+00:00"),
            ("TZ=Asia/Tokyo date '+%F %T'", "2024-03-01 08:30:15"),
        ],
    )
    def test_it_tells_the_runs_time(self, variables, command, pattern):
        assert variables(f"export APP_X=$({command})")["APP_X"] == local_time(pattern)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ("-d @0", "1970-01-01"),
            ("-d2001-02-03", "2001-02-03"),
            ("--date=2001-02-03", "2001-02-03"),
            ("--date 2001-02-03", "2001-02-03"),
            ("-r ref", "2002-03-04"),
            ("--reference=ref", "2002-03-04"),
            ("-f dates", "2003-04-05"),
        ],
    )
    def test_one_with_a_date_of_its_own_is_left_alone(self, root, variables, options, said):
        os.utime(write(root / "ref", ""), (1015200000, 1015200000))
        write(root / "dates", "2003-04-05\n")
        assert variables(f"cd {root}; export APP_X=$(date -u {options} +%F)")["APP_X"] == said

    def test_a_script_that_the_profile_calls_tells_the_runs_time_too(self, root, variables):
        write(root / "stamp.sh", "date -u +%F")
        assert variables(f"export APP_X=$(bash {root}/stamp.sh)")["APP_X"] == "2024-02-29"

    def test_every_call_gives_the_same(self, variables):
        profile = "export APP_X=$(date +%s) APP_Y=$(date)"
        first = variables(profile)
        started = datetime.now().second
        assert wait_until(lambda: datetime.now().second != started)
        assert variables(profile) == first

    def test_another_run_gives_another(self, variables):
        later = RUN._replace(time=RUN.time + 86400)
        assert variables("export APP_X=$(date -u +%F)", run=later)["APP_X"] == "2024-03-01"

    def test_the_workers_own_commands_tell_the_real_time(self, root):
        write(root / "config" / "app_profile", "export APP_X=$(date -u +%Y)")
        body = "def run(self): self.context['said'] = subprocess.check_output(['bash', '-c', 'date -u +%Y'])"
        write(root / "workers" / "workers.py", source(body, "import subprocess"))
        assert int(run_row(root).context["said"]) >= datetime.now(UTC).year


class TestValues:
    @pytest.mark.parametrize(
        ("assigned", "value"),
        [
            ("'two words'", "two words"),
            ("a=b=c", "a=b=c"),
            ("$'two\\nlines'", "two\nlines"),
            ("$'APP_Y=1\\nAPP_Z=2'", "APP_Y=1\nAPP_Z=2"),
            ('"it\'s \\"quoted\\""', 'it\'s "quoted"'),
            ("' padded '", " padded "),
            ("", ""),
            ("größe", "größe"),
            ("'$HOME'", "$HOME"),
        ],
    )
    def test_they_come_as_they_are(self, variables, assigned, value):
        found = variables(f"export APP_X={assigned}")
        assert (found["APP_X"], "APP_Y" in found) == (value, False)

    def test_bytes_that_are_not_utf_8_reach_the_worker(self, root):
        (root / "config").mkdir()
        (root / "config" / "app_profile").write_bytes(b"export APP_X=\xff")
        body = "def run(self): self.context['said'] = os.environb[b'APP_X']"
        write(root / "workers" / "workers.py", source(body, "import os"))
        assert run_row(root).context["said"] == b"\xff"

    def test_only_app_names_are_kept(self, variables):
        found = variables("export OTHER=1 MY_APP_X=2 APPX=3 APP_X=4")
        assert all(name.startswith("APP_") for name in found)
        assert found["APP_X"] == "4"

    def test_only_exported_names_are_kept(self, variables):
        assert "APP_X" not in variables("APP_X=1")

    def test_names_of_the_process_are_seen_by_the_profile(self, variables, monkeypatch):
        monkeypatch.setenv("STAGE", "test")
        assert variables('export APP_X="$STAGE"')["APP_X"] == "test"

    def test_the_profile_sees_run_id_and_logical_date(self, variables):
        found = variables('export APP_X="$APP_RUN_ID $APP_LOGICAL_DATE"')
        assert found["APP_X"] == "manual__1 2024-02-29T23:30:00+00:00"

    def test_the_profile_cannot_change_run_id_and_logical_date(self, variables):
        found = variables("export APP_RUN_ID=x APP_LOGICAL_DATE=y")
        assert (found["APP_RUN_ID"], found["APP_LOGICAL_DATE"]) == RUN[:2]

    def test_a_worker_sees_them_all(self, root):
        write(root / "config" / "app_profile", "export APP_X=4")
        body = "def run(self): self.context['said'] = [os.environ[n] for n in NAMES]"
        preamble = "import os\nNAMES = 'APP_X', 'APP_RUN_ID', 'APP_NAME'"
        write(root / "workers" / "workers.py", source(body, preamble))
        assert run_row(root).context["said"] == ["4", "manual__1", "job"]


class TestAsPyRunner:
    PROFILE = """#!/bin/bash
    export APP_NAME="my app"
    export APP_ROOT_DIR="$(cd $(dirname ${BASH_SOURCE})/..; pwd)"
    export APP_LOG_DIR="${APP_ROOT_DIR}/logs"
    export APP_URL='http://host/?a=b&c=d' APP_EMPTY= OTHER=1 APP_PWD=$HOME
    APP_LOCAL=1
    for stage in one two; do export "APP_${stage}=$stage"; done
    if [ -n "$STAGE" ]; then export APP_STAGE="$STAGE"; else export APP_STAGE=none; fi
    function helper() { echo helped; }
    export APP_HELPED="$(helper)"
    unset APP_GONE
    """

    def test_it_finds_the_same(self, root, variables, monkeypatch):
        """Leave aside the run's own names, and defaults for names that the profile does not set."""
        for name in [name for name in os.environ if name.startswith("APP_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("STAGE", "test")
        monkeypatch.setenv("APP_GONE", "x")
        found = variables(self.PROFILE)
        monkeypatch.setattr(os, "environ", dict(os.environ))
        os.environ.pop("APP_GONE")
        Config().source_config_file(str(root / "config" / "app_profile"))
        pyrunners = {name: value for name, value in os.environ.items() if name.startswith("APP_")}
        assert len(pyrunners) == 10
        assert {name: found[name] for name in pyrunners} == pyrunners
        assert set(found) - set(pyrunners) == {
            *("APP_CONFIG_DIR", "APP_TEMP_DIR", "APP_ROOT_LOG_DIR"),
            *("APP_RUN_ID", "APP_LOGICAL_DATE"),
        }


class TestOddProfiles:
    def test_what_it_prints_is_a_warning(self, root, variables):
        warnings = []
        assert variables("echo out; echo err >&2; export APP_X=1", warnings=warnings)["APP_X"] == "1"
        assert warnings == [f"{root}/config/app_profile printed: out\nerr"]

    def test_what_it_has_set_is_told_with_what_it_printed(self, root):
        """Lest a secret be logged before it is masked."""
        write(root / "config" / "app_profile", "export APP_A='1 2' B=2; echo $B")
        told = []
        app_environment(find_app(str(root / "config/job.lst")), RUN, "/none", lambda *said: told.append(said))
        ((found, text),) = told
        assert (found["APP_A"], found["B"], text.endswith(" printed: 2")) == ("1 2", "2", True)

    @pytest.mark.parametrize(
        "secret",
        [
            "APP_PASSWORD=hidden",
            "APP_PASSWORD=hid; APP_PASSWORD+=den",
            "passwords=(hidden)",
            "read -r password <<<hidden; [[ $password ]]",
            "bash -x -c 'A=hidden'",
            "(A=$(echo hidden))",
            f'{sys.executable} -c \'import subprocess; subprocess.run(["bash", "-xc", "A=hidden"])\'',
            "PYRUNNER_TRACE=/none/trace bash -xc 'A=hidden'",
        ],
    )
    def test_what_it_traces_is_not_shown_and_that_is_told(self, variables, secret):
        """A part of a secret, or one by another name, would pass any mask."""
        warnings = []
        variables(f"set -x; {secret}; set +x; echo seen", warnings=warnings)
        assert warnings[0].partition("printed: ")[2] == (
            "seen\n(what `set -x` prints is not shown, since it would show secrets: try the profile by hand)"
        )
        assert "hid" not in warnings[0].partition("(what")[0]

    def test_it_may_print_much(self, variables):
        """More than a pipe holds."""
        warnings = []
        assert variables("seq 100000; seq 100000 >&2; export APP_X=1", warnings=warnings)["APP_X"] == "1"
        assert len(warnings[0]) > 1_000_000

    def test_it_may_print_what_looks_like_a_variable(self, variables):
        assert "APP_Y" not in variables("echo APP_Y=1", warnings=[])

    def test_a_command_that_fails_is_no_error(self, variables):
        assert variables("false; export APP_X=1; false")["APP_X"] == "1"

    def test_a_command_that_is_missing_is_a_warning(self, variables):
        warnings = []
        assert variables("no_such_command; export APP_X=1", warnings=warnings)["APP_X"] == "1"
        assert "no_such_command: command not found" in warnings[0]

    @pytest.mark.parametrize(("end", "status"), [("exit 3", 3), ("exit", 0), ("set -e; false", 1)])
    def test_one_that_ends_the_shell_is_an_error(self, root, variables, end, status):
        with pytest.raises(AppError) as caught:
            variables(f"echo why; export APP_X=1; {end}")
        assert str(caught.value) == (
            f"{root}/config/app_profile does not come to its end (exit {status}): why. A profile is sourced, "
            "so that `exit`, `exec`, a failure under `set -e` and a syntax error end everything: leave it by "
            "`return`, and try it by `bash -c 'source app_profile; env'`"
        )

    def test_a_syntax_error_is_an_error_with_its_line(self, root, variables):
        with pytest.raises(AppError, match="app_profile: line 3: syntax error: unexpected end of file"):
            variables("export APP_X=1\nif true; then\n")

    def test_what_bash_knows_by_an_option_that_the_profile_sets_is_none(self, variables):
        profile = "shopt -s extglob\nexport APP_X=1\n[[ a == @(b|c) ]]\n"
        assert variables(profile)["APP_X"] == "1"

    @pytest.mark.parametrize("profile", ["exit 3", "if true; then"])
    def test_a_row_without_a_whole_profile_is_not_started_and_says_so_in_one_line(self, root, profile):
        write(root / "config" / "app_profile", profile)
        ran = run_row(root, max_attempts=3)
        assert (ran.code, ran.outcome.started) == (905, False)
        assert ran.cause.startswith(f"AppError: {root}/config/app_profile does not come to its end (exit ")

    @pytest.mark.parametrize("first", ["", "set -e"])
    @pytest.mark.parametrize("last", ["[ -f extra ] && . extra", "return 3"])
    def test_that_its_last_command_fails_is_no_error(self, variables, first, last):
        assert variables(f"{first}\nexport APP_X=1\n{last}")["APP_X"] == "1"

    def test_a_failure_after_a_file_that_it_has_sourced_still_ends_a_strict_one(self, root, variables):
        write(root / "config" / "common", "return 0")
        with pytest.raises(AppError, match="does not come to its end"):
            variables("set -e; source config/common; false; export APP_X=1")

    def test_one_that_reads_standard_input_finds_none(self, variables):
        assert variables('read -r line; export APP_X="<$line>"; cat')["APP_X"] == "<>"

    def test_a_command_left_in_the_background_is_not_waited_for(self, variables):
        pid = int(variables("sleep 60 & export APP_X=$!")["APP_X"])
        os.kill(pid, signal.SIGKILL)  # which is an error for a process that has ended

    def test_it_may_redirect_its_output_for_good(self, variables):
        assert variables("exec >/dev/null 2>&1; echo lost; export APP_X=1")["APP_X"] == "1"

    def test_it_may_copy_its_output_for_good(self, root, variables):
        profile = f"exec > >(tee {root}/out) 2>&1; echo copied; export APP_X=1"
        assert variables(profile, warnings=[])["APP_X"] == "1"
        assert wait_until(lambda: (root / "out").exists() and (root / "out").read_text() == "copied\n")

    def test_what_it_prints_at_exit_is_none_of_its_variables(self, variables):
        warnings = []
        found = variables("trap 'echo APP_Y=1' EXIT; export APP_X=1", warnings=warnings)
        assert (found["APP_X"], "APP_Y" in found) == ("1", False)
        assert warnings[0].endswith("printed: APP_Y=1")

    @pytest.mark.parametrize("name", ["env", "command", "builtin", "exec", "exit", "echo", "cd", "test", "["])
    def test_it_may_define_functions_called_like_commands(self, variables, name):
        assert variables(f"{name}() {{ :; }}; export APP_X=1")["APP_X"] == "1"

    def test_it_may_take_path_away(self, variables):
        assert variables("unset PATH; export APP_X=1 APP_DAY=$(date -u +%F)")["APP_DAY"] == "2024-02-29"

    def test_it_cannot_replace_the_shell(self, variables):
        with pytest.raises(AppError, match=r"does not come to its end \(exit 0\).*`exec`"):
            variables("export APP_X=1; exec true")

    def test_it_needs_bash(self, root, variables, monkeypatch):
        monkeypatch.setenv("PATH", str(root))
        with pytest.raises(AppError, match="app_profile is for bash, which is not in PATH: install it"):
            variables("export APP_X=1")

    def test_it_has_no_arguments(self, variables):
        assert variables('export APP_X="$#"')["APP_X"] == "0"

    def test_its_working_directory_is_the_root(self, root, variables):
        write(root / "config" / "common", "export APP_X=common")
        assert variables("source config/common")["APP_X"] == "common"

    def test_it_knows_its_own_path(self, root, variables):
        assert variables('export APP_X="${BASH_SOURCE[0]}"')["APP_X"] == str(root / "config" / "app_profile")

    def test_it_may_set_strict_modes_that_it_keeps(self, variables):
        assert variables("set -euo pipefail; export APP_X=1")["APP_X"] == "1"
