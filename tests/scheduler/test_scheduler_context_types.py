"""Values of every type, from one row of a run to another, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_airflow import LocalAirflow
from tests.context_values import VALUES
from tests.scheduler.apps import App, Run, apps_in

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
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


@pytest.fixture(scope="module", params=["PostgreSQL", "SQLite"])
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    if request.param == "PostgreSQL":
        yield from add_app(request.getfixturevalue("airflow"))
        return
    settings = {"core": {"allowed_deserialization_classes": "airflow.* context_values.*"}}
    local = LocalAirflow(tmp_path_factory.mktemp("airflow_on_sqlite"), settings=settings)
    local.add(ROOT / "dags" / "pyrunner_lst.py")
    with local:
        yield from add_app(local)


def add_app(airflow: LocalAirflow) -> Iterator[App]:
    values = Path(__file__).parents[1] / "context_values.py"
    for apps in apps_in(airflow):
        yield apps.add("types", ROWS, WORKERS, {"workers/context_values.py": values.read_text()})


@pytest.fixture(scope="module")
def run(app: App) -> Run:
    run = app.trigger().finish()
    assert run.state == "success", run.log("1_write") + run.log("2_read")
    return run


@pytest.fixture(scope="module")
def seen(run: Run, app: App) -> dict[str, bool]:
    """Return, by name, whether a value came as it was."""
    return {name: is_equal for name, is_equal in app.notes()}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_equal_and_of_the_same_type(seen, name):
    assert seen[name] is True
