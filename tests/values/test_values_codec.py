"""Context values as JSON, and what comes back: the same, whatever the database."""

import json
import subprocess
import sys
from collections import deque
from pathlib import PurePosixPath

import numpy
import pandas
import pytest
from hypothesis import HealthCheck, given, settings

from pyrunner_airflow.values import Allowed, Codec, ContextValueError, is_encoded
from pyrunner_airflow.values.codec import ORDERS_LENGTH
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
from tests.values import nestings
from tests.values.storing import CODEC, as_in_jsonb, assert_is_plain_json

NOTHING_ALLOWED = Codec(Allowed(["airflow.*"], []))


class Unprintable:
    def __repr__(self):
        raise OSError("x" * 1000)


def nested_in_long_keys(levels):
    value = len
    for _ in range(levels):
        value = {"key" * 20: value}
    return value


def assert_travels(value, codec=CODEC):
    before = image(value)
    encoded = codec.encode(value)
    assert_is_plain_json(encoded.data)
    assert is_encoded(encoded.data)
    for stored in (encoded, json.loads(json.dumps(encoded)), as_in_jsonb(encoded)):
        assert image(codec.decode(*stored)) == before
    assert image(value) == before


class TestWhatTravels:
    @pytest.mark.parametrize("name", VALUES)
    def test_comes_back_equal_and_of_the_same_type(self, name):
        assert_travels(VALUES[name])

    @pytest.mark.parametrize("name", VALUES)
    def test_so_it_does_in_a_list_a_dictionary_and_a_tuple(self, name):
        assert_travels({"a": [VALUES[name], 1], "b": ((VALUES[name],),), "c": {1: VALUES[name]}})

    @pytest.mark.parametrize("name", PLAIN)
    def test_json_is_stored_as_it_is(self, name):
        assert image(CODEC.encode(PLAIN[name]).data) == image(PLAIN[name])

    @pytest.mark.parametrize("name", [*NATIVE, *TAGGED])
    def test_the_rest_is_tagged(self, name):
        assert set(CODEC.encode(VALUES[name]).data) == {"__pyrunner__", "value"}

    def test_a_dictionary_that_databases_sort_is_stored_as_it_is_too(self):
        rows = [{"name": "a", "id": 1}, {"name": "b", "id": 2}, {"id": 3}]
        assert CODEC.encode(rows) == (rows, [["name", "id"]])

    def test_keys_of_two_orders_are_stored_in_pairs(self):
        data, orders = CODEC.encode([{"aa": 1, "b": 2}, {"b": 2, "aa": 1}])
        assert data == [{"aa": 1, "b": 2}, {"__pyrunner__": "dict", "value": [["b", 2], ["aa", 1]]}]
        assert orders == [["aa", "b"]]

    def test_of_many_orders_the_index_holds_few(self):
        value = [{f"key {number}": 1, "id": 2} for number in range(100_000)]
        data, orders = CODEC.encode(value)
        assert sum(len(key) for keys in orders for key in keys) <= ORDERS_LENGTH
        assert [list(row) for row in CODEC.decode(as_in_jsonb(data), orders)] == [list(row) for row in value]

    def test_a_tag_is_readable(self):
        assert CODEC.encode(PurePosixPath("/data/x.csv")).data == {
            "__pyrunner__": "PurePosixPath",
            "value": "/data/x.csv",
        }
        assert CODEC.encode(Color.RED).data == {
            "__pyrunner__": "enum",
            "value": [f"{Color.__module__}:Color", "RED"],
        }

    def test_what_is_stored_is_a_copy(self):
        value = {"rows": [{"a": deque([1])}]}
        encoded = CODEC.encode(value)
        value["rows"][0]["a"].append(2)
        assert CODEC.decode(*encoded) == {"rows": [{"a": deque([1])}]}

    def test_what_is_read_is_a_copy(self):
        encoded = CODEC.encode({"rows": [1], "order": Order(1, [2])})
        for back in (CODEC.decode(*encoded), CODEC.decode(*encoded)):
            assert back == {"rows": [1], "order": Order(1, [2])}
            back["rows"].append(2)
            back["order"].item.append(3)

    def test_as_deep_as_mysql_allows(self):
        assert_travels(DEEPEST)

    def test_long_text_of_a_number(self):
        assert CODEC.decode(*CODEC.encode(10**5000)) == 10**5000  # more digits than int() takes

    @settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(nestings.VALUES)
    def test_any_nesting(self, value):
        assert_travels(value)


class TestModels:
    def test_must_be_allowed_to_be_written(self):
        with pytest.raises(ContextValueError) as caught:
            NOTHING_ALLOWED.encode({"order": Order(1)})
        name = f"{Order.__module__}.Order"
        assert str(caught.value) == (
            f'value["order"] is a {name}, which no other task may load: add {name} to [core] '
            f"allowed_deserialization_classes, or store a dictionary of its fields"
        )

    def test_must_be_allowed_to_be_read(self):
        encoded = CODEC.encode(Order(1, b"x"))
        with pytest.raises(ContextValueError, match="allow"):
            NOTHING_ALLOWED.decode(*encoded)

    def test_may_be_allowed_by_a_regular_expression(self):
        assert_travels(Order(1, b"x"), Codec(Allowed(["airflow.*"], [r"tests\.context_values\.\w+"])))


class TestEnums:
    def test_of_a_loaded_module_need_no_permission(self):
        assert_travels([Color.RED, Level.LOW], NOTHING_ALLOWED)

    def test_of_a_module_that_is_not_loaded_are_refused(self):
        with pytest.raises(
            ContextValueError, match="import antigravity in the worker's module, or add the class"
        ):
            CODEC.decode({"__pyrunner__": "enum", "value": ["antigravity:Color", "RED"]})
        assert "antigravity" not in sys.modules

    def test_of_a_module_that_is_not_loaded_are_imported_if_allowed(self, tmp_path, monkeypatch):
        (tmp_path / "shades.py").write_text("from enum import Enum\nclass Shade(Enum):\n    DARK = 1\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        codec = Codec(Allowed(["shades.Shade"], []))
        assert codec.decode({"__pyrunner__": "enum", "value": ["shades:Shade", "DARK"]}).value == 1


class TestWhatIsRefused:
    @pytest.mark.parametrize("name", refused_values())
    def test_the_error_says_where_what_and_what_to_do(self, name):
        value, message = refused_values()[name]
        with pytest.raises(ContextValueError) as caught:
            CODEC.encode(value)
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
            CODEC.encode(value)
        assert len(str(caught.value)) < 600

    def test_is_a_value_error(self):
        assert issubclass(ContextValueError, ValueError)


def test_neither_numpy_nor_pandas_is_imported_for_values_of_others():
    code = """
import sys
from pyrunner_airflow.values import Allowed, Codec
codec = Codec(Allowed([], []))
codec.decode(*codec.encode({"a": [1, (2.5, b"x")], "b": {1: None}}))
print({"numpy", "pandas", "pyarrow", "pendulum", "airflow"} & set(sys.modules))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "set()"
