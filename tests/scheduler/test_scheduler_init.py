"""The job that `pyrunner-airflow init` makes, in a real Airflow."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.examples import sample_results
from tests.examples.test_examples_under_pyrunner import around_log
from tests.scheduler.apps import TIMEOUT, App, Apps, Run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def job(apps: Apps, tmp_path_factory: pytest.TempPathFactory) -> App:
    folder = tmp_path_factory.mktemp("init")
    init = [sys.executable, "-m", "pyrunner_airflow", "init", "load_orders"]
    subprocess.run(init, cwd=folder, check=True)
    # What its author may well write, and Airflow then takes for a DAG file if it may.
    with (folder / "load_orders/tests/test_load_orders.py").open("a") as file:
        file.write("# Airflow: the DAG\n")
    return apps.copy(folder / "load_orders")


@pytest.fixture(scope="module")
def run(job: App) -> Run:
    return job.trigger().finish()


def test_it_succeeds(run):
    assert run.state == "success", run.states()
    assert run.xcoms("1_greet")["greeted"] == "World"


def test_it_logs_as_under_pyrunner(run, job):
    assert sample_results.logs(job.path) == {"greet.log": around_log("INFO - Hello, World")}


def test_its_python_files_are_no_dag_files(run, job, apps):
    """Airflow has gone through the folder once more when it knows a DAG that came later."""
    apps.add_file("later.py", "from airflow.sdk import DAG\n\nlater = DAG('later')\n")
    job.airflow.wait_for_dag("later", timeout=TIMEOUT)
    errors = [error["filename"] for error in job.airflow.import_errors()]
    assert [file for file in errors if "load_orders" in file] == []
