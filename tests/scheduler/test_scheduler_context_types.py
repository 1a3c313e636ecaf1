"""Values of every type, from one row of a run to another, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_airflow import LocalAirflow
from tests.context_values import VALUES
from tests.scheduler.apps import Job, Jobs

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "tests" / "context_values.py").read_text()
ROWS = """
1|-1|1|0|Write|workers|Write||
2|1|1|0|Read|workers|Read||
"""
WORKERS = """
from context_values import VALUES, image

class Write(Worker):
    def run(self):
        self.context.update(VALUES)

class Read(Worker):
    def run(self):
        for name, value in VALUES.items():
            note(name, image(self.context[name]) == image(value))
"""
JOB = Job("types", ROWS, WORKERS, {"workers/context_values.py": SOURCE})


class Values:
    @pytest.fixture(scope="class")
    @staticmethod
    def seen(jobs: Jobs) -> dict[str, bool]:
        """Return, by name, whether a value came as it was."""
        run = jobs.run(JOB)
        assert run.state == "success", run.log("1_write") + run.log("2_read")
        return {name: is_equal for name, is_equal in jobs.app(JOB).notes()}

    @pytest.mark.parametrize("name", VALUES)
    def test_a_value_comes_equal_and_of_the_same_type(self, seen, name):
        assert seen[name] is True


class TestPostgreSQL(Values):
    pass


@pytest.mark.xdist_group("airflow_sqlite")
class TestSQLite(Values):
    @pytest.fixture(scope="class")
    @staticmethod
    def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
        settings = {"core": {"allowed_deserialization_classes": "airflow.* context_values.*"}}
        local = LocalAirflow(tmp_path_factory.mktemp("airflow_on_sqlite"), settings=settings)
        local.add(ROOT / "dags" / "pyrunner_lst.py")
        with local:
            yield Jobs(local, [JOB])
