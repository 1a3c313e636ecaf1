"""The mail about the end of a run: what stands in it, and how long it may become."""

import json
import re

import pytest

from pyrunner_airflow import PyRunnerDag
from pyrunner_airflow.dag.notifications import RunEmail
from pyrunner_airflow.tasklist import FAILURE_KEY
from tests.mail_server import open_mailbox, text_of

RUN_ID = "manual__2026-01-31T06:00:00+00:00"
TOLD = {
    "cause": "ValueError: no <data>",
    "line": "failed: ValueError: no <data>; row 3",
    "logfile": "/logs/a & b.log",
    "host": "etl1",
    "log": "one {{ 1/0 }}\n<two> {% nonsense",
}


@pytest.fixture
def mailbox(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/below/")
    with open_mailbox() as box:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(box.connection))
        yield box


class Instance:
    """What a callback has of Airflow's task instance: the states of a run's tasks, and their XComs."""

    def __init__(self, states, told):
        self.states = states
        self.told = told

    def get_task_states(self, dag_id, run_ids):
        return {run_ids[0]: self.states}

    def xcom_pull(self, task_ids, key):
        assert key == FAILURE_KEY
        return self.told.get(task_ids)


@pytest.fixture
def context_of(tmp_path):
    """Return what a callback is called with: rows 1 and up of a list are in these states."""

    def make(states, told=None):
        rows = [f"{id_}|-1|1|0|Row <{id_}>|workers|Any" for id_ in range(1, len(states) + 1)]
        (tmp_path / "my <job>.lst").write_text("\n".join(rows))
        dag = PyRunnerDag(tmp_path / "my <job>.lst")
        states = {f"{id_}_row_{id_}": state for id_, state in enumerate(states, 1)}
        told = {f"{id_}_row_{id_}": words for id_, words in (told or {}).items()}
        return {"dag": dag, "run_id": RUN_ID, "ti": Instance(states, told)}

    return make


def mail_about(mailbox, *contexts):
    """Return the last of the mails that one object sends."""
    email = RunEmail(["ops@example.com"], "failed")
    for context in contexts:
        email(context)
    return mailbox.messages[-1]


def test_a_row_that_failed_is_told_with_its_line_its_log_and_links(mailbox, context_of):
    mail = mail_about(mailbox, context_of(["success", "skipped", "failed", None], {3: TOLD}))
    run = "https://airflow.example.com/below/dags/my_job_/runs/manual__2026-01-31T06%3A00%3A00%2B00%3A00"
    assert mail["Subject"] == f"my <job> failed: {RUN_ID}"
    assert text_of(mail).split("\n") == [
        f'<p>my &lt;job&gt; failed in run <a href="{run}">{RUN_ID}</a>.</p>',
        "<table><tr><th>ID</th><th>PROCESS_NAME</th><th>state</th><th>why</th></tr>",
        f'<tr><td>3</td><td><a href="{run}/tasks/3_row_3">Row &lt;3&gt;</a></td><td>failed</td>'
        "<td>failed: ValueError: no &lt;data&gt;; row 3</td></tr>",
        "<tr><td>4</td><td>Row &lt;4&gt;</td><td>not run</td><td></td></tr>",
        "</table>",
        "<h3>3 Row &lt;3&gt;</h3><p>LOGFILE /logs/a &amp; b.log on etl1; "
        f'the end of its <a href="{run}/tasks/3_row_3">log</a>:</p>',
        "<pre>one {{ 1/0 }}",
        "&lt;two&gt; {% nonsense</pre>",
    ]


def test_one_object_tells_of_several_runs(mailbox, context_of):
    """Airflow renders its fields as templates before each: nothing of a run may stand in them."""
    context = context_of(["failed"], {1: TOLD})
    mail_about(mailbox, context, context)
    first, second = map(text_of, mailbox.messages)
    assert first == second


def test_where_airflow_does_not_know_its_address_there_are_no_links(mailbox, context_of, monkeypatch):
    monkeypatch.delenv("AIRFLOW__API__BASE_URL")
    mail = text_of(mail_about(mailbox, context_of(["failed"], {1: TOLD})))
    assert "href" not in mail
    assert "the end of its log:" in mail


@pytest.mark.parametrize("told", [None, "a text", 7, {}], ids=repr)
def test_a_row_that_has_kept_nothing_is_told_all_the_same(mailbox, context_of, told):
    mail = text_of(mail_about(mailbox, context_of(["failed"], {1: told})))
    assert "<td>failed</td><td>It told no reason: its log says more.</td>" in mail
    assert "<pre>" not in mail


def test_rows_that_failed_stand_first_and_of_many_not_all_are_told(mailbox, context_of):
    states = ["upstream_failed"] * 150 + ["failed"] * 100
    told = {id_: {**TOLD, "log": "x" * 100_000} for id_ in range(151, 251)}
    mail = text_of(mail_about(mailbox, context_of(states, told)))
    ids = [int(id_) for id_ in re.findall(r"<tr><td>(\d+)</td>", mail)]
    assert ids == [*range(151, 251), *range(1, 101)]
    assert "<p>And 50 more.</p>" in mail
    assert mail.count("<pre>") == 20
    assert len(mail) < 700_000
