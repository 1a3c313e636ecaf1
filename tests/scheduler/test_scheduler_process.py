"""What a worker does to the process of its task."""

from __future__ import annotations

import os

import pytest

from tests.scheduler.apps import Job, Jobs, Run

pytestmark = pytest.mark.slow

ROWS = """
#AIRFLOW [tasks.5]
#AIRFLOW execution_timeout = 3
1|-1|2|0|Crash Once|workers|CrashOnce||
2|-1|2|0|Exit Once|workers|ExitOnce||
3|-1|1|0|Spawn|workers|Pool|spawn|
4|-1|1|0|Fork Server|workers|Pool|forkserver|
5|-1|1|0|Log To Nobody|workers|Never||$ENV{APP_ROOT_DIR}/fifo
"""
WORKERS = """
import ctypes
import multiprocessing
import os

def square(number):
    return number * number

class Once(Worker):
    def run(self):
        if self.airflow["ti"].try_number == 1:
            self.end()
        note("second attempt of", type(self).__name__)

class CrashOnce(Once):
    def end(self):
        ctypes.string_at(0)

class ExitOnce(Once):
    def end(self):
        os._exit(0)

class Pool(Worker):
    def run(self):
        with multiprocessing.get_context(self.argv[0]).Pool(2) as pool:
            note(self.argv[0], pool.map(square, [1, 2]))

class Never(Worker):
    def run(self):
        note("it ran")
"""


JOB = Job("processes", ROWS, WORKERS, runs=False)


@pytest.fixture(scope="module")
def run(jobs: Jobs) -> Run:
    app = jobs.app(JOB)
    os.mkfifo(app.path / "fifo")
    return app.trigger().finish()


@pytest.mark.parametrize(("task_id", "worker"), [("1_crash_once", "CrashOnce"), ("2_exit_once", "ExitOnce")])
def test_an_attempt_that_takes_its_process_with_it_fails_and_the_next_one_runs(run, app, task_id, worker):
    assert [attempt["state"] for attempt in run.tries(task_id)] == ["failed", "success"]
    assert ["second attempt of", worker] in app.notes()


def test_a_crash_is_told_in_the_log(run):
    assert "SIGSEGV" in run.log("1_crash_once")


@pytest.mark.parametrize(("task_id", "method"), [("3_spawn", "spawn"), ("4_fork_server", "forkserver")])
def test_a_function_of_the_workers_module_is_mapped_over_processes(run, app, task_id, method):
    assert run.states()[task_id] == "success"
    assert [method, [1, 4]] in app.notes()


def test_a_log_file_that_nobody_reads_does_not_outlive_the_timeout(run, app):
    assert run.states()["5_log_to_nobody"] == "failed"
    assert "Process timed out" in run.log("5_log_to_nobody")
    assert ["it ran"] not in app.notes()
