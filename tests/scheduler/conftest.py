"""The jobs that the tests of a module or a class name `JOB`."""

from __future__ import annotations

import pytest

from scripts.local_airflow import LocalAirflow
from tests.scheduler.apps import App, Job, Jobs, Run


def job_of(owner: object) -> Job | None:
    return getattr(owner, "JOB", None)


@pytest.fixture(scope="session")
def jobs(airflow: LocalAirflow, request: pytest.FixtureRequest) -> Jobs:
    """Give Airflow the jobs of all tests that are to run."""
    items = [item for item in request.session.items if "jobs" in item.fixturenames]
    owners = dict.fromkeys(owner for item in items for owner in (item.module, item.cls))
    return Jobs(airflow, dict.fromkeys(filter(None, map(job_of, owners))))


@pytest.fixture
def job(request: pytest.FixtureRequest) -> Job:
    job = job_of(request.cls) or job_of(request.module)
    assert job, "neither the class nor the module of this test has a JOB"
    return job


@pytest.fixture
def app(jobs: Jobs, job: Job) -> App:
    return jobs.app(job)


@pytest.fixture
def run(jobs: Jobs, job: Job) -> Run:
    """The run, as soon as it has ended, in whatever state."""
    return jobs.run(job)
