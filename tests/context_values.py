"""
Values for the context: those that travel between tasks, and those that are refused.

A module of its own, without anything of ours, so that the workers of a real job can import it.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, OrderedDict, UserDict, defaultdict, deque, namedtuple
from dataclasses import InitVar, dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from http import HTTPStatus
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Generic, TypeVar
from unittest.mock import Mock
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import numpy
import pandas
import pendulum
from pydantic import BaseModel, Field

ALLOWED = f"airflow.* {__name__}.*"
"""What ``[core] allowed_deserialization_classes`` must be for all of these to travel."""


Item = TypeVar("Item")


class Color(Enum):
    RED = "red"
    CRIMSON = "red"
    BLUE = ("any", ["value"])


class Level(IntEnum):
    LOW = 1


class Mode(StrEnum):
    FAST = "fast"


class Access(Flag):
    READ = 1
    WRITE = 2


@dataclass
class Order:
    number: int
    item: Any = None


@dataclass(frozen=True)
class Frozen:
    number: int


@dataclass
class Computed:
    number: int
    double: int = field(init=False)

    def __post_init__(self):
        self.double = self.number * 2


class Customer(BaseModel):
    name: str
    since: date
    orders: list[Order] = []


class Anything(BaseModel):
    item: Any


@dataclass
class Doubled:
    number: int
    factor: InitVar[int]
    notes: list[str] = field(init=False, default_factory=list)

    def __post_init__(self, factor):
        self.number *= factor


@attrs.define
class Sized:
    size: Any
    notes: list[str] = attrs.field(init=False, factory=list)


class Counted(BaseModel):
    name: str
    _count: int = 0


class Aliased(BaseModel):
    start: int = Field(alias="from")


class Extra(BaseModel, extra="allow"):
    pass


class Named(BaseModel, Generic[Item]):
    item: Item


class Outer:
    class Inner(Enum):
        ONE = 1


Point = namedtuple("Point", "x y")
Text = type("Text", (str,), {"__module__": __name__})
Number = type("Number", (int,), {"__module__": __name__})
Row = type("Row", (dict,), {"__module__": __name__})
Rows = type("Rows", (list,), {"__module__": __name__})


def _aligned():
    """Return records with bytes between their fields, and something in these."""
    array = numpy.frombuffer(bytes(range(32)), dtype=numpy.dtype([("flag", "i1"), ("x", "f8")], align=True))
    return array.copy()


def _with_attrs(frame, attrs={"unit": "m", "size": (1, 2)}):  # noqa: B006
    frame.attrs = attrs
    return frame


def _filled(value):
    value.notes.append("late")
    return value


def _noted(value):
    value.note = "late"
    return value


def _counted():
    value = Counted(name="a")
    value._count = 5
    return value


BERLIN = ZoneInfo("Europe/Berlin")
PLAIN: dict[str, Any] = {
    "none": None,
    "true": True,
    "int": 42,
    "largest_int": 2**63 - 1,
    "smallest_int": -(2**63),
    "float": 0.1,
    "whole_float": 1.0,
    "small_float": 5e-324,
    "float_that_sqlite_changes": 4657815.076224769,
    "text": 'Zürich "株" \U0001f600 \x7f\\u0000',
    "empty": "",
    "list": [1, "a", None, [2.5, []]],
    "dict": {"b": {"": []}, "a": None, "株": 1},
    "dict_that_databases_sort": {
        "b": 1,
        "aa": 2,
        "a": {"株": 1, "zzz": 2, "zz": [{"b": 1, "a": 2}]},
    },
    "csv_rows": [{"name": "a", "id": number, "price": 1.5} for number in range(20)],
    "dict_of_an_aws_error": {"__type": "NotFound", "__version__": 1, "__data__": [1]},
    "rows": [{"id": number, "name": f"customer {number}", "amount": number / 4} for number in range(20)],
}
"""JSON as it is."""

NATIVE: dict[str, Any] = {
    "tuple": (1, ("a", [2])),
    "set": {1, "a", (2, 3)},
    "frozenset": frozenset({1, frozenset({2})}),
    "set_of_dates": {date(2026, 3, 1), date(2026, 3, 2)},
    "date": date(2026, 3, 1),
    "datetime_utc": datetime(2026, 3, 1, 12, 30, 1, 123456, tzinfo=UTC),
    "datetime_zone": datetime(2026, 3, 1, 12, 30, tzinfo=BERLIN),
    "datetime_of_pendulums_offset": datetime(2026, 3, 1, tzinfo=pendulum.FixedTimezone(3600)),
    "datetime_naive": datetime(2026, 3, 1, 12, 30, 1, 123456),
    "timedelta": timedelta(days=-1, microseconds=1),
    "pendulum_datetime": pendulum.datetime(2026, 3, 1, 12, 30, tz="Europe/Berlin"),
    "pendulum_date": pendulum.date(2026, 3, 1),
    "decimal": Decimal("12.5"),
    "uuid": UUID("12345678-1234-5678-1234-567812345678"),
}
"""Pushed as the objects that they are: any task pulls them."""

TAGGED: dict[str, Any] = {
    "int_65_bits": 2**63,
    "int_huge": -(3**20_000),
    "nan": math.nan,
    "infinity": math.inf,
    "minus_infinity": -math.inf,
    "float_without_point": 1e16,
    "float_largest": 1.7976931348623157e308,
    "minus_zero": -0.0,
    "nul": "a\0b",
    "text_like_a_date_in_the_ui": "datetime.date@version=2(2026-01-02)",
    "only_nul": "\0",
    "lone_surrogate": "\udc80 and \\x",
    "surrogate_pair": "\ud83d\ude00",
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"\x00\xff"),
    "complex": complex(-0.0, math.nan),
    "path": Path("/data/größe/x.csv"),
    "path_pure": PurePath("a/../b"),
    "path_windows": PureWindowsPath(r"C:\data\x.csv"),
    "path_undecodable": PurePosixPath("/data/\udcff"),
    "enum": Color.RED,
    "enum_alias": Color.CRIMSON,
    "enum_odd_value": Color.BLUE,
    "enum_nested": Outer.Inner.ONE,
    "int_enum": Level.LOW,
    "str_enum": Mode.FAST,
    "enum_stdlib": HTTPStatus.NOT_FOUND,
    "flags": Access.READ | Access.WRITE,
    "no_flags": Access(0),
    "time": time(12, 30, 1, 5),
    "time_zone": time(12, 30, tzinfo=UTC, fold=1),
    "datetime_offset": datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=5, minutes=30), "IST")),
    "datetime_last": datetime.max,
    "datetime_first": datetime.min,
    "datetime_of_pendulums_zone": datetime(2026, 3, 1, tzinfo=pendulum.timezone("Europe/Berlin")),
    "timedelta_largest": timedelta.max,
    "timezone": UTC,
    "pendulum_zone": pendulum.timezone("Europe/Berlin"),
    "pendulum_offset": pendulum.FixedTimezone(-1800, "half"),
    "pendulum_time": pendulum.time(12, 30),
    "pendulum_naive": pendulum.naive(2026, 3, 1),
    "pendulum_duration": pendulum.duration(years=1, months=-2, days=3, microseconds=4),
    "pendulum_interval": pendulum.interval(pendulum.datetime(2026, 3, 1), pendulum.datetime(2025, 3, 1)),
    "decimal_zeros": Decimal("1.10"),
    "decimal_long": Decimal("3.14159265358979323846264338327950288"),
    "decimal_exponent": Decimal("1E+20"),
    "decimal_nan": Decimal("sNaN"),
    "deque": deque([1, (2,)], maxlen=3),
    "ordered_dict": OrderedDict([("b", 1), ("a", 2)]),
    "defaultdict": defaultdict(list, {"a": [1]}),
    "defaultdict_without": defaultdict(None, {1: 2}),
    "dict_int_keys": {1: "a", "1": "b"},
    "dict_any_keys": {None: 1, True: 2, 2.5: 3, (1, ("a",)): 4, b"x": 5, Color.RED: 6, date(2026, 3, 1): 7},
    "dict_nul_key": {"a\0": 1},
    "dict_like_serde": {"__classname__": "os.system", "__version__": 0, "__data__": "true"},
    "dict_like_old_serde": {"__type": "dict", "__var": {"a": 1}},
    "dict_like_a_schema": {"__id__": 1},
    "dict_like_ours": {"__pyrunner__": "float", "value": "nan"},
    "set_of_paths": {Path("/a"), Path("/b")},
    "frozenset_of_bytes": frozenset({b"a", frozenset({b"b"})}),
    "numpy_array": numpy.arange(6, dtype="<i4").reshape(2, 3),
    "numpy_array_dates": numpy.array(["2026-03-01", "NaT"], dtype="datetime64[D]"),
    "numpy_array_records": numpy.array([(1, 2.5)], dtype=[("id", "i4"), ("x", "f8")]),
    "numpy_array_empty": numpy.empty((0, 3)),
    "numpy_nan": numpy.float64("nan"),
    "numpy_complex": numpy.complex64(1 - 2j),
    "numpy_datetime": numpy.datetime64("2026-03-01T12:30"),
    "numpy_str": numpy.str_("a"),
    "numpy_array_aligned": _aligned(),
    "numpy_record": _aligned()[1],
    "frame_of_another_time": pandas.DataFrame(
        {"x": [1, 2]}, index=pandas.date_range("2026", periods=2, freq="h")
    ),
    "frame_with_attrs": _with_attrs(pandas.DataFrame({"x": [1]})),
    "series": pandas.Series([1.5, math.nan], index=["a", "b"], name=("total", 1)),
    "series_without_name": _with_attrs(pandas.Series(["a"])),
    "series_of_days": pandas.Series([1, 2], index=pandas.date_range("2026", periods=2)),
    "timestamp": pandas.Timestamp("2026-03-01T12:30:00.123456789"),
    "timestamp_zone": pandas.Timestamp("2026-10-25T01:30", tz="UTC").tz_convert("Europe/Berlin"),
    "timestamp_seconds": pandas.Timestamp("2026-03-01").as_unit("s"),
    "not_a_time": pandas.NaT,
    "pandas_timedelta": pandas.Timedelta("1 day 5 ns"),
    "dataclass_that_changes_itself": Doubled(2, 3),
    "dataclass_with_field_filled_later": _filled(Doubled(1, 2)),
    "dataclass_with_attribute": _noted(Order(1)),
    "dataclass_of_unordered_dict": Order(1, {"aa": 1, "b": 2}),
    "attrs": _filled(Sized(Level.LOW)),
    "attrs_of_dict_that_databases_sort": Sized({"bb": 1, "a": 2}),
    "pydantic_with_private": _counted(),
    "pydantic_with_defaults": Customer(name="a", since=date(2026, 3, 1)),
    "pydantic_with_alias": Aliased(**{"from": 1}),
    "pydantic_with_extra": Extra(b=1, aa=2, a=3),
    "dataclass_of_anything": Order(1, {"path": Path("/a"), "order": Order(2, math.nan)}),
    "dataclass_with_computed_field": Computed(2),
    "pydantic_of_anything": Anything(item=[Path("/a"), (1, Anything(item=b"x"))]),
    "numpy_int": numpy.int64(5),
    "numpy_float": numpy.float32(0.1),
    "numpy_bool": numpy.bool_(True),
    "frame": pandas.DataFrame(
        {"id": [1, 2], "name": ["a", None], "day": pandas.to_datetime(["2026-03-01"] * 2)}
    ),
    "frame_with_index": pandas.DataFrame({"x": [1.5, math.nan]}, index=pandas.Index(["a", "b"], name="k")),
    "attrs_plain": Sized("a"),
    "dataclass": Order(1, "a"),
    "dataclass_frozen": Frozen(1),
    "dataclass_with_tuple": Order(1, (1, 2)),
    "pydantic": Customer(name="株", since=date(2026, 3, 1), orders=[Order(1)]),
}
"""Pushed as they are encoded."""

NESTED: dict[str, Any] = {
    "one_set_of_keys_in_two_orders": [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": ({"b": 2, "a": 1},)}],
    "more_keys_than_the_index_holds": {f"{number:05}" + "x" * (number % 7): number for number in range(2000)},
    "unordered_everywhere": (
        {"b": 1, "a": {"d": {1: {"bb": 1, "b": 2}}, "cc": 1}},
        deque([{"aa": 1, "b": 2}]),
    ),
    "paths_in_rows": {
        "rows": [{"file": Path("/a"), "seen": {Path("/b")}}],
        "at": (time(1), [Decimal("1.10")]),
    },
    "tags_in_tuples": (b"a", (math.nan, {"__pyrunner__": (1,)})),
    "tuple_keys_of_tags": {(Path("/a"), Color.RED): defaultdict(set, {2**70: {b"x"}})},
    "frames": {"all": [pandas.DataFrame({"x": [1]})], "array": (numpy.zeros(2),)},
    "hours_that_come_twice": [datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold) for fold in (0, 1)],
    "orders": [Order(1), Order(2, deque([Order(3)]))],
    "deep": [[[[[[[[{"a": ({"b": [{1: [[["end"]]]}]},)}]]]]]]]],
}
VALUES = {**PLAIN, **NATIVE, **TAGGED, **NESTED}
"""Everything that travels, by name."""


def refused_values() -> dict[str, tuple[Any, str]]:
    """Return what cannot travel, by name, with how the error goes on after ``context['key']: ``."""
    cycle: list[Any] = []
    cycle.append({"again": cycle})
    cyclic = Order(1)
    cyclic.item = cyclic

    class Local(Enum):
        ONE = 1

    convert = "convert it to text, numbers, lists and dictionaries, or keep it in a file"
    base = "which would come back as its base: store"
    deep = f"value is nested more than 90 levels deep, or holds itself: {convert}"
    here = __name__
    lost = f"which cannot travel to another task ({here}"
    different = "would come back different"
    cannot = f"which cannot travel to another task: {convert}"
    return {
        "function": (len, f"value is a builtin_function_or_method, {cannot}"),
        "lambda": ([lambda: 1], f"value[0] is a function, {cannot}"),
        "class": (Order, f"value is a type, {cannot}"),
        "lock": ({"a": [threading.Lock()]}, f'value["a"][0] is a _thread.lock, {cannot}'),
        "mock": (Mock(), f"value is a unittest.mock.Mock, {cannot}"),
        "generator": ((x for x in ()), f"value is a generator, {cannot}"),
        "object": ({1: (object(),)}, f"value[1][0] is a object, {cannot}"),
        "userdict": (UserDict(), f"value is a collections.UserDict, {cannot}"),
        "in_dataclass": ([Order(1, {"x": object()})], f'value[0].item["x"] is a object, {cannot}'),
        "in_key": (
            {(1, len): 1},
            "value key (1, <built-in function len>)[1] is a builtin_function_or_method, ",
        ),
        "in_set": ({len}, "value element <built-in function len> is a builtin_function_or_method, "),
        "namedtuple": (
            {"rows": [1, 2, 3, Point(1, 2)]},
            f'value["rows"][3] is a {here}.Point, {base} tuple(...) of it',
        ),
        "text": (Text("a"), f"value is a {here}.Text, {base} str(...) of it"),
        "key": ({Text("a"): 1}, f"value key 'a' is a {here}.Text, {base} str(...) of it"),
        "number": (Number(1), f"value is a {here}.Number, {base} int(...) of it"),
        "row": (Row(a=1), f"value is a {here}.Row, {base} dict(...) of it"),
        "rows": (Rows([1]), f"value is a {here}.Rows, {base} list(...) of it"),
        "counter": (Counter("aab"), f"value is a collections.Counter, {base} dict(...) of it"),
        "local_enum": (
            Local.ONE,
            f"value is a {here}.refused_values.<locals>.Local, {lost}:refused_values.<locals>.Local",
        ),
        "keys_of_one_hash": (
            [{number * (2**61 - 1): 1 for number in range(101)}],
            "value[0] is a dict, of which more than 100 keys or elements have one hash: store a list",
        ),
        "elements_of_one_hash": (
            {number * (2**61 - 1) for number in range(101)},
            "value is a set, of which more than 100 keys or elements have one hash: store a list",
        ),
        "array_of_too_much": (
            {"a": numpy.empty((2**31, 0))},
            'value["a"] is a numpy.ndarray, which takes more than 1,073,741,824 bytes of memory: keep it in ',
        ),
        "default": (
            {"a": defaultdict(lambda: 1)},
            'value["a"] is a collections.defaultdict, whose default factory is none of Python\'s own types',
        ),
        "objects": (
            numpy.array([object()]),
            "value is a numpy.ndarray, which cannot travel to another task (",
        ),
        "frame_of_mixed_column": (
            {"all": pandas.DataFrame({"id": [1, 2], "x": [1, "a"]})},
            f'value["all"] is a pandas.DataFrame, whose column "x" (object of int, str) {different}',
        ),
        "frame_of_lists": (
            pandas.DataFrame({1: [[1]]}),
            f"value is a pandas.DataFrame, whose column 1 (object of list) {different}: convert it",
        ),
        "frame_of_dicts": (
            pandas.DataFrame({"x": [{"a": 1, "b": 2}, {"b": 2, "a": 1}]}),
            f'value is a pandas.DataFrame, whose column "x" (object of dict) {different}: convert it',
        ),
        "frame_of_two_columns_of_one_name": (
            pandas.DataFrame([[1, 2]], columns=["a", "a"]),
            f"value is a pandas.DataFrame, whose index or column labels {different}: store",
        ),
        "series_of_lists": (
            pandas.Series([[1]]),
            f'value is a pandas.Series, whose column "values" (object of list) {different}: convert it',
        ),
        "series_of_mixed": (
            pandas.Series([1, "a"], name="total"),
            f'value is a pandas.Series, whose column "values" (object of int, str) {different}: convert it',
        ),
        "frame_of_attrs": (
            _with_attrs(pandas.DataFrame({"x": [1]}), {"at": [len]}),
            f'value.attrs["at"][0] is a builtin_function_or_method, {cannot}',
        ),
        "pandas_index": (pandas.Index([1]), "value is a pandas.Index, which cannot travel"),
        "array_of_nested_gaps": (
            numpy.zeros(1, [("at", _aligned().dtype)]),
            f"value is a numpy.ndarray, whose dtype {different}: store .astype(...) of it, or numpy.lib",
        ),
        "array_of_metadata": (
            numpy.zeros(1, numpy.dtype("i4", metadata={"unit": "m"})),
            f"value is a numpy.ndarray, whose dtype {different}: store .astype(...) of it",
        ),
        "model_of_no_name": (
            Named[int](item=1),
            f"value is a {here}.Named[int], {lost}:Named[int] is not found: define it at the top level",
        ),
        "cycle": (cycle, deep),
        "cyclic_dataclass": (cyclic, deep),
        "deep": (_nested(91), deep),
    }


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


DEEPEST = _nested(90)


def image(value: Any) -> Any:
    """Return what makes up a value, types included: equal values have equal images, and NaN is NaN."""
    kind = type(value).__module__, type(value).__qualname__
    if isinstance(value, dict):
        items = [(image(key), image(item)) for key, item in value.items()]
        return kind, getattr(value, "default_factory", None), items
    if isinstance(value, (set, frozenset)):
        return kind, sorted(repr(image(item)) for item in value)
    if isinstance(value, (list, tuple, deque)):
        return kind, getattr(value, "maxlen", None), [image(item) for item in value]
    if isinstance(value, (datetime, time)) and value is not pandas.NaT:
        fold = value.fold if value.utcoffset() is None else None
        return kind, value.isoformat(), fold, type(value.tzinfo), repr(value.tzinfo)
    if isinstance(value, (numpy.ndarray, numpy.generic)):
        return kind, str(value.dtype), value.shape, repr(value.tolist())
    if isinstance(value, pandas.DataFrame):
        columns = [(image(name), str(column.dtype), column.tolist()) for name, column in value.items()]
        return kind, repr(columns), repr(value.index), image(value.attrs)
    if isinstance(value, pandas.Series):
        return kind, image(value.name), image(value.to_frame("x"))
    if isinstance(value, BaseModel):
        return (
            kind,
            sorted(value.model_fields_set),
            image(value.__getstate__() | {"__pydantic_fields_set__": 0}),
        )
    if isinstance(value, Sized):
        return kind, image(value.size), image(value.notes)
    if is_dataclass(value):
        return (
            kind,
            [(item.name, image(getattr(value, item.name))) for item in fields(value)],
            vars(value).keys(),
        )
    if isinstance(value, pendulum.Duration):
        return kind, value.years, value.months, value.as_timedelta()
    return kind, hex(value) if type(value) is int else repr(value)
