"""Rows in what a pod of Kubernetes has: the packages, the lists, and the API server's address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_airflow import LocalAirflow
from tests.postgres import Postgres
from tests.scheduler import pods
from tests.scheduler.apps import Job, Jobs, Run
from tests.setups import ROOT, SETUP

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow_pods")]

ROWS = """
1|-1|2|0|Write|workers|Write||$ENV{APP_LOG_DIR}/write.log
2|1|1|0|Read|workers|Read|{{ run_id }}|
"""
WORKERS = """
import os

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
        note("read", dict(self.context) == {
            "from_the_first_attempt": {1: "in_pods"}, "from_the_second": {1: "in_pods"}
        })
        note("run", self.argv[0] == os.environ["APP_RUN_ID"])
"""
JOB = Job("in_pods", ROWS, WORKERS)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[LocalAirflow]:
    settings = {**SETUP.settings, "core": {"executor": f"{pods.__name__}.{pods.PodExecutor.__name__}"}}
    home, database = tmp_path_factory.mktemp("pods"), postgres.database("pods")
    local = LocalAirflow(home, settings=settings, database=database, env={"PYTHONPATH": str(ROOT)})
    for loader in SETUP.loaders:
        local.add(loader)
    with local:
        yield local


@pytest.fixture(scope="module")
def jobs(airflow: LocalAirflow) -> Jobs:
    return Jobs(airflow, [JOB])


def outputs(airflow: LocalAirflow) -> str:
    return "\n".join(path.read_text() for path in (airflow.home / pods.PODS).glob("*/output"))


def test_each_row_succeeds(run: Run, airflow: LocalAirflow):
    assert set(run.states().values()) == {"success"}, outputs(airflow)
    assert run.attempts() == {"1_write": 2, "2_read": 1}


def test_each_attempt_has_a_home_of_its_own(run, app, airflow):
    homes = {Path(home) for what, home in app.notes() if what == "home"}
    assert homes == set((airflow.home / pods.PODS).iterdir())
    assert len(homes) == 3


def test_none_has_a_database(run, airflow):
    assert not list((airflow.home / pods.PODS).glob("*/airflow.db"))


@pytest.mark.parametrize("what", ["read", "run"])
def test_the_context_and_the_run_are_as_on_one_host(run, app, what):
    assert [what, True] in app.notes()
