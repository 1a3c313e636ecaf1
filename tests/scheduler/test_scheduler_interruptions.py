"""Rows that are timed out, marked failed, or killed, in the midst of what they do."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from scripts.local_airflow import LocalAirflow
from tests.scheduler.apps import TIMEOUT, App, Job, Jobs, Run
from tests.setups import SETUP

KEYS = [f"key_{number}" for number in range(12)]
ANSWERS = {key: f"value of {key}" for key in KEYS}
BUSY = ["2_read_over_and_over", "3_read_over_and_over", "4_read_over_and_over"]

# The first attempt asks Airflow without a pause, so that whatever strikes it strikes amid a request.
WORKERS = f"""
import time

KEYS = {KEYS!r}

class Prepare(Worker):
    def run(self):
        for key in KEYS:
            self.context[key] = "value of " + key

class ReadOverAndOver(Worker):
    def ask(self, key):
        return self.airflow["ti"].xcom_pull(task_ids="1_prepare", key=key)

    def tell(self, hook):
        note(hook, self.me, {{key: self.context.get(key) for key in KEYS[:2]}})
        note(hook, self.me, {{key: self.ask(key) for key in KEYS[:2]}})

    def run(self):
        self.me = self.airflow["ti"].task_id
        if self.airflow["ti"].try_number > 1:
            note("next attempt", self.me, self.context["written"])
            return
        self.context["written"] = "before " + self.me + " was stopped"
        started = time.monotonic()
        told = False
        while True:
            for key in KEYS:
                if self.ask(key) != "value of " + key:
                    note("wrong answer", self.me)
            if not told and time.monotonic() - started > 2.5:
                told = True
                note("busy", self.me)

    def on_fail(self):
        self.tell("on_fail")

    def on_exit(self):
        self.tell("on_exit")
