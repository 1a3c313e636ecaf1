"""The page of a run: its rows, its context, and -r as a button."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files

import pytest
from playwright.sync_api import Page, expect

from tests.scheduler.apps import TIMEOUT, App, Apps, Run
from tests.ui.browser import RunPage

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=\"document.title='hacked'\">"
LIST = f"""
#AIRFLOW max_active_runs = 16
7|-1|1|0|Start Job|workers|Start||$ENV{{APP_LOG_DIR}}/start.log
2|7|2|0|Load "A|B"|workers|Load|orders
3|7|1|0|Load {HOSTILE}|workers|Fail||$ENV{{APP_LOG_DIR}}/refunds.log
4|2,3|1|0|Close Books|workers|Read
6|7|1|0|Vacuum|workers|Read
"""
WORKERS = f"""
import datetime
import pathlib
import time

HOSTILE = {HOSTILE!r}


class Start(Worker):
    def run(self):
        self.context["day"] = datetime.date(2026, 1, 31)
        self.context["text"] = HOSTILE
        self.context[HOSTILE] = 1
        self.context["count"] = 4711
        self.context["whole"] = 2.0
        self.context["big"] = 2**62
        self.context["huge"] = 10**30
        self.context["files"] = [{{"size": 17, "share": 1.0}}] * 20
        self.context["path"] = pathlib.PurePosixPath("/data")
        self.context["long"] = "x" * 2_000_000
        self.context["nothing"] = None


class Load(Worker):
    def run(self):
        if self.airflow["ti"].try_number == 1:
            raise OSError("not yet")
        self.context["day"], self.context["count"]


class Fail(Worker):
    def run(self):
        self.context["tried"] = self.context.get("tried", 0) + 1
        while self.context.get("hang") and not self.context.get("done"):
            note(self.airflow["run_id"], "hangs")
            time.sleep(0.2)
        if self.context["tried"] == 1:
            raise ValueError(f"no {{HOSTILE}} data")


class Read(Worker):
    def run(self):
        ids = self.airflow["run_id"], self.airflow["task"].row.id
        note(*ids, self.context.get("tried"), self.context["count"])
        del self.context["day"]
