"""Past days of a daily job, of which a few run at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scripts.local_airflow import Json, LocalAirflow
from tests.scheduler.apps import TIMEOUT, App, Apps, Run

pytestmark = pytest.mark.slow

DAYS = [datetime(2026, 3, day, 12, tzinfo=UTC) for day in range(1, 31)]
AT_ONCE = 3
BY_DAY = {"order_by": "logical_date", "limit": 100}
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
def runs(app: App, airflow: LocalAirflow) -> list[Json]:
    """Backfill thirty days, as an operator would."""
    airflow.wait_for_dag("daily_by_hand", timeout=TIMEOUT)
    days = ["--from-date", "2026-03-01", "--to-date", "2026-03-31"]
    airflow.cli("backfill", "create", "--dag-id", "daily_by_hand", *days, "--max-active-runs", str(AT_ONCE))
    airflow.unpause("daily_by_hand")
    found = airflow.api("GET", "dags", "daily_by_hand", "dagRuns", params=BY_DAY)
    runs = [Run(airflow, "daily_by_hand", run["dag_run_id"]) for run in found["dag_runs"]]
    for run in runs:
        run.finish()
    return airflow.api("GET", "dags", "daily_by_hand", "dagRuns", params=BY_DAY)["dag_runs"]


@pytest.fixture(scope="module")
def seen(runs: list[Json], app: App) -> dict[str, list[list]]:
    """Return what the rows noted, in the order of the days."""
    notes = sorted(app.notes(), key=lambda note: note[1])
    return {what: [note[1:] for note in notes if note[0] == what] for what in ("found", "left")}


def test_each_day_is_a_run_of_its_own(runs):
    assert [datetime.fromisoformat(run["logical_date"]) for run in runs] == DAYS
    assert {(run["run_type"], run["state"]) for run in runs} == {("backfill", "success")}


def test_so_many_run_at_once_and_no_more(runs):
    spans = [(run["start_date"], run["end_date"]) for run in runs]
    assert max(sum(start <= moment < end for start, end in spans) for moment, _ in spans) == AT_ONCE


def test_each_has_a_context_of_its_own(seen):
    assert [keys for _, keys, _ in seen["found"]] == [[]] * len(DAYS)
    assert [keys for _, keys, _ in seen["left"]] == [[f"{day:%Y-%m-%d}"] for day in DAYS]


def test_each_has_its_app_logical_date(seen):
    assert [datetime.fromisoformat(date) for date, *_ in seen["found"]] == DAYS


def test_each_has_its_yesterday(seen):
    yesterdays = [datetime.fromisoformat(yesterday) for *_, yesterday in seen["found"]]
    assert yesterdays == [day - timedelta(days=1) for day in DAYS]


def test_each_logs_to_the_folder_of_its_day(seen, app):
    folders = [folder for *_, folder in seen["left"]]
    assert folders == [f"{app.path}/logs/{day.astimezone():%Y-%m-%d}" for day in DAYS]
    for folder in folders:
        assert sorted(path.name for path in app.path.joinpath(folder).iterdir()) == ["read.log", "write.log"]
