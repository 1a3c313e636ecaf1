"""A run's parameters in the form that starts it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.scheduler.apps import TIMEOUT, App, Apps, Run
from tests.setups import SETUP
from tests.ui.browser import TriggerForm

pytestmark = pytest.mark.slow

LIST = """
1|-1|1|0|Start Job|workers|Note
2|1|1|0|Download File 1|workers|Note
3|1|1|0|Download File 2|workers|Note
10|2,3|1|0|Load Table "A|B"|workers|Note
"""
WORKERS = """
class Note(Worker):
    def run(self):
        note(self.airflow["run_id"], self.airflow["task"].row.id, self.context.get("day"))
"""
ROWS = ["1 Start Job", "2 Download File 1", "3 Download File 2", '10 Load Table "A|B"']


@pytest.fixture(scope="module")
def app(apps: Apps) -> App:
    app = apps.add("trigger_form", LIST, WORKERS)
    app.airflow.wait_for_dag(app.name, timeout=TIMEOUT)
    app.airflow.unpause(app.name)
    return app


@pytest.fixture
def form(page: Page, app: App) -> TriggerForm:
    return TriggerForm(page, app.name)


def rows_that_ran(app: App, run_id: str) -> list[int]:
    run = Run(app.airflow, app.name, run_id).finish()
    assert run.state == "success"
    ran = [row for run, row, _ in app.notes() if run == run_id]
    assert {task for task, state in run.states().items() if state != "skipped"} == {
        task for task in run.states() if int(task.split("_")[0]) in ran
    }
    return sorted(ran)


def runs(app: App) -> int:
    return int(app.airflow.api("GET", "dags", app.name, "dagRuns")["total_entries"])


def test_each_parameter_has_pyrunners_name_and_a_description(form):
    assert form.fields() == [
        ["exec_only (-x)", "Run only these rows; the others are skipped and count as done."],
        ["norun (-N)", "Skip these rows; they count as done."],
        ["from (-D)", "Run only this row and all rows below it."],
        ["to (-A)", "Run only this row and all rows above it."],
        ["cvar", "Keys and values that the context starts with."],
    ]


@pytest.mark.parametrize(
    ("name", "options"),
    [("exec_only", ROWS), ("norun", ROWS), ("from", ["all rows", *ROWS]), ("to", ["all rows", *ROWS])],
)
def test_rows_are_offered_by_id_and_name(form, name, options):
    assert form.options(name) == options


@pytest.mark.parametrize(
    ("choices", "ran"),
    [
        ({}, [1, 2, 3, 10]),
        ({"exec_only": ROWS[2:]}, [3, 10]),
        ({"norun": ROWS[1:3]}, [1, 10]),
        ({"from": ROWS[2:3]}, [3, 10]),
        ({"from": ROWS[2:3], "to": ROWS[2:3]}, [3]),
    ],
    ids=lambda value: "-".join(value) or "nothing" if isinstance(value, dict) else "",
)
def test_the_chosen_rows_run_and_the_others_are_skipped(app, form, choices, ran):
    for name, labels in choices.items():
        form.choose(name, labels)
    assert rows_that_ran(app, form.trigger()) == ran


def test_what_is_written_into_cvar_is_in_the_context(app, form):
    form.replace(form.field("cvar"), '{"day": "2026-01-01"}')
    run_id = form.trigger()
    Run(app.airflow, app.name, run_id).finish()
    assert {day for run, _, day in app.notes() if run == run_id} == {"2026-01-01"}


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ('{"exec_only": [77]}', "param exec_only: 77 is not one of [1, 2, 3, 10, '1', '2', '3', '10']"),
        ('{"from": 4}', "param from: 4 is not one of [None, 1, 2, 3, 10]"),
        ('{"cvar": ["day"]}', "param cvar: ['day'] is not of type 'null', 'object'"),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_anything_runs(app, form, conf, message):
    before = runs(app)
    form.press(SETUP.conf_is_below)
    form.replace(form.dialog.get_by_role("region", name=SETUP.conf_is_below), conf)
    form.press("Trigger")
    expect(form.dialog).to_contain_text(f"Invalid input for {message}")
    assert runs(app) == before


def test_without_proper_json_in_cvar_no_run_can_be_started(form):
    form.replace(form.field("cvar"), '{"day": ')
    expect(form.field("cvar")).to_contain_text("SyntaxError")
    expect(form.dialog.get_by_role("button", name="Trigger")).to_be_disabled()
