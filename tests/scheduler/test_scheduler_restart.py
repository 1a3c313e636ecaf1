"""`airflow pyrunner restart`: PyRunner's -r for each kind of run, by what runs again and how the run ends."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.cli.command import Done, run
from tests.scheduler.apps import App, Apps, Run

pytestmark = pytest.mark.slow

LIST = """
#AIRFLOW max_active_runs = 16
1|-1|1|0|Start|workers|Note
2|1|1|0|Load|workers|Load
3|1|1|0|Also|workers|Note
4|2,3|1|0|Close|workers|Note
5|4|1|0|Report|workers|Note
"""
WORKERS = """
import time

class Note(Worker):
    def run(self):
        note(self.airflow["run_id"], self.airflow["task"].row.id, self.context.get("tried"))

class Load(Worker):
    def run(self):
        self.context["tried"] = self.context.get("tried", 0) + 1
        mode = self.context.get("mode") if self.airflow["ti"].try_number == 1 else "work"
        note(self.airflow["run_id"], 2, mode)
        while mode == "hang":
            time.sleep(0.1)
        if mode == "fail":
            raise ValueError("no data")
"""
TASKS = {1: "1_start", 2: "2_load", 3: "3_also", 4: "4_close", 5: "5_report"}


@pytest.fixture(scope="module")
def job(apps: Apps) -> App:
    return apps.add("restarted", LIST, WORKERS)


@pytest.fixture(scope="module")
def patient(apps: Apps) -> App:
    """The same, but row 2 is tried again after ten minutes."""
    return apps.add("restarted_patient", LIST.replace("2|1|1|0|", "2|1|2|600|"), WORKERS)


@pytest.fixture(scope="module")
def single(apps: Apps) -> App:
    """The same, one run at a time."""
    return apps.add("restarted_single", LIST.replace("16", "1"), WORKERS)


def start(app: App, mode: str, **conf: object) -> Run:
    return app.trigger(conf={"cvar": {"mode": mode}, **conf})


def failed(app: App, **conf: object) -> Run:
    return start(app, "fail", **conf).finish()


def hanging(app: App, **conf: object) -> Run:
    """A run whose row 2 is at work, and all beside it is done."""
    run = start(app, "hang", **conf)
    app.wait_for_note(run.run_id, 2)
    run.wait_for_task(TASKS[3], "skipped" if conf else "success")
    return run


def abort(run: Run) -> Run:
    run.airflow.api("PATCH", "dags", run.dag_id, "dagRuns", run.run_id, json={"state": "failed"})
    run.airflow.wait(
        lambda: all(state not in (None, "running", "scheduled", "queued") for state in run.states().values()),
        f"the end of the rows of {run.run_id}",
    )
    return run


def aborted(app: App, **conf: object) -> Run:
    return abort(hanging(app, **conf))


def aborted_while_waiting(app: App) -> Run:
    run = start(app, "fail")
    run.wait_for_task(TASKS[2], "up_for_retry")
    run.wait_for_task(TASKS[3], "success")
    return abort(run)


def aborted_before_it_began(app: App) -> Run:
    app.airflow.wait_for_dag(app.name)
    app.airflow.pause(app.name)
    run = Run(app.airflow, app.name, app.airflow.trigger(app.name))
    abort(run)
    app.airflow.unpause(app.name)
    return run


def marked(app: App, state: str) -> Run:
    run = aborted(app)
    run.airflow.set_task_state(run.dag_id, run.run_id, TASKS[2], state)
    return run


def cleared_by_airflow(app: App) -> Run:
    """A run that Airflow has made a success, though rows are left that an abort skipped."""
    run = aborted(app)
    run.clear(TASKS[2], only_failed=True)
    assert run.finish().state == "success"
    return run


def restart(run_: Run, *options: str) -> Done:
    return run("restart", *options, run_.dag_id, run_.run_id, AIRFLOW_API_URL=run_.airflow.url)


def told(done: Done, what: str = "runs again") -> list[int]:
    """Return the rows of which the command says this."""
    return [int(row) for row in re.findall(rf"^(\d+) .* {what}$", done.out, re.MULTILINE)]


@pytest.mark.parametrize(
    ("prepare", "again"),
    [
        (failed, [2, 4, 5]),
        (aborted, [2, 4, 5]),
        (aborted_before_it_began, [1, 2, 3, 4, 5]),
        (lambda app: failed(app, norun=[3]), [2, 4, 5]),
        (lambda app: aborted(app, **{"from": 2}), [2, 4, 5]),
        (lambda app: marked(app, "success"), [4, 5]),
        (lambda app: marked(app, "skipped"), [2, 4, 5]),
        (cleared_by_airflow, [4, 5]),
    ],
    ids=[
        "failed",
        "aborted while a row ran",
        "aborted before it began",
        "failed, with norun",
        "aborted, with from",
        "marked success by hand",
        "skipped by hand",
        "a success with rows left",
    ],
)
def test_what_did_not_succeed_runs_again_and_the_run_succeeds(
    job: App, prepare: Callable[[App], Run], again: list[int]
):
    run = prepare(job)
    attempts = run.attempts()
    done = restart(run, "--wait")
    assert told(done) == again
    assert told(done, "kept") == [row for row in TASKS if row not in again]
    assert (done.code, run.state) == (0, "success")
    more = {row for row, task in TASKS.items() if run.attempts()[task] > attempts[task]}
    assert more == set(again)


def test_a_row_that_waited_for_its_next_attempt_when_the_run_was_aborted_runs_again(patient):
    run = aborted_while_waiting(patient)
    done = restart(run, "--wait")
    assert (done.code, told(done)) == (0, [2, 4, 5])


def test_a_row_that_failed_finds_what_it_had_written(job):
    run = failed(job)
    assert restart(run, "--wait").code == 0
    assert job.wait_for_note(run.run_id, 4) == [run.run_id, 4, 2]


def test_a_dry_run_changes_nothing(job):
    run = failed(job)
    done = restart(run, "--dry-run")
    assert (done.code, told(done, "would run again")) == (0, [2, 4, 5])
    assert run.state == "failed"


def test_only_runs_one_row_even_if_it_had_succeeded(job):
    run = failed(job)
    done = restart(run, "--only", "3", "--wait")
    assert told(done) == [3]
    assert (done.code, run.attempts()[TASKS[3]], run.attempts()[TASKS[2]]) == (1, 2, 1)


def test_from_runs_a_row_and_all_below_it(job):
    run = failed(job)
    done = restart(run, "--from", "2", "--wait")
    assert (done.code, told(done)) == (0, [2, 4, 5])


def test_without_a_run_it_is_the_latest_one_with_rows_left(job):
    older = failed(job)
    start(job, "work").finish()
    done = run("restart", "--dry-run", job.name, AIRFLOW_API_URL=job.airflow.url)
    assert done.out.startswith(f"run {older.run_id} of {job.name}\n")


def test_a_run_that_goes_on_is_left_alone(job):
    run = hanging(job)
    before = run.instances()
    done = restart(run)
    assert (done.code, done.out) == (2, "")
    assert f"run {run.run_id} of {job.name} is running: wait for its end, or mark it failed first" in done.err
    assert run.attempts() == {task: ti["try_number"] for task, ti in before.items()}
    abort(run)


def test_there_may_be_nothing_to_restart(job):
    run = start(job, "work").finish()
    done = restart(run)
    assert (done.code, done.out) == (2, "")
    assert f"there is nothing to restart: every row of run {run.run_id} is done" in done.err


def test_an_id_that_no_row_has_is_refused(job):
    done = restart(failed(job), "--only", "7")
    assert done.code == 2
    assert "No row has the ID 7. IDs in this list: 1 to 5." in done.err


def test_that_the_dag_is_paused_is_told(job):
    run = failed(job)
    job.airflow.pause(job.name)
    done = restart(run)
    assert (done.code, told(done)) == (0, [2, 4, 5])
    assert f"{job.name} is paused: nothing runs until `airflow dags unpause {job.name}`" in done.err
    job.airflow.unpause(job.name)
    assert run.finish().state == "success"


def test_where_max_active_runs_are_in_use_the_run_waits_for_its_turn(single):
    run = failed(single)
    other = hanging(single)
    assert restart(run).code == 0
    assert run.state == "queued"
    abort(other)
    assert run.finish().state == "success"


def test_a_run_that_is_not_there_is_told(job):
    job.airflow.wait_for_dag(job.name)
    done = run("restart", job.name, "nonsense", AIRFLOW_API_URL=job.airflow.url)
    assert done.code == 2
    assert "404" in done.err
    assert "nonsense" in done.err
