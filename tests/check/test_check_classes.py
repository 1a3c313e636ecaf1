"""Which workers can't start or can't succeed. Each case is run too: the row fails where there is an error."""

import re

import pytest

from tests.check.checked import check, codes, row, write
from tests.worker.worker_jobs import run_row

WORKER = "from pyrunner import Worker\n"
W = f"{WORKER}class W(Worker):\n    def run(self): pass\n"

GOOD = {
    "in workers": ({"workers/workers.py": W}, "workers"),
    "in python": ({"python/workers.py": W}, "workers"),
    "in worker": ({"worker/jobs.py": W}, "jobs"),
    "beside the list": ({"config/jobs.py": W}, "jobs"),
    "in the app's root": ({"jobs.py": W}, "jobs"),
    "in a package": ({"workers/jobs/__init__.py": "", "workers/jobs/load.py": W}, "jobs.load"),
    "in a package itself": ({"workers/jobs/__init__.py": W}, "jobs"),
    "in a folder that is no package": ({"workers/jobs/load.py": W}, "jobs.load"),
    "by the worker folder's own name": ({"workers/load.py": W}, "workers.load"),
    "through a relative import": (
        {"workers/jobs/__init__.py": "from .load import W", "workers/jobs/load.py": W},
        "jobs",
    ),
    "through a relative import of a module": (
        {
            "workers/jobs/__init__.py": "",
            "workers/jobs/a.py": "from . import b\nW = b.W",
            "workers/jobs/b.py": W,
        },
        "jobs.a",
    ),
    "through a star": ({"workers/workers.py": "from base import *", "workers/base.py": W}, "workers"),
    "under another name": ({"workers/workers.py": f"{W.replace('W(', 'X(')}W = X"}, "workers"),
    "imported under another name": (
        {"workers/workers.py": "from base import X as W", "workers/base.py": W.replace("W(", "X(")},
        "workers",
    ),
    "from a base of another module": (
        {
            "workers/workers.py": "import base\nclass W(base.Base): pass",
            "workers/base.py": f"{WORKER}class Base(Worker):\n    def run(self): pass\n",
        },
        "workers",
    ),
    "of two bases": (
        {
            "workers/workers.py": f"""\
            {WORKER}
            class Runs:
                def run(self): pass
            class W(Runs, Worker): pass
            """
        },
        "workers",
    ),
    "of the abstract module": (
        {"workers/workers.py": W.replace("pyrunner", "pyrunner.worker.abstract")},
        "workers",
    ),
    "of pyrunner as a module": (
        {
            "workers/workers.py": W.replace("from pyrunner import Worker", "import pyrunner").replace(
                "(W", "(pyrunner.W"
            )
        },
        "workers",
    ),
    "of this package": ({"workers/workers.py": W.replace("pyrunner", "pyrunner_airflow")}, "workers"),
    "in a branch": (
        {"workers/workers.py": f"try:\n    {WORKER}except ImportError:\n    raise\n{W}"},
        "workers",
    ),
    "with generic bases": (
        {
            "workers/workers.py": f"""\
            from typing import Generic, TypeVar
            {WORKER}
            T = TypeVar("T")
            class Base(Worker, Generic[T]):
                def run(self): pass
            class W(Base[int]): pass
            """
        },
        "workers",
    ),
    "made by a function": (
        {
            "workers/workers.py": f"""\
            {WORKER}
            def make():
                class Made(Worker):
                    def run(self): pass
                return Made
            W = make()
            """
        },
        "workers",
    ),
    "put into globals()": (
        {
            "workers/workers.py": f"""\
            {WORKER}
            class V(Worker):
                def run(self): pass
            globals()["W"] = V
            """
        },
        "workers",
    ),
    "decorated": (
        {
            "workers/workers.py": f"""\
            {WORKER}
            def runs(cls):
                cls.run = lambda self: None
                cls.__abstractmethods__ = frozenset()
                return cls
            @runs
            class W(Worker): pass
            """
        },
        "workers",
    ),
    "run is an attribute": (
        {"workers/workers.py": f"{WORKER}class W(Worker):\n    run = lambda self: None\n"},
        "workers",
    ),
    "a base of an installed package": (
        {
            "workers/workers.py": f"""\
            import pytest
            {WORKER}
            class W(Worker, pytest.Item if False else object):
                def run(self): pass
            """
        },
        "workers",
    ),
    "run has defaults": (
        {"workers/workers.py": W.replace("self", "self, day=None, *rest, x=1, **more")},
        "workers",
    ),
    "run is chosen": (
        {
            "workers/workers.py": f"""\
            {WORKER}
            class W(Worker):
                if True:
                    def run(self): pass
            """
        },
        "workers",
    ),
    "run is imported": (
        {
            "workers/workers.py": f"{WORKER}class W(Worker):\n    from base import run\n",
            "workers/base.py": "def run(self): pass",
        },
        "workers",
    ),
    "a base that fills its classes": (
        {
            "workers/workers.py": f"""\
            {WORKER}
            class Base(Worker):
                def __init_subclass__(cls):
                    cls.run = lambda self: None
            class W(Base): pass
            """
        },
        "workers",
    ),
    "thousands of terms": (
        {"workers/workers.py": f"{W.replace('pass', 'x = ' + '+'.join('1' * 700))}"},
        "workers",
    ),
    "hundreds of branches": (
        {
            "workers/workers.py": f"{W.replace(' pass', '')}        if 0: pass\n"
            + "        elif 1: pass\n" * 300
        },
        "workers",
    ),
    "run is static": (
        {"workers/workers.py": f"{WORKER}class W(Worker):\n    @staticmethod\n    def run(): pass\n"},
        "workers",
    ),
    "hooks": (
        {"workers/workers.py": f"{W}    def on_start(self): pass\n    def on_destroy(self): pass\n"},
        "workers",
    ),
}
BAD = {
    "no module": ({"workers/workers.py": W}, "worker", "module-not-found"),
    "no module in the package": (
        {"workers/jobs/__init__.py": "", "workers/jobs/load.py": W},
        "jobs.laod",
        "module-not-found",
    ),
    "a module is no package": ({"workers/jobs.py": W}, "jobs.load", "module-not-found"),
    "a folder": ({"workers/jobs/load.py": W}, "jobs", "module-not-found"),
    "a folder of the app": ({"workers/load.py": W}, "workers", "module-not-found"),
    "a file's name": ({"workers/workers.py": W}, "workers.py", "module-ends-in-py"),
    "a file's name in a package": (
        {"workers/jobs/__init__.py": "", "workers/jobs/load.py": W},
        "jobs.load.py",
        "module-ends-in-py",
    ),
    "a name of Python's own": ({"workers/calendar.py": W}, "calendar", "standard-module"),
    "a syntax error": ({"workers/workers.py": "class W(Worker)\n"}, "workers", "invalid-python"),
    "a NUL": ({"workers/workers.py": f"{W}\0"}, "workers", "invalid-python"),
    "no class": ({"workers/workers.py": W.replace("W(", "V(")}, "workers", "class-not-found"),
    "an empty module": ({"workers/workers.py": ""}, "workers", "class-not-found"),
    "not in the star": (
        {"workers/workers.py": "from base import *", "workers/base.py": W.replace("W(", "V(")},
        "workers",
        "class-not-found",
    ),
    "a plain class": ({"workers/workers.py": "class W: pass"}, "workers", "not-a-worker"),
    "a thread": (
        {"workers/workers.py": "import threading\nclass W(threading.Thread): pass"},
        "workers",
        "not-a-worker",
    ),
    "a class that uses a worker": (
        {"workers/workers.py": f"{WORKER}class W(dict):\n    base = Worker\n"},
        "workers",
        "not-a-worker",
    ),
    "a function": ({"workers/workers.py": "def W(): pass"}, "workers", "not-a-worker"),
    "a module's name": ({"workers/workers.py": "import json as W"}, "workers", "not-a-worker"),
    "a number": ({"workers/workers.py": "W = 5"}, "workers", "not-a-worker"),
    "Worker itself": ({"workers/workers.py": "from pyrunner import Worker as W"}, "workers", "no-run"),
    "no run": (
        {"workers/workers.py": f"{WORKER}class W(Worker):\n    def on_exit(self): pass\n"},
        "workers",
        "no-run",
    ),
    "an abstract run": (
        {
            "workers/workers.py": f"""\
            from abc import abstractmethod
            {WORKER}
            class Base(Worker):
                @abstractmethod
                def run(self): pass
            class W(Base): pass
            """
        },
        "workers",
        "no-run",
    ),
    "run has a parameter": (
        {"workers/workers.py": W.replace("self", "self, day")},
        "workers",
        "run-with-parameters",
    ),
    "run has one by name": (
        {"workers/workers.py": W.replace("self", "self, *, x")},
        "workers",
        "run-with-parameters",
    ),
    "run has no self": ({"workers/workers.py": W.replace("self", "")}, "workers", "run-with-parameters"),
    "a hook has a parameter": (
        {"workers/workers.py": f"{W}    def on_success(self, code): pass\n"},
        "workers",
        "run-with-parameters",
    ),
    "run is a coroutine": (
        {"workers/workers.py": W.replace("    def", "    async def")},
        "workers",
        "invalid-return-code",
    ),
    "run is a generator": (
        {"workers/workers.py": W.replace("pass", "yield 1")},
        "workers",
        "invalid-return-code",
    ),
}