"""


def expect_right_answers(app: App, task_id: str, hook: str) -> None:
    assert ["wrong answer", task_id] not in app.notes()
    answers = [seen[2] for seen in app.notes() if seen[:2] == [hook, task_id]][:2]
    assert answers == [{key: ANSWERS[key] for key in KEYS[:2]}] * 2


class TestTimeout:
    ROWS = "1|-1|1|0|Prepare|workers|Prepare||\n" + "".join(
        f"{number}|1|2|0|Read Over And Over|workers|ReadOverAndOver||\n" for number in (2, 3, 4)
    )
    DAG = """
    from datetime import timedelta

    from pyrunner_airflow import PyRunnerDag

    limit = {"execution_timeout": timedelta(seconds=6)}
    dag = PyRunnerDag("timed/config/timed.lst", dag_id="timed_by_hand", default_args=limit)
    """
    JOB = Job("timed", ROWS, WORKERS, dag=DAG)

    @pytest.mark.parametrize("task_id", BUSY)
    def test_it_strikes_and_the_row_is_tried_again(self, run, task_id):
        first, second = run.tries(task_id)
        assert (first["state"], second["state"]) == ("failed", "success")
        assert first["duration"] >= 6
        log = run.log(task_id)
        assert f"the worker's hooks have {SETUP.seconds_after['timeout']} s to end" in log
        assert "failed: AirflowTaskTimeout" in log

    @pytest.mark.parametrize("hook", ["on_fail", "on_exit"])
    @pytest.mark.parametrize("task_id", BUSY)
    def test_the_hooks_run_and_get_the_right_answers(self, run, app, task_id, hook):
        expect_right_answers(app, task_id, hook)

    @pytest.mark.parametrize("task_id", BUSY)
    def test_the_next_attempt_sees_what_was_written(self, run, app, task_id):
        assert ["next attempt", task_id, f"before {task_id} was stopped"] in app.notes()


@pytest.mark.slow
class TestMarkedFailed:
    TASK = "2_read_over_and_over"

    ROWS = """
    1|-1|1|0|Prepare|workers|Prepare||
    2|1|1|0|Read Over And Over|workers|ReadOverAndOver||
    """
    JOB = Job("marked_failed", ROWS, WORKERS, runs=False)

    @pytest.fixture(scope="class")
    @staticmethod
    def run(jobs: Jobs, airflow: LocalAirflow) -> Run:
        app = jobs.app(TestMarkedFailed.JOB)
        run = app.trigger()
        app.wait_for_note("busy", TestMarkedFailed.TASK)
        airflow.set_task_state(run.dag_id, run.run_id, TestMarkedFailed.TASK, "failed")
        run.finish()
        airflow.wait(
            lambda: sum(seen[0] == "on_exit" for seen in app.notes()) == 2, "on_exit to be done", TIMEOUT
        )
        return run

    def test_the_row_fails(self, run):
        assert run.states() == {"1_prepare": "success", self.TASK: "failed"}
        hooks_have = f"the worker's hooks have {SETUP.seconds_after['SIGTERM']} s to end"
        assert hooks_have in run.log(self.TASK)

    @pytest.mark.parametrize("hook", ["on_fail", "on_exit"])
    def test_the_hooks_run_and_get_the_right_answers(self, run, app, hook):
        expect_right_answers(app, self.TASK, hook)

    def test_cleared_it_sees_what_was_written(self, run, app):
        run.clear()
        assert run.finish().state == "success"
        assert ["next attempt", self.TASK, f"before {self.TASK} was stopped"] in app.notes()


@pytest.mark.slow
class TestShellRows:
    ROWS = """
    1|-1|1|0|Cat|pyrunner|ShellWorker|cat|
    2|-1|1|0|Child Reads|workers|ChildReads||
    3|-1|1|0|Family|pyrunner|ShellWorker|sh "$APP_ROOT_DIR/family.sh"|
    """
    WORKERS = """
    import subprocess

    class ChildReads(Worker):
        def run(self):
            note("read", subprocess.run(["cat"], stdout=subprocess.PIPE).stdout.decode())
            self.context["still"] = "talking to Airflow"
    """
    FAMILY = """
    sleep 3600 &
    sh -c 'sleep 3600 & echo $! > "$APP_ROOT_DIR/grandchild"; wait' &
    echo $$ $! > "$APP_ROOT_DIR/children.draft"
    mv "$APP_ROOT_DIR/children.draft" "$APP_ROOT_DIR/children"
    wait
    """

    JOB = Job("shell_family", ROWS, WORKERS, {"family.sh": FAMILY}, runs=False)

    @pytest.fixture(scope="class")
    @staticmethod
    def family(jobs: Jobs, airflow: LocalAirflow) -> tuple[Run, list[int]]:
        """Kill the task of a shell row; return the run, and the row's child processes."""
        app = jobs.app(TestShellRows.JOB)
        run = app.trigger()
        airflow.wait(
            lambda: all((app.path / name).exists() for name in ("children", "grandchild")),
            "a family",
            TIMEOUT,
        )
        pids = [
            int(pid) for name in ("children", "grandchild") for pid in (app.path / name).read_text().split()
        ]
        task = next(parent for parent in psutil.Process(pids[0]).parents() if "sh" not in parent.cmdline()[0])
        os.kill(task.pid, signal.SIGKILL)
        return run.finish(), pids

    def test_a_command_that_reads_its_input_finds_it_empty_and_ends(self, family):
        run, _ = family
        assert run.states()["1_cat"] == "success"

    def test_so_does_a_child_of_a_worker(self, family, app):
        run, _ = family
        assert run.states()["2_child_reads"] == "success"
        assert app.notes() == [["read", ""]]
        assert run.xcoms("2_child_reads")["still"] == "talking to Airflow"

    def test_a_row_whose_task_is_killed_fails(self, family):
        run, _ = family
        assert run.states()["3_family"] == "failed"

    def test_no_child_or_grandchild_outlives_it(self, family, airflow):
        _, pids = family
        airflow.wait(lambda: not any(map(psutil.pid_exists, pids)), f"{pids} to end", TIMEOUT)
