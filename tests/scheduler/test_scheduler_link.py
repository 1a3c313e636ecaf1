"""What rows write to the context, where the way to the API server is slow, interrupted, or unreliable."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pytest

from scripts.local_airflow import LocalAirflow
from tests.postgres import Postgres
from tests.scheduler.apps import Job, Jobs
from tests.scheduler.link import Link, away, far, flaky, slow
from tests.setups import SETUP

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow_link")]

TOKEN_SECONDS = 50
WORKERS = """
import time

def value(key, size):
    return f"{key:04}" * (size // 4)

class Write(Worker):
    def run(self):
        keys, size, seconds = map(int, self.argv)
        time.sleep(seconds)
        for key in range(keys):
            self.context[f"key_{key}"] = value(key, size)

class WriteAndFail(Write):
    def run(self):
        if self.airflow["ti"].try_number == 1:
            super().run()
            raise RuntimeError

class Read(Worker):
    def run(self):
        keys, size, _ = map(int, self.argv)
        note([key for key in range(keys) if self.context[f"key_{key}"] == value(key, size)])
"""


def job(name: str, arguments: str, *, attempts: int = 1, worker: str = "Write") -> Job:
    rows = f"1|-1|{attempts}|0|Write|workers|{worker}|{arguments}|\n2|1|1|0|Read|workers|Read|{arguments}|\n"
    return Job(name, rows, WORKERS)


SLOW = job("slow", "3,8,0")
AWAY = job("away", "3,8,0")
AWAY_AFTER_FAILURE = job("away_after_failure", "3,100000,0", attempts=2, worker="WriteAndFail")
FLAKY = job("flaky", "9,8,0")
FAR = job("far", "50,1000000,0")
LONG = job("long", f"3,8,{TOKEN_SECONDS + 5}")
DISTURBED = {
    SLOW: slow(2),
    AWAY: away(20, "POST", "/xcoms/"),
    AWAY_AFTER_FAILURE: away(20, "PUT", "/store/"),
    FLAKY: flaky("/xcoms/", "/store/"),
    FAR: far(0.05),
    LONG: None,
}


@pytest.fixture(scope="module")
def link() -> Iterator[Link]:
    with Link() as link:
        link.disturbed.update({job.name: how for job, how in DISTURBED.items() if how})
        yield link


@pytest.fixture(scope="module")
def jobs(link: Link, tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Jobs]:
    own = {
        "core": {"execution_api_server_url": link.url},
        "execution_api": {"jwt_expiration_time": TOKEN_SECONDS},
    }
    home, database = tmp_path_factory.mktemp("linked"), postgres.database("linked")
    local = LocalAirflow(home, settings={**SETUP.settings, **own}, database=database)
    for loader in SETUP.loaders:
        local.add(loader)
    with local:
        link.api_server = local.url
        yield Jobs(local, DISTURBED)


@pytest.mark.parametrize("job", DISTURBED, ids=lambda job: job.name)
class TestWhatARowWrites:
    def test_arrives(self, jobs, job):
        run = jobs.run(job)
        assert set(run.states().values()) == {"success"}, run.log("1_write")
        keys = int(job.rows.split("|")[7].split(",")[0])
        assert jobs.app(job).notes() == [[list(range(keys))]]

    def test_takes_no_more_attempts_than_else(self, jobs, job):
        attempts = 2 if job is AWAY_AFTER_FAILURE else 1
        assert jobs.run(job).attempts() == {"1_write": attempts, "2_read": 1}


def test_large_values_on_their_way_hold_up_no_heartbeat(jobs, link):
    jobs.run(FAR)
    asked = [
        path.rpartition("/")[2] == "heartbeat"
        for dag_id, method, path in link.asked
        if dag_id == FAR.name and (method == "POST" or path.endswith("/heartbeat"))
    ]
    in_a_row = [len(list(group)) for is_heartbeat, group in groupby(asked) if not is_heartbeat]
    assert sum(in_a_row) > 50
    assert max(in_a_row) < 25
