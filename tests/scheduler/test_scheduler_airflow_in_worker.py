"""What a worker has of Airflow in its own process: a fork of the task's."""

from __future__ import annotations

import json

import pytest

from tests.scheduler.apps import TIMEOUT, App, Apps, Run

ROWS = """
1|-1|1|0|Ask      |workers|Ask     ||
2|1 |1|0|Wait     |workers|Wait    ||
3|2 |2|0|Read     |workers|Read    ||
4|2 |1|0|Fork     |workers|Fork    ||
5|2 |1|0|Log      |workers|Log     ||$ENV{APP_LOG_DIR}/log.log
6|2 |1|0|Refuse   |workers|Refuse  ||
"""
WORKERS = """
import gc
import logging
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

from airflow.sdk import Connection, Variable
from airflow.sdk.exceptions import AirflowRescheduleException


def ask(number):
    return Connection.get("asked").host, Variable.get("asked"), Variable.get("none", None)


class Ask(Worker):
    def run(self):
        gc.collect()  # nothing that the fork took along may end here: the task's process goes on with it
        with ThreadPoolExecutor(8) as pool:
            answers = set(pool.map(ask, range(40)))
        note("asked", *map(list, answers))
        self.airflow["ti"].xcom_push(key="pushed", value=[1, 2])
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: self.context.set(f"k{number}", number), range(40)))
            assert list(pool.map(lambda number: self.context[f"k{number}"], range(40))) == list(range(40))


class Wait(Worker):
    def run(self):
        if "waited" in self.context:
            note("went on", self.context["waited"])
            return
        self.context["waited"] = True
        raise AirflowRescheduleException(datetime.now(timezone.utc) + timedelta(seconds=1))

    def on_fail(self):
        note("rescheduling failed")


class Read(Worker):
    def run(self):
        ti = self.airflow["ti"]
        pulled = ti.xcom_pull(task_ids="1_ask", key="pushed")
        note("pulled", ti.task_id, pulled, self.airflow["params"]["norun"])
        raise KeyError("again")


class Fork(Worker):
    def run(self):
        children = []
        for number in range(4):
            child = os.fork()
            if not child:
                self.context[f"child {number}"] = ask(number)[0]
                os._exit(0)
            children.append(child)
        note("forked", [os.waitpid(child, 0)[1] for child in children], sorted(
            self.context[f"child {number}"] for number in range(4)
        ))


class Log(Worker):
    def run(self):
        subprocess.run("echo by a command; echo its complaint >&2", shell=True, check=True)
        other = logging.getLogger("elsewhere")
        for number in range(60):
            print("printed", number)
            self.logger.info(f"logged {number}")
            other.warning("noted %s", number)
        big = "x" * 20_000
        threads = [threading.Thread(target=self.log, args=(c, big)) for c in "abcd"]
        for thread in threads: thread.start()
        for thread in threads: thread.join()

    def log(self, name, big):
        other = logging.getLogger("threads")
        for _ in range(20):
            other.warning("%s%s%s", name, big, name)
            self.logger.info(f"{name}{big}{name}")


class Refuse(Worker):
    def run(self):
        self.logger.info("a file's name: " + os.fsdecode(b"caf\\xe9"))
        try:
            Connection.get("not there")
        except Exception as error:
            note("refused", type(error).__name__)
"""


@pytest.fixture(scope="module")
def app(apps: Apps) -> App:
    apps.airflow.cli("connections", "add", "asked", "--conn-type", "http", "--conn-host", "orders.example")
    apps.airflow.cli("variables", "set", "asked", "42")
    return apps.add("airflow_in_worker", ROWS, WORKERS)


@pytest.fixture(scope="module")
def run(app: App) -> Run:
    return app.trigger().finish()


def noted(app: App, what: str) -> list[object]:
    return next(seen[1:] for seen in app.notes() if seen[0] == what)


def test_connections_and_variables_from_eight_threads_at_once(run, app):
    assert noted(app, "asked") == [["orders.example", "42", None]]
    assert run.states()["1_ask"] == "success"


def test_an_answer_of_airflows_that_is_an_error_is_raised_as_itself(run, app):
    assert noted(app, "refused") == ["AirflowNotFoundException"]


def test_its_task_instance_pushes_and_pulls_xcoms(run, app):
    assert run.xcoms("1_ask")["pushed"] == [1, 2]
    assert noted(app, "pulled") == ["3_read", [1, 2], None]


def test_a_row_that_asks_to_be_rescheduled_goes_on_with_what_it_wrote(run, app):
    assert noted(app, "went on") == [True]
    assert run.states()["2_wait"] == "success"
    assert not any(seen[0] == "rescheduling failed" for seen in app.notes())


def test_processes_that_it_forks_have_the_context_and_airflow(run, app):
    assert noted(app, "forked") == [[0] * 4, ["orders.example"] * 4]


def test_an_exception_of_its_own_fails_the_attempt(run):
    assert (run.states()["3_read"], run.attempts()["3_read"]) == ("failed", 2)


def test_what_it_logs_keeps_its_order_with_what_it_prints(run, app):
    lines = [line["event"] for line in run.log_lines("5_log")]
    mixed = [line for line in lines if line.startswith(("printed ", "logged ", "noted "))]
    assert mixed == [f"{what} {number}" for number in range(60) for what in ("printed", "logged", "noted")]


def test_what_a_command_of_its_own_prints_is_there_too(run):
    lines = {line["event"]: line.get("level") for line in run.log_lines("5_log")}
    assert (lines["by a command"], lines["its complaint"]) == ("info", "error")


def test_no_line_of_its_log_is_torn(run):
    big = "x" * 20_000
    lines = [line["event"] for line in run.log_lines("5_log") if big[:100] in line["event"]]
    assert sorted(lines) == sorted(f"{name}{big}{name}" for name in "abcd" for _ in range(40))


def test_all_of_it_without_a_scheduler_too(run, app, tmp_path):
    """Under `airflow dags test`, where Airflow itself answers one thread at a time."""
    (app.path / "notes.jsonl").unlink()
    app.airflow.pause(app.name)  # the scheduler that shares the database would run some of its tasks
    conf = json.dumps({"exec_only": [1, 4, 6]})
    app.airflow.cli("dags", "test", app.name, "--conf", conf, timeout=TIMEOUT)
    assert noted(app, "asked") == [["orders.example", "42", None]]
    assert noted(app, "forked") == [[0] * 4, ["orders.example"] * 4]
    assert noted(app, "refused") == ["AirflowNotFoundException"]
