"""Values of numpy and pandas between interpreters that have different versions of them."""

from __future__ import annotations

import subprocess
from itertools import permutations

import numpy
import pandas
import pytest
from worker_jobs import MemoryHost, run_row, source, write

from pyrunner_airflow.dag import codec
from tests.interpreters import INTERPRETERS

VALUES = """
import numpy, pandas
def value(name):
    day = pandas.date_range("2026-01-01", periods=2)
    return {
        "numbers": lambda: pandas.DataFrame({"a": [1, 2], "b": [1.5, float("nan")]}),
        "texts": lambda: pandas.DataFrame({"a": ["x", None]}, index=["k", "l"]),
        "times": lambda: pandas.DataFrame({"t": day}, index=day),
        "categories": lambda: pandas.DataFrame({"c": pandas.Categorical(["a", "b"])}),
        "series": lambda: pandas.Series([1, 2], name="n"),
        "moment": lambda: pandas.Timestamp("2026-01-01 10:00", tz="Europe/Berlin"),
        "duration": lambda: pandas.Timedelta("90min"),
        "array": lambda: numpy.arange(6.0).reshape(2, 3),
        "scalar": lambda: numpy.int32(5),
    }[name]()
def seen(value):
    if isinstance(value, pandas.DataFrame):
        return [value.to_csv(), type(value).__name__]
    return [repr(value.tolist()) if hasattr(value, "tolist") else str(value), type(value).__name__]
"""
NAMES = ["numbers", "texts", "times", "categories", "series", "moment", "duration", "array", "scalar"]
PANDAS = {"pandas 1": ("3.8", "pandas<2"), "pandas 2": ("3.13", "pandas<3")}
HERE = "beside Airflow"
WRITE = "def run(self): self.context['x'] = value(self.argv[0])"
READ = "def run(self): self.context['seen'] = [pandas.__version__, *seen(self.context['x'])]"


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


@pytest.fixture
def in_own(root, environments):
    """Run this line in the environment of that name; the context goes on from one to the next."""
    host = MemoryHost()

    def run(where, body, name):
        write(root / "workers" / "workers.py", source(body, VALUES))
        ran = run_row(root, host=host, python=environments[where], arguments=[name])
        assert ran.error is None, ran.error
        return host.context

    return run


@pytest.fixture
def here():
    space = {}
    exec(VALUES, space)
    return space


@pytest.mark.parametrize("name", NAMES)
class TestBothWays:
    @pytest.mark.parametrize(("writer", "reader"), permutations(PANDAS, 2))
    def test_from_one_environment_to_another(self, in_own, here, writer, reader, name):
        in_own(writer, WRITE, name)
        version, *seen = in_own(reader, READ, name)["seen"]
        assert version.split(".")[0] == reader.split()[1]
        assert seen == here["seen"](here["value"](name))

    @pytest.mark.parametrize("writer", PANDAS)
    def test_to_a_row_beside_airflow(self, in_own, here, writer, name):
        handed_on = in_own(writer, WRITE, name)["x"]
        stored = codec.encode(handed_on)
        assert here["seen"](codec.decode(*stored)) == here["seen"](here["value"](name))

    @pytest.mark.parametrize("reader", PANDAS)
    def test_from_a_row_beside_airflow(self, in_own, here, reader, name, root):
        context = in_own(reader, "def run(self): pass", name)
        context["x"] = codec.decode(*codec.encode(here["value"](name)), is_handed_on=True)
        assert in_own(reader, READ, name)["seen"][1:] == here["seen"](here["value"](name))


def test_an_interpreter_without_pandas_says_so_when_it_reads_and_not_before(run_in_own):
    host = MemoryHost({"frame": pandas.DataFrame({"a": [1]}), "array": numpy.arange(3)})
    body = "def run(self):\n  self.context['there'] = 'frame' in self.context\n  self.context[self.argv[0]]"
    for name, missing in (("frame", "pyarrow"), ("array", "numpy")):
        ran = run_in_own(body, host=host, arguments=[name])
        assert ran.context["there"] is True
        assert (ran.code, ran.error_type) == (901, "ContextValueError")
        assert ran.error_text.startswith(f"context['{name}']: it holds a value of the kind ")
        assert ran.error_text.endswith(f"cannot read: No module named '{missing}'")
