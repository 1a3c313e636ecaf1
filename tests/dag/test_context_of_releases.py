"""
What the rows of a released version wrote to the context: a run may go on after its hosts got a newer one.

`python -m tests.dag.test_context_of_releases` writes with this version what is kept for later ones.
"""

import json
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.bases.xcom import BaseXCom

from tests.airflow_settings import configured
from tests.context_values import ALLOWED, VALUES, image
from tests.hosted import Hosted

FOLDER = Path(__file__).parent / "releases"


class Task:
    """Airflow's task instance, as far as the context knows it; its XComs are texts, as in the database."""

    dag_id, run_id = "job", "now"

    def __init__(self, task_id, parents, xcoms, try_number=1):
        self.task_id = task_id
        self.task = SimpleNamespace(upstream_task_ids=parents, dag=None)
        self.xcoms = xcoms
        self.try_number = try_number

    def xcom_push(self, key, value):
        self.xcoms[key] = json.dumps(BaseXCom.serialize_value(value))

    def xcom_pull(self, *, task_ids, key):
        stored = json.loads(self.xcoms.get(key, "null"))
        return None if stored is None else BaseXCom.deserialize_value(SimpleNamespace(value=stored))


class Store(dict):
    """Airflow's task_state_store."""

    set = dict.__setitem__


def write(path):
    """Write all values as a row that has succeeded, and as one that has failed."""
    stored = {"xcoms": {}, "store": Store()}
    context = Hosted(Task("1_write", set(), stored["xcoms"]), stored["store"], {"given": 1})
    context.update(VALUES)
    del context["given"]
    context.kept.publish()
    context.kept.journal(whole=True)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(stored) + "\n")


@pytest.fixture(scope="module", params=sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def stored(request, allowed_classes):
    return json.loads(request.param.read_text())


class TestPublished:
    @pytest.fixture(scope="class")
    @staticmethod
    def context(stored):
        return Hosted(Task("2_read", {"1_write"}, stored["xcoms"]), Store(), {"given": 1})

    @pytest.mark.parametrize("name", VALUES)
    def test_a_value_comes_back_as_it_was(self, context, name):
        assert image(context[name]) == image(VALUES[name])

    def test_what_was_deleted_is_gone(self, context):
        assert set(context) == set(VALUES)


class TestKeptOfAFailedAttempt:
    @pytest.fixture(scope="class")
    @staticmethod
    def context(stored):
        return Hosted(Task("1_write", set(), {}, try_number=2), Store(stored["store"]), {"given": 1})

    @pytest.mark.parametrize("name", VALUES)
    def test_a_value_comes_back_as_it_was(self, context, name):
        assert image(context[name]) == image(VALUES[name])

    def test_what_was_deleted_is_gone(self, context):
        assert set(context) == set(VALUES)


if __name__ == "__main__":
    with configured(allowed_deserialization_classes=ALLOWED):
        write(FOLDER / f"{version('pyrunner-airflow')}.json")
