"""What a row asks of Airflow: its calls, counted where they leave the task's process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from benchmarks import jobs
from scripts.local_airflow import LocalAirflow
from tests.scheduler.apps import TIMEOUT

pytestmark = pytest.mark.slow

CHAIN, WRITERS = 12, 12
READ, WRITE = "GetXComSequenceSlice", "SetXCom"


@pytest.fixture(scope="module")
def count(airflow: LocalAirflow, tmp_path_factory: pytest.TempPathFactory):
    """Return a function that runs a DAG, and gives the calls of each task, by the type of the request."""
    folder = tmp_path_factory.mktemp("dags")
    jobs.write_context_jobs(folder, CHAIN, WRITERS)

    def count(dag_id: str) -> dict[str, Counter[str]]:
        command = [sys.executable, "-m", "benchmarks.measure", "count_calls", str(folder), dag_id]
        done = subprocess.run(command, env=airflow.env, capture_output=True, text=True, timeout=TIMEOUT)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout.splitlines()[-1])
        return {task_id: Counter(calls) for task_id, calls in result.items()}

    return count


@pytest.fixture(scope="module")
def by_hand(count) -> Counter[str]:
    """What a PythonOperator asks whose function does nothing."""
    return count("by_hand")["idle"]


def test_a_row_that_does_not_touch_the_context_makes_the_calls_of_a_python_operator(count, by_hand):
    assert count("idle")["1_idle"] == by_hand


def test_a_row_in_a_chain_makes_four_more_wherever_it_stands(count, by_hand):
    calls = count("chain")
    assert calls["1_row"] - by_hand == {WRITE: 2}
    assert [calls[f"{row}_row"] - by_hand for row in range(2, CHAIN + 1)] == [{READ: 2, WRITE: 2}] * (
        CHAIN - 1
    )


def test_a_row_that_reads_below_many_writers_makes_one_for_each_parent_and_two_more(count, by_hand):
    calls = count("fan_in")
    assert calls[f"{WRITERS + 1}_read"] - by_hand == {READ: WRITERS + 1, WRITE: 1}
