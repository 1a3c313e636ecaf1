"""Rows that run in an interpreter of their own, under a real scheduler."""

from __future__ import annotations

import json
import os
import signal

import psutil
import pytest

from scripts.interpreters import INTERPRETERS, OLDEST
from scripts.local_airflow import LocalAirflow
from tests.scheduler.apps import TIMEOUT, Job

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not OLDEST, reason="no other Python on this machine")]

FRONT_MATTER = f"""
#AIRFLOW [pyrunner]
#AIRFLOW python = '{OLDEST}'
#AIRFLOW cvar = {{ start = 5 }}
#AIRFLOW [tasks.3.pyrunner]
#AIRFLOW python = '/nowhere/python'
#AIRFLOW [tasks.6]
#AIRFLOW execution_timeout = 4
"""
ROWS = """
1|-1|1|0|Write|workers|Write||
2|1|1|0|Read|workers|Read||
3|-1|3|0|Nowhere|workers|Read||
4|-1|2|0|Again|workers|Again||
5|-1|1|0|Raise|workers|Raise||
6|-1|1|0|Wait|workers|Wait||
7|-1|1|0|Skip|workers|Skip||
8|-1|1|0|Hopeless|workers|Hopeless||
"""
WORKERS = """
import datetime, decimal, os, pathlib, subprocess, sys, time

class AirflowSkipException(Exception): pass

class Write(Worker):
    def run(self):
        print("printed there")
        self.logger.warn("warned there")
        self.context["version"] = list(sys.version_info[:2])
        self.context["day"] = datetime.datetime(2026, 1, 2)
        self.context["price"] = decimal.Decimal("1.5")
        self.context["path"] = pathlib.PurePosixPath("/a")
        self.context["secrets"] = [name for name in os.environ if name.startswith("AIRFLOW__")]

class Read(Worker):
    def run(self):
        note("read", repr([self.context[key] for key in ("start", "day", "price", "path")]))

class Again(Worker):
    def run(self):
        self.context["count"] = self.context.get("count", 0) + 1
        return 1 if self.context["count"] < 2 else 0

class Raise(Worker):
    def run(self): raise ValueError("bad row")

class Wait(Worker):
    def run(self):
        child = subprocess.Popen(["sleep", "3600"])
        note("waiting", os.getpid(), child.pid)
        while True: time.sleep(0.1)
    def on_fail(self):
        self.context["stopped"] = True
        note("on_fail")

class Skip(Worker):
    def run(self): raise AirflowSkipException("nothing to do")

class Hopeless(Worker):
    def run(self): os._exit(0)
"""
DAG = """
from airflow.providers.standard.operators.python import PythonOperator

from pyrunner_airflow import PyRunnerDag


def report(day, price):
    return f"{type(day).__name__} {day:%F}, {type(price).__name__} {price}"


with PyRunnerDag("own_python/config/own_python.lst", dag_id="own_python_by_hand") as dag:
    ids = dag.get_task("1_write")
    pulled = [ids.output["day"], ids.output["price"]]
    ids >> PythonOperator(task_id="report", python_callable=report, op_args=pulled)
"""


JOB = Job("own_python", FRONT_MATTER + ROWS, WORKERS, dag=DAG)


def test_each_row_ends_as_it_would_in_process(run):
    states = run.states()
    report = states.pop("report")
    assert report == "success"
    assert states == {
        "1_write": "success",
        "2_read": "success",
        "3_nowhere": "failed",
        "4_again": "success",
        "5_raise": "failed",
        "6_wait": "failed",
        "7_skip": "skipped",
        "8_hopeless": "failed",
    }


def test_the_worker_ran_there(run):
    version = [name for name, path in INTERPRETERS.items() if path == OLDEST]
    assert [".".join(map(str, run.xcoms("1_write")["version"]))] == version


def test_what_it_prints_and_logs_is_in_the_tasks_log(run):
    log = run.log("1_write")
    assert "printed there" in log
    assert "warned there" in log


def test_airflows_settings_are_not_handed_on(run):
    assert run.xcoms("1_write")["secrets"] == []


def test_the_next_row_reads_what_it_wrote(run, app):
    expected = "[5, datetime.datetime(2026, 1, 2, 0, 0), Decimal('1.5'), PurePosixPath('/a')]"
    assert ["read", expected] in app.notes()


def test_a_native_task_pulls_what_airflow_knows(run):
    assert run.xcoms("report")["return_value"] == "datetime 2026-01-02, Decimal 1.5"


def test_an_interpreter_that_is_not_there_is_not_tried_again(run):
    assert run.attempts()["3_nowhere"] == 1
    assert "[pyrunner] python: /nowhere/python is not on" in run.log("3_nowhere")


def test_a_failed_attempts_writes_are_seen_by_the_next(run):
    assert (run.attempts()["4_again"], run.xcoms("4_again")["count"]) == (2, 2)


def test_the_workers_traceback_is_in_the_log(run):
    assert "failed: ValueError: bad row" in run.log("5_raise")
    details = json.dumps(run.log_lines("5_raise"))
    assert "workers/workers.py" in details
    assert "in run" in details


def test_a_timeout_runs_the_hooks_there_and_leaves_what_they_wrote(run, app):
    assert ["on_fail"] in app.notes()
    assert run.xcoms("6_wait")["stopped"] is True
    assert "failed: AirflowTaskTimeout" in run.log("6_wait")


def test_a_process_that_ends_itself_is_a_failure(run):
    assert "its process ended (exit status 0)" in run.log("8_hopeless")


class TestKilled:
    ROWS = f"#AIRFLOW pyrunner.python = '{OLDEST}'\n1|-1|1|0|Wait|workers|Wait||\n"
    JOB = Job("own_python_killed", ROWS, WORKERS, runs=False)

    def test_a_row_that_is_marked_failed_runs_its_hooks(self, app, airflow: LocalAirflow):
        run = app.trigger()
        app.wait_for_note("waiting")
        airflow.set_task_state(run.dag_id, run.run_id, "1_wait", "failed")
        run.finish()
        app.wait_for_note("on_fail")

    def test_nothing_outlives_a_task_that_is_killed(self, app, airflow: LocalAirflow):
        before = len(app.notes())
        run = app.trigger()
        airflow.wait(lambda: len(app.notes()) > before, "the worker to wait", TIMEOUT)
        _, worker, child = app.notes()[before]
        os.kill(psutil.Process(worker).ppid(), signal.SIGKILL)
        assert run.finish().states() == {"1_wait": "failed"}
        airflow.wait(lambda: not any(map(psutil.pid_exists, (worker, child))), "them to end", TIMEOUT)
