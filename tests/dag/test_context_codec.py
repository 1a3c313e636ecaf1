"""Context values as they are stored, and what comes back: the same, whatever the database."""

import contextlib
import io
import json
import subprocess
import sys
from collections import OrderedDict, defaultdict, deque
from datetime import UTC, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import msgspec
import numpy
import pandas
import pendulum
import pydantic
import pytest
from airflow.sdk.bases.xcom import BaseXCom
from airflow.utils.json import XComDecoder, XComEncoder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyrunner_airflow.dag.codec import decode, encode, to_xcom
from pyrunner_airflow.worker.codec import ContextValueError

from pyrunner_airflow.dag import codec
from pyrunner_airflow.worker import codec as pipe
from tests.context_values import (
    DEEPEST,
    NATIVE,
    PLAIN,
    TAGGED,
    VALUES,
    Color,
    Level,
    Order,
    image,
    refused_values,
)

JSON_VALUE = pydantic.TypeAdapter(pydantic.JsonValue)
pytestmark = pytest.mark.usefixtures("allowed_classes")


def send(value):
    """Carry a value over Airflow's ways: task, supervisor (msgpack), API server (JSON), and back."""
    pushed = msgspec.msgpack.decode(msgspec.msgpack.encode(BaseXCom.serialize_value(value)))
    request = json.dumps(pushed, ensure_ascii=False, allow_nan=False).encode()
    received = JSON_VALUE.validate_python(json.loads(request))
    response = JSON_VALUE.dump_json(JSON_VALUE.validate_python(as_in_jsonb(received)))
    pulled = msgspec.msgpack.decode(msgspec.msgpack.encode(JSON_VALUE.validate_json(response)))
    return BaseXCom.deserialize_value(SimpleNamespace(value=pulled))


def as_in_jsonb(value):
    """Return JSON as a Postgres JSONB column does: numbers are decimal, keys in an order of their own."""

    def number(text):
        digits = format(Decimal(text) + 0, "f")
        return float(digits) if "." in digits else int(digits)

    def in_order(pairs):
        return dict(sorted(pairs, key=lambda pair: (len(pair[0].encode()), pair[0].encode())))

    return json.loads(json.dumps(value), parse_float=number, object_pairs_hook=in_order)


def assert_is_plain_json(value, depth=0):
    """Assert that any database holds it."""
    assert depth <= codec.MAX_DEPTH
    if type(value) is list:
        for item in value:
            assert_is_plain_json(item, depth + 1)
    elif type(value) is dict:
        for key, item in value.items():
            assert type(key) is str
            assert_is_plain_json(key)
            assert_is_plain_json(item, depth + 1)
    elif type(value) is str:
        assert "\0" not in value
        value.encode()
    elif type(value) is int:
        assert -(2**63) <= value < 2**63
    elif type(value) is float:
        assert as_in_jsonb([value, str(value)]) == [value, str(value)]
        assert str(as_in_jsonb(value)) == str(float(str(value)))
    else:
        assert value is None or type(value) is bool


class Unprintable:
    def __repr__(self):
        raise OSError("x" * 1000)


def nested_in_long_keys(levels):
    value = len
    for _ in range(levels):
        value = {"key" * 20: value}
    return value


def assert_travels(value):
    before = image(value)
    encoded = encode(value)
    assert_is_plain_json(encoded.data)
    assert_is_plain_json(BaseXCom.serialize_value(to_xcom(encoded.data)))
    for back in (
        decode(*encoded),
        decode(*json.loads(json.dumps(encoded))),  # from the journal
        decode(send(to_xcom(encoded.data)), send(encoded.orders)),
    ):
        assert image(back) == before
    assert image(value) == before


