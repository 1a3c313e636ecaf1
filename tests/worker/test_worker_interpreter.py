"""A worker in an interpreter of its own: what it sees there, and what goes wrong with such an interpreter."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from worker_jobs import (
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


class TestWhatTheWorkerSees:
    def test_its_interpreter_and_none_of_our_packages(self, run_in_own, python):
        ran = run_in_own(
            """
            def run(self):
                self.context["executable"] = sys.executable
                self.context["ours"] = [name for name in ("airflow", "pydantic", "pendulum") if find(name)]
            """,
            "import sys\nfrom importlib.util import find_spec as find",
        )
        assert (ran.context["executable"], ran.context["ours"]) == (python, [])

    def test_no_task_context_of_airflow(self, run_in_own):
        assert run_in_own("def run(self): self.context['airflow'] = self.airflow").context == {
            "airflow": None
        }

    def test_its_output_is_the_tasks_own(self, run_in_own, capfd):
        run_in_own("def run(self): print('out'); print('err', file=sys.stderr)", "import sys")
        assert capfd.readouterr() == ("out\n", "err\n")

    def test_log_lines_keep_their_levels(self, run_in_own):
        ran = run_in_own("def run(self):\n  self.logger.warn('careful')\n  self.logger.success('done')")
        assert ran.lines == [("WARN", "careful"), ("SUCCESS", "done")]

    def test_its_logfile_is_written_there(self, run_in_own):
        ran = run_in_own("def run(self):\n  print('printed')\n  self.logger.info('logged')", logfile="x.log")
        assert ran.log.index("LOG START") < ran.log.index("printed") < ran.log.index("logged")

    def test_its_standard_input_is_empty(self, run_in_own):
        assert (
            run_in_own("def run(self): self.context['in'] = sys.stdin.read()", "import sys").context["in"]
            == ""
        )

    def test_modules_of_an_app_are_found_as_in_process(self, run_in_own, root):
        write(root / "commons" / "__init__.py", "")
        write(root / "commons" / "name.py", "NAME = 'shared'")
        write(root / "workers" / "sibling.py", "from commons.name import NAME")
        ran = run_in_own("def run(self): self.context['name'] = NAME", "from sibling import NAME")
        assert ran.context == {"name": "shared"}

    def test_the_stand_in_where_pyrunner_is_not_installed(self, run_in_own):
        ran = run_in_own("def run(self): self.context['home'] = Worker.__module__", base="pyrunner")
        assert ran.context["home"] == "pyrunner_airflow.worker.base"

    def test_pyrunner_itself_where_it_is_installed(self, run_in_own, tmp_path):
        shutil.copytree(Path(find_spec("pyrunner").origin).parent, tmp_path / "site" / "pyrunner")
        path = os.pathsep.join([str(tmp_path / "site"), str(Path(__file__).parent)])
        ran = run_in_own(
            "def run(self): self.context['home'] = Worker.__module__",
            base="pyrunner",
            environment={"PYTHONPATH": path},
        )
        assert ran.context["home"].startswith("pyrunner.")

    def test_a_shell_row(self, root, python):
        ran = run_row(
            root, python=python, module="pyrunner", worker="ShellWorker", arguments=["echo hi; exit 3"]
        )
        assert (ran.code, ran.lines) == (3, [("INFO", "hi")])


class TestEnvironment:
    SEEN = "def run(self): self.context['seen'] = {n: os.environ.get(n) for n in self.argv}"

    def seen(self, run, *names, **columns):
        return run(self.SEEN, "import os", arguments=list(names), **columns).context["seen"]

    def test_the_jobs_own_is_there_from_the_start(self, run_in_own):
        seen = self.seen(run_in_own, "APP_NAME", "MINE", environment={"MINE": "1"})
        assert seen == {"APP_NAME": "job", "MINE": "1"}

    @pytest.mark.parametrize(
        "name", ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW_CONN_MYSQL", "AIRFLOW_HOME", "VIRTUAL_ENV"]
    )
    def test_airflows_secrets_and_its_pythons_settings_are_not(self, run_in_own, monkeypatch, name):
        monkeypatch.setenv(name, "secret")
        assert self.seen(run_in_own, name) == {name: None}

    def test_airflows_python_path_is_not(self, run_in_own, monkeypatch, tmp_path):
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        body = f"def run(self): self.context['is there'] = {str(tmp_path)!r} in sys.path"
        assert run_in_own(body, "import sys").context == {"is there": False}

    def test_what_tells_of_the_run_is(self, run_in_own, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CTX_DAG_RUN_ID", "manual__1")
        assert self.seen(run_in_own, "AIRFLOW_CTX_DAG_RUN_ID") == {"AIRFLOW_CTX_DAG_RUN_ID": "manual__1"}


class TestContext:
    def test_all_that_a_dictionary_does(self, run_in_own):
        host = MemoryHost({"a": 1, "gone": 2, "none": None})
        ran = run_in_own(
            """
            def run(self):
                c = self.context
                del c["gone"]
                c["b"] = c["a"] + 1
                c["seen"] = [sorted(c), len(c), "a" in c, "gone" in c, c.get("gone", 5), c["none"], 5 in c]
            def on_exit(self):
                try: self.context["gone"]
                except KeyError as error: self.context["error"] = str(error)
            """,
            host=host,
        )
        assert ran.context["seen"] == [["a", "b", "none"], 3, True, False, 5, None, False]
        assert (ran.context["b"], ran.context["error"]) == (2, "'gone'")

    def test_what_was_read_is_a_copy(self, run_in_own):
        body = "def run(self):\n  self.context['a'].append(2)\n  self.context['again'] = self.context['a']"
        assert run_in_own(body, host=MemoryHost({"a": [1]})).context["again"] == [1]

    class Broken(dict):
        def __setitem__(self, key, value):
            raise ConnectionError("no API server")

    def test_a_write_that_fails_on_the_other_side_fails_the_phase(self, run_in_own):
        ran = run_in_own("def run(self): self.context['a'] = 1", host=MemoryHost(self.Broken()))
        assert (ran.code, ran.error_type) == (901, "HostError")
        assert ran.error_text == "ConnectionError: no API server"

    def test_or_what_is_asked_next(self, run_in_own):
        body = """
        def run(self):
            self.context["a"] = 1
            try: "b" in self.context
            except RuntimeError as error: self.logger.error(error)
        """
        ran = run_in_own(body, host=MemoryHost(self.Broken()))
        assert (ran.code, ran.lines) == (0, [("ERROR", "ConnectionError: no API server")])

    def test_from_all_threads(self, run_in_own):
        ran = run_in_own(
            """
            def run(self):
                with ThreadPoolExecutor(8) as pool:
                    list(pool.map(self.work, range(200)))
            def work(self, number):
                self.context[f"k{number}"] = number
                assert self.context.get(f"k{number}") == number
                self.logger.info(number)
            """,
            "from concurrent.futures import ThreadPoolExecutor",
        )
        assert (ran.code, len(ran.context), len(ran.lines)) == (0, 200, 200)

    def test_a_forked_child_reads_only_what_the_worker_has_read(self, run_in_own, capfd):
        run_in_own(
            """
            def run(self):
                self.context["a"]
                if not os.fork():
                    print(self.context["a"])
                    self.context["b"]
                os.wait()
            """,
            "import os",
            host=MemoryHost({"a": 1, "b": 2}),
        )
        printed = capfd.readouterr()
        assert printed.out == "1\n"
        assert "ContextProcessError: a child process can only read what" in printed.err


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
        body = "def run(self): os.kill(os.getpid(), signal.SIGTERM)\ndef on_fail(self): self.context['failed'] = 1"
        ran = run_in_own(body, "import os, signal")
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


VALUES = """
import uuid
from collections import OrderedDict, defaultdict, deque
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from worker_values import Color, NotAllowed, Order

