"""`trigger`: a run of a running Airflow, for a scheduler outside of it, which may wait for its end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from command import PROGRAM, run

import pyrunner_airflow

DAG = "/api/v2/dags/job"
RUN = f"{DAG}/dagRuns/m%2B1"
TASKS = {1: "1_start", 2: "2_load", 3: "3_close"}
STARTED = {"dag_id": "job", "dag_run_id": "m+1", "note": None, "conf": {}}


def task(id_, operator="WorkerOperator"):
    names = {"task_id": TASKS[id_], "task_display_name": TASKS[id_].replace("_", " ").title()}
    return {**names, "operator_name": operator, "downstream_task_ids": []}


def rows(*states, attempts=(1, 1, 1)):
    """Return what Airflow says of the rows of the run."""
    found = [
        {
            **task(id_),
            "map_index": -1,
            "state": state,
            "try_number": attempt if state else 0,
            "max_tries": 1 if id_ == 2 else 0,
            "duration": 1.25 if state else None,
        }
        for id_, state, attempt in zip(TASKS, states, attempts, strict=True)
    ]
    return 200, {"task_instances": found, "total_entries": len(found)}


def runs(*states):
    """Return what Airflow says of the run, one time after the other."""
    return [(200, {**STARTED, "state": state}) for state in states]


def failure(line):
    return 200, {"value": {"line": line}}


@pytest.fixture
def airflow(server):
    """The stand-in for an Airflow that has a list's DAG `job`, and starts a run of it."""
    server.answers |= {
        DAG: (200, {"is_paused": False}),
        f"{DAG}/tasks": (200, {"tasks": [task(id_) for id_ in TASKS]}),
        f"{DAG}/dagRuns": (200, {**STARTED, "state": "queued"}),
    }
    return server


def trigger(server, *options):
    return run("trigger", *options, "job", AIRFLOW_API_URL=server.url)


def started_with(server):
    """Return the parameters of the runs that were started."""
    return [json.loads(body) for command, path, _, body in server.asked if command == "POST"]


def test_it_starts_a_run_and_tells_where_it_is(airflow):
    done = trigger(airflow)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"run m+1 of job: {airflow.url}/dags/job/runs/m%2B1\n"
    (started,) = started_with(airflow)
    assert re.fullmatch(r"manual__[-\d]{10}T[:.\d]{15}\+00:00", started.pop("dag_run_id"))
    assert started == {"logical_date": None, "conf": {}}


class TestAnAnswerThatIsLost:
    """The run may have been started all the same: who is told that it was not starts another."""

    @pytest.fixture
    def airflow(self, airflow):
        airflow.answers[f"{DAG}/dagRuns"] = 504, {"detail": "Gateway Timeout"}
        return airflow

    def test_the_run_is_looked_for(self, airflow):
        airflow.answers[f"{DAG}/dagRuns/*"] = 200, {**STARTED, "state": "queued"}
        done = trigger(airflow)
        assert (done.code, done.out) == (0, f"run m+1 of job: {airflow.url}/dags/job/runs/m%2B1\n")

    def test_if_there_is_none_that_is_told_as_what_it_is(self, airflow):
        done = trigger(airflow)
        assert (done.code, done.out) == (2, "")
        assert "Airflow answered 504 to POST /api/v2/dags/job/dagRuns: Gateway Timeout" in done.err
        run_id = started_with(airflow)[0]["dag_run_id"]
        assert f"Whether the run {run_id} was started is not known: look before you start another" in done.err


def test_pyrunners_options_are_the_runs_parameters(airflow):
    trigger(
        airflow, "-x", "1,2", "-N", "3", "-D", "1", "-A", "2", "--cvar", "day=2026-01-31", "--cvar", "x=1=2"
    )
    assert started_with(airflow)[0]["conf"] == {
        "exec_only": [1, 2],
        "norun": [3],
        "from": 1,
        "to": 2,
        "cvar": {"day": "2026-01-31", "x": "1=2"},
    }


def test_a_row_may_be_given_by_its_name(airflow):
    trigger(airflow, "--exec-proc-name", "Load")
    assert started_with(airflow)[0]["conf"] == {"exec_only": [2]}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-x", "2,7"], "No row has the ID 7. IDs in this list: 1 to 3."),
        (["-D", "9"], "No row has the ID 9."),
        (["--exec-proc-name", "Laod"], "No row has the PROCESS_NAME 'Laod'. Did you mean Load?"),
        (["--cvar", "day"], "'day' is not of the form NAME=VALUE"),
        (["-N", "a"], "'a' is not a list of row IDs, such as 2,3"),
    ],
)
def test_bad_use_starts_nothing(airflow, options, says):
    done = trigger(airflow, *options)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert started_with(airflow) == []


def test_another_kind_of_dag_is_not_started(airflow):
    """It would take no notice of the options."""
    airflow.answers[f"{DAG}/tasks"] = (200, {"tasks": [task(1, operator="PythonOperator")]})
    done = trigger(airflow)
    assert done.code == 2
    assert "job is not made from a task list: start it by `airflow dags trigger job`" in done.err
    assert started_with(airflow) == []


