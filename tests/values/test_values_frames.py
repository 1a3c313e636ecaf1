"""Values of numpy and pandas between interpreters that have different versions of them."""

from __future__ import annotations

import subprocess
from functools import cache
from itertools import permutations

import numpy
import pandas
import pytest

from scripts.interpreters import INTERPRETERS
from tests.values.elsewhere import run_elsewhere
from tests.values.storing import CODEC

pytestmark = pytest.mark.slow  # installs two versions of pandas

VALUES = """
import numpy, pandas
def day(): return pandas.date_range("2026-01-01", periods=2)
VALUE_OF = {
    "numbers": lambda: pandas.DataFrame({"a": [1, 2], "b": [1.5, float("nan")]}),
    "texts": lambda: pandas.DataFrame({"a": ["x", None]}, index=["k", "l"]),
    "times": lambda: pandas.DataFrame({"t": day()}, index=day()),
    "categories": lambda: pandas.DataFrame({"c": pandas.Categorical(["a", "b"])}),
    "series": lambda: pandas.Series([1, 2], name="n"),
    "moment": lambda: pandas.Timestamp("2026-01-01 10:00", tz="Europe/Berlin"),
    "duration": lambda: pandas.Timedelta("90min"),
    "array": lambda: numpy.arange(6.0).reshape(2, 3),
    "scalar": lambda: numpy.int32(5),
}
def seen(value):
    if isinstance(value, pandas.DataFrame):
        return [value.to_csv(), type(value).__name__]
    return [repr(value.tolist()) if hasattr(value, "tolist") else str(value), type(value).__name__]
"""
NAMES = ["numbers", "texts", "times", "categories", "series", "moment", "duration", "array", "scalar"]
PANDAS = {"pandas 1": ("3.8", "pandas<2"), "pandas 2": ("3.13", "pandas<3")}
HERE = "beside Airflow"
_here = {}
exec(VALUES, _here)
VALUE_OF, SEEN = _here["VALUE_OF"], _here["seen"]
WRITE = """
print(json.dumps({name: CODEC.encode(VALUE_OF[name]()) for name in json.load(sys.stdin)}))
"""
READ = """
values = {name: CODEC.decode(*encoded) for name, encoded in json.load(sys.stdin).items()}
print(json.dumps([pandas.__version__, {name: seen(value) for name, value in values.items()}]))
"""
MISSING = """
def error_of(data, orders):
    try: CODEC.decode(data, orders)
    except ContextValueError as error: return str(error)
print(json.dumps({name: error_of(*encoded) for name, encoded in json.load(sys.stdin).items()}))
"""


@pytest.fixture(scope="session")
def environments(tmp_path_factory):
    """Make an environment for each old pandas, as the page in docs/ says."""
    made = {}
    for name, (version, pandas_) in PANDAS.items():
        if version not in INTERPRETERS:
            pytest.skip(f"no Python {version} on this machine")
        folder = tmp_path_factory.mktemp(name)
        subprocess.run([INTERPRETERS[version], "-m", "venv", folder], check=True)
        python = folder / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", pandas_, "pyarrow"], check=True)
        made[name] = str(python)
    return made


@pytest.fixture(scope="session")
def travel(environments, tmp_path_factory):
    """Let one row write all values, and another say what it sees; each pair of places once."""

    @cache
    def write(writer):
        if writer == HERE:
            return {name: CODEC.encode(VALUE_OF[name]()) for name in NAMES}
        return run(writer, WRITE, NAMES)

    @cache
    def write_and_read(writer, reader):
        encoded = write(writer)
        if reader == HERE:
            return {name: SEEN(CODEC.decode(*encoded[name])) for name in NAMES}
        version, read = run(reader, READ, encoded)
        assert version.split(".")[0] == reader.split()[1]
        return read

    def run(where, source, sent):
        return run_elsewhere(environments[where], tmp_path_factory.mktemp("there"), VALUES + source, sent)

    return write_and_read


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("writer", "reader"), list(permutations([HERE, *PANDAS], 2)))
def test_a_value_is_the_same_in_each_version(travel, writer, reader, name):
    assert travel(writer, reader)[name] == SEEN(VALUE_OF[name]())


@pytest.mark.parametrize("version", INTERPRETERS)
def test_an_interpreter_without_pandas_says_so_when_it_reads(version, tmp_path):
    values = {"frame": pandas.DataFrame({"a": [1]}), "array": numpy.arange(3)}
    encoded = {name: CODEC.encode(value) for name, value in values.items()}
    errors = run_elsewhere(INTERPRETERS[version], tmp_path, MISSING, encoded)
    for name, missing in (("frame", "pyarrow"), ("array", "numpy")):
        assert errors[name].startswith("it holds a value of the kind ")
        assert errors[name].endswith(f"cannot read: No module named '{missing}'")