def outcome(root, module):
    """Run the row."""
    return run_row(root, module=module)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("case", GOOD)
def test_what_runs_is_no_error(tmp_path, case):
    files, module = GOOD[case]
    root = write(tmp_path / "app", **files)
    assert outcome(root, module).code == 0
    assert codes(check(root, row(module=module))) == []


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("case", BAD)
def test_what_cannot_run_is_an_error(tmp_path, case):
    files, module, code = BAD[case]
    root = write(tmp_path / "app", **files)
    assert outcome(root, module).code != 0
    assert codes(check(root, row(module=module))) == [code]


@pytest.mark.parametrize(
    ("module", "worker", "found"),
    [
        ("pyrunner", "ShellWorker", []),
        ("pyrunner.worker.shellworker", "ShellWorker", []),
        ("pyrunner", "Worker", ["no-run"]),
        ("pyrunner", "ShelWorker", ["class-not-found"]),
        ("pytest", "Item", []),
        ("pytest", "Worker", []),
        ("$ENV{MODULE}", "W", []),
        ("workers", "W$ENV{TEAM}", []),
    ],
)
def test_modules_that_are_not_the_apps(tmp_path, module, worker, found):
    root = write(tmp_path / "app", **{"workers/workers.py": W})
    assert codes(check(root, row(module=module, worker=worker))) == found


