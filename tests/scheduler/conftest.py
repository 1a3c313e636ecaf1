"""What the tests on a real scheduler share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.local_airflow import LocalAirflow
from tests.scheduler.apps import Apps, apps_in


@pytest.fixture(scope="module")
def apps(airflow: LocalAirflow) -> Iterator[Apps]:
    """Put apps into Airflow's dags folder; they go when the module's tests are done."""
    yield from apps_in(airflow)
