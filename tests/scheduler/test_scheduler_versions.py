"""Versions of a DAG: one for each change of its task list, none for reading it again."""

from __future__ import annotations

import json

import pytest

from scripts.local_airflow import LocalAirflow
from tests.scheduler.apps import TIMEOUT, Job

pytestmark = pytest.mark.slow

ROWS = """
#AIRFLOW tags = ["etl", "night", "billing"]
#AIRFLOW [params]
#AIRFLOW region = "eu"
#AIRFLOW [pyrunner]
#AIRFLOW notify_email = ["b@example.com", "a@example.com"]
1|-1|1|0|First|workers|Work|{{ ds }}|
2|-1|1|0|Second|workers|Work||
3|2,1|2|0|Third|workers|Work||
"""


# Only a DAG that has run gets versions: one without runs is changed in place.
JOB = Job("versions", ROWS, "class Work(Worker):\n    def run(self): pass\n")


def versions(airflow: LocalAirflow) -> int:
    return airflow.api("GET", "dags", "versions", "dagVersions")["total_entries"]


def readings(airflow: LocalAirflow, since: str) -> int:
    """Count how often the lists have been read since a moment."""
    logs = (airflow.home / "logs" / "dag_processor").glob("20*/*/pyrunner_lst.py.log")
    lines = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    return sum("Filling up the DagBag" in line["event"] and line["timestamp"] > since for line in lines)


def test_fifty_times_of_reading_it_leave_one_version(run, airflow):
    end = airflow.run(run.dag_id, run.run_id)["end_date"]
    airflow.wait(lambda: readings(airflow, end) >= 50, "50 re-parses", 2 * TIMEOUT)
    assert versions(airflow) == 1


def test_a_change_makes_another(app, airflow):
    app.write(f"config/{app.name}.lst", ROWS.replace("Third", "Last"))
    airflow.wait(lambda: versions(airflow) == 2, "another version", TIMEOUT)
