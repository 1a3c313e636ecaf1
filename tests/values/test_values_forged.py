"""What somebody may have made of an XCom, who may edit XComs and nothing else: a value, or an error."""

import base64
import contextlib
import io
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy
import pandas
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings

from pyrunner_airflow.values import Allowed, Codec, ContextValueError
from pyrunner_airflow.values.kinds import shown
from tests.context_values import Access, Color, Order
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
        tagged("enum", [f"{Color.__module__}:Color", tagged("int", hex(10**5000))]),
        tagged("enum", [f"{Color.__module__}:Access", "READ"]),
        tagged(10**5000, 1),
        tagged("enum", [f"{Color.__module__}:Order", "number"]),
        tagged("model", ["subprocess:Popen", {"args": "true"}]),
        tagged("model", [f"{Color.__module__}:Color", {"value": "red"}]),
        tagged("model", [f"{Color.__module__}:Order", {"colour": 1}]),
        tagged("model", [f"{Color.__module__}:Customer", {"name": "a"}]),
    ],
    ids=lambda forged: shown(forged, 60).partition(" at 0x")[0],
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


def parquet(columns, metadata=None, **options):
    """Return the form of a frame; `metadata` is what pandas is to make of it."""
    table = pyarrow.table(columns)
    if metadata:
        table = table.replace_schema_metadata({"pandas": json.dumps(metadata)})
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file, **options)
    return tagged("pandas.DataFrame", {"parquet": in_base64(file.getvalue()), "freq": None, "attrs": {}})


@pytest.mark.parametrize("part", ["columns", "column_indexes"])
@pytest.mark.parametrize(
    "dtype", ["datetime64[ns, dateutil//etc/hosts]", "period[" + "1" * 100_000 + "]"], ids=["file", "long"]
)
def test_a_dtype_that_would_open_any_file_or_be_read_for_ever_is_refused(part, dtype):
    column = {"name": "x", "field_name": "x", "pandas_type": "x", "numpy_type": dtype, "metadata": None}
    with pytest.raises(ContextValueError, match="open files"):
        CODEC.decode(parquet({"x": [1]}, {"columns": [], "index_columns": [], part: [column]}))


class OfAnotherLibrary(pyarrow.ExtensionType):
    def __init__(self):
        super().__init__(pyarrow.int64(), "other.pickled")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, serialized):
        return cls()

    def to_pandas_dtype(self):
        pytest.fail("it was read")


@pytest.mark.parametrize("is_nested", [False, True])
def test_a_column_of_another_library_s_type_is_refused(is_nested):
    """Such as of ray's, which unpickles what is in it."""
    pyarrow.register_extension_type(OfAnotherLibrary())
    column = pyarrow.ExtensionArray.from_storage(OfAnotherLibrary(), pyarrow.array([1]))
    column = pyarrow.StructArray.from_arrays([column], ["inner"]) if is_nested else column
    try:
        with pytest.raises(ContextValueError, match="run code"):
            CODEC.decode(parquet({"x": column}))
    finally:
        pyarrow.unregister_extension_type("other.pickled")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "+01:00"])
def test_pandas_own_types_and_zones_are_read(zone):
    days = pandas.Series(pandas.to_datetime(["2026-03-01"]))
    frame = pandas.DataFrame({"month": days.dt.to_period("M"), "at": days.dt.tz_localize(zone)})
    assert CODEC.decode(*CODEC.encode(frame)).equals(frame)


def array(dtype, shape):
    """Return the form of an array that has nothing but a header."""
    file = io.BytesIO()
    numpy.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return tagged("numpy.ndarray", [in_base64(file.getvalue()), False])


def repeated(values, number, type_=None):
    """Return a column of the first value alone, which is stored once."""
    values = pyarrow.array(values, type_)
    return pyarrow.DictionaryArray.from_arrays(numpy.zeros(number, "int32"), values)


