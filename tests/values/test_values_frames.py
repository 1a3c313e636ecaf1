"""Values of numpy and pandas between interpreters that have different versions of them."""

from __future__ import annotations

import subprocess
from functools import cache
from itertools import permutations

import numpy
import pandas
import pytest
from worker_jobs import MemoryHost, run_row, source, write

from pyrunner_airflow.dag import codec
from scripts.interpreters import INTERPRETERS

pytestmark = pytest.mark.slow

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
def run(self):
    for name in NAMES: self.context[name] = VALUE_OF[name]()
"""
READ = """
def run(self):
    self.context["version"] = pandas.__version__
    self.context["seen"] = {name: seen(self.context[name]) for name in NAMES}
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
    def write_and_read(writer, reader):
        context = {}
        if writer == HERE:
            for name in NAMES:
                context[name] = codec.decode(*codec.encode(VALUE_OF[name]()), is_handed_on=True)
        else:
            context = run(writer, WRITE, context)
        if reader == HERE:
            return {name: SEEN(codec.decode(*codec.encode(context[name]))) for name in NAMES}
        context = run(reader, READ, context)
        assert context["version"].split(".")[0] == reader.split()[1]
        return context["seen"]

    def run(where, body, context):
        root = tmp_path_factory.mktemp("app")
        write(root / "workers" / "workers.py", source(body, f"{VALUES}\nNAMES = {NAMES!r}"))
        ran = run_row(root, context=context), python=environments[where]
        assert ran.error is None, ran.error
        return ran.context

    return write_and_read


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("writer", "reader"), list(permutations([HERE, *PANDAS], 2)))
def test_a_value_is_the_same_in_each_version(travel, writer, reader, name):
    assert travel(writer, reader)[name] == SEEN(VALUE_OF[name]())


def test_an_interpreter_without_pandas_says_so_when_it_reads_and_not_before(run_in_own):
    host = MemoryHost({"frame": pandas.DataFrame({"a": [1]}), "array": numpy.arange(3)})
    body = "def run(self):\n  self.context['there'] = 'frame' in self.context\n  self.context[self.argv[0]]"
    for name, missing in (("frame", "pyarrow"), ("array", "numpy")):
        ran = run_in_own(body, host=host, arguments=[name])
        assert ran.context["there"] is True
        assert (ran.code, ran.error_type) == (901, "ContextValueError")
        assert ran.error_text.startswith(f"context['{name}']: it holds a value of the kind ")
        assert ran.error_text.endswith(f"cannot read: No module named '{missing}'")
