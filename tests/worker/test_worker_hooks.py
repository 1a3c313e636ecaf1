"""Which of a worker's methods run, in which order, also when the attempt is interrupted or skipped."""

import multiprocessing
from datetime import UTC, datetime
from textwrap import dedent

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred
from worker_jobs import make_job, run_row, source, terminate_at, write

from pyrunner_airflow.worker.app import find_app
from pyrunner_airflow.worker.attempt import Surroundings, run_attempt

ALL_HOOKS = """
def on_start(self): self.called("on_start")
def on_success(self): self.called("on_success")
def on_fail(self): self.called("on_fail")
def on_exit(self): self.called("on_exit")
def on_destroy(self): self.called("on_destroy")
def called(self, name): self.context["calls"] = [*self.context.get("calls", []), name]
"""


BOTH_BASES = pytest.mark.parametrize("base", ["pyrunner_airflow", "pyrunner"])


def with_run(line, hooks=ALL_HOOKS):
    return f"{hooks}\ndef run(self):\n    self.called('run')\n    {line}\n"


@BOTH_BASES
@pytest.mark.parametrize("line", ["return 5", "raise KeyError", "raise Interrupted", "raise SystemExit(1)"])
def test_hooks_of_a_failure(run, base, line):
    ran = run(with_run(line), base=base)
    assert ran.context["calls"] == ["on_start", "run", "on_fail", "on_exit", "on_destroy"]


@BOTH_BASES
def test_hooks_of_a_skip(run, base):
    """A row that asks to be skipped has neither failed nor succeeded."""
    ran = run(with_run("raise AirflowSkipException('nothing to do')"), base=base)
    assert ran.context["calls"] == ["on_start", "run", "on_exit", "on_destroy"]


def test_a_failing_on_start_stands_in_for_run(run):
    ran = run(with_run("pass") + "def on_start(self): raise KeyError('no start')")
    assert (ran.code, ran.error_text) == (901, "'no start'")
    assert ran.context["calls"] == ["on_fail", "on_exit", "on_destroy"]


def test_a_skip_in_on_start_skips_the_row(run):
    ran = run(with_run("pass") + "def on_start(self): raise AirflowSkipException")
    assert (ran.code, ran.error_type, ran.context["calls"]) == (
        0,
        "AirflowSkipException",
        ["on_exit", "on_destroy"],
    )


class TestInterruption:
    @BOTH_BASES
    def test_it_comes_back_as_the_error(self, run, base):
        ran = run(with_run("raise Interrupted('timeout')"), base=base)
        assert (ran.code, ran.error_type, ran.error_text) == (901, "Interrupted", "timeout")

    @BOTH_BASES
    @pytest.mark.parametrize("name", ["on_fail", "on_exit"])
    @pytest.mark.parametrize(
        "line",
        [
            "self.retcode = 0",
            "raise SystemExit(0)",
            "raise AirflowSkipException",
            "raise KeyError",
            "return 0",
        ],
    )
    def test_no_hook_turns_it_into_anything_else(self, run, base, name, line):
        ran = run(with_run("raise Interrupted") + f"def {name}(self): {line}", base=base)
        assert (bool(ran.code), ran.error_type) == (True, "Interrupted")

    @pytest.mark.parametrize(
        ("name", "code"), [("on_success", 902), ("on_exit", 904), ("on_destroy", 904), ("on_start", 901)]
    )
    def test_in_a_hook_it_fails_the_attempt(self, run, name, code):
        ran = run(with_run("pass") + f"def {name}(self): raise Interrupted")
        assert (ran.code, ran.error_type) == (code, "Interrupted")

    def test_in_on_fail_it_leaves_the_first_error(self, run):
        ran = run(with_run("raise KeyError('first')") + "def on_fail(self): raise Interrupted")
        assert (ran.code, ran.error_type) == (903, "KeyError")
        assert ran.context["calls"] == ["on_start", "run", "on_exit", "on_destroy"]

    def test_a_second_one_in_a_hook_is_logged_and_the_hooks_go_on(self, run):
        ran = run(with_run("raise Interrupted('first')") + "def on_fail(self): raise Interrupted('second')")
        assert (ran.error_text, ran.context["calls"][-2:]) == ("first", ["on_exit", "on_destroy"])
        assert [text.splitlines()[-1] for _, text in ran.lines] == ["worker_jobs.Interrupted: second"]

    def test_while_a_thread_is_waited_for_it_fails_the_attempt(self, run):
        ran = run(
            """
            def run(self): threading.Thread(target=self.wait).start()
            def wait(self):
                threading.main_thread().join()
                self.logger.info("methods are over")
                threading.Event().wait()
            """,
            "import threading",
            on_log=terminate_at("methods are over", 1),
        )
        assert (bool(ran.code), ran.error_type) == (True, "WorkerTerminated")

    def test_after_one_no_thread_is_waited_for(self, run):
        ran = run(
            """
            def run(self):
                threading.Thread(target=threading.Event().wait).start()
                self.logger.info("started")
                threading.Event().wait()
            """,
            "import threading",
            on_log=terminate_at("started"),
        )
        assert ran.error_type == "WorkerTerminated"

    @pytest.mark.parametrize("place", ["module", "constructor"])
    def test_before_there_is_a_worker_it_comes_back_too(self, root, python, place):
        if place == "module":
            text = source(with_run("pass"), preamble="raise Interrupted('early')")
        else:
            text = source(with_run("pass") + "def __init__(self, *args): raise Interrupted('early')")
        write(root / "workers" / "workers.py", text)
        ran = run_row(root, python=python, logfile="x.log")
        assert (ran.code, ran.error_type, ran.error_text) == (901, "Interrupted", "early")
        assert "# LOG END" in ran.log

    def test_a_second_one_only_hurries_the_hooks(self, run):
        def on_log(host, text):
            terminate_at("running")(host, text)
            terminate_at("failing", 0.5)(host, text)

        ran = run(
            """
            def run(self):
                self.logger.info("running")
                threading.Event().wait()
            def on_fail(self):
                self.logger.info("failing")
                threading.Event().wait()
            """,
            "import threading",
            on_log=on_log,
        )
        assert (bool(ran.code), ran.error_type) == (True, "WorkerTerminated")
        assert "and the worker did not end" in ran.cause

    def test_only_the_workers_own_code_is_interruptible(self, root):
        """Importing and constructing are, and each hook; nothing between them is."""
        say = "self.logger.info({!r})"
        body = f"""
            def __init__(self, *args): super().__init__(*args)
            def run(self): {say.format("run")}
            def on_success(self): {say.format("success")}
            def on_exit(self): {say.format("exit")}
            """
        write(root / "workers" / "workers.py", source(body, base="pyrunner"))
        reader, writer = multiprocessing.Pipe()

        class Span:
            def __enter__(self):
                writer.send("(")

            def __exit__(self, *_):
                writer.send(")")

        def attempt():
            job = make_job(root)
            around = Surroundings({}, None, lambda _, text: writer.send(text), None, Span, lambda _: None)
            run_attempt(job, find_app(job.list_path), around)
            writer.send(None)

        process = multiprocessing.get_context("fork").Process(target=attempt)
        process.start()
        assert list(iter(reader.recv, None)) == [
            *("(", ")"),
            *("(", "run", ")"),
            *("(", "success", ")"),
            *("(", "exit", ")"),
        ]
        process.join()


