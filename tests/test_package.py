"""What the package promises to whoever imports it: Airflow itself, a linter, a worker's unit test."""

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import airflow
import jsonschema
import pytest

import pyrunner_airflow


def loaded_by(statement):
    """Return the top-level modules that a statement loads in a new interpreter."""
    script = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    return set(subprocess.check_output([sys.executable, "-c", script], text=True).split())


@pytest.mark.parametrize("name", pyrunner_airflow.__all__)
def test_each_public_name_can_be_imported(name):
    assert getattr(pyrunner_airflow, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Wroker'"):
        pyrunner_airflow.Wroker  # noqa: B018


@pytest.mark.parametrize(
    "statement",
    [
        "import pyrunner_airflow",
        "from pyrunner_airflow import Worker, ShellWorker",
        "from pyrunner_airflow import parse_lst; parse_lst('1|-1|1|0|A|workers|A')",
        "import pyrunner_airflow.provider",
    ],
)
def test_neither_a_worker_nor_a_linter_pays_for_airflow(statement):
    assert loaded_by(statement).isdisjoint({"airflow", "pydantic", "jinja2", "pathspec", "pendulum"})


def test_airflow_finds_the_provider_and_accepts_what_it_says():
    (entry,) = entry_points(group="apache_airflow_provider", module="pyrunner_airflow.provider")
    schema = Path(airflow.__file__).with_name("provider_info.schema.json")
    jsonschema.validate(entry.load()(), json.loads(schema.read_text()))