PLAIN = {"store_schema": False}  # without which it would stay a column of categories
ONE_HASH = [tagged("int", hex(number * (2**61 - 1))) for number in range(20_000)]
BOMBS = {
    "set": lambda: tagged("set", ONE_HASH),
    "frozenset": lambda: tagged(
        "frozenset", [tagged("Decimal", str(5 + (2**61 - 1) * n)) for n in range(20_000)]
    ),
    "keys": lambda: tagged("dict", [[key, 1] for key in ONE_HASH]),
    "tuples": lambda: tagged(
        "set", [tagged("tuple", list(items)) for items in product(ONE_HASH[:5], repeat=6)]
    ),
    "rows of nothing": lambda: array("<f8", (10**12, 0)),
    "texts of nothing": lambda: array("|S0", (10**12,)),
    "rows that are not there": lambda: array("<f8", (10**11,)),
    "queue of rows of nothing": lambda: tagged("deque", [array("<f8", (10**12, 0)), None]),
    "parquet": lambda: parquet({"x": pyarrow.nulls(2 * 10**8)}),
    "long text in many rows": lambda: parquet({"x": repeated(["x" * 100_000], 100_000)}, **PLAIN),
    "lists": lambda: parquet(
        {"x": pyarrow.ListArray.from_arrays([0, 2**10], repeated(["x" * 2**20], 2**10))}, **PLAIN
    ),
    "lists of one length": lambda: parquet(
        {"x": pyarrow.FixedSizeListArray.from_arrays(pyarrow.nulls(2**24), 2**20)}
    ),
    "structures": lambda: parquet(
        {"x": pyarrow.StructArray.from_arrays([repeated(["x" * 2**20], 2**10)], "y")}, **PLAIN
    ),
    "long values of one length": lambda: parquet(
        {"x": repeated([b"x" * 2**20], 2**8, pyarrow.binary(2**20))}, **PLAIN
    ),
    "a text that is packed well": lambda: parquet(
        {"x": ["x" * 2**26]}, compression="zstd", use_dictionary=False
    ),
    "objects": lambda: parquet({"x": repeated([Decimal("1.5")], 10**7)}, **PLAIN),
    "flags": lambda: tagged("enum", [f"{Access.__module__}:Access", tagged("int", hex(2**1_000_000))]),
}


DECODE = """
import json, os, resource, sys
import numpy, pandas, pyarrow.parquet
from pyrunner_airflow.values import ContextValueError
from tests.values.storing import CODEC

CODEC.decode(*CODEC.encode(pandas.DataFrame({"x": ["a"]})))
bombs = json.load(sys.stdin)
size = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE") + 2**28
resource.setrlimit(resource.RLIMIT_AS, (size, size))
errors = {}
for name, bomb in bombs.items():
    try:
        CODEC.decode(bomb)
    except ContextValueError as error:
        errors[name] = str(error)
print(json.dumps(errors))
"""


@pytest.fixture(scope="module")
def errors():
    """Decode all bombs, in a process that has no room for any of them."""
    command = [sys.executable, "-c", DECODE]
    options = {
        "input": json.dumps({name: make() for name, make in BOMBS.items()}),
        "text": True,
        "capture_output": True,
    }
    ran = subprocess.run(command, check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, **options)
    return json.loads(ran.stdout)


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_value_that_would_take_for_ever_or_all_memory_is_refused(errors, name):
    reasons = "have one hash|bytes of memory|take all memory|Unable to allocate 745|made of something else"
    assert re.search(reasons, errors[name])


def test_orders_that_name_a_key_twice_do_not_double_what_stands_there():
    value = 1
    for _ in range(60):
        value = {"a": value}
    assert CODEC.decode(value, [["a", "a"]]) == value


@dataclass
class WithSetter:
    number: int

    @property
    def password(self):
        return 1

    @password.setter
    def password(self, value):
        pytest.fail("a setter was called")

    def __getattr__(self, name):
        pytest.fail("an attribute was asked for")


@pytest.mark.parametrize("attributes", [{"number": 1, "password": 2}, {"password": 2}, {}])
def test_no_method_of_a_model_is_called(attributes):
    codec = Codec(Allowed([f"{__name__}.*"], []))
    with contextlib.suppress(ContextValueError):
        codec.decode(tagged("model", {"class": f"{__name__}:WithSetter", **attributes}))


class Proxy:
    """As of a library that makes its objects when they are asked for."""

    def __getattribute__(self, name):
        pytest.fail("an attribute was asked for")


@pytest.mark.parametrize("kind", ["enum", "model"])
def test_no_object_that_is_no_class_is_asked_for_anything(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "proxies", ModuleType("proxies"))
    vars(sys.modules["proxies"])["proxy"] = Proxy()
    address = "proxies:proxy"
    with pytest.raises(ContextValueError, match="is not found"):
        CODEC.decode(tagged(kind, [address, "a"] if kind == "enum" else {"class": address}))


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


@pytest.mark.parametrize("number", [4000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_no_kind_s_data_in_the_place_of_another_s_opens_imports_or_starts_anything(number):
    """Each in the place of each, and of what that holds; and such forgeries in one another's."""
    script = [sys.executable, str(ROOT / "tests" / "values" / "forging.py"), str(number)]
    ran = subprocess.run(script, capture_output=True, check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    outcomes, seen = json.loads(ran.stdout.splitlines()[-1])
    assert seen.startswith("open ('/nowhere/seen'")  # it would be seen
    assert outcomes.keys() == {"refused", "read"}
    assert sum(outcomes.values()) == number
    assert outcomes["refused"] > number / 2


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nestings.forgeries(CODEC.kinds))
def test_any_forgery_is_read_or_an_error(forged):
    with contextlib.suppress(ContextValueError):
        CODEC.decode(forged)
