"""A worker runs in any Python from 3.8 on, without Airflow, pydantic or python-batch-runner."""

import ast
import json
import os
import sys

import pytest
from worker_jobs import REPOSITORY, json_of, output_of, python, source, write

from pyrunner_airflow import ShellWorker, Worker
from scripts.interpreters import INTERPRETERS

PACKAGE = REPOSITORY / "pyrunner_airflow" / "worker"
COMMANDS = [(path, "-I", "-S") for path in (sys.executable, *INTERPRETERS.values())]
BARE = COMMANDS[0]


IN_EACH = pytest.mark.parametrize("interpreter", COMMANDS, ids=lambda command: command[0])
RUN_ROW = """
import json
from pathlib import Path
from worker_jobs import run_row
columns = json.loads(sys.argv[2])
ran = run_row(Path(sys.argv[1]), **columns)
loaded = [name for name in ("airflow", "pydantic", "pyrunner") if name in sys.modules]
log = ran.log if columns.get("logfile") else None
print(json.dumps([ran.code, ran.context, ran.lines, repr(ran.error), log, loaded]))
"""


@pytest.fixture
def run_in(root):
    """Run a row in an interpreter; return code, context, lines, error, LOGFILE, and what it left loaded."""
    return lambda interpreter, **columns: json_of(
        python(RUN_ROW, root, json.dumps(columns), interpreter=interpreter)
    )


@pytest.mark.parametrize("path", list(PACKAGE.glob("*.py")), ids=lambda path: path.name)
def test_every_module_is_python_3_8(path):
    ast.parse(path.read_text(), feature_version=(3, 8))


@IN_EACH
class TestAlone:
    BODY = """
    def run(self):
        self.logger.info("logged")
        print("printed")
        self.context["answer"] = [len(self.argv), os.environ["APP_NAME"]]
    def on_exit(self):
        self.retcode = self.argv[0]
    """

    @pytest.mark.parametrize("base", ["pyrunner", "pyrunner.worker.abstract", "pyrunner_airflow"])
    def test_a_worker_runs(self, root, run_in, interpreter, base):
        write(root / "workers" / "workers.py", source(self.BODY, "import os", base))
        code, context, lines, _, log, loaded = run_in(interpreter, arguments=["3", "b"], logfile="x.log")
        assert (code, context, lines, loaded) == (3, {"answer": [2, "job"]}, [["INFO", "logged"]], [])
        assert "printed\n" in log

    def test_a_profile_is_sourced(self, root, run_in, interpreter):
        write(root / "config" / "app_profile", "export APP_NAME=$(date -u +%F)")
        write(root / "workers" / "workers.py", source(self.BODY, "import os"))
        assert run_in(interpreter, arguments=["0"])[1] == {"answer": [1, "2024-02-29"]}

    def test_an_exception_comes_back(self, root, run_in, interpreter):
        write(root / "workers" / "workers.py", source("def run(self): raise ValueError('bad')"))
        assert run_in(interpreter)[::3] == [901, "ValueError('bad')"]

    def test_a_shell_worker_runs(self, run_in, interpreter):
        columns = {"module": "pyrunner", "worker": "ShellWorker", "arguments": ["echo hello; exit 3"]}
        assert run_in(interpreter, **columns)[:3] == [3, {}, [["INFO", "hello"]]]

    def test_the_stand_in_is_the_base_class_everywhere(self, interpreter):
        """All the ways by which PyRunner's jobs import it, each of them ours."""
        script = """
        import os
        from pyrunner_airflow.worker.loading import app_imports
        from pyrunner_airflow import ShellWorker, Worker
        with app_imports(sys.argv[1], sys.argv[1], "workers"):
            import pyrunner, pyrunner.worker.abstract, pyrunner.worker.shellworker
            assert pyrunner.Worker is pyrunner.worker.Worker is pyrunner.worker.abstract.Worker is Worker
            assert pyrunner.ShellWorker is pyrunner.worker.shellworker.ShellWorker is ShellWorker
        assert "pyrunner" not in sys.modules
        try:
            import pyrunner
        except ModuleNotFoundError:
            print("gone")
        """
        assert output_of(python(script, os.getcwd(), interpreter=interpreter)) == "gone\n"

    def test_a_folder_called_pyrunner_does_not_hide_the_stand_in(self, tmp_path, interpreter):
        """As where all lists lie in dags/pyrunner, and Airflow has put dags on sys.path."""
        root = tmp_path / "pyrunner" / "app"
        write(root / "workers" / "workers.py", source("def run(self): return 3", base="pyrunner"))
        script = """
        from pathlib import Path
        from worker_jobs import run_row
        sys.path.append(sys.argv[1])
        import pyrunner
        ran = run_row(Path(sys.argv[1], "pyrunner", "app"))
        assert ran.code == 3, ran.report
        print(sys.modules["pyrunner"] is pyrunner and not hasattr(pyrunner, "Worker"))
        """
        assert output_of(python(script, tmp_path, interpreter=interpreter)) == "True\n"

    def test_the_folder_may_be_imported_under_another_name(self, root, interpreter):
        """As a copy beside other things in an interpreter of its own."""
        write(root / "workers" / "workers.py", "from worker import Worker\nclass W(Worker):\n  run = print")
        script = """
        sys.path.insert(0, sys.argv[1])
        from worker.loading import app_imports, load_worker
        with app_imports(sys.argv[2], sys.argv[2] + "/workers", "workers"):
            print(load_worker("workers", "W", []).__name__, "pyrunner_airflow" in sys.modules)
        """
        output = output_of(python(script, PACKAGE.parent, root, interpreter=interpreter))
        assert output == "W False\n"


