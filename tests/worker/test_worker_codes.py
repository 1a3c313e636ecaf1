"""What a worker's code and exception become for whoever runs it."""

import pytest

from pyrunner_airflow.worker.attempt import Outcome


def hook(name, *lines):
    return f"def {name}(self):\n" + "".join(f"    {line}\n" for line in lines)


FAIL = hook("run", "return 6")
RAISE = hook("run", "raise RuntimeError('broken')")
SUCCEED = hook("run", "pass")


@pytest.mark.parametrize("base", ["pyrunner_airflow", "pyrunner"])
def test_a_code_that_pyrunner_would_try_again_for_ever_is_a_failure(run, base):
    """In its 32 bits it is negative."""
    assert run(hook("run", "return 2**31"), base=base).code == 2**31


@pytest.mark.parametrize("name", ["on_success", "on_exit"])
def test_sys_exit_in_a_hook_without_a_failure_is_success(run, name):
    assert run(SUCCEED + hook(name, "raise SystemExit(0)")).code == 0
    assert run(SUCCEED + hook(name, "raise SystemExit")).code == 0


def test_sys_exit_with_a_text_logs_it_without_a_logger_of_the_workers(run):
    ran = run(hook("run", "self.logger = None", "raise SystemExit('no such file')"))
    assert (ran.code, ran.lines) == (1, [("ERROR", "no such file")])


class TestError:
    def test_success_has_none_and_no_report(self, run):
        assert run(SUCCEED).outcome == Outcome(0, None, "")

    def test_a_code_becomes_worker_failed_with_the_code_and_the_report(self, run):
        ran = run(FAIL)
        assert (ran.error_type, ran.error.retcode, ran.error_text) == ("WorkerFailed", 6, ran.cause)

    def test_the_workers_exception_comes_back_as_it_is(self, run_in_fork):
        error = run_in_fork(RAISE).error
        assert (type(error), str(error)) == (RuntimeError, "broken")
        assert "raise RuntimeError('broken')" in str(error.__cause__)

    def test_of_two_exceptions_the_first_comes_back_and_the_second_is_logged(self, run):
        ran = run(RAISE + hook("on_exit", "raise KeyError('second')"))
        assert (ran.code, ran.error_text) == (904, "broken")
        [(level, text)] = ran.lines
        assert (level, text.splitlines()[0], text.splitlines()[-1]) == (
            "ERROR",
            "on_exit raised: Traceback (most recent call last):",
            "KeyError: 'second'",
        )

    def test_an_exception_that_a_hook_turns_into_success_is_logged(self, run):
        ran = run(RAISE + hook("on_fail", "self.retcode = 0"))
        assert ran.error is None
        [(level, text)] = ran.lines
        assert level == "WARN"
        assert text.startswith("on_fail set the return code to 0, in spite of: Traceback")
        assert text.endswith("RuntimeError: broken\n")

    def test_after_a_rescue_a_later_code_is_the_failure(self, run):
        ran = run(RAISE + hook("on_fail", "self.retcode = 0") + hook("on_exit", "return 7"))
        assert (ran.code, ran.error_type) == (7, "WorkerFailed")
