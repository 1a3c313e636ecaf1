"""MAX_ATTEMPTS and RETRY_WAIT_TIME, rows that cannot start, rows that ask to be skipped."""

from __future__ import annotations

import socket
from datetime import datetime
from itertools import pairwise

import pytest

from tests.scheduler.apps import Job, Run

ROWS = """
#ID|PARENT_IDS|MAX_ATTEMPTS|RETRY_WAIT_TIME|PROCESS_NAME|MODULE_NAME|WORKER_NAME|ARGUMENTS|LOGFILE
1|-1|3|2|Never Works|workers|NeverWorks||$ENV{APP_LOG_DIR}/never.log
2|-1|3|2|Works Later|workers|WorksLater||
3|-1|3|0|No Such Class|workers|NoSuchClass||
4|-1|3|0|Skips|workers|Skips||
5|4|1|0|Below Skipped|workers|Done||
6|1|1|0|Below Failed|workers|Done||
"""
WORKERS = """
class NeverWorks(Worker):
    def run(self):
        raise ValueError("no orders today")

class WorksLater(Worker):
    def run(self):
        attempt = self.context.get("attempt", 0) + 1
        self.context["attempt"] = attempt
        note("attempt", attempt)
        return 0 if attempt == 2 else 7

class Skips(Worker):
    def run(self):
        from airflow.sdk.exceptions import AirflowSkipException
        raise AirflowSkipException("nothing to do on a Sunday")

    def on_fail(self):
        note("on_fail of a skipped row")

class Done(Worker):
    def run(self):
        note("done")
"""


JOB = Job("attempts", ROWS, WORKERS)


def failure_line(run: Run, task_id: str, try_number: int) -> str:
    """Return the one line that tells all about a failed attempt."""
    start = "/attempts.lst:"
    lines = [line for line in run.log(task_id, try_number).splitlines() if start in line and "row" in line]
    # Airflow logs the exception, too, whose message it is where the worker raised none of its own.
    assert len(set(lines)) == 1
    return lines[0]


def waits(run: Run, task_id: str) -> list[float]:
    """Return the seconds between the end of each try and the start of the next."""
    tries = run.tries(task_id)
    time = datetime.fromisoformat
    return [
        (time(later["start_date"]) - time(earlier["end_date"])).total_seconds()
        for earlier, later in pairwise(tries)
    ]


def test_a_row_that_never_works_fails_after_its_last_attempt(run):
    assert run.states()["1_never_works"] == "failed"
    assert len(run.tries("1_never_works")) == 3


def test_retry_wait_time_passes_before_each_new_attempt(run):
    assert len(waits(run, "1_never_works")) == 2
    assert min(waits(run, "1_never_works")) >= 2


def test_a_row_below_a_failed_one_does_not_run(run):
    assert run.states()["6_below_failed"] == "upstream_failed"


def test_a_row_that_works_the_second_time_succeeds_and_is_not_tried_again(run):
    assert run.states()["2_works_later"] == "success"
    assert len(run.tries("2_works_later")) == 2


def test_an_attempt_sees_what_the_one_before_wrote_to_the_context(run, app):
    assert [seen for seen in app.notes() if seen[0] == "attempt"] == [["attempt", 1], ["attempt", 2]]
    assert run.xcoms("2_works_later")["attempt"] == 2


def test_a_row_that_cannot_start_fails_without_another_attempt(run, app):
    assert run.states()["3_no_such_class"] == "failed"
    assert len(run.tries("3_no_such_class")) == 1
    assert failure_line(run, "3_no_such_class", 1) == (
        f"failed: AppError: there is no class NoSuchClass in {app.path}/workers/workers.py; "
        'row 3 "No Such Class", attempt 1 of 3; mend the cause and restart this run; '
        f"workers.NoSuchClass, LOGFILE none on {socket.gethostname()}, {app.list}:4"
    )


@pytest.mark.parametrize(
    ("attempt", "advice"),
    [
        (1, "the next attempt follows in 2 s"),
        (2, "the next attempt follows in 2 s"),
        (3, "mend the cause and restart this run"),
    ],
)
def test_one_line_of_the_log_tells_all_about_a_failure(run, app, airflow, attempt, advice):
    (logfile,) = airflow.home.glob("logs/pyrunner/attempts/*/never.log")
    assert failure_line(run, "1_never_works", attempt) == (
        f'failed: ValueError: no orders today; row 1 "Never Works", attempt {attempt} of 3; {advice}; '
        f"workers.NeverWorks, LOGFILE {logfile} on {socket.gethostname()}, {app.list}:2"
    )


def test_a_return_code_stands_in_the_failure_line(run, app):
    assert 'failed: return code 7; row 2 "Works Later", attempt 1 of 3; ' in failure_line(
        run, "2_works_later", 1
    )


def test_the_log_shows_the_workers_own_exception(run, app):
    (error,) = [line["error_detail"] for line in run.log_lines("1_never_works") if line.get("error_detail")]
    assert ("ValueError", "no orders today") in [(each["exc_type"], each["exc_value"]) for each in error]
    assert any(f'File "{app.path}/workers/workers.py", line ' in each["exc_value"] for each in error)


def test_a_row_that_asks_to_be_skipped_is_and_does_not_fail(run, app):
    assert run.states()["4_skips"] == "skipped"
    assert len(run.tries("4_skips")) == 1
    assert ["on_fail of a skipped row"] not in app.notes()


def test_the_children_of_a_skipped_row_run(run):
    assert run.states()["5_below_skipped"] == "success"


def test_only_the_failed_rows_fail_the_run(run):
    assert run.state == "failed"
