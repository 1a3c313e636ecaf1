"""The context in a task's XCom tab: read there, edited there."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.scheduler.apps import App, Apps, Run
from tests.ui.browser import XComTab

pytestmark = pytest.mark.slow

LIST = """
1|-1|1|0|Write|workers|Write
2|1|1|0|Read|workers|Read
"""
WORKERS = """
import datetime
import pathlib

class Write(Worker):
    def run(self):
        self.context["text"] = "hello, world"
        self.context["count"] = 4711
        self.context["files"] = ["a.csv", {"size": 17}]
        self.context["day"] = datetime.date(2026, 1, 2)
        self.context["path"] = pathlib.Path("/data/in.csv")

class Read(Worker):
    def run(self):
        note({key: repr(self.context[key]) for key in self.context})
"""


@pytest.fixture(scope="module")
def app(apps: Apps) -> App:
    return apps.add("xcom_tab", LIST, WORKERS)


@pytest.fixture
def run(app: App) -> Run:
    run = app.trigger().finish()
    assert run.state == "success"
    return run


@pytest.fixture
def tab(page: Page, run: Run) -> XComTab:
    return XComTab(page, run, "1_write")


def read_again(run: Run) -> None:
    run.clear("2_read", only_failed=False)
    run.finish()


def test_keys_and_values_are_shown_as_the_worker_wrote_them(tab):
    tab.expand()
    expect(tab.value("text")).to_contain_text("hello, world")
    expect(tab.value("count")).to_contain_text("4711")
    expect(tab.value("files")).to_contain_text('"a.csv", { "size": 17 }')
    expect(tab.value("day")).to_contain_text("2026-01-02")
    expect(tab.value("path")).to_contain_text('"/data/in.csv"')


@pytest.mark.parametrize(
    ("key", "old", "new", "read"),
    [
        ("text", "world", "moon", "'hello, moon'"),
        ("count", "4711", "4712", "4712"),
        ("files", '"a.csv",', "", "[{'size': 17}]"),
        ("path", "in.csv", "out.csv", "PosixPath('/data/out.csv')"),
    ],
)
def test_an_edited_value_is_what_the_next_reader_gets(app, run, tab, key, old, new, read):
    before = app.notes()[-1][0]
    tab.edit(key, old, new)
    read_again(run)
    assert app.notes()[-1] == [{**before, key: read}]


def test_a_deleted_value_is_an_error_that_names_key_and_task(run, tab):
    tab.delete("count")
    read_again(run)
    assert run.states()["2_read"] == "failed"
    assert "the XCom 'count' of task 1_write is gone" in run.log("2_read", 2)


@pytest.mark.parametrize(("old", "new"), [('"/data/in.csv"', "7"), ("PosixPath", "Nonsense")])
def test_a_value_that_is_no_value_any_more_is_an_error_that_names_key_and_task(run, tab, old, new):
    tab.edit("path", old, new)
    read_again(run)
    assert run.states()["2_read"] == "failed"
    error = next(line for line in run.log("2_read", 2).splitlines() if "failed:" in line)
    assert "'path'" in error
    assert "1_write" in error
