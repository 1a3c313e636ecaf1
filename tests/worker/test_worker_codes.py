"""What becomes of a return value, an attribute and an exception; beside what PyRunner makes of them."""

import pytest
from pyrunner_oracle import attempts_under_pyrunner
from worker_jobs import run_row, source, write

from pyrunner_airflow.worker.running import Outcome, WorkerFailed

BASES = {"ours": "pyrunner_airflow", "pyrunner's": "pyrunner"}


def hook(name, *lines):
    return f"def {name}(self):\n" + "".join(f"    {line}\n" for line in lines)


def returning(value):
    return hook("run", f"return {value}")


FAIL = hook("run", "return 6")
RAISE = hook("run", "raise RuntimeError('broken')")
SUCCEED = hook("run", "pass")

CODES = {
    "None": (returning("None"), 0),
    "0": (returning("0"), 0),
    "False": (returning("False"), 0),
    "empty text": (returning("''"), 0),
    "empty list": (returning("[]"), 0),
    "a fraction below 1": (returning("0.5"), 0),
    "True": (returning("True"), 1),
    "digits": (returning("'5'"), 5),
    "a fraction": (returning("2.7"), 2),
    "a large code": (returning("70000"), 70000),
    "negative": (returning("-1"), 901),
    "text": (returning("'abc'"), 901),
    "a list": (returning("[1]"), 901),
    "infinity": (returning("float('inf')"), 901),
    "no truth value": (returning("type('T', (), {'__bool__': lambda self: 1 / 0})()"), 901),
    "attribute, then None": (hook("run", "self.retcode = 4"), 4),
    "attribute, then 0": (hook("run", "self.retcode = 4", "return 0"), 4),
    "attribute, then 6": (hook("run", "self.retcode = 4", "return 6"), 6),
    "attribute, then 0.5": (hook("run", "self.retcode = 4", "return 0.5"), 0),
    "attribute of digits": (hook("run", "self.retcode = '5'"), 5),
    "negative attribute": (hook("run", "self.retcode = -1"), 901),
    "attribute, then an exception": (hook("run", "self.retcode = 4", "raise KeyError"), 901),
    "exception in run": (RAISE, 901),
    "NotImplementedError in run": (hook("run", "raise NotImplementedError"), 901),
    "exception in on_success": (SUCCEED + hook("on_success", "raise KeyError"), 902),
    "exception in on_fail": (FAIL + hook("on_fail", "raise KeyError"), 903),
    "exception in on_exit": (SUCCEED + hook("on_exit", "raise KeyError"), 904),
    "exception in on_exit after a failure": (FAIL + hook("on_exit", "raise KeyError"), 904),
    "NotImplementedError in hooks": (
        SUCCEED
        + hook("on_success", "raise NotImplementedError")
        + hook("on_exit", "raise NotImplementedError"),
        0,
    ),
    "NotImplementedError in on_fail": (FAIL + hook("on_fail", "raise NotImplementedError"), 6),
    "hooks that call super()": (
        FAIL + hook("on_fail", "super().on_fail()") + hook("on_exit", "super().on_exit()"),
        6,
    ),
    "code 0 in on_fail before super()": (FAIL + hook("on_fail", "self.retcode = 0", "super().on_fail()"), 0),
    "code 3 in on_exit before super()": (
        SUCCEED + hook("on_exit", "self.retcode = 3", "super().on_exit()"),
        3,
    ),
    "on_success returns 5": (SUCCEED + hook("on_success", "return 5"), 5),
    "on_success sets 5": (SUCCEED + hook("on_success", "self.retcode = 5"), 5),
    "on_success returns text": (SUCCEED + hook("on_success", "return 'abc'"), 902),
    "on_fail returns 5": (FAIL + hook("on_fail", "return 5"), 6),
    "on_fail returns text": (FAIL + hook("on_fail", "return 'abc'"), 6),
    "on_fail sets 0": (FAIL + hook("on_fail", "self.retcode = 0"), 0),
    "on_fail sets 0 after an exception": (RAISE + hook("on_fail", "self.retcode = 0"), 0),
    "on_fail sets 3": (FAIL + hook("on_fail", "self.retcode = 3"), 3),
    "on_exit sets 0": (FAIL + hook("on_exit", "self.retcode = 0"), 0),
    "on_exit sets 0 after an exception": (RAISE + hook("on_exit", "self.retcode = 0"), 0),
    "on_exit returns 5 after success": (SUCCEED + hook("on_exit", "return 5"), 5),
    "on_exit returns 5 after failure": (FAIL + hook("on_exit", "return 5"), 5),
    "on_exit has the last word": (
        FAIL + hook("on_fail", "self.retcode = 0") + hook("on_exit", "return 7"),
        7,
    ),
    "on_exit rescues a failed on_fail": (
        FAIL + hook("on_fail", "raise KeyError") + hook("on_exit", "self.retcode = 0"),
        0,
    ),
}

