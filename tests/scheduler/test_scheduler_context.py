"""The context: what one row writes and another reads, over XCom."""

from __future__ import annotations

import pytest

from tests.scheduler.apps import App, Job, Run

ODD_KEYS = ["a?b", "a#b", "a b", "a%20b", "x/slice", "株", "line\nbreak", "return_value"]
ROWS = """
1|-1|1|0|Start|workers|Start||
2|1|1|0|Idle|workers|Idle||
3|2|1|0|Read|workers|Read||
4|-1|2|0|Count|workers|Count||
"""
WORKERS = f"""
ODD_KEYS = {ODD_KEYS!r}

class Start(Worker):
    def run(self):
        self.context["run_date_str"] = "2026-03-01"
        self.context["kept"] = {{"list": [1, 2.5, None], "nested": {{"deep": True}}}}
        self.context["none"] = None
        for number, key in enumerate(ODD_KEYS):
            self.context[key] = number

class Idle(Worker):
    def run(self):
        note("idle")

class Read(Worker):
    def run(self):
        note("read", dict(self.context))

class Count(Worker):
    def run(self):
        self.context["count"] = self.context.get("count", 0) + 1
        note("count", self.context["count"])
        return 1 if self.context["count"] < 2 and self.airflow["ti"].try_number == 1 else 0
"""
DAG = """
from airflow.providers.standard.operators.python import PythonOperator

from pyrunner_airflow import PyRunnerDag


def report(run_date_str):
    return f"loaded on {run_date_str}"


with PyRunnerDag("handed_on/config/handed_on.lst", dag_id="handed_on_by_hand") as dag:
    text = "{{ ti.xcom_pull(task_ids='1_start', key='run_date_str') }}"
    dag.get_task("1_start") >> PythonOperator(task_id="report", python_callable=report, op_args=[text])
"""


JOB = Job("handed_on", ROWS, WORKERS, dag=DAG)


@pytest.fixture
def seen(run: Run, app: App) -> dict[str, object]:
    """Return the context as the row below all of the chain saw it."""
    (seen,) = (note[1] for note in app.notes() if note[0] == "read")
    return seen


def test_the_run_succeeds(run):
    assert run.state == "success", run.states()


def test_what_is_read_is_what_was_written(seen):
    assert seen["run_date_str"] == "2026-03-01"
    assert seen["kept"] == {"list": [1, 2.5, None], "nested": {"deep": True}}
    assert seen["none"] is None


@pytest.mark.parametrize(("number", "key"), list(enumerate(ODD_KEYS)), ids=ascii)
def test_a_key_may_be_any_text(seen, number, key):
    assert seen[key] == number


def test_a_native_operator_reads_a_key_as_an_xcom(run):
    assert run.xcoms("report") == {"return_value": "loaded on 2026-03-01"}


def test_a_row_that_does_not_touch_the_context_pushes_no_xcom(run):
    assert run.xcoms("2_idle") == {}


def test_a_row_that_only_reads_pushes_no_value(run):
    assert set(run.xcoms("3_read")) <= {"pyrunner.context"}


def test_a_successful_row_that_is_cleared_starts_clean(run, app):
    assert [seen for seen in app.notes() if seen[0] == "count"] == [["count", 1], ["count", 2]]
    run.clear("4_count", only_failed=False)
    run.finish()
    assert [seen for seen in app.notes() if seen[0] == "count"][2:] == [["count", 1]]
    assert run.xcoms("4_count")["count"] == 1
