"""What a worker needs: any Python from 3.8 on, and nothing beside its standard library."""

import ast
import sys

import pytest
from worker_jobs import REPOSITORY, output_of, python, run_row, write

from pyrunner_airflow import ShellWorker, Worker
from scripts.interpreters import INTERPRETERS

SOURCES = [
    path for room in ("worker", "values") for path in (REPOSITORY / "pyrunner_airflow" / room).glob("*.py")
]
BARE = [(path, "-I", "-S") for path in (sys.executable, *INTERPRETERS.values())]
"""Commands that start a Python without any package."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_module_is_python_3_8(path):
    ast.parse(path.read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("interpreter", BARE, ids=lambda command: command[0])
class TestAlone:
    @pytest.mark.parametrize("base", ["pyrunner", "pyrunner.worker.abstract", "pyrunner_airflow"])
    def test_a_worker_runs(self, root, interpreter, base):
        own = write(root / "python", f'#!/bin/sh\nexec {" ".join(interpreter)} "$@"\n')
        own.chmod(0o755)
        text = f"""
        import sys
        from {base} import Worker
        class W(Worker):
            def run(self):
                self.context["base"] = Worker.__module__
                self.context["loaded"] = [name for name in ("airflow", "pydantic") if name in sys.modules]
                return 3
        """
        write(root / "workers" / "workers.py", text)
        ran = run_row(root, python=str(own))
        assert (ran.code, ran.context) == (3, {"base": "pyrunner_airflow.worker.base", "loaded": []})

    FIND_IMPORTS = """
    from pyrunner_airflow.worker.app import find_app
    from pyrunner_airflow.worker.loading import find_imports
    def find(root): find_imports(find_app(root + "/job.lst"), root)
    """

    def test_the_stand_in_is_the_base_class_everywhere(self, root, interpreter):
        """All the ways by which PyRunner's jobs import it, each of them ours."""
        script = f"""{self.FIND_IMPORTS}
    find(sys.argv[1])
    from pyrunner_airflow import ShellWorker, Worker
    import pyrunner, pyrunner.worker.abstract, pyrunner.worker.shellworker
    assert pyrunner.Worker is pyrunner.worker.Worker is pyrunner.worker.abstract.Worker is Worker
    assert pyrunner.ShellWorker is pyrunner.worker.shellworker.ShellWorker is ShellWorker
    """
        output_of(python(script, root, interpreter=interpreter))

    def test_a_folder_called_pyrunner_does_not_hide_the_stand_in(self, tmp_path, interpreter):
        """As where all lists lie in dags/pyrunner, and Airflow has put dags on sys.path."""
        (tmp_path / "pyrunner" / "app").mkdir(parents=True)
        script = f"""{self.FIND_IMPORTS}
    sys.path.append(sys.argv[1])
    import pyrunner
    find(sys.argv[1] + "/pyrunner/app")
    from pyrunner import Worker
    """
        output_of(python(script, tmp_path, interpreter=interpreter))

    def test_every_module_can_be_imported(self, interpreter):
        modules = [f"import pyrunner_airflow.{path.parent.name}.{path.stem}" for path in SOURCES]
        output_of(python("\n".join(modules), interpreter=interpreter))


@pytest.mark.parametrize(
    "statement",
    [
        "import pyrunner_airflow",
        "import pyrunner_airflow.worker.child",
        "from pyrunner_airflow import Worker, ShellWorker",
        "import pyrunner_airflow; pyrunner_airflow.Worker",
    ],
)
def test_importing_worker_loads_nothing_else(statement):
    script = f"{statement}\nprint([m for m in ('airflow', 'pydantic', 'pyrunner') if m in sys.modules])"
    assert output_of(python(script)) == "[]\n"


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
