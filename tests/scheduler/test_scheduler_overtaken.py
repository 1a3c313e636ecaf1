"""Rows that are killed, cleared, or marked success in the midst of writing to the context."""

from __future__ import annotations

import pytest

from scripts.local_airflow import LocalAirflow
from tests.scheduler.apps import App, Job, Jobs, Run

pytestmark = pytest.mark.slow

ROWS = """
1|-1|2|0|Killed|workers|Killed||
2|-1|2|0|Cleared|workers|Cleared||
3|-1|2|0|Marked|workers|Beat||
4|3|1|0|Below Marked|workers|Below||
"""
WORKERS = """
import os
import signal
import time

class Beat(Worker):
    def run(self):
        self.me = self.airflow["ti"].task_id
        attempt = self.airflow["ti"].try_number
        note("start", self.me, attempt, self.context.get("beat"))
        end = time.monotonic() + 2.5
        while attempt == 1:
            now = time.time()
            self.context["beat"] = now
            if end and time.monotonic() > end:
                end = None
                note("beating", self.me, now)
                self.go_on()
            time.sleep(0.01)

    def go_on(self):
        pass

    def on_exit(self):
        note("on_exit", self.me, self.context.get("beat"))

class Killed(Beat):
    def go_on(self):
        os.kill(os.getpid(), signal.SIGKILL)

class Cleared(Beat):
    def on_exit(self):
        super().on_exit()
        if self.airflow["ti"].try_number == 1:
            end = time.monotonic() + 3
            while not self.is_begun_anew() and time.monotonic() < end:
                time.sleep(0.05)
            self.context["late"] = True

    def is_begun_anew(self):
        with open(os.path.join(os.environ["APP_ROOT_DIR"], "notes.jsonl")) as file:
            return '["start", "2_cleared", 2' in file.read()

class Below(Worker):
    def run(self):
        note("below")
"""
KILLED, CLEARED, MARKED = "1_killed", "2_cleared", "3_marked"


JOB = Job("overtaken", ROWS, WORKERS, runs=False)


@pytest.fixture(scope="module")
def run(jobs: Jobs, airflow: LocalAirflow) -> Run:
    app = jobs.app(JOB)
    run = app.trigger()
    for task_id in (CLEARED, MARKED):
        app.wait_for_note("beating", task_id)
    run.clear(CLEARED, only_failed=False)
    airflow.set_task_state(run.dag_id, run.run_id, MARKED, "success")
    app.wait_for_note("on_exit", MARKED)
    return run.finish()


def starts(app: App, task_id: str) -> list[float | None]:
    """Return what the attempts of a row found in the context."""
    return [seen[3] for seen in app.notes() if seen[:2] == ["start", task_id]]


def test_the_run_succeeds(run):
    assert set(run.states().values()) == {"success"}


def test_after_a_kill_the_next_attempt_sees_what_is_at_most_one_and_a_half_seconds_old(run, app):
    ((_, _, killed_at),) = (seen for seen in app.notes() if seen[:2] == ["beating", KILLED])
    first, second = starts(app, KILLED)
    assert first is None
    assert killed_at - 1.5 <= second <= killed_at


@pytest.mark.parametrize("task_id", [CLEARED, MARKED])
def test_the_hooks_of_a_row_that_airflow_no_longer_waits_for_run(run, app, task_id):
    assert any(seen[:2] == ["on_exit", task_id] for seen in app.notes())


def test_a_row_that_is_cleared_while_it_runs_starts_anew_from_what_was_kept(run, app):
    ((_, _, cleared_at),) = (seen for seen in app.notes() if seen[:2] == ["beating", CLEARED])
    assert len(run.tries(CLEARED)) == 2
    first, second = starts(app, CLEARED)
    assert first is None
    assert second >= cleared_at - 1.5


def test_what_it_writes_after_that_does_not_count(run):
    assert "late" not in run.xcoms(CLEARED)
    assert "Airflow has begun this row anew, or its run is gone" in run.log(CLEARED)


def test_the_row_below_a_row_marked_success_runs(run, app):
    assert ["below"] in app.notes()