VALUES = {
    "text": "gr\\u00f6\\u00dfe \\0 \\ud800",
    "numbers": [0, -1, 2**70, 1.5, -0.0, 1e300, True, None, 2j],
    "infinity": float("inf"),
    "bytes": [b"\\0\\xff", bytearray(b"x")],
    "containers": [(1, (2,)), {1, 2}, frozenset("a"), deque([1], 3), OrderedDict(b=1, a=2)],
    "keys": {1: "a", (2, 3): "b", None: "c"},
    "default": defaultdict(list, {"a": [1]}),
    "tag": {"__pyrunner__": "int", "value": 1},
    "times": [date(2026, 1, 2), datetime(2026, 1, 2, 3), time(4, 5), timedelta(days=1, microseconds=7)],
    "zone": datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=1))),
    "decimal": Decimal("1.10"),
    "uuid": uuid.UUID(int=5),
    "path": PurePosixPath("/a/b"),
    "enum": Color.RED,
    "model": Order(1, [Color.RED]),
}
"""
NAMES = ["bytes", "containers", "decimal", "default", "enum", "infinity", "keys", "model", "numbers", "path"]
NAMES += ["tag", "text", "times", "uuid", "zone"]


class TestTypes:
    @pytest.mark.parametrize("name", NAMES)
    def test_a_value_comes_back_equal_and_of_the_same_type(self, run_in_own, name):
        host = MemoryHost()
        body = "def run(self): self.context['x'] = VALUES[self.argv[0]]"
        assert run_in_own(body, VALUES, host=host, arguments=[name]).code == 0
        body = "def run(self): assert repr(self.context['x']) == repr(VALUES[self.argv[0]])"
        assert run_in_own(body, VALUES, host=host, arguments=[name]).error is None

    def test_what_a_native_task_is_to_read_arrives_as_itself(self, run_in_own):
        body = "def run(self):\n  for name in ('times', 'decimal', 'uuid'): self.context[name] = VALUES[name]"
        ran = run_in_own(body, VALUES)
        own = {}
        exec(VALUES, own)
        assert {name: ran.context[name] for name in ("times", "decimal")} == {
            name: own["VALUES"][name] for name in ("times", "decimal")
        }

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (
                "[1, {'a': len}]",
                'value[1]["a"] is a builtin_function_or_method, which cannot travel',
            ),
            (
                "type('Text', (str,), {})()",
                "value is a workers.Text, which would come back as its base",
            ),
            (
                "NotAllowed(1)",
                "value is a elsewhere.NotAllowed, which no other task may load: add",
            ),
            ("deep()", "value is nested more than 90 levels deep"),
        ],
    )
    def test_what_cannot_travel_is_refused_where_it_is_assigned(self, run_in_own, value, message):
        preamble = f"{VALUES}\ndef deep(): a = []; a.append(a); return a"
        ran = run_in_own(f"def run(self): self.context['x'] = {value}", preamble)
        assert (ran.error_type, ran.context) == ("ContextValueError", {})
        assert ran.error_text.startswith(f"context['x']: {message}")
