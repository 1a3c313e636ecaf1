"""What a person is told of a failed attempt: in its log, and where that can't be seen."""

import socket

import pytest
from airflow.sdk.log import mask_secret

from pyrunner_airflow.dag.errors import WorkerTraceback
from pyrunner_airflow.dag.masking import mask_secrets
from pyrunner_airflow.dag.report import last_words, next_step, report
from pyrunner_airflow.dag.task_log import LogEnd
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
MEND = "mend the cause and restart this run"


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
        ("failed", "it was marked failed: to go on, restart this run"),
        ("success", "it was marked success, and what stands below it goes on"),
        ("restarting", "it was cleared, and runs again"),
        (None, "it was cleared, and runs again"),
    ],
)
def test_what_somebody_did_to_a_task_that_was_ended_counts_more(state, text):
    assert next_step(JOB, FAILED, state) == (text, False)


def test_a_task_that_its_host_ended_is_tried_again():
    assert next_step(JOB, FAILED, "running") == ("the next attempt follows in 60 s", True)


SECRET = "v3-Yankee-58"
KEY = "<<<<<<<< begin\nfirst-part\n>>>>>>>> end"


def words(end=None, job=LAST, cause="return code 5"):
    outcome = FAILED._replace(cause=cause)
    return last_words(job, outcome, report(job, cause, next_step(job, outcome)), end)


def log_of(*texts, error=None):
    """Return what is kept of a log of these lines."""
    end = LogEnd()
    taken = []
    log = end.of(lambda name, text: taken.append((name, text)))
    for text in texts:
        log("INFO", text)
    assert taken == [("INFO", text) for text in texts]
    return words(end)["log"] if error is None else end.text(error)


class TestWhatIsKept:
    def test_why_and_where(self):
        job = LAST._replace(logfile="/logs/$ENV{77A}.log", mark="77")
        told = words(job=job)
        assert told.pop("line").startswith('failed: return code 5; row 4 "Load Table", attempt 3 of 3; mend')
        assert told == {"cause": "return code 5", "logfile": "/logs/$ENV{A}.log", "host": HOST, "log": None}

    def test_no_secret_and_no_character_that_databases_refuse(self):
        mask_secrets({"APP_PASSWORD": SECRET})
        told = words(cause=f"ValueError: {SECRET} \0 \udcff")
        assert told["cause"] == "ValueError: *** \N{SYMBOL FOR NULL} \N{REPLACEMENT CHARACTER}"
        assert told["line"].startswith(f"failed: {told['cause']}; ")

    def test_the_last_fifty_lines_of_the_log(self):
        texts = ["1", "2\n3", *(f"{number}\n" for number in range(4, 71))]
        assert log_of(*texts).split("\n") == [str(number) for number in range(21, 71)]

    def test_the_traceback_which_airflow_logs_after_them(self):
        error = ValueError("no data")
        error.__cause__ = WorkerTraceback("Traceback ...\nValueError: no data\n")
        assert log_of("before", error=error) == "before\nTraceback ...\nValueError: no data"

    def test_the_beginning_of_a_long_line(self):
        assert log_of("x" * 1_000_000) == f"{'x' * 500} ..."

    def test_no_part_of_a_secret_of_which_only_the_end_is_among_the_last_lines(self):
        mask_secret(KEY)
        assert log_of(f"the key is {KEY}", *map(str, range(1, 50))).split("\n")[0] == "the key is ***"

    def test_no_part_of_a_secret_where_a_line_is_cut(self):
        mask_secrets({"APP_PASSWORD": SECRET, "APP_PRIVATE_KEY": KEY})
        first, *key, last = log_of(f"{'x' * 495}{SECRET}", KEY, "a\tb\0").split("\n")
        assert (first, last) == (f"{'x' * 495}***", "a       b\N{SYMBOL FOR NULL}")
        assert set(key) == {"***"}  # as a whole or by the line
