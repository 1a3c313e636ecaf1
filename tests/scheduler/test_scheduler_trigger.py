"""`airflow pyrunner trigger --wait`: an outer scheduler starts a run, sees its rows end, and how it ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess

import pytest

from tests.cli.command import PROGRAM, Done, run
from tests.scheduler.apps import App, Apps, Run

pytestmark = pytest.mark.slow

LIST = """
#AIRFLOW max_active_runs = 16
1|-1|1|0|Start|workers|Start
2|1|2|0|Load|workers|Load
3|2|1|0|Close|workers|Start
4|1|1|0|Report|workers|Start
"""
WORKERS = """
import time

class Start(Worker):
    def run(self):
        note(self.airflow["run_id"], self.airflow["task"].row.id, self.context.get("day"))

class Load(Worker):
    def run(self):
        mode = self.context.get("mode")
        note(self.airflow["run_id"], 2, mode)
        while mode == "hang":
            time.sleep(0.1)
        if mode == "fail" or self.airflow["ti"].try_number == 1:
            raise ValueError("no data")
"""


@pytest.fixture(scope="module")
def job(apps: Apps) -> App:
    app = apps.add("triggered", LIST, WORKERS)
    app.airflow.wait_for_dag(app.name)
    app.airflow.unpause(app.name)
    return app


def trigger(app: App, *options: str) -> tuple[Run, Done]:
    done = run("trigger", *options, app.name, AIRFLOW_API_URL=app.airflow.url)
    return started(app, done.out), done


def started(app: App, told: str) -> Run:
    run_id = re.match(f"run (.+) of {app.name}: ", told)[1]
    return Run(app.airflow, app.name, run_id)


def shown(done: Done) -> set[str]:
    """Return what is said of each row, with single blanks and without times."""
    lines = (re.sub(r"\d+\.\d s", "s", " ".join(line.split())) for line in done.out.splitlines())
    return {line for line in lines if line[:1].isdigit()}


def test_a_run_that_succeeds_ends_it_with_0(job):
    ended, done = trigger(job, "--cvar", "day=2026-01-31", "-N", "4", "--wait")
    assert (done.code, ended.state) == (0, "success")
    assert done.out.endswith("\nthe run ended: success\n")
    # That a row waits for its second attempt may fall between two looks, and 3.4 counts that one early.
    waits = {f"2 Load up for retry s attempt {number} of 2" for number in (1, 2)}
    assert shown(done) - waits == {
        "1 Start done s",
        "2 Load done s attempt 2 of 2",
        "3 Close done s",
        "4 Report left out s",
    }
    assert job.wait_for_note(ended.run_id, 3)[2] == "2026-01-31"


def test_a_run_that_fails_ends_it_with_1_and_tells_why(job):
    ended, done = trigger(job, "--cvar", "mode=fail", "--wait")
    assert (done.code, ended.state) == (1, "failed")
    assert {"2 Load failed s attempt 2 of 2", "3 Close not run"} <= shown(done)
    assert '\n    failed: ValueError: no data; row 2 "Load", attempt 2 of 2; mend the cause ' in done.out


def test_restart_waits_in_the_same_way_for_the_rows_that_it_has_started(job):
    failed, _ = trigger(job, "--cvar", "mode=fail", "--wait")
    done = run("restart", "--wait", job.name, failed.run_id, AIRFLOW_API_URL=job.airflow.url)
    assert done.code == 1
    _, told = done.out.split("Report", 1)
    assert re.findall(r"^(\d) ", told, re.MULTILINE)[-2:] == ["2", "3"]
    assert "Start" not in told


def test_ctrl_c_leaves_the_run_alone(job):
    command = ["env", "--default-signal=INT", *PROGRAM, "trigger", "--cvar", "mode=hang", "--wait", job.name]
    env = {**os.environ, "AIRFLOW_API_URL": job.airflow.url}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    hanging = started(job, process.stdout.readline())
    while not process.stdout.readline().startswith("1 Start"):
        assert process.poll() is None
    job.wait_for_note(hanging.run_id, 2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.startswith(f"the run goes on; to end it, mark it failed on its page: {job.airflow.url}/dags/")
    assert hanging.states()["2_load"] == "running"
    job.airflow.api("PATCH", "dags", job.name, "dagRuns", hanging.run_id, json={"state": "failed"})