"""


@pytest.fixture(scope="module")
def app(apps: Apps) -> App:
    return apps.add("run_page", LIST, WORKERS)


@pytest.fixture(scope="module")
def failed(app: App) -> Run:
    """A run that failed, and that no test changes."""
    return app.trigger(conf={"norun": [6]}).finish()


@pytest.fixture
def run(app: App) -> Run:
    return app.trigger(conf={"norun": [6]}).finish()


@pytest.fixture(autouse=True)
def nothing_is_run_that_a_worker_wrote(page: Page) -> Iterator[None]:
    yield
    assert "hacked" not in page.title()


class TestRows:
    def test_stand_in_the_lists_order_in_pyrunners_words(self, page, failed):
        states = RunPage(page, failed).states()
        assert list(states.items()) == [
            ("7", "done"),
            ("2", "done"),
            ("3", "failed"),
            ("4", "not run"),
            ("6", "left out"),
        ]

    def test_tell_the_name_what_is_above_the_attempt_and_the_logfile(self, page, failed):
        row = RunPage(page, failed).row(2)
        expect(row).to_contain_text('Load "A|B" after 7')
        expect(row).to_contain_text("2 of 2")
        expect(RunPage(page, failed).row(7)).to_contain_text("$ENV{APP_LOG_DIR}/start.log")

    def test_tell_why_one_failed_with_its_logfile_and_host(self, page, failed):
        view = RunPage(page, failed)
        why = view.row(3).locator("xpath=following-sibling::tr[1]")
        expect(why).to_contain_text(f"ValueError: no {HOSTILE} data")
        expect(why).to_contain_text("/refunds.log on ")

    def test_above_them_stand_the_counts_and_the_runs_parameters(self, page, failed):
        view = RunPage(page, failed)
        expect(view.body).to_contain_text("2 done, 1 failed, 1 not run, 1 left out")
        expect(view.body).to_contain_text('started with {"norun":[6]}')

    def test_lead_to_the_log_and_back_without_loading_all_anew(self, page, failed):
        view = RunPage(page, failed)
        expect(view.row(3)).to_be_visible()
        page.evaluate("window.kept = 1")
        view.row(2).get_by_role("link").click()
        page.wait_for_url("**/tasks/2_load_a_b**")
        page.go_back()
        expect(view.row(3)).to_be_visible()
        assert page.evaluate("window.kept") == 1

    def test_of_another_dag_are_not_ours(self, page, apps):
        apps.add_file(
            "not_ours.py",
            """
            from airflow.sdk import DAG
            from airflow.providers.standard.operators.empty import EmptyOperator

            with DAG("not_ours", tags=["pyrunner"]):
                EmptyOperator(task_id="one")
            """,
        )
        apps.airflow.wait_for_dag("not_ours")
        apps.airflow.unpause("not_ours")
        run = Run(apps.airflow, "not_ours", apps.airflow.trigger("not_ours")).finish()
        expect(RunPage(page, run).body).to_have_text("This DAG is not made from a PyRunner task list.")


class TestContext:
    @pytest.mark.parametrize(
        ("key", "value", "kind"),
        [
            ("text", HOSTILE, "str"),
            (HOSTILE, "1", "int"),
            ("whole", "2.0", "float"),
            ("big", str(2**62), "int"),
            ("huge", str(10**30), "int"),
            ("path", "/data", "PurePosixPath"),
            ("nothing", "None", "None"),
            ("tried", "1", "int"),
        ],
    )
    def test_each_key_has_its_value_and_type(self, page, failed, key, value, kind):
        cells = RunPage(page, failed).key(key).get_by_role("cell")
        expect(cells.nth(1)).to_have_text(value)
        expect(cells.nth(2)).to_have_text(kind)

    def test_each_key_tells_who_wrote_and_who_read_it(self, page, failed):
        cells = RunPage(page, failed).key("count").get_by_role("cell")
        expect(cells.nth(3)).to_have_text("7 Start Job")
        expect(cells.nth(5)).to_have_text("2")

    def test_a_long_value_is_opened_in_full(self, page, failed):
        view = RunPage(page, failed)
        view.press("Show files")
        expect(view.dialog).to_contain_text('"share": 1.0')
        assert json.loads(view.dialog.locator("pre").inner_text()) == [{"size": 17, "share": 1.0}] * 20

    def test_a_very_long_one_is_left_where_it_is(self, page, failed):
        view = RunPage(page, failed)
        expect(view.key("long")).to_contain_text("more than 64 kB")
        view.press("Show long")
        expect(view.dialog).to_contain_text("It has more than 1024 kB: see the XCom tab of 7_start_job.")

    @pytest.mark.parametrize(
        ("key", "is_offered"),
        [("text", True), ("files", True), ("big", True), ("path", False), ("day", False), ("nothing", False)],
    )
    def test_editing_is_offered_where_it_is_safe(self, page, failed, key, is_offered):
        view = RunPage(page, failed)
        expect(view.key(key)).to_be_visible()
        expect(view.key(key).get_by_role("button", name="edit")).to_have_count(int(is_offered))

    def test_an_edited_value_is_what_the_next_reader_gets(self, page, app, run):
        view = RunPage(page, run)
        view.press("Edit count")
        view.dialog.get_by_role("textbox").fill("12345678901234567890")
        view.agree("Save")
        expect(view.body).to_contain_text('context["count"] is changed.')
        expect(view.key("count").get_by_role("cell").nth(1)).to_have_text("12345678901234567890")
        view.press("Restart 2 rows (-r)")
        view.restart()
        run.finish()
        assert app.wait_for_note(run.run_id, 4) == [run.run_id, 4, 2, 12345678901234567890]

    def test_what_is_no_json_is_told_and_not_saved(self, page, failed):
        view = RunPage(page, failed)
        view.press("Edit count")
        view.dialog.get_by_role("textbox").fill("[1,")
        view.agree("Save")
        expect(view.dialog).to_contain_text("This is no JSON:")
        view.agree("Cancel")
        expect(view.key("count").get_by_role("cell").nth(1)).to_have_text("4711")


class TestRestart:
    def test_runs_what_did_not_succeed_and_keeps_what_failed_rows_wrote(self, page, app, run):
        view = RunPage(page, run)
        view.press("Restart 2 rows (-r)")
        expect(view.dialog).to_contain_text('Kept: 7 Start Job, 2 Load "A|B"')
        assert view.restart() == [f"3_load_{'img_src_x_onerror_document_title_hacked'}", "4_close_books"]
        expect(view.body).to_contain_text("every row is done")
        assert run.finish().state == "success"
        assert app.wait_for_note(run.run_id, 4)[2] == 2

    def test_rows_may_be_left_out_by_their_boxes(self, page, run):
        view = RunPage(page, run)
        view.press("Restart 2 rows (-r)")
        view.dialog.get_by_label("4 Close Books").uncheck()
        assert len(view.restart()) == 1
        run.finish()
        assert run.attempts()["4_close_books"] == 0

    def test_one_row_alone(self, page, run):
        view = RunPage(page, run)
        view.press("Run only row 2 again")
        assert view.restart() == ["2_load_a_b"]
        run.finish()

    def test_from_a_row_on(self, page, run):
        view = RunPage(page, run)
        view.press("Run row 2 and all below it again")
        assert view.restart() == ["2_load_a_b", "4_close_books"]
        run.finish()

    def test_airflows_own_header_shows_at_once_that_the_run_goes_on(self, page, run):
        view = RunPage(page, run)
        failed = page.get_by_text("Failed", exact=True)  # with a capital: not ours
        expect(failed).not_to_have_count(0)
        view.press("Restart 2 rows (-r)")
        view.restart()
        expect(failed).to_have_count(0)
        run.finish()

    def test_is_not_offered_while_the_run_goes_on_and_rows_are_followed(self, page, app):
        run = app.trigger(conf={"cvar": {"hang": True}})
        app.wait_for_note(run.run_id, "hangs")
        run.wait_for_task("2_load_a_b", "success")  # at its second attempt
        view = RunPage(page, run)
        expect(view.row(3).locator(".state")).to_have_text("running")
        expect(view.body.get_by_role("button", name="Restart (-r)")).to_be_disabled()
        app.airflow.api("PATCH", "dags", run.dag_id, "dagRuns", run.run_id, json={"state": "failed"})
        expect(view.row(3).locator(".state")).to_have_text("failed")
        expect(view.body.get_by_role("button", name="Restart 2 rows (-r)")).to_be_enabled()

    def test_that_the_session_is_over_is_told(self, page, run):
        view = RunPage(page, run)
        view.press("Restart 2 rows (-r)")
        # Without its cookie Airflow's own page would go to the login first, at whatever it asks next.
        page.route("**/clearTaskInstances", lambda route: route.fulfill(status=401, json={"detail": "no"}))
        view.agree("Restart")
        expect(view.dialog).to_contain_text("Your session has ended. Log in again, then reload this page.")
        assert run.state == "failed"

    def test_by_the_keyboard_alone(self, page, run):
        view = RunPage(page, run)
        view.body.get_by_role("button", name="Restart 2 rows (-r)").focus()
        page.keyboard.press("Enter")
        expect(view.dialog).to_be_visible()
        page.keyboard.press("Escape")
        expect(view.dialog).to_have_count(0)
        expect(view.body.get_by_role("button", name="Restart 2 rows (-r)")).to_be_focused()
        page.keyboard.press("Enter")
        expect(view.dialog).to_be_visible()
        for _ in range(3):  # three boxes, then Cancel, then Restart
            page.keyboard.press("Tab")
        expect(view.dialog.get_by_role("button", name="Cancel")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(view.body).to_contain_text("2 rows run again.")
        run.finish()


def test_the_page_costs_few_requests(page, failed):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/pyrunner" in request.url else None)
    view = RunPage(page, failed)
    view.states()
    expect(view.body).to_have_attribute("data-requests", "19")
    assert len([url for url in asked if ".js?v=" in url]) == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_fault_with_the_page_and_its_dialog(page, failed, theme):
    page.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    view = RunPage(page, failed)
    view.states()
    page.add_script_tag(path=files("axe_playwright_python") / "axe.min.js")
    assert page.evaluate("async () => (await axe.run('.pyr')).violations") == []
    view.press("Restart 2 rows (-r)")
    assert page.evaluate("async () => (await axe.run('.pyr')).violations") == []


@pytest.mark.parametrize(("theme", "color"), [("light", "rgb(10, 107, 44)"), ("dark", "rgb(74, 222, 128)")])
def test_it_follows_airflows_dark_mode(page, failed, theme, color):
    page.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    view = RunPage(page, failed)
    expect(view.row(7).locator(".state")).to_have_css("color", color)


def test_run_ids_may_have_odd_characters(page, app):
    run_id = "odd+1:~a"
    app.airflow.wait_for_dag(app.name)
    app.airflow.api("POST", "dags", app.name, "dagRuns", json={"dag_run_id": run_id, "logical_date": None})
    run = Run(app.airflow, app.name, run_id).finish()
    view = RunPage(page, run)
    assert view.states()["3"] == "failed"
    view.press("Restart 2 rows (-r)")
    view.restart()
    run.finish()


def not_run(apps: Apps, name: str, rows: list[str]) -> Run:
    """A run of many rows that somebody marked a success before it began."""
    app = apps.add(name, "\n".join(rows))
    app.airflow.wait_for_dag(name, timeout=TIMEOUT)
    run = Run(app.airflow, name, app.airflow.trigger(name))
    app.airflow.api("PATCH", "dags", name, "dagRuns", run.run_id, json={"state": "success"})
    return run


def publish(run: Run, task: str, key: str, value: object) -> None:
    path = ("dags", run.dag_id, "dagRuns", run.run_id, "taskInstances", task, "xcomEntries")
    run.airflow.api("POST", *path, json={"key": key, "value": value})


def test_sixty_rows_cost_at_most_35_requests(page, apps):
    rows = [f"{row}|{row - 6 if row > 6 else -1}|1|0|Row|workers|W" for row in range(1, 61)]
    run = not_run(apps, "sixty_rows", rows)
    known = []
    for row in range(1, 61):
        task = f"{row}_row"
        known.append({"key": f"key_{row:02}", "stamp": row, "task_id": task, "state": "value"})
        publish(run, task, f"key_{row:02}", row)
        publish(
            run,
            task,
            "pyrunner.context",
            {"format": 1, "keys": [one for one in known if one["stamp"] % 6 == row % 6]},
        )
    view = RunPage(page, run)
    assert len(view.states()) == 60
    assert view.body.locator("[data-key]").count() == 60
    assert int(view.body.get_attribute("data-requests")) <= 35
    view.press("Show key_60")
    expect(view.key("key_60").get_by_role("cell").nth(1)).to_have_text("60")


def test_a_thousand_rows_come_first_and_the_context_when_it_is_asked_for(page, apps):
    rows = [f"{row}|{row - 1 if row > 1 else -1}|1|0|Row|workers|W" for row in range(1, 1001)]
    run = not_run(apps, "thousand_rows", rows)
    publish(run, "1000_row", "day", "today")
    index = {"key": "day", "stamp": 1, "task_id": "1000_row", "state": "value"}
    publish(run, "1000_row", "pyrunner.context", {"format": 1, "keys": [index]})
    view = RunPage(page, run)
    expect(view.body.locator("[data-row]")).to_have_count(1000)
    expect(view.body).to_contain_text("1000 not run")
    view.press("show it")
    expect(view.key("day").get_by_role("cell").nth(1)).to_have_text("today")
