"""A worker in an interpreter of its own: what it sees there, and what the context carries."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from worker_jobs import (
    MemoryHost,
    run_row,
    write,
)


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
