"""What failed, in one line; and whether another attempt follows. The rest of the line: dag/test_report.py."""

import pytest


@pytest.fixture
def cause(run):
    """Run a method ``run`` of this line; return what failed."""
    return lambda line, **columns: run(f"def run(self): {line}", **columns).cause


def test_a_code(cause):
    assert cause("return 5") == "return code 5"


def test_an_exception(cause):
    assert cause("raise ValueError('bad row')") == "ValueError: bad row"


def test_an_exception_of_several_lines_stays_one_line(cause):
    assert cause(r"raise ValueError('bad row:\n\n  a,b\r\n')") == "ValueError: bad row: a,b"


def test_a_long_text_is_cut_between_words(cause):
    """A mask would not know half a secret."""
    assert cause("raise ValueError('a ' * 400 + 'b' * 400)") == f"ValueError: {'a ' * 399}a..."


def test_an_exception_without_a_text_is_its_name(cause):
    assert cause("raise KeyError") == "KeyError"


def test_an_interruption(cause):
    assert cause("raise Interrupted('timeout')") == "Interrupted: timeout"


@pytest.mark.parametrize("line", ["return 0", "raise AirflowSkipException('nothing to do')"])
def test_no_failure_no_cause(cause, line):
    assert cause(line) == ""


@pytest.mark.parametrize(
    ("line", "attempt", "is_tried_again"),
    [
        ("return 5", 2, True),
        ("return 5", 3, False),
        ("raise AirflowFailException('wrong password')", 1, False),
        ("return 0", 1, False),
    ],
)
def test_another_attempt_follows_while_there_are_some_and_one_would_help(run, line, attempt, is_tried_again):
    ran = run(f"def run(self): {line}", attempt=attempt, max_attempts=3)
    assert ran.is_tried_again is is_tried_again


def test_none_follows_a_row_that_did_not_start(run):
    ran = run("def run(self): pass", module="jobs", max_attempts=3)
    assert ran.cause.startswith("AppError: there is no module jobs in ")
    assert not ran.is_tried_again
