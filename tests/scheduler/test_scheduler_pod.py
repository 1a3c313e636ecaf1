"""Rows in what a pod of Kubernetes has: the packages, a git bundle, and the API server's address."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_airflow import LocalAirflow
from tests.postgres import Postgres
from tests.scheduler import pods
from tests.scheduler.apps import IMPORTS, NOTES, TIMEOUT, App, Run
from tests.scheduler.repository import Repository
from tests.setups import ROOT, SETUP

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow_pods")]


def files_of(app: Path, rows: str, workers: str) -> dict[str, str]:
    """Return an app's files, by their path in the repository; those that it writes are to be below `app`."""
    return {
        f"{app.name}/config/{app.name}.lst": f"#AIRFLOW [pyrunner]\n#AIRFLOW app_root = '{app}'\n{rows}",
        f"{app.name}/workers/notes.py": NOTES,
        f"{app.name}/workers/workers.py": IMPORTS + textwrap.dedent(workers),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pods")


@pytest.fixture(scope="module")
def packages(folder: Path) -> Path:
    """A folder with what the package's wheel installs, and nothing else."""
    source = folder / "source"
    shutil.copytree(ROOT / "pyrunner_airflow", source / "pyrunner_airflow")
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--target", folder / "packages", source], check=True)
    return folder / "packages"


@pytest.fixture(scope="module")
def repository(folder: Path) -> Repository:
    (folder / "repository").mkdir()
    return Repository(folder / "repository")


@pytest.fixture(scope="module")
def airflow(
    folder: Path, packages: Path, repository: Repository, postgres: Postgres
) -> Iterator[LocalAirflow]:
    for app in ("in_pods", "versioned"):
        (folder / app).mkdir()
    repository.commit(
        {
            **{loader.name: loader.read_text() for loader in SETUP.loaders},
            **files_of(folder / "in_pods", TestAttempts.ROWS, TestAttempts.WORKERS),
            **TestCommits.files(folder, "old"),
        }
    )
    settings = {"core": {"executor": f"{pods.__name__}.{pods.PodExecutor.__name__}"}}
    env = {
        "PYTHONPATH": str(ROOT),
        pods.PACKAGES: str(packages),
        **SETUP.variables,
        f"{pods.OPTIONS}DAG_BUNDLE_CONFIG_LIST": repository.bundles,
        f"{pods.OPTIONS}DAG_BUNDLE_STORAGE_PATH": str(folder / "bundles"),
    }
    with LocalAirflow(folder, settings=settings, env=env, database=postgres.database("pods")) as local:
        yield local


def outputs(airflow: LocalAirflow) -> str:
    return "\n".join(path.read_text() for path in (airflow.home / pods.PODS).glob("*/output"))


class TestAttempts:
    ROWS = (
        "1|-1|2|0|Write|workers|Write||$ENV{APP_LOG_DIR}/write.log\n2|1|1|0|Read|workers|Read|{{ run_id }}|\n"
    )
    WORKERS = """
        import os
        import pyrunner_airflow

        class Write(Worker):
            def run(self):
                note("home", os.environ["AIRFLOW_HOME"])
                if self.airflow["ti"].try_number == 1:
                    self.context["from_the_first_attempt"] = {1: os.environ["APP_NAME"]}
                    raise RuntimeError("on purpose")
                self.context["from_the_second"] = self.context["from_the_first_attempt"]

        class Read(Worker):
            def run(self):
                note("home", os.environ["AIRFLOW_HOME"])
                note("package", pyrunner_airflow.__file__)
                note("read", dict(self.context) == {
                    "from_the_first_attempt": {1: "in_pods"}, "from_the_second": {1: "in_pods"}
                })
                note("run", self.argv[0] == os.environ["APP_RUN_ID"])
    """

    @pytest.fixture(scope="class")
    @staticmethod
    def app(airflow: LocalAirflow, folder: Path) -> App:
        return App(airflow, folder / "in_pods")

    @pytest.fixture(scope="class")
    @staticmethod
    def run(app: App) -> Run:
        return app.trigger().finish()

    def test_each_row_succeeds(self, run, airflow):
        assert set(run.states().values()) == {"success"}, outputs(airflow)
        assert run.attempts() == {"1_write": 2, "2_read": 1}

    def test_each_attempt_has_a_home_of_its_own(self, run, app, airflow):
        homes = {Path(home) for what, home in app.notes() if what == "home"}
        assert homes <= set((airflow.home / pods.PODS).iterdir())
        assert len(homes) == 3

    def test_none_has_a_database_or_anything_of_the_package_but_its_wheel(self, run, app, airflow, packages):
        assert not list((airflow.home / pods.PODS).glob("*/airflow.db"))
        assert ["package", str(packages / "pyrunner_airflow" / "__init__.py")] in app.notes()

    @pytest.mark.parametrize("what", ["read", "run"])
    def test_the_context_and_the_run_are_as_on_one_host(self, run, app, what):
        assert [what, True] in app.notes()


class TestCommits:
    """A run is under way while ten commits change the list and the code of its workers."""

    ROWS = "1|-1|1|0|First|workers|Wait|go|\n2|1|1|0|{0}|workers|Tell||\n"
    WORKERS = """
        import os
        import time

        class Wait(Worker):
            def run(self):
                note("waiting", "{0}")
                while not os.path.exists(self.argv[0]):
                    time.sleep(0.05)

        class Tell(Worker):
            def run(self):
                note("told", "{0}")
    """

    @classmethod
    def files(cls, folder: Path, text: str) -> dict[str, str]:
        return files_of(folder / "versioned", cls.ROWS.format(text), cls.WORKERS.format(text))

    def test_it_keeps_its_list_and_code_and_the_next_has_the_last_in_one_folder_for_their_files(
        self, repository: Repository, airflow: LocalAirflow, folder: Path
    ):
        app = App(airflow, folder / "versioned")
        run = app.trigger()
        app.wait_for_note("waiting", "old")
        commits = [repository.commit(self.files(folder, f"new {number}")) for number in range(10)]
        airflow.wait_for_dag("versioned", lambda dag: dag["bundle_version"] == commits[-1], timeout=TIMEOUT)
        airflow.wait(lambda: "2_new_9" in airflow.tasks("versioned"), "the last list's row", TIMEOUT)
        (app.path / "go").touch()
        assert run.finish().states() == dict.fromkeys(["1_first", "2_old"], "success")
        later = app.trigger().finish()
        assert later.states() == dict.fromkeys(["1_first", "2_new_9"], "success")
        assert app.notes() == [["waiting", "old"], ["told", "old"], ["waiting", "new 9"], ["told", "new 9"]]
        versions = [airflow.run("versioned", one.run_id)["bundle_version"] for one in (run, later)]
        assert versions[1] == commits[-1]
        assert versions[0] not in commits
