"""Versions of a DAG: one for each change of its task list, none for reading it again."""

from __future__ import annotations

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


def test_fifty_times_of_reading_it_leave_one_version(run, airflow):
    for _ in range(50):
        airflow.reparse("versions")
    assert versions(airflow) == 1


def test_a_change_makes_another(app, airflow):
    app.write(f"config/{app.name}.lst", ROWS.replace("Third", "Last"))
    airflow.wait(lambda: versions(airflow) == 2, "another version", TIMEOUT)