class TestWhatTravels:
    @pytest.mark.parametrize("name", VALUES)
    def test_comes_back_equal_and_of_the_same_type(self, name):
        assert_travels(VALUES[name])

    @pytest.mark.parametrize("name", VALUES)
    def test_so_it_does_in_a_list_a_dictionary_and_a_tuple(self, name):
        assert_travels({"a": [VALUES[name], 1], "b": ((VALUES[name],),), "c": {1: VALUES[name]}})

    @pytest.mark.parametrize("name", VALUES)
    def test_so_it_does_over_an_interpreter_of_its_own(self, name):
        """Which gets it as it lies in XCom, and here hands it back."""
        before = image(VALUES[name])
        handed_on = decode(*encode(VALUES[name]), is_handed_on=True)
        there = json.loads(json.dumps(pipe.encode(handed_on, codec.KINDS)))
        assert image(pipe.decode(there, codec.KINDS)) == before
        assert image(decode(*encode(pipe.decode_standard(there)))) == before

    @pytest.mark.parametrize("name", PLAIN)
    def test_json_is_stored_as_it_is(self, name):
        assert image(encode(PLAIN[name]).data) == image(PLAIN[name])

    @pytest.mark.parametrize("name", NATIVE)
    def test_what_airflow_carries_is_pulled_by_any_task(self, name):
        value = NATIVE[name]
        pulled = send(to_xcom(encode(value).data))
        assert type(pulled) is type(value)
        assert pulled.equals(value) if isinstance(value, pandas.DataFrame) else pulled == value

    @pytest.mark.parametrize("name", [*PLAIN, *NATIVE])
    def test_what_airflow_carries_is_stored_as_airflow_does_it(self, name):
        encoded = encode(VALUES[name]).data
        for stored in (BaseXCom.serialize_value(VALUES[name]), BaseXCom.serialize_value(to_xcom(encoded))):
            assert sorted(json.dumps(stored)) == sorted(json.dumps(encoded))  # a set has no order

    @pytest.mark.parametrize("name", TAGGED)
    def test_the_rest_is_tagged(self, name):
        assert set(encode(TAGGED[name]).data) == {"__pyrunner__", "value"}

    def test_a_dictionary_that_databases_sort_is_stored_as_it_is_too(self):
        rows = [{"name": "a", "id": 1}, {"name": "b", "id": 2}, {"id": 3}]
        assert encode(rows) == (rows, [["name", "id"]])

    def test_keys_of_two_orders_are_stored_in_pairs(self):
        data, orders = encode([{"aa": 1, "b": 2}, {"b": 2, "aa": 1}])
        assert data == [{"aa": 1, "b": 2}, {"__pyrunner__": "dict", "value": [["b", 2], ["aa", 1]]}]
        assert orders == [["aa", "b"]]

    def test_of_many_orders_the_index_holds_few(self):
        value = [{f"key {number}": 1, "id": 2} for number in range(100_000)]
        data, orders = encode(value)
        assert sum(len(key) for keys in orders for key in keys) <= codec.ORDERS_LENGTH
        assert [list(row) for row in decode(as_in_jsonb(data), orders)] == [list(row) for row in value]

    def test_a_tag_is_readable(self):
        assert encode(PurePosixPath("/data/x.csv")).data == {
            "__pyrunner__": "PurePosixPath",
            "value": "/data/x.csv",
        }
        assert encode(Color.RED).data == {
            "__pyrunner__": "enum",
            "value": [f"{Color.__module__}:Color", "RED"],
        }

    def test_what_is_stored_is_a_copy(self):
        value = {"rows": [{"a": deque([1])}]}
        encoded = encode(value)
        value["rows"][0]["a"].append(2)
        assert decode(*encoded) == {"rows": [{"a": deque([1])}]}

    def test_what_is_read_is_a_copy(self):
        pulled = send(to_xcom(encode({"rows": [1], "order": Order(1, [2])}).data))
        for back in (decode(pulled), decode(pulled)):
            assert back == {"rows": [1], "order": Order(1, [2])}
            back["rows"].append(2)
            back["order"].item.append(3)

    def test_as_deep_as_mysql_allows(self):
        assert_travels(DEEPEST)

    def test_long_text_of_a_number(self):
        assert decode(*encode(10**5000)) == 10**5000  # more digits than int() takes


class TestModels:
    def test_are_pushed_when_their_class_is_gone(self, monkeypatch):
        encoded = encode([Order(1, (2, Order(3))), Order(1, "a")]).data
        monkeypatch.delattr("tests.context_values.Order")
        assert BaseXCom.serialize_value(to_xcom(encoded)) == encoded

    def test_must_be_allowed_to_be_written(self, configure):
        with (
            configure(allowed_deserialization_classes="airflow.*"),
            pytest.raises(ContextValueError) as caught,
        ):
            encode({"order": Order(1)})
        name = f"{Order.__module__}.Order"
        assert str(caught.value) == (
            f'value["order"] is a {name}, which no other task may load: add {name} to [core] '
            f"allowed_deserialization_classes, or store a dictionary of its fields"
        )

    @pytest.mark.parametrize("order", [Order(1), Order(1, b"x")], ids=["serde's form", "tagged"])
    def test_must_be_allowed_to_be_read(self, configure, order):
        encoded = encode(order)
        with (
            configure(allowed_deserialization_classes="airflow.*"),
            pytest.raises(ContextValueError, match="allow"),
        ):
            decode(*encoded)

    def test_may_be_allowed_by_a_regular_expression(self, configure):
        pattern = r"tests\.context_values\.\w+"
        with configure(
            allowed_deserialization_classes="airflow.*", allowed_deserialization_classes_regexp=pattern
        ):
            assert_travels(Order(1, b"x"))


