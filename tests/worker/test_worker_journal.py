"""What a worker wrote is kept beside it, while it runs: whatever becomes of that, the worker goes on."""

import threading
import time
from itertools import accumulate, repeat

import pytest
from worker_jobs import MemoryContext

from pyrunner_airflow.dag.errors import TakenOver
from pyrunner_airflow.dag.journaling import Journaling, next_pause


class Unanswered(MemoryContext):
    """Of an API server that does not answer until the worker has told that it went on."""

    def __init__(self, folder):
        super().__init__()
        self.asked = folder / "asked"
        self.answered = threading.Event()
        self.went_on = []

    def journal(self):
        self.asked.touch()
        self.went_on.append(self.answered.wait(30))


class TestAnAnswerThatDoesNotCome:
    @pytest.fixture
    def ran(self, run_in_fork, root):
        kept = Unanswered(root)
        body = f"""
        def run(self):
            self.context["a"] = 1
            while not os.path.exists({str(kept.asked)!r}): time.sleep(0.01)
            self.context["b"] = self.context["a"] + 1
            self.logger.info("went on")
        """
        return run_in_fork(body, "import os, time", context=kept, on_log=lambda *_: kept.answered.set())

    def test_does_not_hold_up_the_worker(self, ran):
        assert (ran.code, ran.context) == (0, {"a": 1, "b": 2})
        assert ran.kept.went_on == [True]


class TestAnEnd:
    class StoppedMeanwhile(threading.Event):
        """Is cleared only after the journal has been stopped."""

        is_set_by_stop = False

        def set(self):
            super().set()
            self.is_set_by_stop = self.journaling._is_over.is_set()

        def clear(self):
            threading.Thread(target=self.journaling.stop, daemon=True).start()
            while not self.is_set_by_stop:
                time.sleep(0.01)
            super().clear()

    def test_that_comes_in_the_moment_in_which_the_journal_is_due_stops_it(self):
        journaling = Journaling(lambda: None, pytest.fail, pytest.fail)
        due = journaling._is_due = self.StoppedMeanwhile()
        due.journaling = journaling
        journaling.soon()
        journaling._thread.join(30)
        assert not journaling._thread.is_alive()


class TestAnError:
    class Failing(MemoryContext):
        def journal(self):
            super().journal()
            if self.journaled < 2:
                raise ConnectionError("no API server")

    def test_is_told_once_and_the_journal_tried_again(self, run_in_fork):
        kept = self.Failing()
        body = "def run(self):\n  self.context['a'] = 1\n  ctypes.PyDLL(None).sleep(4)"
        ran = run_in_fork(body, "import ctypes", context=kept)
        told = "what this attempt wrote to the context could not be kept so far: "
        assert ran.lines == [("WARN", told + "ConnectionError('no API server')")]
        assert (ran.code, kept.journaled) == (0, 2)


class TestPauses:
    """Airflow's supervisor does nothing else while it tries to have a journal stored."""

    @pytest.mark.parametrize("took", [0.02, 3])
    def test_are_a_second_however_slow_the_server_is(self, took):
        assert next_pause(1, took, has_failed=False) == 1

    def test_grow_to_a_minute_after_failures(self):
        def after(pause, took):
            return next_pause(pause, took, has_failed=True)

        assert list(accumulate(repeat(0.5, 7), after, initial=1)) == [1, 2, 4, 8, 16, 32, 60, 60]

    def test_are_no_shorter_than_the_failure_took(self):
        assert next_pause(60, 123, has_failed=True) == 123

    def test_are_a_second_again_once_the_server_is_back(self):
        assert next_pause(60, 0.02, has_failed=False) == 1


class TestTakenOver:
    class Elsewhere(MemoryContext):
        def journal(self):
            super().journal()
            raise TakenOver("begun anew", 30)

    def test_the_worker_is_ended_and_its_hooks_run(self, run_in_fork):
        kept = self.Elsewhere()
        ran = run_in_fork(
            """
            def run(self):
                self.context["a"] = 1
                time.sleep(60)
            def on_exit(self): self.context["ended"] = True
            """,
            "import time",
            context=kept,
        )
        assert isinstance(ran.error, TakenOver)
        assert ran.context == {"a": 1, "ended": True}
        assert kept.journaled == 1
