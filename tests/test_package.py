"""What the package promises to whoever imports it: Airflow itself, a linter, a worker's unit test."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, entry_points, packages_distributions
from pathlib import Path

import airflow
import jsonschema
import pytest

import pyrunner_airflow

ROOT = Path(pyrunner_airflow.__file__).parents[1]
# apache-airflow itself is empty: it stands for these two.
HALVES_OF_AIRFLOW = {"apache-airflow-core": "apache-airflow", "apache-airflow-task-sdk": "apache-airflow"}
# A worker brings them along that hands on what they make.
BROUGHT_ALONG = {"numpy", "pandas", "pyarrow"}


def imports_of(tree):
    """Yield what a module imports when it runs, in functions too."""
    match tree:
        case ast.If(test=ast.Name("TYPE_CHECKING")):
            return
        case ast.Import(names):
            yield from (name.name for name in names)
        case ast.ImportFrom(module, level=0):
            yield module
    for child in ast.iter_child_nodes(tree):
        yield from imports_of(child)


def distribution_of(module):
    """Return the name of what one installs to have a module, or the nearest package around it."""
    names = packages_distributions()[module.partition(".")[0]]
    files = {str(file): name for name in names for file in distribution(name).files}
    path = Path(module.replace(".", "/"))
    suffixes = (".py", "/__init__.py")
    paths = [f"{around}{suffix}" for around in (path, *path.parents) for suffix in suffixes]
    found = next(files[path] for path in paths if path in files)
    return HALVES_OF_AIRFLOW.get(found, found.lower().replace("_", "-"))


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


def test_what_is_imported_is_a_dependency_and_nothing_else_is():
    trees = [ast.parse(path.read_text()) for path in ROOT.glob("pyrunner_airflow/**/*.py")]
    imported = {module for tree in trees for module in imports_of(tree)}
    there_anyway = {"pyrunner_airflow", *sys.stdlib_module_names}
    others = {module for module in imported if module.partition(".")[0] not in there_anyway}
    needed = {distribution_of(module) for module in others} - BROUGHT_ALONG
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {re.match("[a-z0-9-]+", text)[0] for text in project["dependencies"]} == needed