class TestEnums:
    def test_of_a_loaded_module_need_no_permission(self, configure):
        with configure(allowed_deserialization_classes="airflow.*"):
            assert decode(*encode([Color.RED, Level.LOW])) == [Color.RED, Level.LOW]

    def test_of_a_module_that_is_not_loaded_are_refused(self):
        with pytest.raises(
            ContextValueError, match="import antigravity in the worker's module, or add the class"
        ):
            decode({"__pyrunner__": "enum", "value": ["antigravity:Color", "RED"]})
        assert "antigravity" not in sys.modules

    def test_of_a_module_that_is_not_loaded_are_imported_if_allowed(self, configure, tmp_path, monkeypatch):
        (tmp_path / "shades.py").write_text("from enum import Enum\nclass Shade(Enum):\n    DARK = 1\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        with configure(allowed_deserialization_classes="airflow.* shades.Shade"):
            assert decode({"__pyrunner__": "enum", "value": ["shades:Shade", "DARK"]}).value == 1


class TestWhatIsRefused:
    @pytest.mark.parametrize("name", refused_values())
    def test_the_error_says_where_what_and_what_to_do(self, name):
        value, message = refused_values()[name]
        with pytest.raises(ContextValueError) as caught:
            encode(value)
        assert str(caught.value).startswith(message)

    @pytest.mark.parametrize(
        "value",
        [
            {"a" * 1000: {(1000 * "b", len)}},
            {10**5000: len},
            {(1000 * "c",): {len: 1}},
            Order(1, numpy.array([Unprintable()])),
            pandas.DataFrame({"d" * 1000: [1, Unprintable()]}),
            nested_in_long_keys(80),
        ],
        ids=["key", "key of many digits", "tuple", "unprintable", "column", "path"],
    )
    def test_the_error_is_short(self, value):
        with pytest.raises(ContextValueError) as caught:
            encode(value)
        assert len(str(caught.value)) < 600

    def test_is_a_value_error(self):
        assert issubclass(ContextValueError, ValueError)


class TestForgeries:
    """What somebody may have made of an XCom."""

    @pytest.mark.parametrize(
        "forged",
        [
            {"__pyrunner__": "pickle", "value": "gASVCQAAAAAAAACMBWFiY2Rl"},
            {"__pyrunner__": ["float"], "value": "1"},
            {"__pyrunner__": "float"},
            {"__pyrunner__": "float", "value": "abc"},
            {"__pyrunner__": "int", "value": 5},
            {"__pyrunner__": "str", "value": "\\"},
            {"__pyrunner__": "bytes", "value": "%%%"},
            {"__pyrunner__": "dict", "value": [[["unhashable"], 1]]},
            {"__pyrunner__": "defaultdict", "value": ["eval", []]},
            {"__pyrunner__": "set", "value": [{}]},
            {"__pyrunner__": "datetime", "value": ["now", None, 0]},
            {"__pyrunner__": "numpy.ndarray", "value": [{"__pyrunner__": "bytes", "value": "AAAA"}, False]},
            {"__pyrunner__": "pandas.DataFrame", "value": {"frame": 1, "freq": None, "attrs": {}}},
            {"__pyrunner__": "pandas.Timestamp", "value": ["2026-02-30", "us", None]},
            "datetime.date@version=2(2026-01-02)",
            {"rows": ["datetime.date@version=2(2026-01-02)"]},
            {"__pyrunner__": "enum", "value": ["os:system", "true"]},
            {"__pyrunner__": "enum", "value": ["subprocess:Popen", "true"]},
            {"__pyrunner__": "enum", "value": [f"{Color.__module__}:Color", "GREEN"]},
            {"__pyrunner__": "enum", "value": [f"{Color.__module__}:Order", "number"]},
            {"__pyrunner__": "model", "value": ["subprocess:Popen", {"args": "true"}]},
            {"__pyrunner__": "model", "value": [f"{Color.__module__}:Color", {"value": "red"}]},
            {"__pyrunner__": "model", "value": [f"{Color.__module__}:Order", {"colour": 1}]},
            {"__pyrunner__": "model", "value": [f"{Color.__module__}:Customer", {"name": "a"}]},
            {"__classname__": "subprocess.Popen", "__version__": 0, "__data__": {"args": "true"}},
            {"__classname__": "builtins.tuple", "__version__": 1},
            [{"__classname__": ["builtins.set"], "__version__": 1, "__data__": []}],
        ],
        ids=str,
    )
    def test_are_errors(self, forged):
        with pytest.raises(ContextValueError, match="what is stored cannot be read: "):
            decode(forged)

    def test_of_a_pickled_array(self):
        file = io.BytesIO()
        numpy.save(file, numpy.array([Order(1)], dtype=object), allow_pickle=True)
        forged = {"__pyrunner__": "numpy.ndarray", "value": [encode(file.getvalue()).data, False]}
        with pytest.raises(ContextValueError, match="allow_pickle"):
            decode(forged)


class TestOtherXComBackends:
    """Such as the object-storage backend, which keeps nested tuples as lists where nobody sees to it."""

    @pytest.fixture(autouse=True)
    def backend(self, configure):
        with configure(xcom_backend="airflow.providers.common.io.xcom.backend.XComObjectStorageBackend"):
            yield

    @pytest.mark.parametrize("name", VALUES)
    def test_all_come_back(self, name):
        for value in (VALUES[name], {"a": [VALUES[name]], "b": (VALUES[name],)}):
            data, orders = encode(value)
            stored = json.loads(json.dumps(to_xcom(data), cls=XComEncoder), cls=XComDecoder)
            assert image(decode(stored, orders)) == image(value)


ZONES = st.sampled_from(
    [
        None,
        UTC,
        timezone(timedelta(hours=-3, minutes=-30)),
        ZoneInfo("Europe/Berlin"),
        ZoneInfo("UTC"),
        pendulum.UTC,
        pendulum.timezone("America/New_York"),
        pendulum.FixedTimezone(3600),
    ]
)
TEXTS = st.text(st.characters() | st.characters(categories=["Cs"]) | st.just("\0"))
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**80), 2**80),
    st.sampled_from([2**63, 2**63 - 1, -(2**63), -(2**63) - 1, 2**64, 1e15, 1e16, 9999999999999998.0, -0.0]),
    st.floats(),
    TEXTS,
    st.binary(),
    st.complex_numbers(),
    st.decimals(allow_nan=False),
    st.dates(),
    st.datetimes(timezones=ZONES),
    st.times(timezones=ZONES),
    st.timedeltas(),
    st.uuids(),
    TEXTS.filter(lambda text: "\0" not in text).map(PurePosixPath),
    st.sampled_from([*Color, *Level]),
    st.builds(numpy.float64, st.floats()) | st.integers(0, 255).map(numpy.uint8),
)
KEYS = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
LOOK_ALIKES = st.sampled_from(
    [
        "__pyrunner__",
        "value",
        "__classname__",
        "__version__",
        "__data__",
        "__id__",
        "__type",
        "__var",
        "__source",
    ]
)


