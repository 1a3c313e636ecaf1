"""Context values in interpreters of their own, which have nothing but the standard library."""

import ast

import pytest

from pyrunner_airflow.values.kinds import KINDS
from scripts.interpreters import INTERPRETERS
from tests.context_values import VALUES, image
from tests.values.elsewhere import PACKAGE, run_elsewhere
from tests.values.storing import CODEC

VERSIONS = [version for version in ("3.8", "3.9", "3.13", "3.14") if version in INTERPRETERS]
THERE_AND_BACK = """
def there_and_back(data, orders):
    try:
        return CODEC.encode(CODEC.decode(data, orders))
    except ContextValueError as error:
        return str(error)
print(json.dumps({name: there_and_back(*encoded) for name, encoded in json.load(sys.stdin).items()}))
"""
MODULES = """
before = set(sys.modules)
CODEC.decode(*CODEC.encode({"a": [1, (2.5, b"x")], "b": {1: None}}))
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules} & {"airflow", "dataclasses", "numpy"})))
"""
CLASSES = """
from dataclasses import dataclass
from enum import Enum

class Color(Enum):
    RED = "red"

@dataclass
class Order:
    number: int
    item: object = None
"""
MODELS = """
from values_there import Color, Order
value = [Order(1, (Color.RED, Order(2))), {Color.RED: 1}]
encoded = CODEC.encode(value)
assert CODEC.decode(*json.loads(json.dumps(encoded))) == value
print(json.dumps(encoded.data))
"""


def kinds_in(data):
    inner = data.values() if type(data) is dict else data if type(data) is list else ()
    own = {data["__pyrunner__"]} if type(data) is dict and "__pyrunner__" in data else set()
    return own.union(*map(kinds_in, inner))


def is_standard(name):
    kinds = kinds_in(CODEC.encode(VALUES[name]).data)
    return kinds <= {kind for kind in KINDS if not kind.startswith("pendulum.")}


STANDARD = [name for name in VALUES if is_standard(name)]
OTHERS = [name for name in VALUES if not is_standard(name)]


@pytest.fixture(scope="module", params=VERSIONS)
def there(request, tmp_path_factory):
    """What becomes of all values in an interpreter; its version comes first."""
    encoded = {name: CODEC.encode(value) for name, value in VALUES.items()}
    folder = tmp_path_factory.mktemp("there")
    return request.param, run_elsewhere(INTERPRETERS[request.param], folder, THERE_AND_BACK, encoded)


@pytest.mark.parametrize("name", STANDARD)
def test_a_value_of_the_standard_library_comes_back_equal_and_of_the_same_type(there, name):
    version, back = there
    if version == "3.8" and "ZoneInfo" in str(CODEC.encode(VALUES[name])):
        assert "cannot read: No module named 'zoneinfo'" in back[name]
    else:
        assert image(CODEC.decode(*back[name])) == image(VALUES[name])


@pytest.mark.parametrize("name", OTHERS)
def test_one_of_a_library_that_is_not_there_is_an_error_that_says_so(there, name):
    version, back = there
    error = back[name]
    assert error.startswith("it holds a value of the kind ")
    assert f", which {INTERPRETERS[version]} cannot read: " in error


@pytest.mark.parametrize("version", VERSIONS)
class TestAlone:
    def test_no_library_is_imported_for_values_of_others(self, version, tmp_path):
        assert run_elsewhere(INTERPRETERS[version], tmp_path, MODULES) == []

    def test_classes_that_only_that_interpreter_has_travel_there(self, version, tmp_path):
        (tmp_path / "values_there.py").write_text(CLASSES)
        assert kinds_in(run_elsewhere(INTERPRETERS[version], tmp_path, MODELS)) == {
            "dict",
            "enum",
            "model",
            "tuple",
        }


@pytest.mark.parametrize("path", list((PACKAGE / "values").glob("*.py")), ids=lambda path: path.name)
def test_every_module_is_python_3_8(path):
    ast.parse(path.read_text(), feature_version=(3, 8))
