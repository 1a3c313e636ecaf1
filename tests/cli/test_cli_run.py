"""`run`: a list here and now, and again with -r from where it failed."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from command import PROGRAM, on_terminal, run

from tests.scheduler.apps import TIMEOUT

pytestmark = pytest.mark.slow

LIST = """\
#AIRFLOW [pyrunner.cvar]
#AIRFLOW standing = "from the list"
#AIRFLOW region = "none"
1|-1|1|0|Start|workers|Start||
2|1|2|0|Flaky|workers|Flaky||
3|1|1|0|Needs a file|workers|NeedsFile||
4|2,3|1|0|End|workers|End|$ENV{MODE}|
5|2|1|0|Not wanted|workers|Start||
"""

WORKERS = """\
import datetime, json, os, pathlib, signal, time

from pyrunner import Worker


class Start(Worker):
    def run(self):
        self.context["path"] = pathlib.PurePosixPath("/data")
        self.context["day"] = datetime.datetime(2026, 1, 31)
        self.context["a?b"] = "an odd key"
        self.context["gone"] = self.context["standing"]
        print("printed by row 1")


class Flaky(Worker):
    def run(self):
        self.context.pop("standing", None)
        self.context["flaky"] = self.context.get("flaky", 0) + 1
        if self.context["flaky"] == 1:
            print("printed \033[31mbefore it failed")
            raise ValueError("only the first time")

    def on_success(self):
        del self.context["gone"]


class NeedsFile(Worker):
    def run(self):
        self.context["tried"] = self.context.get("tried", 0) + 1
        return 0 if os.path.exists("there") else 7


class End(Worker):
    def run(self):
        with open("end.json", "w") as file:
            json.dump({key: repr(value) for key, value in self.context.items()}, file)
        if self.argv[0] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.argv[0] == "leave":
            left = os.fork()
            if left == 0:
                signal.pause()
            pathlib.Path("left").write_text(str(left))
        if self.argv[0] in ("wait", "linger"):
            time.sleep(3600)

    def on_exit(self):
        pathlib.Path("exited").touch()
        if self.argv[0] == "linger":
            time.sleep(300)
"""
# Who waits for a hook waits as long as it takes.
PATIENT = """\
import sys
import pyrunner_airflow.cli.run
from pyrunner_airflow.cli.main import main

sys.modules["pyrunner_airflow.cli.run"]._SECONDS_TO_END = 300
main()
"""


@pytest.fixture(scope="module", autouse=True)
def state_folder(tmp_path_factory):
    """Where all of these keep what they need, so that only the first makes a database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.delenv("AIRFLOW_HOME", raising=False)
        yield


def make_job(folder):
    (folder / "config").mkdir(parents=True)
    (folder / "workers").mkdir()
    (folder / "config/job.lst").write_text(LIST)
    (folder / "workers/workers.py").write_text(WORKERS)
    return folder / "config/job.lst"


