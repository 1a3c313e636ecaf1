"""A deployment with history goes from Airflow 3.3 and the loader to Airflow 3.4 and the importer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_airflow import LocalAirflow
from tests.postgres import Postgres
from tests.scheduler.apps import TIMEOUT, App, Apps, Run
from tests.setups import AIRFLOW_34, IMPORTER, SETUP

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow_switch")]

ROWS = """
1|-1|1|0|First|workers|First||
2|1|1|0|Second|workers|FailUntilMended||
3|2|1|0|Third|workers|Tell||
"""
WORKERS = """
import os

class First(Worker):
    def run(self):
        self.context["day"] = "monday"

class FailUntilMended(Worker):
    def run(self):
        self.context["attempts"] = self.context.get("attempts", 0) + 1
        return 0 if os.path.exists(os.path.join(os.environ["APP_ROOT_DIR"], "mended")) else 1

class Tell(Worker):
    def run(self):
        note(self.context["day"], self.context["attempts"])
"""


@pytest.fixture(scope="module")
def home(database: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deployment")


@pytest.fixture(scope="module", params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest, postgres: Postgres) -> str:
    return postgres.database("deployment") if request.param == "postgresql" else ""


@pytest.fixture(scope="module")
def before(home: Path, database: str) -> dict[str, str | None]:
    """Run a job on 3.3, where its second row fails; return its tasks and their states."""
    with LocalAirflow(home, database=database) as airflow:
        for loader in SETUP.loaders:
            airflow.add(loader)
        app = Apps(airflow).add("moved", ROWS, WORKERS)
        airflow.wait_for_dag("moved", timeout=TIMEOUT)
        airflow.unpause("moved")
        airflow.api("POST", "dags", "moved", "dagRuns", json={"dag_run_id": "old", "logical_date": None})
        run = Run(airflow, "moved", "old").finish()
        assert run.state == "failed"
        assert airflow.dag(app.name)["relative_fileloc"] == "pyrunner_lst.py"
        return run.states()


@pytest.fixture(scope="module")
def airflow(before: dict[str, str | None], home: Path, database: str) -> Iterator[LocalAirflow]:
    """Start 3.4 on the same home and database; the loader's files are still there."""
    airflow = LocalAirflow(home, database=database, settings=IMPORTER, bin=AIRFLOW_34)
    airflow.cli("db", "migrate", timeout=TIMEOUT)
    with airflow:
        airflow.wait_for_dag(
            "moved", lambda dag: dag["relative_fileloc"] == "moved/config/moved.lst", timeout=TIMEOUT
        )
        yield airflow


def test_dag_id_history_and_task_ids_are_kept(airflow: LocalAirflow, before):
    run = Run(airflow, "moved", "old")
    assert run.state == "failed"
    assert run.states() == before
    assert list(airflow.tasks("moved")) == list(before)
    assert airflow.dag("moved")["is_paused"] is False
    assert "return code 1" in run.log("2_second")


def test_a_run_from_before_can_be_cleared_and_ends_here_with_its_context(airflow: LocalAirflow, before):
    app = App(airflow, airflow.dags_folder / "moved")
    (app.path / "mended").touch()
    airflow.cli("dags", "clear", "--run-id", "old", "--only-failed", "-y", "moved")
    run = Run(airflow, "moved", "old").finish()
    assert (run.state, run.attempts()["1_first"]) == ("success", 1)
    assert app.notes() == [["monday", 2]]


def test_a_new_run_follows(airflow: LocalAirflow):
    app = App(airflow, airflow.dags_folder / "moved")
    assert app.trigger().finish().state == "success"


def test_the_loader_files_stand_down_and_the_log_says_so(airflow: LocalAirflow):
    dag = airflow.dag("moved")
    assert (dag["relative_fileloc"], airflow.import_errors()) == ("moved/config/moved.lst", [])
    logs = (airflow.home / "logs" / "dag_processor").rglob("pyrunner_lst.py.log")
    assert any("LstDagImporter reads the task lists" in log.read_text() for log in logs)
