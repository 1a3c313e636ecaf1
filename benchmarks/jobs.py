"""The jobs that are measured: as task lists, written by hand as Airflow DAGs, and as dag-factory's YAML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

EXPLICIT = """\
from datetime import datetime, timedelta

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG


def work(*arguments):
    pass


with DAG("{name}", schedule=None, start_date=datetime(2020, 1, 1), catchup=False, max_active_runs=1):
{tasks}
"""
EXPLICIT_TASK = """\
    t{id} = PythonOperator(
        task_id="{id}_load_table_{id}", python_callable=work, op_args=["table_{id}", "full"],
        retries=2, retry_delay=timedelta(seconds=30), trigger_rule="none_failed",
    )
"""
LOOP = """\
from datetime import datetime, timedelta

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

JOBS = {jobs!r}


def work(*arguments):
    pass


for name, rows in JOBS.items():
    with DAG(name, schedule=None, start_date=datetime(2020, 1, 1), catchup=False, max_active_runs=1) as dag:
        tasks = {{}}
        for id, parents in rows:
            tasks[id] = PythonOperator(
                task_id=f"{{id}}_load_table_{{id}}", python_callable=work, op_args=[f"table_{{id}}", "full"],
                retries=2, retry_delay=timedelta(seconds=30), trigger_rule="none_failed",
            )
        for id, parents in rows:
            [tasks[parent] for parent in parents] >> tasks[id]
    globals()[name] = dag
"""
YAML = """\
{name}:
  schedule: null
  start_date: 2020-01-01
  catchup: false
  max_active_runs: 1
  tasks:
"""
YAML_TASK = """\
    - task_id: {id}_load_table_{id}
      operator: airflow.providers.standard.operators.python.PythonOperator
      python_callable: os.getcwd
      op_args: [table_{id}, full]
      retries: 2
      retry_delay: {{__type__: datetime.timedelta, seconds: 30}}
      trigger_rule: none_failed
      dependencies: [{parents}]
"""
YAML_LOADER = """\
from airflow.sdk import DAG
from dagfactory import load_yaml_dags

load_yaml_dags(globals_dict=globals(), dags_folder={folder!r}, defaults_config_path={folder!r})
"""
LOADER = "from pyrunner_airflow import load_lst_dags  # airflow dag\nload_lst_dags(globals())\n"
# Not from pyrunner: that is python-batch-runner here, which takes 20 ms, but seldom lies beside Airflow.
WORKERS = """\
from pyrunner_airflow import Worker


class LoadTable(Worker):
    def run(self):
        pass
"""

CONTEXT_WORKERS = """\
from pyrunner_airflow import Worker


class Count(Worker):
    def run(self):
        self.context["count"] = self.context.get("count", 0) + 1


class Read(Worker):
    def run(self):
        self.context["count"]


class Idle(Worker):
    def run(self):
        pass
"""
IDLE_BY_HAND = """\
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

with DAG("by_hand", schedule=None):
    PythonOperator(task_id="idle", python_callable=lambda: None)
"""

Rows = list[tuple[int, list[int]]]
"""The ID and the parents of each row."""
Jobs = Mapping[str, Rows]
"""The rows of each job, by its name."""


def chain(rows: int) -> Rows:
    """Each row after the one before."""
    return [(row, [row - 1] if row > 1 else []) for row in range(1, rows + 1)]


def fan(rows: int) -> Rows:
    """One row, then all the others but the last beside each other, then the last."""
    return [(1, []), *((row, [1]) for row in range(2, rows)), (rows, list(range(2, rows)))]


def layers(rows: int, width: int = 10, parents: int = 2) -> Rows:
    """Layers of rows that each depend on some of the layer above."""
    above = [(row - 1) // width * width for row in range(rows + 1)]
    return [
        (row, [above[row] - (row + n) % width for n in range(parents)] if above[row] else [])
        for row in range(1, rows + 1)
    ]


def as_list(rows: Rows, logfile: str = "$ENV{{APP_LOG_DIR}}/load_{id}.log") -> str:
    """Return the text of a task list."""
    return "#PYTHON\n" + "".join(
        f"{id}|{','.join(map(str, parents)) or -1}|3|30|Load Table {id}|workers|LoadTable|table_{id},full|"
        f"{logfile.format(id=id)}\n"
        for id, parents in rows
    )


def write_lists(folder: Path, jobs: Jobs) -> None:
    """Fill a dags folder with task lists and the file that loads them."""
    (folder / "pyrunner_lst.py").write_text(LOADER)
    for name, rows in jobs.items():
        (folder / f"{name}.lst").write_text(as_list(rows))


def write_apps(folder: Path, jobs: Jobs) -> None:
    """Fill a dags folder with an app's folder for each task list, and the file that loads them."""
    (folder / "pyrunner_lst.py").write_text(LOADER)
    for name, rows in jobs.items():
        place = folder / f"app_of_{name}" / "config"
        place.mkdir(parents=True)
        (place / f"{name}.lst").write_text(as_list(rows))


def write_explicit(folder: Path, jobs: Jobs) -> None:
    """Fill a dags folder with the same jobs, a Python file each in which every task is written out."""
    for name, rows in jobs.items():
        lines = []
        for id, parents in rows:
            lines.append(EXPLICIT_TASK.format(id=id))
            if parents:
                lines.append(f"    [{', '.join(f't{parent}' for parent in parents)}] >> t{id}\n")
        (folder / f"{name}.py").write_text(EXPLICIT.format(name=name, tasks="".join(lines)))


def write_loop(folder: Path, jobs: Jobs) -> None:
    """Fill a dags folder with one Python file that makes the same jobs in a loop over data."""
    (folder / "jobs.py").write_text(LOOP.format(jobs=dict(jobs)))


def write_yaml(folder: Path, jobs: Jobs) -> None:
    """Fill a dags folder with the same jobs as YAML, and the file by which dag-factory loads them."""
    (folder / "load.py").write_text(YAML_LOADER.format(folder=str(folder)))
    for name, rows in jobs.items():
        tasks = (
            YAML_TASK.format(id=id, parents=", ".join(f"{parent}_load_table_{parent}" for parent in parents))
            for id, parents in rows
        )
        (folder / f"{name}.yml").write_text(YAML.format(name=name) + "".join(tasks))


WAYS: Mapping[str, Callable[[Path, Jobs], None]] = {
    "ours": write_lists,
    "by hand": write_explicit,
    "in a loop": write_loop,
    "dag-factory": write_yaml,
}
"""The ways to write a job."""


def write_context_jobs(folder: Path, chain_rows: int, writers: int) -> None:
    """Fill a dags folder with jobs whose rows share a context key, and with one that does nothing."""
    (folder / "pyrunner_lst.py").write_text(LOADER)
    (folder / "by_hand.py").write_text(IDLE_BY_HAND)
    (folder / "workers").mkdir()
    (folder / "workers/workers.py").write_text(CONTEXT_WORKERS)
    (folder / "config").mkdir()
    count = [f"{row}|{row - 1 or -1}|1|0|Row|workers|Count||\n" for row in range(1, chain_rows + 1)]
    write = [f"{row}|-1|1|0|Write|workers|Count||\n" for row in range(1, writers + 1)]
    parents = ",".join(str(row) for row in range(1, writers + 1))
    read = f"{writers + 1}|{parents}|1|0|Read|workers|Read||\n"
    for name, rows in {
        "chain": count,
        "fan_in": [*write, read],
        "idle": ["1|-1|1|0|Idle|workers|Idle||\n"],
    }.items():
        (folder / "config" / f"{name}.lst").write_text("".join(rows))