def test_a_module_of_the_dags_folder_is_not_missed(tmp_path):
    """Airflow puts that folder on sys.path; which of those above it is cannot be told."""
    root = write(tmp_path / "jobs" / "app", **{"workers/workers.py": W})
    assert codes(check(root, row(module="jobs.app.workers.workers"))) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_place_is_right_in_each_encoding_and_with_each_line_end(tmp_path, encoding, line_end):
    method = "    def run(self): return 'ä', self.context['ä']\n"
    source = f"# coding: {encoding}\n{WORKER}class W(Worker):\n{method}"
    root = write(tmp_path, **{"workers/workers.py": ""})
    (root / "workers/workers.py").write_bytes(source.replace("\n", line_end).encode(encoding))
    found = check(root, row()).diagnostics
    assert [(problem.line, problem.text[problem.column - 1 :][: problem.length]) for problem in found] == [
        (4, "'ä', self.context['ä']"),
        (4, "'ä'"),
    ]


def test_a_compiled_module_is_not_read(tmp_path):
    root = write(tmp_path / "app", **{"workers/workers.abi3.so": ""})
    assert codes(check(root, row())) == []


@pytest.mark.parametrize(
    "source",
    [
        "W, V = 1, 2",
        "for W in (): pass",
        "class W(W): pass",
        "W = V\nV = W",
        "from workers import W",
        "import W",
    ],
)
def test_of_what_cannot_be_told_nothing_is(tmp_path, source):
    assert codes(check(write(tmp_path, **{"workers/workers.py": source}), row())) == []


