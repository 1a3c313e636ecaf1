import pytest
from migrate_jobs import make


@pytest.fixture(scope="session")
def apps(tmp_path_factory):
    """The folders of twelve apps, and of the scripts that start some of them."""
    return sorted(make(tmp_path_factory.mktemp("moving")).iterdir())
