"""Two lists in one DAG, with another task between them: each in its app, over one context."""

from __future__ import annotations

import pytest

from tests.scheduler.apps import NOTES, App, Job, Run

WORKERS = """
class Start(Worker):
    def run(self):
        self.context["rows"] = 7
        note("start", self.argv)

class Look(Worker):
    def run(self):
        note("look", dict(self.context), self.airflow["ti"].task_id)
"""
DAG = """
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

from pyrunner_airflow import PyRunnerTaskGroup


def count(rows):
    return rows + 1


with DAG(
    "two_lists_by_hand",
    schedule=None,
    params={"from": "2026-01-01"},
    render_template_as_native_obj=True,
):
    first = PyRunnerTaskGroup("two_lists/config/two_lists.lst")
    rows = "{{ ti.xcom_pull(task_ids='two_lists.1_start', key='rows') }}"
    between = PythonOperator(task_id="between", python_callable=count, op_args=[rows])
    first >> between >> PyRunnerTaskGroup("two_lists/second/second.lst")
"""
OTHER = """
from notes import note
from pyrunner import Worker

class Look(Worker):
    def run(self):
        note("other", dict(self.context), self.airflow["ti"].task_id)
"""
ROWS = """
#AIRFLOW params = { day = "monday" }
1|-1|1|0|Start|workers|Start|{{ params.day }} {{ params["from"] }}|
2|1|1|0|Look|workers|Look||
"""
SECOND = "1|-1|1|0|Look|workers|Look||\n"
JOB = Job(
    "two_lists",
    ROWS,
    WORKERS,
    {
        "second/second.lst": SECOND,
        "second/workers/workers.py": OTHER,
        "second/workers/notes.py": NOTES,
    },
    dag=DAG,
    conf={"unknown": 1},
)


@pytest.fixture
def notes(run: Run, app: App) -> dict[str, list[object]]:
    """What the workers of the two apps noted."""
    second = App(app.airflow, app.path / "second")
    return {what: seen for what, *seen in app.notes() + second.notes()}


def test_all_run_one_after_the_other(run):
    assert run.states() == dict.fromkeys(
        ["two_lists.1_start", "two_lists.2_look", "between", "second.1_look"], "success"
    )


def test_a_row_sees_what_rows_of_both_lists_wrote_above_it(notes):
    assert notes["look"] == [{"rows": 7}, "two_lists.2_look"]
    assert notes["other"] == [{"rows": 7}, "second.1_look"]


def test_another_task_reads_it_too(run):
    assert run.xcoms("between")["return_value"] == 8


def test_parameters_are_the_lists_and_the_dags(notes):
    assert notes["start"] == [["monday 2026-01-01"]]
