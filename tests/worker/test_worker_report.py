"""The one line that says what failed, where, and what to do next."""

import socket

import pytest
from worker_jobs import run_row

HOST = socket.gethostname()
ADVICE = "mend the cause and clear the failed tasks of this run"


@pytest.fixture
def report(root, run):
    """Run a method ``run`` of this line; return its report after the part that names the row."""

    def report_of(line, **columns):
        text = run(f"def run(self): {line}", **columns).report
        where = f'{root}/config/job.lst:3: row 4 "Load Table" (workers.W) failed: '
        assert text.startswith(where)
        return text[len(where) :]

    return report_of


def test_a_code(report):
    assert report("return 5") == f"return code 5; attempt 1 of 1; LOGFILE none on {HOST}; {ADVICE}"


def test_an_exception(report):
    assert report("raise ValueError('bad row')") == (
        f"ValueError: bad row; attempt 1 of 1; LOGFILE none on {HOST}; {ADVICE}"
    )


def test_an_exception_of_several_lines_stays_one_line(report):
    assert report(r"raise ValueError('bad row:\n\n  a,b\r\n')").startswith("ValueError: bad row: a,b; ")


def test_a_long_text_is_cut_between_words(report):
    """A mask would not know half a secret."""
    assert report("raise ValueError('a ' * 400 + 'b' * 400)").startswith(f"ValueError: {'a ' * 399}a...; ")


def test_an_exception_without_a_text_is_its_name(report):
    assert report("raise KeyError").startswith("KeyError; ")


def test_an_interruption(report):
    assert report("raise Interrupted('timeout')").startswith("Interrupted: timeout; ")


def test_another_attempt_follows(report):
    text = report("return 5", attempt=2, max_attempts=3, retry_wait_time=60)
    assert text == f"return code 5; attempt 2 of 3; LOGFILE none on {HOST}; the next attempt follows in 60 s"


def test_the_last_attempt_failed(report):
    text = report("return 5", attempt=3, max_attempts=3, retry_wait_time=60)
    assert text == f"return code 5; attempt 3 of 3; LOGFILE none on {HOST}; {ADVICE}"


def test_no_attempt_follows_what_none_would_help(report):
    text = report(
        "raise AirflowFailException('wrong password')", attempt=1, max_attempts=3, retry_wait_time=60
    )
    assert text == f"AirflowFailException: wrong password; attempt 1 of 3; LOGFILE none on {HOST}; {ADVICE}"


def test_the_log_file_is_told_as_it_is_on_that_host(root, report):
    text = report("return 5", env={"APP_X": "logs"}, logfile="$ENV{APP_X}/x.log")
    assert f"; LOGFILE {root}/logs/x.log on {HOST}; " in text


def test_a_row_that_did_not_start_is_not_tried_again(root):
    text = run_row(root, attempt=1, max_attempts=3, retry_wait_time=60, module="jobs").report
    row = f'{root}/config/job.lst:3: row 4 "Load Table" (jobs.W)'
    assert text.startswith(f"{row} failed: AppError: there is no module jobs in ")
    assert text.endswith(f"; attempt 1 of 3; LOGFILE none on {HOST}; {ADVICE}")


@pytest.mark.parametrize("line", ["return 0", "raise AirflowSkipException('nothing to do')"])
def test_no_failure_no_report(run, line):
    assert run(f"def run(self): {line}").report == ""
