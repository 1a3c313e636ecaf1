"""The one line that says what failed, what follows, and where: the cause first, the place last."""

import socket

import pytest

from pyrunner_airflow.dag.report import next_step, report
from pyrunner_airflow.worker.attempt import Job, Outcome

HOST = socket.gethostname()
JOB = Job(
    list_path="/apps/billing/config/billing.lst",
    **dict.fromkeys(("app_root", "cwd", "python", "timezone", "arguments_text"), None),
    env={},
    run_id="night",
    logical_date="2026-01-01",
    run_time=0.0,
    writable_folder="/tmp",
    line=3,
    id=4,
    name="Load Table",
    module="workers",
    worker="Load",
    arguments=[],
    logfile=None,
    mark="",
    attempt=1,
    max_attempts=3,
    retry_wait_time=60,
)
LAST = JOB._replace(attempt=3)
FAILED = Outcome(5, None, "return code 5")
MEND = "mend the cause and clear the failed tasks of this run"


def test_the_line():
    assert report(JOB, "return code 5", next_step(JOB, FAILED)) == (
        'failed: return code 5; row 4 "Load Table", attempt 1 of 3; the next attempt follows in 60 s; '
        f"workers.Load, LOGFILE none on {HOST}, /apps/billing/config/billing.lst:3"
    )


def test_references_that_were_not_resolved_stand_in_it_as_in_the_list():
    job = JOB._replace(module="$ENV{77M}", logfile="$ENV{77A}.log", mark="77")
    line = report(job, "AppError: M is not set", next_step(job, FAILED))
    assert f"; $ENV{{M}}.Load, LOGFILE $ENV{{A}}.log on {HOST}, " in line


def test_after_the_last_attempt_a_person_is_to_mend_it():
    assert next_step(LAST, FAILED) == (MEND, False)


def test_after_a_row_that_did_not_start_too():
    assert next_step(JOB, FAILED._replace(started=False)) == (MEND, False)


def test_without_airflows_clear_something_else_goes_on():
    assert next_step(LAST, FAILED, go_on="run it again").text == "mend the cause and run it again"


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("failed", "it was marked failed: to go on, clear it together with what stands below it"),
        ("success", "it was marked success, and what stands below it goes on"),
        ("restarting", "it was cleared, and runs again"),
        (None, "it was cleared, and runs again"),
    ],
)
def test_what_somebody_did_to_a_task_that_was_ended_counts_more(state, text):
    assert next_step(JOB, FAILED, state) == (text, False)


def test_a_task_that_its_host_ended_is_tried_again():
    assert next_step(JOB, FAILED, "running") == ("the next attempt follows in 60 s", True)