def test_rows_with_the_same_mistake_are_one_error(tmp_path):
    root = write(tmp_path, **{"workers/workers.py": W})
    (found,) = check(root, *(row(id=number, worker="V") for number in (1, 2, 3))).diagnostics
    assert (found.line, found.message.partition("(")[2]) == (1, "also rows 2 to 3)")


RETURNS = [
    "",
    "None",
    "0",
    "False",
    "''",
    "[]",
    "0.5",
    "1",
    "7",
    "True",
    "2.7",
    "'5'",
    "b'5'",
    "1 if self else 'x'",
]
RETURNS += [
    "-0",
    "len('abc')",
    "-1",
    "-2.5",
    "'abc'",
    "b'x'",
    "[1]",
    "(0,)",
    "{1}",
    "{'a': 1}",
    "1j",
    "...",
    "1e999",
]
RETURNS += ["f'{1}'", "{**{}}", "[*()]", "-(1)", "not 1"]


@pytest.mark.parametrize("value", RETURNS)
@pytest.mark.parametrize("phase", ["run", "on_success", "on_exit"])
def test_a_constant_that_is_no_return_code_is_an_error(tmp_path, phase, value):
    """Where PyRunner's worker refuses it."""
    body = f"    def {phase}(self):\n        return {value}\n"
    root = write(
        tmp_path / "app",
        **{"workers/workers.py": (W if phase != "run" else f"{WORKER}class W(Worker):\n") + body},
    )
    found = codes(check(root, row()))
    raised = isinstance(outcome(root, "workers").error, (TypeError, ValueError, OverflowError))
    assert ("invalid-return-code" in found) is raised
    assert ("true-is-failure" in found) is (value == "True")


@pytest.mark.parametrize(
    "body",
    [
        "def run(self):\n    def inner(): return 'x'\n",
        "def run(self):\n    x = lambda: 'x'\n",
        "def run(self):\n    class Inner:\n        def run(self): return 'x'\n",
        "def run(self): pass\ndef on_fail(self): return 'x'\n",
        "def run(self): pass\ndef helper(self): return 'x'\n",
        "def run(self): pass\ndef other(self):\n    yield 1\n",
    ],
)
def test_other_returns_do_not_count(tmp_path, body):
    source = f"{WORKER}class W(Worker):\n" + re.sub("^", "    ", body, flags=re.MULTILINE)
    assert codes(check(write(tmp_path, **{"workers/workers.py": source}), row())) == []


class TestHooks:
    @pytest.mark.parametrize(
        ("method", "hint"),
        [
            ("on_sucess", "Did you mean on_success? PyRunner calls"),
            ("on_failure", "Did you mean on_fail? PyRunner calls"),
            ("on_message", "PyRunner calls"),
        ],
    )
    def test_one_that_pyrunner_does_not_know_is_told(self, tmp_path, method, hint):
        root = write(tmp_path, **{"workers/workers.py": f"{W}    def {method}(self): pass\n"})
        (found,) = check(root, row()).diagnostics
        assert (found.code, found.line, found.hint.startswith(hint)) == ("unknown-hook", 4, True)

    @pytest.mark.parametrize(
        "source",
        [
            f"{W.replace('pass', 'client.on_message = self.on_message')}    def on_message(self): pass\n",
            f"{W}    def on_message(self): pass  # the client calls on_message\n",
            f"{W}    def success(self): pass\n",
            f"{W}    on_sucess = 1\n",
            f"{W.replace('(Worker)', '(Worker, __import__(chr(112)).X)')}    def on_sucess(self): pass\n",
        ],
        ids=["passed on", "mentioned", "not on_", "no method", "a base that is not known"],
    )
    def test_but_no_method_that_may_be_called_by_somebody_else(self, tmp_path, source):
        assert codes(check(write(tmp_path, **{"workers/workers.py": source}), row())) == []

    def test_one_of_a_base_class_is_told_once(self, tmp_path):
        base = f"{W.replace('W(', 'Base(')}    def on_sucess(self): pass\n"
        source = f"{base}class V(Base): pass\nclass W(Base): pass\n"
        root = write(tmp_path, **{"workers/workers.py": source})
        assert codes(check(root, row(), row(id=2, worker="V"))) == ["unknown-hook"]
