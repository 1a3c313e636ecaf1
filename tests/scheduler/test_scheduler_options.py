"""Options of a list, and parameters of a run, as the rows of a real run see them."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from email.message import Message
from urllib.parse import quote

import pytest

from pyrunner_airflow.tasklist import FAILURE_KEY
from scripts.local_airflow import LocalAirflow, LocalAirflowError
from tests.mail_server import Mailbox, open_mailbox, text_of
from tests.scheduler.apps import TIMEOUT, App, Apps, DataServer, Run

pytestmark = pytest.mark.slow

LIST = """
#AIRFLOW [pyrunner]
#AIRFLOW cwd = "work"
#AIRFLOW templates = false
#AIRFLOW notify_email = ["ops@example.com"]
#AIRFLOW [pyrunner.env]
#AIRFLOW APP_LOG_DIR = "$ENV{APP_ROOT_DIR}/elsewhere"
#AIRFLOW APP_ROOT_LOG_DIR = "$ENV{APP_ROOT_DIR}/logs"
#AIRFLOW APP_LOG_RETENTION = "30"
#AIRFLOW PLAIN = "plain"
#AIRFLOW APP_PASSWORD = "q7-Zulu-93"
#AIRFLOW [pyrunner.cvar]
#AIRFLOW region = "north"
#AIRFLOW level = 1
#AIRFLOW [[pyrunner.notify]]
#AIRFLOW notifier = "post_notifier.Post"
#AIRFLOW on = "failed"
#AIRFLOW url = "URL"
#AIRFLOW text = "{{ dag.dag_id }} {{ run_id }}"
1|-1|3|0|First|workers|Look|{{ not a template|$ENV{APP_LOG_DIR}/first.log
2|1|1|0|Second|workers|Look||
3|2|1|0|Third <b>|workers|Fail||$ENV{APP_ROOT_DIR}/third.log
4|2|1|0|Fourth|workers|Raise||
"""
WORKERS = """
import os

class Look(Worker):
    def run(self):
        seen = {key: self.context[key] for key in self.context}
        note(self.argv, os.getcwd(), os.environ.get("PLAIN"), seen)
        if "place" not in self.context:
            self.context["place"] = "written"
        del self.context["level"]

    def on_success(self):
        self.context["level"] = 2

class Fail(Worker):
    def run(self):
        for number in range(100):
            print("line", number, os.environ["APP_PASSWORD"], "{{ 1 / 0 }}")
        self.logger.info("<i>the last line</i>")
        return 3

class Raise(Worker):
    def run(self):
        raise ValueError(f"no {os.environ['APP_PASSWORD']}")
"""


NOTIFIER = """
import json
from urllib.request import Request, urlopen

from airflow.sdk import BaseNotifier


class Post(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, url, text):
        super().__init__()
        self.url = url
        self.text = text

    def notify(self, context):
        urlopen(Request(self.url, json.dumps({"text": self.text}).encode()))
"""


@pytest.fixture(scope="module")
def mailbox(airflow: LocalAirflow) -> Iterator[Mailbox]:
    with open_mailbox() as box:
        airflow.api("POST", "connections", json={"connection_id": "smtp_default", **box.connection})
        yield box
        airflow.api("DELETE", "connections", "smtp_default")


@pytest.fixture(scope="module")
def app(apps: Apps, mailbox: Mailbox, sample_server: DataServer) -> App:
    apps.add_file("post_notifier.py", NOTIFIER)
    app = apps.add(
        "options",
        LIST.replace("URL", f"{sample_server.url}/slack"),
        WORKERS,
        {"work/here": "", "logs/a day/x.log": ""},
    )
    os.utime(app.path / "logs/a day/x.log", (0, 0))
    return app


@pytest.fixture(scope="module")
def run(app: App) -> Run:
    return app.trigger().finish()


class TestOptions:
    def test_the_context_starts_with_cvar_until_a_row_writes(self, run, app):
        assert [seen for *_, seen in app.notes()] == [
            {"region": "north", "level": 1},
            {"region": "north", "place": "written", "level": 2},
        ]

    def test_arguments_stand_as_they_are_without_templates(self, run, app):
        assert app.notes()[0][0] == ["{{ not a template"]

    def test_rows_work_in_cwd_with_env(self, run, app):
        assert {tuple(seen[1:3]) for seen in app.notes()} == {(str(app.path / "work"), "plain")}

    def test_env_says_where_log_files_go(self, run, app):
        assert os.listdir(app.path / "elsewhere") == ["first.log"]

    def test_the_first_row_alone_removes_old_log_files(self, run, app):
        assert os.listdir(app.path / "logs/a day") == []
        told = ["APP_LOG_RETENTION" in run.log(task_id) for task_id in ("1_first", "2_second", "3_third_b")]
        assert told == [True, False, False]


SIX = """
schedule = "0 6 * * *"
tags = ["early"]
[default_args]
priority_weight = 7
"""
SEVEN = """
schedule = "30 7 * * *"
[pyrunner]
timezone = "Europe/Berlin"
[tasks.1]
priority_weight = 9
"""
WITHOUT = (None, {"pyrunner"}, 1)
WITH_SIX = ("0 6 * * *", {"early", "pyrunner"}, 7)
WITH_SEVEN = ("30 7 * * *", {"pyrunner"}, 9)


def options_seen(airflow: LocalAirflow, dag_id: str) -> tuple[str | None, set[str], int] | None:
    """Return a DAG's schedule and tags and the priority of its only task, as Airflow has them."""
    dag = airflow.dag(dag_id)
    if dag is None:
        return None
    tags = {tag["name"] for tag in dag["tags"]}
    return dag["timetable_summary"], tags, airflow.tasks(dag_id)["1_only"]["priority_weight"]


class TestOptionsFile:
    @pytest.mark.parametrize(
        ("what", "before", "seen_before", "after", "seen_after"),
        [
            ("added", None, WITHOUT, SIX, WITH_SIX),
            ("edited", SIX, WITH_SIX, SEVEN, WITH_SEVEN),
            ("removed", SEVEN, WITH_SEVEN, None, WITHOUT),
        ],
        ids=["added", "edited", "removed"],
    )
    @pytest.mark.parametrize("place", ["pyrunner.toml", "config/pyrunner.toml"])
    def test_alone_changes_the_dag(self, apps, airflow, what, place, before, seen_before, after, seen_after):
        """Neither the list nor the loaders are touched."""
        name = f"options_{what}_{place.count('/')}"
        app = apps.add(name, "1|-1|1|0|Only|workers|Look||", files={place: before} if before else {})
        others = [app.list, *airflow.dags_folder.glob("*.py")]
        written = [path.stat().st_mtime_ns for path in others]

        def wait_for(options):
            airflow.wait(lambda: options_seen(airflow, name) == options, f"{name} with {options}", TIMEOUT)

        wait_for(seen_before)
        if after is None:
            (app.path / place).unlink()
        else:
            app.write(place, after)
        airflow.reparse(name)
        wait_for(seen_after)
        assert [path.stat().st_mtime_ns for path in others] == written


def mail_about(airflow: LocalAirflow, mailbox: Mailbox, run: Run) -> Message:
    def arrived() -> Message | None:
        return next((mail for mail in mailbox.messages if run.run_id in str(mail["Subject"])), None)

    return airflow.wait(arrived, f"a mail about {run.run_id}", TIMEOUT)


class TestNotify:
    def test_airflows_notifier_tells_of_the_failed_run(self, airflow, run, sample_server):
        text = f"options {run.run_id}"
        airflow.wait(lambda: text in sample_server.messages, f"a message about {run.run_id}", TIMEOUT)


class TestNotifyEmail:
    def test_a_failed_run_is_told_with_its_failed_rows(self, airflow, mailbox, run):
        mail = mail_about(airflow, mailbox, run)
        assert (mail["To"], mail["From"]) == ("ops@example.com", "airflow@example.com")
        assert mail["Subject"] == f"options failed: {run.run_id}"
        link = f"{airflow.url}/dags/options/runs/{quote(run.run_id, safe='')}"
        text = text_of(mail)
        assert f'in run <a href="{link}">{run.run_id}</a>.' in text
        row = f'<td>3</td><td><a href="{link}/tasks/3_third_b">Third &lt;b&gt;</a></td><td>failed</td>'
        assert f"{row}<td>failed: return code 3; row 3 &quot;Third &lt;b&gt;&quot;, attempt 1 of 1; " in text
        assert "<td>2</td>" not in text

    def test_with_the_end_of_each_log_and_no_secrets(self, airflow, mailbox, app, run):
        text = text_of(mail_about(airflow, mailbox, run))
        third, fourth = re.findall(r"<h3>.*?</pre>", text, re.DOTALL)
        assert f"LOGFILE {app.path}/third.log on {socket.gethostname()}; " in third
        lines = re.search(r"<pre>(.*)</pre>", third, re.DOTALL)[1].split("\n")
        assert lines == [
            *(f"line {number} *** {{{{ 1 / 0 }}}}" for number in range(51, 100)),
            "&lt;i&gt;the last line&lt;/i&gt;",
        ]
        assert "LOGFILE none on " in fourth
        assert fourth.endswith("ValueError: no ***</pre>")
        assert "Traceback (most recent call last):" in fourth
        assert "q7-Zulu-93" not in text

    def test_so_is_a_run_that_succeeded(self, airflow, mailbox, app, run):
        airflow.api("POST", "dags", "options", "dagRuns", json={"logical_date": None, "conf": {"to": 2}})
        mail = airflow.wait(
            lambda: next((m for m in mailbox.messages if "succeeded" in str(m["Subject"])), None),
            "a mail about success",
            TIMEOUT,
        )
        assert "<td>" not in text_of(mail)


class TestRunParameters:
    def start(self, airflow: LocalAirflow, conf: dict[str, object]) -> Run:
        body = {"logical_date": None, "conf": conf}
        return Run(
            airflow, "options", airflow.api("POST", "dags", "options", "dagRuns", json=body)["dag_run_id"]
        )

    def test_rows_that_are_left_out_are_skipped_and_count_as_done(self, airflow, app, run):
        part = self.start(airflow, {"exec_only": [2], "cvar": {"place": "given"}}).finish()
        assert part.states() == {
            "1_first": "skipped",
            "2_second": "success",
            "3_third_b": "skipped",
            "4_fourth": "skipped",
        }
        assert app.notes()[-1][-1] == {"region": "north", "level": 1, "place": "given"}
        assert "left out by this run's exec_only" in str(part.log_lines("1_first"))

    def test_an_unknown_id_is_refused_before_anything_runs(self, airflow, run):
        with pytest.raises(LocalAirflowError, match=r"exec_only.*77 is not one of \[1, 2, 3, "):
            self.start(airflow, {"exec_only": [77]})

    @pytest.mark.parametrize(
        ("conf", "message"),
        [
            ({"exec_onyl": [2]}, "Did you mean 'exec_only'?"),
            ({"exec_only": [2], "to": 1}, "the run's exec_only and to leave no row to run"),
        ],
    )
    def test_a_misspelt_parameter_fails_the_rows_at_once_and_so_does_to_leave_none(
        self, airflow, run, conf, message
    ):
        wrong = self.start(airflow, conf).finish()
        assert (wrong.states()["1_first"], wrong.attempts()["1_first"]) == ("failed", 1)
        assert message in str(wrong.log_lines("1_first"))
        assert message in wrong.xcoms("1_first")[FAILURE_KEY]["line"]


class TestTemplatesOfARunWithoutALogicalDate:
    @pytest.fixture(scope="class")
    @staticmethod
    def dated(apps: Apps) -> App:
        rows = (
            "1|-1|3|0|Dated|workers|Look|{{ ds }}|\n"
            "2|1|1|0|Other|workers|Look|{{ dag_run.run_after.date() }}|\n"
        )
        return apps.add("dated", f"#AIRFLOW pyrunner.cvar.level = 1\n{rows}", WORKERS)

    def test_a_row_that_is_left_out_does_not_fail_for_its_template(self, dated):
        run = dated.trigger(conf={"norun": [1]}).finish()
        assert run.states() == {"1_dated": "skipped", "2_other": "success"}
        assert len(dated.notes()[0][0][0]) == len("2026-01-31")

    def test_what_fails_says_what_helps(self, dated):
        run = dated.trigger().finish()
        log = "\n".join(str(line["event"]) for line in run.log_lines("1_dated"))
        assert run.xcoms("1_dated")[FAILURE_KEY]["cause"] == "UndefinedError: 'ds' is undefined"
        assert "failed: UndefinedError: 'ds' is undefined; row 1 " in log
        assert "this run has no logical date, and so neither `ds`, `ts` nor a data interval: start one" in log
