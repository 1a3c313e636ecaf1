"""One cluster for all of its tests."""

from collections.abc import Iterator

import pytest

from tests.cluster import hosts
from tests.cluster.cluster import Cluster
from tests.postgres import Postgres
from tests.scheduler.apps import Apps, apps_in
from tests.servers import SHARED


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three hosts, and Airflow on them; started when the first test asks for it."""
    hosts.check()
    postgres: Postgres = request.getfixturevalue("postgres")
    with Cluster(tmp_path_factory.mktemp("cluster"), postgres.database("cluster")) as cluster:
        SHARED["cluster"] = cluster.stop
        yield cluster


@pytest.fixture(scope="module")
def apps(cluster: Cluster) -> Iterator[Apps]:
    """Put apps into the cluster's dags folder."""
    yield from apps_in(cluster)
