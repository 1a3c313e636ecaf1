"""The sample job without a scheduler, as its author tries it out: `dag.test()` and `airflow dags test`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.local_airflow import LocalAirflow
from tests.examples import sample_results
from tests.scheduler.apps import TIMEOUT, App, Apps, DataServer

pytestmark = pytest.mark.slow

SAMPLE = Path(__file__).parents[2] / "example_lst" / "my_sample_app"
DAG = """
from pyrunner_airflow import PyRunnerDag

dag = PyRunnerDag("my_sample_app/config/my_sample_app.lst", dag_id="sample_by_hand")

if __name__ == "__main__":
    run = dag.test()
    print(f"The run ended in {run.state}")
"""


@pytest.fixture
def sample(apps: Apps, sample_server: DataServer) -> App:
    """Give each test the sample as it was."""
    apps.remove_all()
    sample_server.forget()
    return apps.copy(SAMPLE)


def expect_done(app: App, server: DataServer) -> None:
    table = sample_results.table_rows(f"sqlite:///{app.path}/temp/data/sample.sqlite")
    assert table == sample_results.csv_rows(SAMPLE / "data/data1.csv")
    extract = sample_results.parquet_rows(sample_results.extract_file(app.path / "temp"))
    assert extract == sample_results.csv_rows(SAMPLE / "data/data2.csv")
    assert sample_results.undated(server.messages) == [
        "Starting daily data download for DATE",
        "Successfully completed daily data download for DATE",
    ]


def test_airflow_dags_test_runs_a_dropped_list(sample, sample_server, airflow: LocalAirflow):
    airflow.wait_for_dag("my_sample_app", timeout=TIMEOUT)
    airflow.cli("dags", "test", "my_sample_app", timeout=TIMEOUT)
    expect_done(sample, sample_server)


def test_dag_test_runs_a_dag_of_a_python_file(sample, sample_server, airflow: LocalAirflow, apps: Apps):
    file = apps.add_file("sample_by_hand.py", DAG)
    airflow.wait_for_dag("sample_by_hand", timeout=TIMEOUT)
    done = subprocess.run(
        [sys.executable, file],
        env=airflow.env,
        cwd=airflow.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert "The run ended in success" in done.stdout, done.stdout + done.stderr
    expect_done(sample, sample_server)
