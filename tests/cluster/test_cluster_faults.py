"""What breaks on one of several hosts while a job runs there; tests/cluster/faults.py does it at random."""

from __future__ import annotations

import pytest

from tests.cluster import faults
from tests.cluster.cluster import Cluster
from tests.scheduler.apps import App, Apps

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow_cluster")]


@pytest.fixture(scope="module")
def app(apps: Apps) -> App:
    return apps.add("steps", faults.ROWS, faults.WORKERS)


@pytest.mark.parametrize("fault", ["kill_celery", "cut_off"])
def test_the_run_succeeds_with_the_right_context_and_nothing_was_held_up(
    cluster: Cluster, app: App, fault: str
):
    (outcome,) = faults.strike(cluster, [app], fault, "wa", [7])
    assert outcome.problems == []
