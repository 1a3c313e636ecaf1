"""Options of a list, and parameters of a run, as the rows of a real run see them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from email.message import Message

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler

from scripts.local_airflow import LocalAirflow, LocalAirflowError
from tests.scheduler.apps import TIMEOUT, App, Apps, Run

pytestmark = pytest.mark.slow

LIST = """
#AIRFLOW [pyrunner]
#AIRFLOW cwd = "work"
#AIRFLOW templates = false
#AIRFLOW notify_email = ["ops@example.com"]
#AIRFLOW [pyrunner.env]
#AIRFLOW APP_LOG_DIR = "$ENV{APP_ROOT_DIR}/elsewhere"
#AIRFLOW PLAIN = "plain"
#AIRFLOW [pyrunner.cvar]
#AIRFLOW region = "north"
#AIRFLOW level = 1
1|-1|3|0|First|workers|Look|{{ not a template|$ENV{APP_LOG_DIR}/first.log
2|1|1|0|Second|workers|Look||
3|2|1|0|Third <b>|workers|Fail||
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
        return 3
"""


class Mailbox(MessageHandler):
    """Keep the messages that a real SMTP server gets."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []

    def handle_message(self, message: Message) -> None:
        self.messages.append(message)


@pytest.fixture(scope="module")
def mailbox(airflow: LocalAirflow) -> Iterator[Mailbox]:
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    connection = {
        "connection_id": "smtp_default",
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": port,
        "extra": '{"disable_ssl": true, "disable_tls": true, "from_email": "airflow@example.com"}',
    }
    airflow.api("POST", "connections", json=connection)
    yield box
    airflow.api("DELETE", "connections", "smtp_default")
    controller.stop()


@pytest.fixture(scope="module")
def app(apps: Apps, mailbox: Mailbox) -> App:
    return apps.add("options", LIST, WORKERS, {"work/here": ""})


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
WITHOUT, WITH_SIX, WITH_SEVEN = (None, [], 1), ("0 6 * * *", ["early"], 7), ("30 7 * * *", [], 9)


def options_seen(airflow: LocalAirflow, dag_id: str) -> tuple[str | None, list[str], int] | None:
    """Return a DAG's schedule and tags and the priority of its only task, as Airflow has them."""
    dag = airflow.dag(dag_id)
    if dag is None:
        return None
    tags = [tag["name"] for tag in dag["tags"]]
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
        wait_for(seen_after)
        assert [path.stat().st_mtime_ns for path in others] == written


def mail_about(airflow: LocalAirflow, mailbox: Mailbox, run: Run) -> Message:
    def arrived() -> Message | None:
        return next((mail for mail in mailbox.messages if run.run_id in str(mail["Subject"])), None)

    return airflow.wait(arrived, f"a mail about {run.run_id}", TIMEOUT)


def text_of(mail: Message) -> str:
    return b"".join(part.get_payload(decode=True) or b"" for part in mail.walk()).decode()


class TestNotifyEmail:
    def test_a_failed_run_is_told_with_its_failed_rows(self, airflow, mailbox, run):
        mail = mail_about(airflow, mailbox, run)
        assert (mail["To"], mail["From"]) == ("ops@example.com", "airflow@example.com")
        assert mail["Subject"] == f"options failed: {run.run_id}"
        assert "<td>3</td><td>Third &lt;b&gt;</td><td>failed</td>" in text_of(mail)
        assert "<td>2</td>" not in text_of(mail)

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
        assert part.states() == {"1_first": "skipped", "2_second": "success", "3_third_b": "skipped"}
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
