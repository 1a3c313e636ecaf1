"""The task lists that are measured, and the same jobs written by hand as Airflow DAGs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

LAYER = 10

HAND_WRITTEN = """\
from datetime import datetime, timedelta

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG


def work(*arguments):
    pass


with DAG("{name}", schedule=None, start_date=datetime(2020, 1, 1), catchup=False, max_active_runs=1):
{tasks}
"""
TASK = """\
    t{id} = PythonOperator(
        task_id="{id}_load_table_{id}", python_callable=work, op_args=["table_{id}", "full"],
        retries=2, retry_delay=timedelta(seconds=30), trigger_rule="none_failed",
    )
"""
LOADER = "from pyrunner_airflow import load_lst_dags  # airflow dag\nload_lst_dags(globals())\n"

CONTEXT_WORKERS = """\
from pyrunner import Worker


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

Rows = Iterator[tuple[int, list[int]]]
"""The ID and the parents of each row."""


def chain(rows: int) -> Rows:
    """Each row after the one before."""
    return ((row, [row - 1] if row > 1 else []) for row in range(1, rows + 1))


def fan(rows: int) -> Rows:
    """One row, then all the others but the last beside each other, then the last."""
    yield 1, []
    yield from ((row, [1]) for row in range(2, rows))
    yield rows, list(range(2, rows))


def layers(rows: int, parents: int = 2) -> Rows:
    """Rows that depend on some of the layer above."""
    for row in range(1, rows + 1):
        above = (row - 1) // LAYER * LAYER
        yield row, [] if row <= LAYER else [above - (row + n) % LAYER for n in range(parents)]


def as_list(rows: Rows) -> str:
    """Return the text of a task list."""
    return "#PYTHON\n" + "".join(
        f"{id}|{','.join(map(str, parents)) or -1}|3|30|Load Table {id}|workers|LoadTable|table_{id},full|"
        f"$ENV{{APP_LOG_DIR}}/load_{id}.log\n"
        for id, parents in rows
    )


def write_lists(folder: Path, lists: int, rows: int) -> None:
    """Fill a dags folder with task lists and the file that loads them."""
    (folder / "pyrunner_lst.py").write_text(LOADER)
    for number in range(lists):
        (folder / f"job_{number}.lst").write_text(as_list(layers(rows)))


def write_by_hand(folder: Path, lists: int, rows: int) -> None:
    """Fill a dags folder with the same jobs, a Python file each."""
    for number in range(lists):
        lines = []
        for id, parents in layers(rows):
            lines.append(TASK.format(id=id))
            if parents:
                lines.append(f"    [{', '.join(f't{parent}' for parent in parents)}] >> t{id}\n")
        text = HAND_WRITTEN.format(name=f"job_{number}", tasks="".join(lines))
        (folder / f"job_{number}.py").write_text(text)


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
