"""`airflow pyrunner context`: a run's context on the terminal, and a value put right."""

from __future__ import annotations

import json

import pytest

from tests.cli.command import Done, run
from tests.scheduler.apps import App, Apps, Run

pytestmark = pytest.mark.slow

LIST = """
1|-1|1|0|Write|workers|Write
2|1|1|0|Read|workers|Read
"""
WORKERS = """
import datetime, pathlib

class Write(Worker):
    def run(self):
        self.context["day"] = "2026-01-31"
        self.context["path"] = pathlib.PurePosixPath("/data")
        self.context["when"] = datetime.date(2026, 1, 31)
        self.context["a?b"] = list(range(100))
        self.context["nothing"] = self.context["gone"] = None

class Read(Worker):
    def run(self):
        note(self.context["day"])
        del self.context["gone"]
"""


@pytest.fixture(scope="module")
def app(apps: Apps) -> App:
    return apps.add("context_command", LIST, WORKERS)


@pytest.fixture(scope="module")
def ended(app: App) -> Run:
    return app.trigger().finish()


def context(run_: Run, *options: str) -> Done:
    return run("context", *options, run_.dag_id, run_.run_id, AIRFLOW_API_URL=run_.airflow.url)


def test_each_key_is_shown_with_its_type_its_value_its_writer_and_its_readers(ended):
    done = context(ended)
    assert done.code == 0
    head, *lines = done.out.splitlines()
    assert head.split() == ["key", "type", "value", "written", "by", "at", "read", "by"]
    shown = {line.split()[0]: " ".join(line.split()) for line in lines}
    assert shown["day"].startswith("day str 2026-01-31 1 Write 2")
    assert shown["day"].endswith(" 2")
    assert shown["path"].startswith("path PurePosixPath /data 1 Write ")
    assert shown["when"].startswith("when date 2026-01-31 1 Write ")
    assert shown["nothing"].startswith("nothing NoneType null 1 Write ")
    assert shown["gone"].startswith("gone (deleted) 2 Read ")
    assert shown["a?b"].startswith("a?b list [0, 1, 2, 3,")
    assert " ... 1 Write " in shown["a?b"]


def test_the_same_as_json(ended):
    rows = {row["key"]: row for row in json.loads(context(ended, "--format", "json").out)}
    assert rows["day"].pop("at").startswith("2")
    assert rows["day"] == {
        "key": "day",
        "type": "str",
        "value": "2026-01-31",
        "state": "value",
        "written_by": "1_write",
        "read_by": ["2_read"],
    }
    assert rows["a?b"]["value"] == list(range(100))
    assert {key: row["state"] for key, row in rows.items()} == {
        "a?b": "value",
        "day": "value",
        "gone": "deleted",
        "nothing": "none",
        "path": "value",
        "when": "value",
    }


@pytest.mark.parametrize(
    ("text", "read"),
    [("2026-02-28", "2026-02-28"), ('{"a": [1, 2.0]}', {"a": [1, 2.0]}), ("17", 17), ("=", "=")],
)
def test_a_value_that_is_set_is_what_the_next_reader_gets(app, text, read):
    run = app.trigger().finish()
    assert context(run, "--set", f"day={text}").code == 0
    run.clear("2_read", only_failed=False)
    assert run.finish().state == "success"
    assert app.notes()[-1] == [read]


def test_the_runs_note_tells_what_was_set_and_what_was_there(app):
    run = app.trigger().finish()
    run.airflow.api("PATCH", "dags", run.dag_id, "dagRuns", run.run_id, json={"note": "mine"})
    context(run, "--set", "day=1")
    first, second = run.airflow.run(run.dag_id, run.run_id)["note"].splitlines()
    assert first == "mine"
    assert second.endswith(": context['day'] was 2026-01-31 (1_write)")


def test_a_key_that_no_row_wrote_cannot_be_set(ended):
    done = context(ended, "--set", "dya=1")
    assert (done.code, done.out) == (2, "")
    assert f"no row of run {ended.run_id} has left 'dya' in the context. Did you mean 'day'?" in done.err


def test_an_index_that_somebody_edited_is_told(app):
    run = app.trigger().finish()
    path = (
        "dags",
        run.dag_id,
        "dagRuns",
        run.run_id,
        "taskInstances",
        "1_write",
        "xcomEntries",
        "pyrunner.context",
    )
    run.airflow.api("PATCH", *path, json={"value": 5})
    done = context(run)
    assert done.code == 2
    assert "the XCom 'pyrunner.context' of 1_write is not as it wrote it" in done.err
