"""Timeouts and SIGTERMs that strike rows at any moment, hundreds of times, while these talk to Airflow.

Each worker counts in the context, and asks Airflow without a pause, so that nearly every strike falls into a
request or into the context's own code. A task makes many attempts one after the other in its one process:
what a new process costs would only make the strikes fewer. Each is to Airflow what a row's attempt is, with
a timeout as Airflow sets it.
"""

from __future__ import annotations

import pytest

from tests.scheduler.apps import TIMEOUT, App, Job, Jobs, Run

pytestmark = pytest.mark.slow

ATTEMPTS = 50  # of each row; all are struck
ROWS = range(2, 6)  # of each kind: 200 strikes
KINDS = {"timeout": "TimedOut", "sigterm": "Terminated"}
Attempts = dict[tuple[str, int], dict[str, list[int]]]
WORKERS = """
import os
import random

KEYS = ["key_%d" % number for number in range(12)]


class Prepare(Worker):
    def run(self):
        for key in KEYS:
            self.context[key] = "value of " + key


class TimedOut(Worker):
    def run(self):
        self.me = self.airflow["ti"].task_id, self.airflow["ti"].try_number
        self.wrong = 0
        count = self.context.get("count", 0)
        note(*self.me, "start", count)
        open("{}/started_{}_{}".format(os.environ["APP_ROOT_DIR"], *self.me), "w").close()
        while True:
            count += 1
            self.context["count"] = count
            self.check(random.choice(KEYS))
            if self.context["count"] != count:
                self.wrong += 1

    def check(self, key):
        expected = "value of " + key
        answer = self.airflow["ti"].xcom_pull(task_ids="1_prepare", key=key)
        if answer != expected or self.context[key] != expected:
            self.wrong += 1

    def on_fail(self):
        note(*self.me, "on_fail")

    def on_exit(self):
        for key in KEYS[:3]:
            self.check(key)
        note(*self.me, "end", self.context.get("count"), self.wrong)


class Terminated(TimedOut):
    pass
"""
DAG = f"""
import os
import random
import signal
import threading
import time
from pathlib import Path

from airflow.sdk.exceptions import AirflowTaskTimeout
from airflow.sdk.execution_time.timeout import timeout

from pyrunner_airflow import PyRunnerDag
from pyrunner_airflow.dag import operator
from pyrunner_airflow.dag.operator import run_row
from pyrunner_airflow.dag.errors import WorkerTerminated

operator.seconds_after_sigterm = lambda: 600.0  # it is not Airflow that strikes, which would kill after 5


def strike(started):
    while not started.exists():
        time.sleep(0.01)
    time.sleep(random.random() / 4)
    os.kill(os.getpid(), signal.SIGTERM)


def be_struck(*argv, **context):
    kind = context["task"].worker_name
    for attempt in range(1, {ATTEMPTS} + 1):
        context["ti"].try_number = attempt
        started = Path(__file__).with_name("struck") / f"started_{{context['ti'].task_id}}_{{attempt}}"
        seconds = 0.5 if kind == "TimedOut" else 600
        while not started.exists():  # a timeout that came too soon is tried again, with more time
            if kind == "Terminated":
                threading.Thread(target=strike, args=(started,), daemon=True).start()
            try:
                with timeout(seconds + random.random() / 4):
                    run_row(*argv, **context)
            except (AirflowTaskTimeout, WorkerTerminated):
                pass
            seconds *= 2


dag = PyRunnerDag("struck/config/struck.lst", dag_id="struck_by_hand")
for task in dag.tasks[1:]:
    task.python_callable = be_struck
"""


LIST = "1|-1|1|0|Prepare|workers|Prepare||\n" + "".join(
    f"{10 * number + row}|1|{ATTEMPTS}|0|{kind}|workers|{KINDS[kind]}||\n"
    for number, kind in enumerate(KINDS, start=1)
    for row in ROWS
)
JOB = Job("struck", LIST, WORKERS, dag=DAG, runs=False)


@pytest.fixture(scope="module")
def run(jobs: Jobs) -> Run:
    return jobs.app(JOB).trigger("struck_by_hand").finish(5 * TIMEOUT)


@pytest.fixture(params=KINDS)
def attempts(
    request: pytest.FixtureRequest, run: Run, app: App
) -> dict[tuple[str, int], dict[str, list[int]]]:
    """Return what each attempt of each row of a kind noted."""
    noted: dict[tuple[str, int], dict[str, list[int]]] = {}
    for task_id, attempt, what, *seen in app.notes():
        if task_id.endswith(request.param):
            noted.setdefault((task_id, attempt), {})[what] = seen
    return noted


def test_every_attempt_of_every_row_is_struck_and_nothing_hangs(run, attempts):
    assert run.state == "success"
    assert len(attempts) == len(ROWS) * ATTEMPTS


def test_the_hooks_run_after_every_strike(attempts):
    assert [attempt for attempt, noted in attempts.items() if set(noted) != {"start", "on_fail", "end"}] == []


def test_no_answer_is_wrong(attempts):
    assert [attempt for attempt, noted in attempts.items() if noted["end"][1] != 0] == []


def test_nothing_that_was_written_is_lost(attempts):
    pairs = [((row, attempt - 1), (row, attempt)) for row, attempt in attempts if attempt > 1]
    assert [pair for pair in pairs if attempts[pair[0]]["end"][0] != attempts[pair[1]]["start"][0]] == []
    assert all(noted["end"][0] > 0 for (_, attempt), noted in attempts.items() if attempt == ATTEMPTS)