class TestSkip:
    @BOTH_BASES
    def test_it_comes_back_with_code_0(self, run, base):
        ran = run(with_run("raise AirflowSkipException('nothing to do')"), base=base)
        assert (ran.code, ran.error_type, ran.error_text) == (0, "AirflowSkipException", "nothing to do")

    @pytest.mark.parametrize("line", ["return 7", "self.retcode = 7", "raise KeyError", "raise Interrupted"])
    def test_on_exit_cannot_turn_it_into_anything_else(self, run, line):
        ran = run(with_run("raise AirflowSkipException") + f"def on_exit(self): {line}")
        assert (ran.code, ran.error_type) == (0, "AirflowSkipException")

    def test_in_on_success_it_skips_the_row(self, run):
        ran = run(with_run("pass") + "def on_success(self): raise AirflowSkipException")
        assert (ran.code, ran.error_type) == (0, "AirflowSkipException")


class TestLater:
    """A row that asks to be run again later has neither failed nor succeeded."""

    IMPORTS = """
    from datetime import UTC, datetime
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger
    from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred
    MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
    """

    def test_a_reschedule(self, run_in_fork):
        ran = run_in_fork(with_run("raise AirflowRescheduleException(MOMENT)"), dedent(self.IMPORTS))
        assert (ran.code, ran.cause, type(ran.error)) == (0, "", AirflowRescheduleException)
        assert ran.error.reschedule_date == datetime(2026, 1, 2, tzinfo=UTC)
        assert ran.context["calls"] == ["on_start", "run", "on_exit", "on_destroy"]

    def test_a_deferral(self, run_in_fork):
        line = "raise TaskDeferred(trigger=DateTimeTrigger(MOMENT), method_name='execute', kwargs={'a': 1})"
        ran = run_in_fork(with_run(line), dedent(self.IMPORTS))
        assert (ran.code, ran.cause, type(ran.error)) == (0, "", TaskDeferred)
        path = "airflow.providers.standard.triggers.temporal.DateTimeTrigger"
        arguments = {"moment": datetime(2026, 1, 2, tzinfo=UTC), "end_from_trigger": False}
        assert ran.error.trigger.serialize() == (path, arguments)
        assert ran.error.method_name == "execute"
        assert ran.error.kwargs == {"a": 1}
        assert ran.context["calls"] == ["on_start", "run", "on_exit", "on_destroy"]


class TestNotStarted:
    @pytest.mark.parametrize("base", ["pyrunner_airflow", "pyrunner"])
    def test_code_905_is_not_started_and_keeps_the_error(self, run, base):
        ran = run("def __init__(self, *args): raise KeyError('no')\ndef run(self): pass", base=base)
        assert (ran.code, ran.outcome.started, ran.error_type) == (905, False, "KeyError")

    @pytest.mark.parametrize("code", ["return 5", "raise KeyError", "pass", "return 905"])
    def test_an_attempt_that_ran_was_started(self, run, code):
        assert run(f"def run(self): {code}").outcome.started
