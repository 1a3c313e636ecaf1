"""A worker in an interpreter of its own: how it ends, and what goes wrong with such an interpreter."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from worker_jobs import (
    Hopeless,
    Interrupted,
    MemoryHost,
    SkipRow,
    run_row,
    source,
    wait_until,
    write,
)
from worker_jobs import python as start_python

from scripts.interpreters import find


def first_line(error):
    return str(error).splitlines()[0]


class TestEnd:
    @pytest.mark.parametrize(
        ("line", "code", "cause"),
        [
            ("os._exit(7)", 7, "its process ended (exit status 7)"),
            ("os._exit(0)", 901, "its process ended (exit status 0)"),
            ("os.kill(os.getpid(), 9)", 137, "its process ended (signal 9)"),
            ("os.abort()", 134, "its process ended (signal 6)"),
        ],
    )
    def test_a_process_that_ends_under_the_worker_is_a_failure(self, run_in_own, line, code, cause):
        ran = run_in_own(f"def run(self): {line}", "import os")
        assert (ran.code, ran.error_type, ran.outcome.started) == (code, "WorkerFailed", True)
        assert f"failed: {cause}; attempt 1 of 1" in ran.report

    def test_nothing_that_it_forked_outlives_it(self, run_in_own, root):
        run_in_own(
            """
            def run(self):
                pid = os.fork()
                if not pid:
                    time.sleep(60)
                with open("pid", "w") as file: file.write(str(pid))
                os.kill(os.getpid(), 9)
            """,
            "import os, time",
        )
        pid = int((root / "pid").read_text())
        assert wait_until(lambda: not is_running(pid))

    def test_what_it_leaves_running_goes_on_as_in_process(self, run_in_own, root):
        ran = run_in_own(
            "def run(self): self.context['pid'] = subprocess.Popen(['sleep', '5']).pid", "import subprocess"
        )
        assert is_running(ran.context["pid"])
        os.kill(ran.context["pid"], signal.SIGKILL)

    def test_an_exception_tells_its_name_its_text_and_its_traceback(self, run_in_own, root, python):
        ran = run_in_own("def run(self):\n  self.deep()\ndef deep(self): raise ValueError('bad')")
        assert first_line(ran.error) == f"ValueError: bad (in {python})"
        assert f'File "{root}/workers/workers.py", line 7, in deep' in str(ran.error)
        assert "failed: ValueError: bad; attempt 1 of 1" in ran.report

    def test_a_skip_is_known_by_the_name_of_its_class(self, run_in_own):
        body = "def run(self): raise SkipRow('nothing to do')"
        ran = run_in_own(body, "class SkipRow(Exception): pass")
        assert (ran.code, type(ran.error), str(ran.error)) == (0, SkipRow, "nothing to do")

    def test_so_is_an_exception_after_which_no_attempt_follows(self, run_in_own):
        body = "def run(self): raise Hopeless('no such table')"
        ran = run_in_own(body, "class Hopeless(Exception): pass", max_attempts=3)
        assert (ran.code, type(ran.error)) == (901, Hopeless)
        assert first_line(ran.error).startswith("Hopeless: no such table (in ")
        assert ran.report.endswith("mend the cause and clear the failed tasks of this run")

    def test_rubbish_on_the_way_to_airflow_fails_the_attempt_and_ends_it(self, run_in_own):
        ran = run_in_own(
            """
            def run(self):
                for descriptor in range(3, 64):
                    try:
                        if stat.S_ISSOCK(os.fstat(descriptor).st_mode): os.write(descriptor, b"rubbish\\n")
                    except OSError: pass
                time.sleep(60)
            """,
            "import os, stat, time",
        )
        assert (ran.code, ran.error_type) == (901, "WorkerFailed")
        assert "it wrote b'rubbish' to a descriptor that is nothing but the context's way" in ran.report


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class TestNotStarted:
    """Each before any worker ran: such a row is not tried again."""

    @pytest.fixture
    def fault(self, root):
        write(root / "workers" / "workers.py", source("def run(self): pass"))

        def run(python, **columns):
            ran = run_row(root, python=str(python), **columns)
            assert (ran.code, ran.outcome.started) == (905, False)
            return str(ran.error)

        return run

    def test_there_is_none(self, fault):
        assert fault("/nowhere/python").startswith("[pyrunner] python: /nowhere/python is not on ")

    def test_a_mere_name_is_not_in_the_path(self, fault):
        message = "there is no python1.2 in PATH: write its whole path"
        assert fault("python1.2") == f"[pyrunner] python: {message}"

    def test_it_is_a_folder(self, fault, tmp_path):
        assert f"{tmp_path} is a folder: name the interpreter in it, such as {tmp_path}/bin/python" in fault(
            tmp_path
        )

    def test_it_is_not_executable(self, fault, tmp_path):
        file = write(tmp_path / "python", "")
        assert fault(file) == f"[pyrunner] python: {file} is not executable"

    def test_it_is_no_program(self, fault, tmp_path):
        file = write(tmp_path / "python", "no program")
        file.chmod(0o755)
        assert f"{file} cannot be run: [Errno 8] Exec format error" in fault(file)

    def test_it_crashes_at_once(self, fault, tmp_path):
        file = write(tmp_path / "python", "#!/bin/sh\nkill -SEGV $$\n")
        file.chmod(0o755)
        assert f"{file} ended before it ran the worker (signal 11): try {file} -c pass" in fault(file)

    def test_it_is_too_old(self, fault):
        found = find("3.7") or find("3.6")
        if found is None:
            pytest.skip("no Python 3.6 or 3.7 on this machine")
        assert fault(found).startswith(f"[pyrunner] python: {found} is Python 3.")
        assert fault(found).endswith(", not 3.8 or later")

    def test_a_variable_in_its_path_is_not_set(self, fault):
        assert fault("$ENV{NO_SUCH}/python").startswith("$ENV{NO_SUCH}: NO_SUCH is not set")


class TestPath:
    """The list names the interpreter; what that means is found out where the task runs."""

    @pytest.fixture
    def works(self, root, python, monkeypatch):
        write(root / "workers" / "workers.py", source("def run(self): pass"))
        folder = root / "venv" / "bin"
        write(folder / "own-python", f'#!/bin/sh\nexec {python} "$@"\n').chmod(0o755)
        return lambda text, **columns: run_row(root, python=text, **columns).code == 0

    def test_relative_to_the_apps_root(self, works):
        assert works("venv/bin/own-python")

    def test_below_the_users_home(self, works, root, monkeypatch):
        monkeypatch.setenv("HOME", str(root))
        assert works("~/venv/bin/own-python")

    def test_with_a_variable(self, works, root):
        assert works("$ENV{VENV}/bin/own-python", environment={"VENV": str(root / "venv")})

    def test_a_mere_name_is_looked_up_in_the_path(self, works, root, monkeypatch):
        monkeypatch.setenv("PATH", str(root / "venv" / "bin"), prepend=os.pathsep)
        assert works("own-python")


class TimedHost(MemoryHost):
    """Interrupts the worker, as Airflow's timeout does, once a file is there."""

    def __init__(self, ready, error=Interrupted):
        super().__init__()
        self._interruption = error("time is up")
        self._is_allowed = self._is_due = False
        signal.signal(signal.SIGUSR1, self._on_signal)
        threading.Thread(target=self._strike, args=[ready]).start()

    def _strike(self, ready):
        if wait_until(ready.exists, 20):
            os.kill(os.getpid(), signal.SIGUSR1)

    @contextmanager
    def interruptible(self):
        self._is_allowed = True
        try:
            self._deliver()
            yield
        finally:
            self._is_allowed = False

    def _on_signal(self, *_):
        self._is_due = True
        self._deliver()

    def _deliver(self):
        if self._is_due and self._is_allowed:
            self._is_due = False
            raise self._interruption


