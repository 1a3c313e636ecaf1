"""A worker in an interpreter of its own: what it sees there, and what the context carries."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from worker_jobs import run_row, source, write

from scripts.interpreters import find


class TestWhatTheWorkerSees:
    def test_its_interpreter_and_none_of_our_packages(self, run_in_own, own_python):
        ran = run_in_own(
            """
            def run(self):
                self.context["executable"] = sys.executable
                self.context["ours"] = [name for name in ("airflow", "pydantic", "pendulum") if find(name)]
            """,
            "import sys\nfrom importlib.util import find_spec as find",
        )
        assert (ran.context["executable"], ran.context["ours"]) == (own_python, [])

    def test_a_mapping_of_what_airflow_tells_of_the_run(self, run_in_own):
        told = {"dag_id": "job", "params": {"day": 1}, "logical_date": datetime(2026, 1, 2, tzinfo=UTC)}
        body = "def run(self): self.context['airflow'] = dict(self.airflow)"
        assert run_in_own(body, airflow=told).context == {"airflow": told}

    def test_which_it_cannot_change(self, run_in_own):
        ran = run_in_own("def run(self): self.airflow['a'] = 1", airflow={"a": 0})
        assert ran.error_type == "TypeError"

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
            env={"PYTHONPATH": path},
        )
        assert ran.context["home"].startswith("pyrunner.")

    def test_a_shell_row(self, root, own_python):
        ran = run_row(
            root, python=own_python, module="pyrunner", worker="ShellWorker", arguments=["echo hi; exit 3"]
        )
        assert (ran.code, ran.lines) == (3, [("INFO", "hi")])


class TestEnvironment:
    SEEN = "def run(self): self.context['seen'] = {n: os.environ.get(n) for n in self.argv}"

    def seen(self, run, *names, **columns):
        return run(self.SEEN, "import os", arguments=list(names), **columns).context["seen"]

    def test_the_jobs_own_is_there_from_the_start(self, run_in_own):
        seen = self.seen(run_in_own, "APP_NAME", "MINE", env={"MINE": "1"})
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


class TestNotStarted:
    """Each before any worker ran: such a row is not tried again."""

    @pytest.fixture
    def fault(self, root):
        write(root / "workers" / "workers.py", source("def run(self): pass"))

        def run(python, **columns):
            ran = run_row(root, python=str(python), **columns)
            assert (ran.code, ran.outcome.started) == (905, False)
            return ran.error_text

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
        assert (
            f"{file} ended before it ran the worker (signal 11, Segmentation fault): try {file} -c pass"
            in fault(file)
        )

    def test_what_starts_it_closes_all_descriptors(self, fault, tmp_path, own_python):
        """As sudo does."""
        close = (
            "import os, sys; os.closerange(3, 256); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
        )
        file = write(tmp_path / "python", f'#!/bin/sh\nexec {own_python} -c "{close}" "$@"\n')
        file.chmod(0o755)
        how = "it has closed the descriptors by which it reaches Airflow"
        assert f"{file} ended before it ran the worker ({how})" in fault(file)

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
    def works(self, root, own_python, monkeypatch):
        write(root / "workers" / "workers.py", source("def run(self): pass"))
        folder = root / "venv" / "bin"
        write(folder / "own-python", f'#!/bin/sh\nexec {own_python} "$@"\n').chmod(0o755)
        return lambda text, **columns: run_row(root, python=text, **columns).code == 0

    def test_relative_to_the_apps_root(self, works):
        assert works("venv/bin/own-python")

    def test_below_the_users_home(self, works, root, monkeypatch):
        monkeypatch.setenv("HOME", str(root))
        assert works("~/venv/bin/own-python")

    def test_with_a_variable(self, works, root):
        assert works("$ENV{VENV}/bin/own-python", env={"VENV": str(root / "venv")})

    def test_a_mere_name_is_looked_up_in_the_path(self, works, root, monkeypatch):
        monkeypatch.setenv("PATH", str(root / "venv" / "bin"), prepend=os.pathsep)
        assert works("own-python")
