"""What only Airflow 3.4 has: a task list is a DAG file, and there is no Python file in the dags folder."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_airflow import LocalAirflow
from tests.postgres import Postgres
from tests.scheduler.apps import IMPORTS, NOTES, TIMEOUT, App, Apps, Job, Run
from tests.scheduler.test_scheduler_lists import ROW, WORKERS
from tests.setups import IMPORTER

pytestmark = pytest.mark.slow


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
def with_git(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, repository: Repository
) -> Iterator[LocalAirflow]:
    """An Airflow of its own that has the git repository as its bundle."""
    bundle = {
        "name": "repository",
        "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
        "kwargs": {"repo_url": str(repository.path), "tracking_ref": "main", "refresh_interval": 1},
    }
    home = tmp_path_factory.mktemp("with_git")
    settings = {
        "dag_processor": {
            **IMPORTER["dag_processor"],
            "dag_bundle_config_list": json.dumps([bundle]),
            "dag_bundle_storage_path": home / "bundles",
        }
    }
    with LocalAirflow(home, settings=settings, database=postgres.database("with_git")) as local:
        yield local


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
        airflow.reparse("optional")
        airflow.wait_for_dag(
            "optional", lambda dag: dag["description"] == "from the options", timeout=TIMEOUT
        )


class TestClearedTask:
    """An attempt has written to the context and failed; how it is cleared says what the next one finds."""

    ROWS = "1|-1|1|0|Count|workers|Count||\n2|-1|1|0|Fail|workers|Fail||\n"
    JOB = Job(
        "counting",
        ROWS,
        """
        class Count(Worker):
            def run(self):
                self.context["count"] = self.context.get("count", 0) + 1
                note("count", self.context["count"])
                return 1

        class Fail(Worker):
            def run(self):
                return 1
        """,
    )
    FORGOTTEN = "nothing is kept of what its earlier attempts may have written to the context"

    def clear(self, run: Run, **options: bool) -> None:
        run.clear(**options)
        run.finish()

    def test_it_begins_anew_and_says_why_unless_its_state_is_kept(self, run: Run, app: App):
        self.clear(run, keep_task_state=True)
        assert app.notes() == [["count", 1], ["count", 2]]
        assert self.FORGOTTEN not in run.log("1_count", 2)
        self.clear(run, keep_task_state=False)
        assert app.notes()[2:] == [["count", 1]]
        assert self.FORGOTTEN in run.log("1_count", 3)

    def test_a_task_that_does_not_touch_the_context_says_nothing(self, run: Run):
        assert self.FORGOTTEN not in run.log("2_fail", run.attempts()["2_fail"])


@pytest.mark.xdist_group("airflow_with_git")
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
        self, repository: Repository, with_git: LocalAirflow, tmp_path: Path
    ):
        app = App(with_git, tmp_path)

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
        with_git.wait_for_dag("versioned", lambda dag: dag["bundle_version"] == new, timeout=TIMEOUT)
        with_git.wait(lambda: "2_new" in with_git.tasks("versioned"), "the new list's row", TIMEOUT)
        (tmp_path / "go").touch()
        assert run.finish().states() == dict.fromkeys(["1_first", "2_old"], "success")
        later = app.trigger("versioned").finish()
        assert later.states() == dict.fromkeys(["1_first", "2_new"], "success")
        assert app.notes() == [["waiting", "old"], ["told", "old"], ["waiting", "new"], ["told", "new"]]
        versions = [with_git.run("versioned", one.run_id)["bundle_version"] for one in (run, later)]
        assert versions == [old, new]
