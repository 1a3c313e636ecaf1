"""Runs under a real scheduler with LocalExecutor, ours and the same job written by hand in turn."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from benchmarks import jobs
from scripts.airflow_api import AirflowApi
from scripts.local_airflow import LocalAirflow, Settings
from tests.cluster.cluster import Cluster
from tests.postgres import postgres_server
from tests.servers import program

SAMPLE = Path(__file__).parents[1] / "example_lst" / "my_sample_app"
# Seconds between two looks at a file, as by default: what the tests have would keep a core busy.
SETTINGS: Settings = {"dag_processor": {"min_file_process_interval": 30}}
LONGEST = 3600  # seconds


@contextmanager
def airflow(settings: Settings = SETTINGS) -> Iterator[LocalAirflow]:
    """Start an Airflow on PostgreSQL, or on SQLite where that is not installed; its dags folder is empty."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench_")))
        database = ""
        if program("postgres"):
            database = stack.enter_context(postgres_server()).database("bench")
        yield stack.enter_context(LocalAirflow(home, settings=settings, database=database))


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start an Airflow on three hosts, two of them with a Celery worker."""
    with (
        tempfile.TemporaryDirectory(prefix="bench_") as home,
        postgres_server() as postgres,
        Cluster(Path(home), postgres.database("bench"), settings=SETTINGS) as airflow,
    ):
        yield airflow


def add_no_ops(folder: Path, name: str, rows: jobs.Rows) -> None:
    """Put a job whose workers do nothing into a dags folder, and the same job by hand as ``NAME_by_hand``."""
    app = folder / f"app_of_{name}"
    app.mkdir()
    (folder / "pyrunner_lst.py").write_text(jobs.LOADER)
    (app / f"{name}.lst").write_text(jobs.as_list(rows, logfile=""))
    (app / "workers.py").write_text(jobs.WORKERS)
    jobs.write_explicit(folder, {f"{name}_by_hand": rows})


def add_sample(folder: Path) -> None:
    """Put the sample job into a dags folder, and the same job by hand as ``sample_by_hand``."""
    (folder / "pyrunner_lst.py").write_text(jobs.LOADER)
    shutil.copytree(SAMPLE, folder / SAMPLE.name, dirs_exist_ok=True)
    shutil.copy(Path(__file__).with_name("sample_by_hand.py"), folder)


def time_run(airflow: AirflowApi, dag_id: str) -> dict[str, float]:
    """Run a DAG, and tell how long the run and the median of its tasks took."""
    airflow.wait_for_dag(dag_id)
    airflow.unpause(dag_id)
    run_id = airflow.trigger(dag_id)
    state = airflow.wait_for_run(dag_id, run_id, LONGEST)
    if state != "success":
        raise RuntimeError(f"{dag_id}: {airflow.states(dag_id, run_id)}")
    run = airflow.run(dag_id, run_id)
    tasks = airflow.task_instances(dag_id, run_id).values()
    return {
        "time": (_moment(run["end_date"]) - _moment(run["start_date"])).total_seconds(),
        "task": statistics.median(task["duration"] for task in tasks),
    }


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