@pytest.fixture
def job(tmp_path):
    return make_job(tmp_path / "app")


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A run that fails, one that goes on, and one that finds nothing to go on with."""
    job = make_job(tmp_path_factory.mktemp("story") / "app")
    failed = run("run", "--env", "MODE=end", "--cvar", "region=north", "--cvar", "x=1", "-N", "5", job)
    assert "No row is left to run (-x, -N, done already: 1 to 2). " in run("run", "-r", "-x", "1", job).err
    (job.parents[1] / "there").touch()
    went_on = run("run", "-r", "--env", "MODE=end", "--cvar", "x=2", job)
    end = json.loads((job.parents[1] / "end.json").read_text())
    return job, failed, went_on, end, run("run", "-r", job)


def test_each_row_is_shown_with_how_it_ended(story):
    _, failed, *_ = story
    lines = {
        line.split()[0]: " ".join(line.split()[1:]) for line in failed.out.splitlines() if line[:1].isdigit()
    }
    assert failed.code == 1
    assert lines["1"].startswith("Start done ")
    assert lines["2"].startswith("Flaky done ")
    assert lines["2"].endswith("s attempt 2 of 2")
    assert lines["3"].startswith("Needs a file failed ")
    assert lines["4"] == "End not run"
    assert "\nfailed: 2 done, 1 skipped, 1 failed\n" in failed.out


def test_of_a_failed_attempt_the_log_is_shown_from_the_workers_own_code_on(story):
    job, failed, *_ = story
    attempt = failed.out[failed.out.index("attempt 1 of 2, the next follows in 0 s") :]
    assert attempt.splitlines()[1] == "    printed \N{SYMBOL FOR ESCAPE}[31mbefore it failed"
    assert '    Traceback (most recent call last):\n      File "' in attempt
    assert f"{job.parents[1]}/workers/workers.py" in attempt
    assert "    ValueError: only the first time\n" in attempt
    assert "site-packages" not in failed.out
    assert "printed by row 1" not in failed.out


def test_a_return_code_is_told_in_a_line(story):
    _, failed, *_ = story
    assert (
        'failed: return code 7; row 3 "Needs a file", attempt 1 of 1; mend the cause and go on' in failed.out
    )


def test_without_a_terminal_there_are_no_colours_and_nothing_moves(story):
    _, failed, went_on, *_ = story
    assert "\x1b" not in failed.out + went_on.out


def test_all_that_was_logged_is_in_a_file_that_is_named(story):
    _, _, went_on, *_ = story
    log = next(line for line in went_on.out.splitlines() if line.startswith("log: "))
    assert "Done." in Path(log.removeprefix("log: ")).read_text()


def test_a_failed_run_names_the_command_that_goes_on(story):
    job, failed, *_ = story
    assert failed.out.endswith(f"to go on here: pyrunner-airflow run -r {job}\n")


def test_restart_runs_what_did_not_succeed(story):
    _, _, went_on, *_ = story
    words = [" ".join(line.split()) for line in went_on.out.splitlines()]
    assert went_on.code == 0
    assert "1 Start done earlier" in words
    assert "2 Flaky done earlier" in words
    assert "5 Not wanted skipped" in words  # as the first time
    assert "succeeded: 2 done, 2 done earlier, 1 skipped" in words


def test_restart_keeps_the_context(story):
    _, _, _, end, _ = story
    assert end == {
        "path": "PurePosixPath('/data')",
        "day": "datetime.datetime(2026, 1, 31, 0, 0)",
        "a?b": "'an odd key'",
        "flaky": "2",
        "tried": "2",  # also what a row wrote that failed
        "region": "'north'",  # what the run started with
        "x": "'2'",  # and what is given anew
    }


def test_restart_has_nothing_to_go_on_with_after_a_success(story):
    job, *_, again = story
    assert again.code == 2
    assert again.err == (
        f"Error: there is nothing to go on with: the last run of {job} succeeded, or there was none\n"
    )


def test_a_worker_that_takes_its_process_down_is_a_failed_row(job):
    (job.parents[1] / "there").touch()
    done = run("run", "--env", "MODE=die", "-x", "1,4", job)
    assert done.code == 1
    assert "4  End           failed" in done.out
    assert "failed: its process ended (signal 9, Killed); row 4 " in done.out
    assert "failed: 1 done, " in done.out


def test_secrets_are_hidden_as_in_a_tasks_log(job):
    """Where a worker, or a command of its own, prints, logs or raises them."""
    job.write_text("1|-1|1|0|Tell|workers|Tell||\n")
    (job.parents[1] / "workers/workers.py").write_text(
        "import os, sys\n"
        "from pyrunner import Worker\n\n\n"
        "class Tell(Worker):\n"
        "    def run(self):\n"
        "        secret = os.environ['DB_PASSWORD']\n"
        "        print('printed', secret)\n"
        "        print('to stderr', secret, file=sys.stderr)\n"
        "        self.logger.info('logged ' + secret)\n"
        "        os.system('echo by a command $DB_PASSWORD; printf \"at the end $DB_PASSWORD\" >&2')\n"
        "        raise ValueError('raised ' + secret)\n"
    )
    done = run("run", "--env", "DB_PASSWORD=hunter2-and-more", job)
    for shown in (done.out, log_of(done).read_text()):
        assert "hunter2" not in shown
        for told in ("printed ***", "to stderr ***", "logged ***", "command ***", "end ***", "raised ***"):
            assert told in shown


def test_what_keeps_the_list_from_running_hides_them_too(job):
    url = "postgresql+psycopg2://nowhere.invalid/x"
    done = run("run", job, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=url, DB_PASSWORD="nowhere.invalid")
    assert done.code == 2
    assert "***" in done.err
    assert "nowhere" not in done.err + Path(done.err.partition("The whole log: ")[2].strip()).read_text()


def test_a_missing_class_is_told_before_the_first_row(job):
    job.write_text(LIST.replace("|End|workers|End|", "|End|workers|Ende|"))
    done = run("run", "-x", "1", job)
    assert (done.code, done.out) == (2, "")
    assert f"{job}:7:23: error[class-not-found]: there is no class Ende in " in done.err
    assert "hint: Did you mean End? " in done.err


def test_of_a_worker_that_only_env_leads_to_the_check_knows(job):
    (job.parents[1] / "workers").rename(job.parents[1] / "elsewhere")
    assert "error[module-not-found]" in run("run", "--dryrun", job).err
    assert run("run", "--dryrun", "--env", "APP_WORKER_DIR=elsewhere", job).code == 0


def test_warnings_are_told_and_the_run_goes_on(job):
    job.write_text("1|-1|1|0|Start|workers|Start||\n2|-1|1|0|Start|workers|Start||\n")
    done = run("run", "--dryrun", job)
    assert "warning[duplicate-name]" in done.err
    assert (done.code, done.out) == (0, "1  Start: would run\n2  Start: would run\n")


@pytest.mark.parametrize("name", ["lock", "last.json", "last.draft", "run.log", "airflow.db"])
def test_nothing_is_written_through_a_link_that_somebody_left(job, tmp_path, name):
    """Nor read, in the folder where it keeps what it needs."""
    state = tmp_path / "state"
    assert run("run", "--dryrun", job, XDG_STATE_HOME=state).code == 0
    (folder,) = state.glob("pyrunner-airflow/job-*")
    victim = tmp_path / "victim"
    victim.write_text("{}")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(victim)
    for database in Path(os.environ["XDG_STATE_HOME"]).glob("pyrunner-airflow/*.db"):
        (state / "pyrunner-airflow" / database.name).write_bytes(database.read_bytes())
    done = run("run", *(["-r"] if name == "last.json" else []), "-x", "1", job, XDG_STATE_HOME=state)
    assert done.code == 2
    assert f"{folder / name} is a link, which this program has not made" in done.err
    assert victim.read_text() == "{}"


def test_a_folder_that_is_somebody_elses_is_not_used(job, tmp_path):
    state = tmp_path / "state"
    (tmp_path / "theirs").mkdir(mode=0o777)
    for folder in (state / "linked", state / "open"):
        folder.mkdir(parents=True)
    (state / "linked/pyrunner-airflow").symlink_to(tmp_path / "theirs")
    (state / "open/pyrunner-airflow").mkdir()
    (state / "open/pyrunner-airflow").chmod(0o777)
    for folder in (state / "linked", state / "open"):
        done = run("run", "--dryrun", job, XDG_STATE_HOME=folder)
        assert done.code == 2
        assert f"Error: {folder}/pyrunner-airflow is not a folder of this user's alone" in done.err
    assert list((tmp_path / "theirs").iterdir()) == []


def test_what_a_worker_leaves_running_ends_with_its_row(job):
    done = run("run", "--env", "MODE=leave", "-x", "1,4", job)
    assert not psutil.pid_exists(int((job.parents[1] / "left").read_text()))
    assert "\nsucceeded: 2 done, 3 skipped\n" in done.out


def test_interrupted_the_workers_hooks_still_run(job):
    """And while it runs, no second one starts; nor does another attempt follow."""
    job.write_text(LIST.replace("4|2,3|1|", "4|2,3|2|"))
    process = subprocess.Popen(
        [*PROGRAM, "run", "--env", "MODE=wait", "-x", "4", job], stdout=subprocess.PIPE, text=True
    )
    wait_for(job.parents[1] / "end.json")
    second = run("run", job)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=TIMEOUT)
    assert second.code == 2
    assert second.err == f"Error: {job} is running already: wait for its end\n"
    assert process.returncode == 1
    assert (job.parents[1] / "exited").exists()
    assert "WorkerTerminated" in out
    assert "attempt 1 of 2; go on by `pyrunner-airflow run -r`; " in out
    assert "the next" not in out
    assert re.search(r"^failed: [34] skipped, 1 failed$", out, re.MULTILINE)  # 5 may come before 4
    assert "to go on here: " in out


def test_interrupted_twice_it_does_not_wait_for_a_hook(job):
    process = subprocess.Popen(
        [sys.executable, "-c", PATIENT, "run", "--env", "MODE=linger", "-x", "4", job],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(job.parents[1] / "end.json")
    process.send_signal(signal.SIGINT)
    wait_for(job.parents[1] / "exited")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "4  End           failed    interrupted\n" in out
    assert "to go on here: " in out
    assert "Traceback" not in err
    assert run("run", "--dryrun", job).code == 0  # no process of the first run is left


def test_killed_it_keeps_what_the_row_that_ran_comes_to_and_starts_no_other(job):
    job.write_text("1|-1|1|0|Wait|workers|Wait||\n2|1|1|0|Start|workers|Start||\n")
    (job.parents[1] / "workers/workers.py").write_text(
        WORKERS + "\n\nclass Wait(Worker):\n"
        "    def run(self):\n"
        "        pathlib.Path('begun').touch()\n"
        "        while not os.path.exists('there'):\n"
        "            time.sleep(0.1)\n"
        "        self.context['standing'] = 'by row 1'\n"
    )
    process = subprocess.Popen([*PROGRAM, "run", job], stdout=subprocess.DEVNULL)
    wait_for(job.parents[1] / "begun")
    process.kill()
    process.wait()
    (job.parents[1] / "there").touch()
    give_up = time.monotonic() + TIMEOUT
    while (went_on := run("run", "-r", job)).code == 2:
        assert "is running already" in went_on.err
        assert time.monotonic() < give_up
    assert re.match(r"1  Wait +done earlier\n2  Start +done +\d", went_on.out)
    assert "\nsucceeded: 1 done, 1 done earlier\n" in went_on.out


def log_of(done):
    return Path(re.search("^log: (.*)$", done.out, re.MULTILINE)[1])


def wait_for(path):
    give_up = time.monotonic() + TIMEOUT
    while not path.exists():
        assert time.monotonic() < give_up
        time.sleep(0.1)


def test_on_a_terminal_one_sees_which_row_runs(job):
    code, shown = on_terminal("run", "-x", "1", job, columns=40)
    assert code == 0
    assert "starting Airflow" in shown
    assert "1 Start" in shown
    assert "\x1b[32mdone" in shown


def test_dryrun_tells_which_rows_would_be_run_and_runs_none(job):
    done = run("run", "--dryrun", "--from", "2", "-N", "5", job)
    assert done == (
        0,
        "1  Start: skipped\n2  Flaky: would run\n3  Needs a file: skipped\n4  End: would run\n"
        "5  Not wanted: skipped\n",
        "",
    )


def test_a_configured_airflow_is_the_one_it_runs_in(job, tmp_path):
    """Its own bundles stay as they are."""
    home = tmp_path / "home"
    airflow = [sys.executable, "-m", "airflow"]
    env = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    subprocess.run([*airflow, "db", "migrate"], env=env, check=True, capture_output=True)
    done = subprocess.run(
        [*airflow, "pyrunner", "run", "-x", "1", job], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with sqlite3.connect(home / "airflow.db") as database:
        runs = database.execute("SELECT dag_id, state FROM dag_run").fetchall()
        bundles = database.execute("SELECT name, active FROM dag_bundle").fetchall()
    assert runs == [("job", "success")]
    assert ("dags-folder", 1) in bundles


def test_a_row_whose_template_fails_is_shown_with_its_log_and_run_again(job):
    """Airflow does not even start such a row."""
    job.write_text("1|-1|2|0|Start|workers|Start|{{ nope.x }}|\n2|1|1|0|Next|workers|Start||\n")
    failed = run("run", job)
    assert failed.code == 1
    assert "1  Start  failed    attempt 1 of 2, the next follows in 0 s\n" in failed.out
    assert "1  Start  failed    attempt 2 of 2\n    " in failed.out
    assert "field 'op_args'. Template: ['{{ nope.x }}']\n" in failed.out
    report = "failed: UndefinedError: 'nope' is undefined; row 1 \"Start\", attempt"
    assert f"{report} 1 of 2; the next attempt follows in 0 s; " in failed.out
    assert f"{report} 2 of 2; mend the cause and go on by `pyrunner-airflow run -r`; " in failed.out
    assert "    jinja2.exceptions.UndefinedError: 'nope' is undefined\n2  Next   not run\n" in failed.out
    job.write_text(job.read_text().replace("{{ nope.x }}", "{{ run_id }}"))
    nothing = run("run", "-r", "-x", "1", "-N", "1", job)
    assert (nothing.code, "No row is left to run (-x, -N). " in nothing.err) == (2, True)
    went_on = run("run", "-r", "--env", "MODE=end", "--cvar", "standing=x", job)
    assert "\nsucceeded: 2 done\n" in went_on.out


def test_a_profile_that_exits_is_told_with_the_row_and_no_attempt_follows(job):
    job.write_text("1|-1|2|0|Start|workers|Start||\n")
    (job.parent / "app_profile").write_text("echo why\nexit 3\n")
    failed = run("run", job)
    assert failed.code == 1
    assert f"failed: AppError: {job.parent}/app_profile " in failed.out
    assert "does not come to its end (exit 3): why. " in failed.out
    assert "attempt 2" not in failed.out


def test_an_airflow_that_cannot_run_is_told_in_a_line(job):
    done = run("run", job, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql+psycopg2://nowhere.invalid/x")
    assert done.code == 2
    assert done.err.startswith("Error: OperationalError: ")
    assert "The whole log: " in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-x", "1,7"], "No row has the ID 7. IDs in this list: 1 to 5."),
        (["--to", "9"], "No row has the ID 9. IDs in this list: 1 to 5."),
        (
            ["-x", "one"],
            "Invalid value for '-x' / '--exec-only': 'one' is not a list of row IDs, such as 2,3",
        ),
        (["--exec-proc-name", "flaky"], "No row has the PROCESS_NAME 'flaky'. Did you mean Flaky?"),
        (["--cvar", "day"], "Invalid value for '--cvar': 'day' is not of the form NAME=VALUE"),
        (["-r"], "there is nothing to go on with"),
        (["-x", "2", "-A", "1"], "No row is left to run (-x, -A). IDs in this list: 1 to 5."),
        (["-N", "1,2,3,4,5", "--dryrun"], "No row is left to run (-N)."),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(job, options, message):
    done = run("run", *options, job)
    assert done.code == 2
    assert message in done.err


def test_a_folder_stands_for_the_one_list_in_it(job):
    here = job.parents[1]
    assert run("run", "--dryrun", here) == run("run", "--dryrun", job)
    (here / "config/other.lst").write_text(LIST)
    several = run("run", "--dryrun", here)
    assert several.code == 2
    assert f"2 task lists are in {here}. Name one of them, such as {job}" in " ".join(several.err.split())
    assert f"there is no task list in the folder {here}/workers" in run("run", here / "workers").err


def test_a_list_with_errors_is_not_run(job):
    job.write_text("1|-1|1|0|Start|workers|Start\n1|-1|1|0|Start|workers|Start\n")
    done = run("run", job)
    assert done.code == 2
    assert "error[duplicate-id]" in done.err


@pytest.mark.parametrize("name", [os.fsdecode(b"\xff 1%?#"), "n" * 251], ids=["not UTF-8", "255 bytes"])
def test_a_list_may_have_any_name(job, name):
    path = job.rename(job.with_name(f"{name}.lst"))
    assert run("run", "-x", "1", path).code == 0
    assert run("run", "--env", "MODE=die", path).code == 1


@pytest.mark.parametrize("text", ["", '{"states": {"1', "[]", '{"states": {}, "more": 1}'])
def test_a_record_that_is_damaged_is_told(job, text):
    record = log_of(run("run", "-x", "3", job)).with_name("last.json")
    record.write_text(text)
    done = run("run", "-r", job)
    assert (done.code, f"{record} is damaged. Run the whole list, or the rest of it" in done.err) == (2, True)


def test_nobody_else_may_read_what_is_kept(story, state_folder):
    folders = Path(os.environ["XDG_STATE_HOME"], "pyrunner-airflow").glob("job-*")
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}
