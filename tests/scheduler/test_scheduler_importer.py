"""Airflow 3.4 with the importer: a task list is a DAG file, and there is no Python file in the dags folder.

What the tests of the loader say of lists, of the sample job and of its restart is said here too.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_airflow import LocalAirflow
from tests.airflow_34 import AIRFLOW_34, IMPORTER
from tests.postgres import Postgres
from tests.scheduler.apps import IMPORTS, NOTES, TIMEOUT, App, Apps, DataServer
from tests.scheduler.test_scheduler_lists import (  # noqa: F401  # pytest runs these here too
    ROW,
    WORKERS,
    TestAirflowignore,
    TestBadLists,
    TestFilesThatAreNoLists,
    TestOneList,
)
from tests.scheduler.test_scheduler_sample import TestRestart, TestSample, finished, sample  # noqa: F401

pytestmark = pytest.mark.xdist_group("airflow_34")


class Repository:
    """A git repository that Airflow has as a bundle."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._git("init", "--quiet", "--initial-branch=main", ".")

    def _git(self, *args: str) -> str:
        who = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com"]
        done = subprocess.run(["git", *who, *args], cwd=self.path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Commit files, given as texts by path, and return the commit."""
        for path, text in files.items():
            file = self.path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self._git("add", ".")
        self._git("commit", "--quiet", "--message", "Change")
        return self._git("rev-parse", "HEAD")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repository = Repository(tmp_path_factory.mktemp("repository"))
    repository.commit(**{"README": "No lists yet"})
    return repository


@pytest.fixture(scope="module")
def airflow(
    tmp_path_factory: pytest.TempPathFactory,
    sample_server: DataServer,
    postgres: Postgres,
    repository: Repository,
) -> Iterator[LocalAirflow]:
    """An Airflow 3.4 with the importer, a plain dags folder, and a git repository."""
    url = sample_server.url
    bundles = [
        {
            "name": "dags-folder",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {},
        },
        {
            "name": "repository",
            "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
            "kwargs": {"repo_url": str(repository.path), "tracking_ref": "main", "refresh_interval": 1},
        },
    ]
    home = tmp_path_factory.mktemp("airflow_34")
    settings = {
        "dag_processor": {
            "dag_importer_configs": IMPORTER,
            "dag_bundle_config_list": json.dumps(bundles),
            "dag_bundle_storage_path": home / "bundles",
        }
    }
    env = {"SAMPLE_DATA_URL": url, "SAMPLE_SLACK_WEBHOOK_URL": f"{url}/slack"}
    local = LocalAirflow(
        home, env=env, settings=settings, database=postgres.database("airflow_34"), bin=AIRFLOW_34
    )
    with local:
        yield local


@pytest.fixture
def error_files() -> list[str]:
    """Each has an import error of its own."""
    return ["breaks/config/breaks.lst", "breaks_too/config/breaks_too.lst"]


@pytest.mark.slow
class TestFile:
    def test_the_list_is_the_source_that_the_code_tab_shows(self, apps: Apps, airflow: LocalAirflow):
        app = apps.add("shown", ROW, WORKERS)
        dag = airflow.wait_for_dag("shown", timeout=TIMEOUT)
        source = airflow.api("GET", "dagSources", "shown", headers={"Accept": "application/json"})
        assert dag["relative_fileloc"] == "shown/config/shown.lst"
        assert (source["content"], source["language"]) == (app.list.read_text(), "plaintext")

    def test_a_changed_options_file_changes_its_dag(self, apps: Apps, airflow: LocalAirflow):
        app = apps.add("optional", ROW, WORKERS)
        airflow.wait_for_dag("optional", timeout=TIMEOUT)
        app.write("config/pyrunner.toml", 'description = "from the options"')
        airflow.wait_for_dag(
            "optional", lambda dag: dag["description"] == "from the options", timeout=TIMEOUT
        )


@pytest.mark.slow
class TestGitBundle:
    """A run is under way while a commit changes the list and the code of its workers."""

    LIST = "#AIRFLOW [pyrunner]\n#AIRFLOW app_root = '{0}'\n1|-1|1|0|First|workers|Wait|go|\n"
    MORE = "2|1|1|0|{0}|workers|Tell||\n"
    WORKERS_OF = IMPORTS + (
        "import os\nimport time\n\n"
        "class Wait(Worker):\n    def run(self):\n        note('waiting', {0!r})\n"
        "        while not os.path.exists(self.argv[0]):\n            time.sleep(0.05)\n\n"
        "class Tell(Worker):\n    def run(self):\n        note('told', {0!r})\n"
    )

    def test_it_keeps_its_list_and_code_and_the_next_has_the_new_in_one_folder_for_their_files(
        self, repository: Repository, airflow: LocalAirflow, tmp_path: Path
    ):
        app = App(airflow, tmp_path)

        def commit(text: str) -> str:
            files = {
                "config/versioned.lst": self.LIST.format(tmp_path) + self.MORE.format(text),
                "workers/notes.py": NOTES,
                "workers/workers.py": self.WORKERS_OF.format(text),
            }
            return repository.commit(**files)

        old = commit("old")
        run = app.trigger("versioned")
        app.wait_for_note("waiting", "old")
        new = commit("new")
        airflow.wait_for_dag("versioned", lambda dag: dag["bundle_version"] == new, timeout=TIMEOUT)
        airflow.wait(lambda: "2_new" in airflow.tasks("versioned"), "the new list's row", TIMEOUT)
        (tmp_path / "go").touch()
        assert run.finish().states() == dict.fromkeys(["1_first", "2_old"], "success")
        later = app.trigger("versioned").finish()
        assert later.states() == dict.fromkeys(["1_first", "2_new"], "success")
        assert app.notes() == [["waiting", "old"], ["told", "old"], ["waiting", "new"], ["told", "new"]]
        versions = [airflow.run("versioned", one.run_id)["bundle_version"] for one in (run, later)]
        assert versions == [old, new]
