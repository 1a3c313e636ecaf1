"""A list that starts another, by an asset that one of its rows updates, and what that tells of the asset."""

from __future__ import annotations

import pytest

from scripts.local_airflow import Json, LocalAirflow
from tests.scheduler.apps import TIMEOUT, Apps

pytestmark = pytest.mark.slow

FIRST = """
#AIRFLOW params = { code = 0 }
#AIRFLOW [tasks.4]
#AIRFLOW outlets = ["s3://lake/orders"]
1|-1|1|0|Look|workers|End|0
4|1|1|0|Load|workers|Load|{{ params.code }}
"""
SECOND = """
#AIRFLOW schedule = { assets = ["s3://lake/orders"] }
1|-1|1|0|Count|workers|End|0
"""
WORKERS = """
class End(Worker):
    def run(self):
        return int(self.argv[0])

class Load(End):
    def on_success(self):
        from airflow.sdk import Asset

        self.airflow["outlet_events"][Asset("s3://lake/orders")].extra["rows"] = 7
"""


def test_it_starts_when_the_others_row_succeeds_and_not_when_it_fails(airflow: LocalAirflow, apps: Apps):
    apps.add("counts_orders", SECOND, WORKERS)
    first = apps.add("loads_orders", FIRST, WORKERS)
    airflow.wait_for_dag("counts_orders", timeout=TIMEOUT)
    airflow.unpause("counts_orders")

    def started() -> list[Json]:
        return airflow.api("GET", "dags", "counts_orders", "dagRuns")["dag_runs"]

    assert first.trigger(conf={"code": 1}).finish().state == "failed"
    good = first.trigger().finish()
    assert good.states() == {"1_look": "success", "4_load": "success"}
    [run] = airflow.wait(started, "a run of counts_orders", TIMEOUT)
    assert airflow.wait_for_run("counts_orders", run["dag_run_id"], TIMEOUT)
    seen = airflow.api("GET", "dags", "counts_orders", "dagRuns", run["dag_run_id"], "upstreamAssetEvents")
    [event] = seen["asset_events"]
    assert (event["source_run_id"], event["source_task_id"]) == (good.run_id, "4_load")
    assert event["extra"]["rows"] == 7
    assert len(started()) == 1