def containers(inner):
    pairs = st.lists(st.tuples(TEXTS | KEYS, inner), max_size=4)
    return st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(TEXTS, inner, max_size=4),
        st.dictionaries(
            LOOK_ALIKES, inner | st.sampled_from(["dict", "float", "builtins.set", 1]), max_size=4
        ),
        pairs.map(dict),
        pairs.map(OrderedDict),
        pairs.map(lambda items: defaultdict(list, items)),
        st.lists(inner, max_size=4).map(tuple),
        st.lists(inner, max_size=4).map(deque),
        st.sets(KEYS, max_size=4),
        st.frozensets(KEYS, max_size=4),
        st.builds(Order, st.integers(), inner),
        st.binary().map(bytearray),
    )


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(ATOMS, containers, max_leaves=12))
def test_any_nesting_travels(value):
    assert_travels(value)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["UTC", "RED"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text() | LOOK_ALIKES, inner, max_size=4)
            | st.builds(
                lambda kind, data: {"__pyrunner__": kind, "value": data},
                st.sampled_from(sorted(codec.KINDS)) | st.text(),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_any_forgery_is_read_or_an_error(forged):
    with contextlib.suppress(ContextValueError):
        decode(forged)


def test_neither_numpy_nor_pandas_is_imported_for_values_of_others():
    code = """
import sys
from pyrunner_airflow.dag.codec import decode, encode
decode(*encode({"a": [1, (2.5, b"x")], "b": {1: None}}))
print({"numpy", "pandas", "pyarrow"} & set(sys.modules))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "set()"