@pytest.mark.parametrize(
    "statement",
    [
        "import pyrunner_airflow",
        "import pyrunner_airflow.worker.running",
        "from pyrunner_airflow import Worker, ShellWorker",
        "import pyrunner_airflow; pyrunner_airflow.Worker",
    ],
)
def test_importing_worker_loads_nothing_else(statement):
    script = f"{statement}\nprint([m for m in ('airflow', 'pydantic', 'pyrunner') if m in sys.modules])"
    assert output_of(python(script)) == "[]\n"


def test_the_package_is_standard_library_only():
    script = """
    import pyrunner_airflow.worker.interpreter, pyrunner_airflow.worker.remote
    top = {name.split(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
    print(sorted(name for name in top if not name.startswith(("__", "_"))))
    """
    assert output_of(python(script, interpreter=BARE)) == "['pyrunner_airflow']\n"


class TestByHand:
    """As a unit test makes a worker."""

    class Count(Worker):
        def run(self):
            self.logger.info("counting")
            self.context["count"] = self.context.get("count", 0) + len(self.argv)
            return self.argv and self.argv[0]

    @pytest.mark.parametrize("arguments", [({}, None, []), ({}, {}, {}), ({},)])
    def test_with_a_plain_dictionary(self, arguments):
        assert not self.Count(*arguments).run()

    def test_with_keywords(self):
        context = {"count": 1}
        assert self.Count(context=context, logfile=None, argv=["a", "b"]).run() == "a"
        assert context == {"count": 3}

    def test_the_logger_prints(self, capsys):
        self.Count({}, None, []).run()
        assert capsys.readouterr().out.startswith("INFO - ")

    def test_retcode(self):
        worker = self.Count({}, None, [])
        assert worker.retcode == 0
        worker.retcode = "5"
        assert worker.retcode == 5
        with pytest.raises(ValueError, match="must be 0 or greater - received: -1"):
            worker.retcode = -1

    def test_airflow_is_none(self):
        assert self.Count({}, None, []).airflow is None

    @pytest.mark.parametrize("hook", ["on_start", "on_success", "on_fail", "on_exit", "on_destroy"])
    def test_a_hook_that_is_not_overridden_is_not_implemented(self, hook):
        with pytest.raises(NotImplementedError):
            getattr(self.Count({}, None, []), hook)()

    def test_without_run_it_cannot_be_made(self):
        with pytest.raises(TypeError, match="run"):
            Worker({}, None, [])

    def test_the_public_names_are_these_classes(self):
        from pyrunner_airflow.worker import base

        assert (Worker, ShellWorker) == (base.Worker, base.ShellWorker)