def test_rows_are_shown_as_they_end_with_why_they_failed(airflow):
    airflow.answers[RUN] = runs("running", "failed")
    airflow.answers[f"{RUN}/taskInstances"] = [
        rows("success", "up_for_retry", None),
        rows("success", "failed", "upstream_failed", attempts=(1, 2, 0)),
    ]
    airflow.answers[f"{RUN}/taskInstances/2_load/xcomEntries/pyrunner.failure"] = [
        failure("failed: the first"),
        failure("failed: the \0 second"),
    ]
    done = trigger(airflow, "--wait")
    assert done.code == 1
    assert done.out.splitlines()[1:] == [
        "1 Start  done            1.2 s",
        "2 Load   up for retry    1.2 s  attempt 1 of 2",
        "    failed: the first",
        "2 Load   failed          1.2 s  attempt 2 of 2",
        "    failed: the \N{SYMBOL FOR NULL} second",
        "3 Close  not run",
        "the run ended: failed",
    ]


def test_a_row_that_could_not_tell_why_it_failed_is_shown_all_the_same(airflow):
    airflow.answers[RUN] = runs("failed")
    airflow.answers[f"{RUN}/taskInstances"] = rows("success", "failed", None, attempts=(1, 2, 0))
    assert trigger(airflow, "--wait").out.splitlines()[1:] == [
        "1 Start  done            1.2 s",
        "2 Load   failed          1.2 s  attempt 2 of 2",
        "3 Close  not run",
        "the run ended: failed",
    ]


def test_a_run_that_succeeds_ends_it_with_0(airflow):
    airflow.answers[RUN] = runs("success")
    airflow.answers[f"{RUN}/taskInstances"] = rows("success", "success", "success")
    done = trigger(airflow, "--wait")
    assert (done.code, done.out.splitlines()[-1]) == (0, "the run ended: success")


def test_an_airflow_that_is_being_restarted_is_waited_for(airflow):
    airflow.answers[RUN] = [(503, b"no server"), (502, b"no server"), *runs("success")]
    airflow.answers[f"{RUN}/taskInstances"] = [
        (500, {"detail": "starting"}),
        rows("success", "success", "success"),
    ]
    done = trigger(airflow, "--wait")
    assert (done.code, done.out.splitlines()[-1]) == (0, "the run ended: success")
    assert done.err.count("It is asked again until it answers.") == 1


def test_where_it_may_not_look_any_more_the_run_is_left_alone_and_told(airflow):
    airflow.answers[RUN] = (401, {"detail": "Token expired"})
    done = trigger(airflow, "--wait")
    assert done.code == 2
    assert "Airflow answered 401 to GET" in done.err
    assert f"The run was started, and is left alone: {airflow.url}/dags/job/runs/m%2B1" in done.err


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=lambda signum: signum.name)
def test_ctrl_c_leaves_the_run_alone_and_says_how_to_end_it(airflow, signum):
    airflow.answers[RUN] = runs("running")
    airflow.answers[f"{RUN}/taskInstances"] = rows("success", "running", None)
    command = ["env", "--default-signal=INT", *PROGRAM, "trigger", "--wait", "job"]
    env = {**os.environ, "AIRFLOW_API_URL": airflow.url}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not process.stdout.readline().startswith("1 Start"):
        assert process.poll() is None
    process.send_signal(signum)
    _, err = process.communicate()
    page = f"{airflow.url}/dags/job/runs/m%2B1"
    assert err == f"the run goes on; to end it, mark it failed on its page: {page}\n"
    assert process.returncode == 130
    assert [asked[0] for asked in airflow.asked if asked[0] not in ("GET", "POST")] == []
    assert len(started_with(airflow)) == 1


class TestWhereNoAirflowIsInstalled:
    @pytest.fixture
    def python(self, tmp_path):
        """Run the command with nothing but click beside it."""
        for package in (pyrunner_airflow, click):
            folder = Path(package.__file__).parent
            (tmp_path / folder.name).symlink_to(folder)

        def run(*arguments, **env):
            command = [sys.executable, "-S", "-m", "pyrunner_airflow", *arguments]
            env = {**os.environ, "PYTHONPATH": str(tmp_path), **env}
            return subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)

        return run

    def test_it_needs_an_address_and_a_token(self, python, airflow):
        airflow.answers[RUN] = runs("success")
        airflow.answers[f"{RUN}/taskInstances"] = rows("success", "success", "success")
        done = python(
            "trigger", "--api-url", airflow.url, "-x", "2", "--wait", "job", AIRFLOW_CLI_TOKEN="given"
        )
        assert done.stderr == ""
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "the run ended: success")
        assert {asked[2] for asked in airflow.asked} == {"Bearer given"}

    def test_without_an_address_that_is_told(self, python):
        done = python("trigger", "job")
        assert done.returncode == 2
        assert "no Airflow is installed here: give its address by --api-url or AIRFLOW_API_URL" in done.stderr
