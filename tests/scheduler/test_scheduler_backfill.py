"""Past days of a daily job, run one after the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from scripts.local_airflow import LocalAirflow
from tests.scheduler.apps import TIMEOUT, App, Apps, Run

pytestmark = pytest.mark.slow

DAYS = [datetime(2026, 3, day, 12, tzinfo=UTC) for day in (1, 2, 3)]
PROFILE = """
export APP_NAME="daily"
export APP_ROOT_DIR="$(cd $(dirname ${BASH_SOURCE})/..; pwd)"
export APP_LOG_DIR="${APP_ROOT_DIR}/logs/$(date +"%Y-%m-%d")"
export APP_YESTERDAY=$(date -u -d yesterday +%FT%T%z)
if [ ! -e ${APP_LOG_DIR} ]; then mkdir -p ${APP_LOG_DIR}; fi
"""
ROWS = """
1|-1|1|0|Write|workers|Write||$ENV{APP_LOG_DIR}/write.log
2|1|1|0|Read|workers|Read||$ENV{APP_LOG_DIR}/read.log
"""
WORKERS = """
import os

class Write(Worker):
    def run(self):
        note("found", os.environ["APP_LOGICAL_DATE"], sorted(self.context), os.environ["APP_YESTERDAY"])
        self.context[os.environ["APP_LOGICAL_DATE"][:10]] = True

class Read(Worker):
    def run(self):
        note("left", os.environ["APP_LOGICAL_DATE"], sorted(self.context), os.environ["APP_LOG_DIR"])
"""
# It ends in the past, so that the scheduler makes no run of its own.
DAG = """
from datetime import UTC, datetime

from pyrunner_airflow import PyRunnerDag

dag = PyRunnerDag(
    "daily/config/daily.lst",
    dag_id="daily_by_hand",
    schedule="0 12 * * *",
    end_date=datetime(2026, 3, 31, tzinfo=UTC),
)
"""


@pytest.fixture(scope="module")
def app(apps: Apps) -> App:
    app = apps.add("daily", ROWS, WORKERS, {"config/app_profile": PROFILE, ".airflowignore": "*.lst"})
    apps.add_file("daily_by_hand.py", DAG)
    return app


@pytest.fixture(scope="module")
def runs(app: App, airflow: LocalAirflow) -> list[Run]:
    """Backfill three days, as an operator would."""
    airflow.wait_for_dag("daily_by_hand", timeout=TIMEOUT)
    days = ["--from-date", "2026-03-01", "--to-date", "2026-03-04"]
    airflow.cli("backfill", "create", "--dag-id", "daily_by_hand", *days, "--max-active-runs", "1")
    airflow.unpause("daily_by_hand")
    found = airflow.api("GET", "dags", "daily_by_hand", "dagRuns", params={"order_by": "logical_date"})
    runs = [Run(airflow, "daily_by_hand", run["dag_run_id"]) for run in found["dag_runs"]]
    return [
        run.finish() for run in runs if airflow.run("daily_by_hand", run.run_id)["run_type"] == "backfill"
    ]


def details(run: Run) -> dict[str, object]:
    return run.airflow.run(run.dag_id, run.run_id)


def test_each_day_is_a_run_of_its_own(runs):
    assert [datetime.fromisoformat(details(run)["logical_date"]) for run in runs] == DAYS
    assert [(details(run)["run_type"], run.state) for run in runs] == [("backfill", "success")] * 3


def test_one_runs_after_the_other(runs):
    spans = [(details(run)["start_date"], details(run)["end_date"]) for run in runs]
    for (_, end), (start, _) in pairwise(spans):
        assert end <= start


def test_each_has_a_context_of_its_own(runs, app):
    contexts = {(when, what[:10]): keys for when, what, keys, *_ in app.notes()}
    for day in ("2026-03-01", "2026-03-02", "2026-03-03"):
        assert contexts["found", day] == []
        assert contexts["left", day] == [day]


def test_each_has_its_app_logical_date(runs, app):
    dates = [datetime.fromisoformat(seen[1]) for seen in app.notes() if seen[0] == "found"]
    assert dates == DAYS


def test_each_has_its_yesterday(runs, app):
    yesterdays = [datetime.fromisoformat(seen[3]) for seen in app.notes() if seen[0] == "found"]
    assert yesterdays == [day - timedelta(days=1) for day in DAYS]


def test_each_logs_to_the_folder_of_its_day(runs, app):
    folders = [seen[3] for seen in app.notes() if seen[0] == "left"]
    assert folders == [f"{app.path}/logs/{day.astimezone():%Y-%m-%d}" for day in DAYS]
    for folder in folders:
        assert sorted(path.name for path in app.path.joinpath(folder).iterdir()) == ["read.log", "write.log"]