# PyRunner loses these failures.
DEFECTS = {
    "sys.exit(7)": (hook("run", "raise SystemExit(7)"), 7),
    "sys.exit('text')": (hook("run", "raise SystemExit('text')"), 1),
    "sys.exit(-1)": (hook("run", "raise SystemExit(-1)"), 901),
    "2**32": (returning("2**32"), 2**31 - 1),
    "2**32 and hooks": (
        returning("2**32") + hook("on_fail", "pass") + hook("on_exit", "pass"),
        2**31 - 1,
    ),
}


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
@pytest.mark.parametrize(("body", "code"), {**CODES, **DEFECTS}.values(), ids={**CODES, **DEFECTS})
def test_code(run, body, code, base):
    assert run(body, base=base).code == code


@pytest.mark.parametrize(("body", "code"), CODES.values(), ids=CODES)
def test_code_under_pyrunner(tmp_path, body, code):
    (tmp_path / "workers.py").write_text(source(body, base="pyrunner"))
    assert attempts_under_pyrunner(tmp_path) == [code]


@pytest.mark.parametrize(("body", "code"), DEFECTS.values(), ids=DEFECTS)
def test_failure_that_pyrunner_loses(tmp_path, body, code):
    (tmp_path / "workers.py").write_text(source(body, base="pyrunner"))
    assert attempts_under_pyrunner(tmp_path) == [0]


NOT_STARTED = {
    "no class": "",
    "no worker": "class W: pass",
    "no class at all": "W = 5",
    "no run": source("pass", base="pyrunner"),
    "no module to import": "import no_such_module",
    "a failing module": "1 / 0",
    "a failing constructor": source(hook("__init__", "pass") + SUCCEED, base="pyrunner"),
}


@pytest.mark.parametrize("text", NOT_STARTED.values(), ids=NOT_STARTED)
def test_not_started_as_under_pyrunner(root, text):
    write(root / "workers" / "workers.py", text)
    assert run_row(root, max_attempts=2).outcome.started is False
    assert attempts_under_pyrunner(root / "workers", count=2) == [905, 905]


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
@pytest.mark.parametrize("value", ["99999999999", "2**31", "2**31 - 1"])
def test_a_code_too_large_for_pyrunner_is_a_failure(run, value, base):
    ran = run(returning(value), base=base)
    assert (ran.code, type(ran.error)) == (2**31 - 1, WorkerFailed)


@pytest.mark.parametrize("name", ["run", "on_success", "on_exit"])
def test_sys_exit_without_a_failure_is_success(run, name):
    assert run(SUCCEED + hook(name, "raise SystemExit(0)")).code == 0
    assert run(SUCCEED + hook(name, "raise SystemExit")).code == 0


def test_sys_exit_0_leaves_the_code_that_was_set(run):
    assert run(hook("run", "self.retcode = 4", "raise SystemExit(0)")).code == 4


def test_sys_exit_with_a_text_logs_it(run):
    assert ("ERROR", "no such file") in run(hook("run", "raise SystemExit('no such file')")).lines


def test_sys_exit_with_a_text_needs_no_logger_of_the_workers(run):
    ran = run(hook("run", "self.logger = None", "raise SystemExit('no such file')"))
    assert (ran.code, ran.lines) == (1, [("ERROR", "no such file")])


def test_sys_exit_runs_the_hooks_of_a_failure(run):
    ran = run(
        hook("run", "raise SystemExit(7)")
        + hook("on_fail", "self.logger.info(self.retcode)")
        + hook("on_exit", "self.logger.info('exit')")
    )
    assert ran.lines == [("INFO", "7"), ("INFO", "exit")]


class TestError:
    def test_success_has_none_and_no_report(self, run):
        assert run(SUCCEED).outcome == Outcome(0, None, "")

    def test_a_code_becomes_worker_failed_with_the_code_and_the_report(self, run):
        ran = run(FAIL)
        assert (type(ran.error), ran.error.retcode, str(ran.error)) == (WorkerFailed, 6, ran.report)

    def test_the_workers_exception_comes_back_as_it_is(self, run):
        error = run(RAISE).error
        assert (type(error), str(error)) == (RuntimeError, "broken")
        assert error.__traceback__ is not None

    def test_of_two_exceptions_the_first_comes_back_and_the_second_is_logged(self, run):
        ran = run(RAISE + hook("on_exit", "raise KeyError('second')"))
        assert (ran.code, str(ran.error)) == (904, "broken")
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
        assert (ran.code, type(ran.error)) == (7, WorkerFailed)

    def test_an_exception_that_cannot_be_shown_as_text_is_a_failure_like_any_other(self, run):
        ran = run(
            hook("run", "raise Mute") + hook("on_exit", "self.context['exit'] = True"),
            preamble="class Mute(Exception):\n    def __str__(self):\n        raise ValueError('mute')\n",
            logfile="x.log",
        )
        assert (ran.code, type(ran.error).__name__, ran.context) == (901, "Mute", {"exit": True})
