"""Which of a worker's methods run, in which order, also when the attempt is interrupted or skipped."""

import signal

import pytest
from worker_jobs import Interrupted, MemoryHost, run_row, source, write

ALL_HOOKS = """
def on_start(self): self.called("on_start")
def on_success(self): self.called("on_success")
def on_fail(self): self.called("on_fail")
def on_exit(self): self.called("on_exit")
def on_destroy(self): self.called("on_destroy")
def called(self, name): self.context["calls"] = [*self.context.get("calls", []), name]
"""


@pytest.fixture
def run(run_anywhere):
    return run_anywhere


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
    ran = run(with_run("raise SkipRow('nothing to do')"), base=base)
    assert ran.context["calls"] == ["on_start", "run", "on_exit", "on_destroy"]


def test_a_failing_on_start_stands_in_for_run(run):
    ran = run(with_run("pass") + "def on_start(self): raise KeyError('no start')")
    assert (ran.code, ran.error_text) == (901, "'no start'")
    assert ran.context["calls"] == ["on_fail", "on_exit", "on_destroy"]


def test_a_skip_in_on_start_skips_the_row(run):
    ran = run(with_run("pass") + "def on_start(self): raise SkipRow")
    assert (ran.code, ran.error_type, ran.context["calls"]) == (0, "SkipRow", ["on_exit", "on_destroy"])


class TestInterruption:
    @BOTH_BASES
    def test_it_comes_back_as_the_error(self, run, base):
        ran = run(with_run("raise Interrupted('timeout')"), base=base)
        assert (ran.code, ran.error_type, ran.error_text) == (901, "Interrupted", "timeout")

    @BOTH_BASES
    @pytest.mark.parametrize("name", ["on_fail", "on_exit"])
    @pytest.mark.parametrize(
        "line", ["self.retcode = 0", "raise SystemExit(0)", "raise SkipRow", "raise KeyError", "return 0"]
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

    def test_while_it_waits_for_a_thread_it_fails_the_attempt(self, run):
        ran = run(
            """
            def run(self):
                self.over = threading.Event()
                signal.signal(signal.SIGUSR1, self.interrupt)
                threading.Thread(target=self.interrupt_again_and_again).start()
            def interrupt_again_and_again(self):
                while not self.over.wait(0.01): os.kill(os.getpid(), signal.SIGUSR1)
            def interrupt(self, _, frame):
                calls = [call.name for call in traceback.extract_stack(frame)]
                if "join" in calls and not self.over.is_set():
                    self.over.set()
                    raise Interrupted
            """,
            "import os, signal, threading, traceback",
        )
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        assert (ran.code, ran.error_type) == (904, "Interrupted")

    def test_after_one_no_thread_is_waited_for(self, run_here):
        ran = run_here(
            """
            def run(self):
                self.context["over"] = threading.Event()
                self.context["thread"] = threading.Thread(target=self.context["over"].wait)
                self.context["thread"].start()
                raise Interrupted
            """,
            "import threading",
        )
        assert (ran.error_type, ran.context["thread"].is_alive()) == ("Interrupted", True)
        ran.context["over"].set()

    @pytest.mark.parametrize("place", ["module", "constructor"])
    def test_before_there_is_a_worker_it_is_raised_and_leaves_nothing_behind(self, root, place):
        if place == "module":
            text = source(with_run("pass"), preamble="raise Interrupted('early')")
        else:
            text = source(with_run("pass") + "def __init__(self, *args): raise Interrupted('early')")
        write(root / "workers" / "workers.py", text)
        with pytest.raises(Interrupted, match="early"):
            run_row(root, logfile="x.log")
        assert "# LOG END" in (root / "x.log").read_text()

    def test_only_the_workers_own_code_is_interruptible(self, run_here):
        """Importing, constructing and each hook are, and waiting in the end; nothing between them is."""
        entered = []

        class Host(MemoryHost):
            def interruptible(self):
                return Span()

            def log(self, level, text):
                entered.append(text)

        class Span:
            def __enter__(self):
                entered.append("(")

            def __exit__(self, *_):
                entered.append(")")

        say = "self.logger.info({!r})"
        run_here(
            f"""
            def __init__(self, *args): super().__init__(*args)
            def run(self): {say.format("run")}
            def on_success(self): {say.format("success")}
            def on_exit(self): {say.format("exit")}
            """,
            base="pyrunner",
            host=Host(),
        )
        assert entered == ["(", ")", "(", "run", ")", "(", "success", ")", "(", "exit", ")", "(", ")"]


class TestSkip:
    @BOTH_BASES
    def test_it_comes_back_with_code_0(self, run, base):
        ran = run(with_run("raise SkipRow('nothing to do')"), base=base)
        assert (ran.code, ran.error_type, ran.error_text) == (0, "SkipRow", "nothing to do")

    @pytest.mark.parametrize("line", ["return 7", "self.retcode = 7", "raise KeyError", "raise Interrupted"])
    def test_on_exit_cannot_turn_it_into_anything_else(self, run, line):
        ran = run(with_run("raise SkipRow") + f"def on_exit(self): {line}")
        assert (ran.code, ran.error_type) == (0, "SkipRow")

    def test_in_on_success_it_skips_the_row(self, run):
        ran = run(with_run("pass") + "def on_success(self): raise SkipRow")
        assert (ran.code, ran.error_type) == (0, "SkipRow")


class TestNotStarted:
    @pytest.mark.parametrize("base", ["pyrunner_airflow", "pyrunner"])
    def test_code_905_is_not_started_and_keeps_the_error(self, run, base):
        ran = run("def __init__(self, *args): raise KeyError('no')\ndef run(self): pass", base=base)
        assert (ran.code, ran.outcome.started, ran.error_type) == (905, False, "KeyError")

    @pytest.mark.parametrize("code", ["return 5", "raise KeyError", "pass", "return 905"])
    def test_an_attempt_that_ran_was_started(self, run, code):
        assert run(f"def run(self): {code}").outcome.started