class ShortOfTime(Interrupted):
    seconds_to_end = 0.5


class TestInterruption:
    WAIT = "open('ready', 'w').close()\n    while True: time.sleep(0.01)"

    def test_it_is_raised_in_the_worker_and_comes_back_as_it_was(self, run_in_own, root):
        body = f"""
def run(self):
    {self.WAIT}
def on_fail(self): self.context["on_fail"] = self.context.get("nothing", "can use the context")
def on_exit(self): self.context["on_exit"] = True
"""
        ran = run_in_own(body, "import time", host=TimedHost(root / "ready"))
        assert (ran.code, type(ran.error), str(ran.error)) == (901, Interrupted, "time is up")
        assert ran.context == {"on_fail": "can use the context", "on_exit": True}
        assert "failed: Interrupted: time is up; attempt 1 of 1" in ran.report

    def test_amid_questions_every_answer_is_still_the_right_one(self, run_in_own, root):
        ran = run_in_own(
            """
            def run(self):
                for number in range(10**9):
                    key = "k%d" % (number % 7)
                    self.context[key] = number
                    del self.context[key]
                    if number == 100: open("ready", "w").close()
            def on_fail(self):
                self.context["a"] = 1
                self.context["right"] = ["a" in self.context, "nothing" in self.context, self.context["a"]]
            """,
            host=TimedHost(root / "ready"),
        )
        assert (type(ran.error), ran.context["right"]) == (Interrupted, [True, False, 1])

    def test_a_sigterm_from_anywhere_else_runs_the_hooks_too(self, run_in_own):
        ran = run_in_own(
            """
            def run(self): os.kill(os.getpid(), signal.SIGTERM)
            def on_fail(self): self.context["failed"] = 1
            """,
            "import os, signal",
        )
        assert (ran.code, ran.error_type, ran.context) == (901, "WorkerInterrupted", {"failed": 1})

    def test_one_while_the_module_is_imported_ends_the_attempt(self, run_in_own, root):
        preamble = "import time\nopen('ready', 'w').close()\ntime.sleep(60)"
        ran = run_in_own("def run(self): pass", preamble, host=TimedHost(root / "ready"))
        assert (ran.code, type(ran.error)) == (901, Interrupted)

    def test_a_worker_that_does_not_end_is_killed_with_its_children(self, run_in_own, root):
        ran = run_in_own(
            """
            def run(self):
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                child = subprocess.Popen(["sleep", "60"])
                with open("child", "w") as file: file.write(str(child.pid))
                open("ready", "w").close()
                child.wait()
            """,
            "import signal, subprocess",
            host=TimedHost(root / "ready", ShortOfTime),
        )
        assert (ran.code, type(ran.error)) == (901, ShortOfTime)
        assert "failed: ShortOfTime, and the worker did not end" in ran.report
        assert wait_until(lambda: not is_running(int((root / "child").read_text())))

    def test_it_dies_with_the_tasks_process(self, root, python):
        """Also one that is killed without a chance to say so: no next attempt runs beside an orphan."""
        body = """
        def run(self):
            child = subprocess.Popen(["sleep", "60"])
            with open("draft", "w") as file: file.write(f"{os.getpid()} {child.pid}")
            os.rename("draft", "pids")
            child.wait()
        """
        write(root / "workers" / "workers.py", source(body, "import os, subprocess"))
        script = """
        from pathlib import Path
        from worker_jobs import run_row
        run_row(Path(sys.argv[1]), python=sys.argv[2])
        """
        task = start_python(script, root, python, stdin=subprocess.DEVNULL)
        assert wait_until((root / "pids").exists, 20)
        task.kill()
        task.wait()
        pids = [int(pid) for pid in (root / "pids").read_text().split()]
        assert wait_until(lambda: not any(map(is_running, pids)))
