"""The context: what one row writes and another reads, over XCom."""

from __future__ import annotations

import pytest

from tests.scheduler.apps import App, Apps, Run

ODD_KEYS = ["a?b", "a#b", "a b", "a%20b", "x/slice", "株", "line\nbreak", "return_value"]
ROWS = """
1|-1|1|0|Start|workers|Start||
2|1|1|0|Idle|workers|Idle||
3|2|1|0|Change|workers|Change||
4|3|1|0|Idle Too|workers|Idle||
5|4|1|0|Read|workers|Read||
6|-1|1|0|Write First|workers|WriteFirst||
7|-1|1|0|Write Last|workers|WriteLast||
8|6,7|1|0|Read Higher|workers|ReadLast||
9|-1|1|0|Write Last|workers|WriteLast||
10|-1|1|0|Write First|workers|WriteFirst||
11|9,10|1|0|Read Lower|workers|ReadLast||
12|-1|2|0|Count|workers|Count||
"""
WORKERS = f"""
import os
import time

ODD_KEYS = {ODD_KEYS!r}

class Start(Worker):
    def run(self):
        self.context["run_date_str"] = "2026-03-01"
        self.context["kept"] = {{"list": [1, 2.5, None], "nested": {{"deep": True}}}}
        self.context["changed"] = "before"
        self.context["deleted"] = "gone soon"
        self.context["none"] = None
        for number, key in enumerate(ODD_KEYS):
            self.context[key] = number

class Idle(Worker):
    def run(self):
        note("idle")

class Change(Worker):
    def run(self):
        self.context["changed"] = "after"
        del self.context["deleted"]

class Read(Worker):
    def run(self):
        note("read", dict(self.context))
        note("deleted", "deleted" in self.context, self.context.get("deleted", "a default"))

class WriteFirst(Worker):
    def run(self):
        self.context["order"] = "first"
        note("first", self.airflow["ti"].task_id)

class WriteLast(Worker):
    def run(self):
        other = {{"7_write_last": "6_write_first", "9_write_last": "10_write_first"}}
        mark = '"%s"' % other[self.airflow["ti"].task_id]
        notes = os.path.join(os.environ["APP_ROOT_DIR"], "notes.jsonl")
        while not (os.path.exists(notes) and mark in open(notes).read()):
            time.sleep(0.05)
        self.context["order"] = "last"

class ReadLast(Worker):
    def run(self):
        note(self.airflow["ti"].task_id, self.context["order"])

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


@pytest.fixture(scope="module")
def app(apps: Apps) -> App:
    app = apps.add("handed_on", ROWS, WORKERS, {".airflowignore": "*.lst"})
    apps.add_file("handed_on_by_hand.py", DAG)
    return app


@pytest.fixture(scope="module")
def run(app: App) -> Run:
    run = app.trigger("handed_on_by_hand").finish()
    assert run.state == "success", run.states()
    return run


@pytest.fixture(scope="module")
def seen(run: Run, app: App) -> dict[str, object]:
    """Return the context as the last row of the chain saw it."""
    (seen,) = (note[1] for note in app.notes() if note[0] == "read")
    return seen


def test_a_row_sees_what_was_written_above_a_row_that_never_touches_the_context(seen):
    assert seen["run_date_str"] == "2026-03-01"
    assert seen["kept"] == {"list": [1, 2.5, None], "nested": {"deep": True}}
    assert seen["none"] is None


def test_a_write_further_down_replaces_the_one_above(seen):
    assert seen["changed"] == "after"


def test_a_deleted_key_is_gone_for_those_below(seen, app):
    assert "deleted" not in seen
    assert ["deleted", False, "a default"] in app.notes()


@pytest.mark.parametrize(("number", "key"), list(enumerate(ODD_KEYS)), ids=ascii)
def test_a_key_may_be_any_text(seen, number, key):
    assert seen[key] == number


@pytest.mark.parametrize("reader", ["8_read_higher", "11_read_lower"])
def test_of_two_rows_side_by_side_the_last_writer_wins(run, app, reader):
    assert [reader, "last"] in app.notes()


def test_a_native_operator_reads_a_key_as_an_xcom(run):
    assert run.xcoms("report") == {"return_value": "loaded on 2026-03-01"}


def test_a_row_that_does_not_touch_the_context_pushes_no_xcom(run):
    assert run.xcoms("2_idle") == {}
    assert run.xcoms("4_idle_too") == {}


def test_a_row_that_only_reads_pushes_no_value(run):
    assert set(run.xcoms("5_read")) <= {"pyrunner.context"}


def test_a_successful_row_that_is_cleared_starts_clean(run, app):
    assert [seen for seen in app.notes() if seen[0] == "count"] == [["count", 1], ["count", 2]]
    run.clear("12_count", only_failed=False)
    run.finish()
    assert [seen for seen in app.notes() if seen[0] == "count"][2:] == [["count", 1]]
    assert run.xcoms("12_count")["count"] == 1
