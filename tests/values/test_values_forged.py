"""What somebody may have made of an XCom, who may edit XComs and nothing else: a value, or an error."""

import base64
import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy
import pandas
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings

from pyrunner_airflow.values import ContextValueError
from tests.context_values import Color, Order
from tests.values import nestings
from tests.values.storing import CODEC

ROOT = Path(__file__).parents[2]


def tagged(kind, data):
    return {"__pyrunner__": kind, "value": data}


def in_base64(content):
    return tagged("bytes", base64.b64encode(content).decode())


@pytest.mark.parametrize(
    "forged",
    [
        tagged("pickle", "gASVCQAAAAAAAACMBWFiY2Rl"),
        tagged(["float"], "1"),
        {"__pyrunner__": "float"},
        tagged("float", "abc"),
        tagged("int", 5),
        tagged("str", "\\"),
        tagged("str", "ö"),
        tagged("bytes", "%%%"),
        tagged("dict", [[["unhashable"], 1]]),
        tagged("dict", ["ab"]),
        tagged("tuple", "ab"),
        tagged("defaultdict", ["eval", []]),
        tagged("set", [{}]),
        tagged("deque", [[1], True]),
        tagged("datetime", ["now", None, 0]),
        tagged("datetime", ["2026-03-01", "UTC", 0]),
        tagged("zoneinfo.ZoneInfo", ["../../etc/hosts"]),
        tagged("numpy.ndarray", [tagged("bytes", "AAAA"), False]),
        tagged("pandas.DataFrame", [1, None, {}]),
        tagged("pandas.Series", ["/to", {"values": tagged("PosixPath", "/from")}]),
        tagged("pandas.Timestamp", ["2026-02-30", None]),
        tagged("pandas.Timestamp", ["2026-03-01", "dateutil//etc/hosts"]),
        tagged("enum", ["os:system", "true"]),
        tagged("enum", ["subprocess:Popen", "true"]),
        tagged("enum", [f"{Color.__module__}:Color", "GREEN"]),
        tagged("enum", [f"{Color.__module__}:Order", "number"]),
        tagged("model", ["subprocess:Popen", {"args": "true"}]),
        tagged("model", [f"{Color.__module__}:Color", {"value": "red"}]),
        tagged("model", [f"{Color.__module__}:Order", {"colour": 1}]),
        tagged("model", [f"{Color.__module__}:Customer", {"name": "a"}]),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_an_error_that_names_its_kind(forged):
    with pytest.raises(ContextValueError, match=f"^it holds a value of the kind .*, which {sys.executable}"):
        CODEC.decode(forged)


def test_a_pickled_array_is_refused():
    file = io.BytesIO()
    numpy.save(file, numpy.array([Order(1)], dtype=object), allow_pickle=True)
    with pytest.raises(ContextValueError, match="allow_pickle"):
        CODEC.decode(tagged("numpy.ndarray", [in_base64(file.getvalue()), False]))


def test_an_archive_of_arrays_is_refused():
    file = io.BytesIO()
    numpy.savez(file, numpy.arange(3))
    with pytest.raises(ContextValueError, match="magic string"):
        CODEC.decode(tagged("numpy.ndarray", [in_base64(file.getvalue()), False]))


@pytest.mark.parametrize("length", range(1, 13))
def test_a_column_that_an_old_pyarrow_would_unpickle_is_refused_before_pyarrow_sees_it(length, monkeypatch):
    """CVE-2023-47248, wherever in the base64 of the schema the name of its type stands."""
    metadata = {"k" * length: "v", "ARROW:extension:name": "arrow.py_extension_type"}
    metadata["ARROW:extension:metadata"] = b"cos\nsystem\n(S'true'\ntR."
    schema = pyarrow.schema([pyarrow.field("x" * length, pyarrow.binary(), metadata=metadata)])
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table([[b"a"]], schema), file)
    assert b"arrow.py_extension_type" not in file.getvalue()
    monkeypatch.setattr(pyarrow.parquet, "ParquetFile", lambda _: pytest.fail("it was opened"))
    with pytest.raises(ContextValueError, match="of which pyarrow may run code"):
        CODEC.decode(
            tagged("pandas.DataFrame", {"parquet": in_base64(file.getvalue()), "freq": None, "attrs": {}})
        )


def test_a_text_in_a_frame_may_name_such_a_column():
    frame = pandas.DataFrame({"x": ["arrow.py_extension_type"]})
    assert CODEC.decode(*CODEC.encode(frame)).equals(frame)


def test_what_is_nested_too_deep_is_an_error():
    form = 1
    for _ in range(5000):
        form = tagged("tuple", [form])
    with pytest.raises(ContextValueError, match="nested too deep"):
        CODEC.decode(form)


@pytest.mark.parametrize("orders", [1, "ab", [1], [["a", 1]], [[["a"]]], {"a": 1}], ids=str)
def test_orders_of_keys_that_are_none_are_an_error(orders):
    with pytest.raises(ContextValueError, match="order of its keys"):
        CODEC.decode({"a": 1}, orders)


def test_no_kind_s_data_in_the_place_of_another_s_opens_imports_or_starts_anything():
    """Each in the place of each, and of what that holds, down to two levels."""
    script = [sys.executable, str(ROOT / "tests" / "values" / "forging.py")]
    ran = subprocess.run(script, capture_output=True, check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    outcomes, seen = json.loads(ran.stdout.splitlines()[-1])
    assert seen.startswith("open ('/nowhere/seen'")  # it would be seen
    assert outcomes.keys() == {"refused", "read"}
    assert outcomes["refused"] > 20_000


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nestings.forgeries(CODEC.kinds))
def test_any_forgery_is_read_or_an_error(forged):
    with contextlib.suppress(ContextValueError):
        CODEC.decode(forged)
