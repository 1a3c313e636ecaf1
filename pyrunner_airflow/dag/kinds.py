"""
All kinds of context values that neither JSON nor Airflow's serialization carries: how each travels.

Nothing is pickled or evaluated, since a value may be forged by whoever may edit XComs.
"""

from __future__ import annotations

import base64
import functools
from collections import OrderedDict, defaultdict, deque
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any

import pendulum

from pyrunner_airflow.dag import arrays, models
from pyrunner_airflow.dag.kind import Kind, Refused


def kind_of(value: Any) -> str | None:
    """Return the name of a value's kind, or None if it has none."""
    cls = type(value)
    if cls in _KIND_OF_TYPE:
        return _KIND_OF_TYPE[cls]
    if isinstance(value, Enum):
        return "enum"
    return arrays.kind_of(value) or (None if models.fields_of(value) is None else "model")


def is_same(value: Any, other: Any) -> bool:
    """Compare two values by type and content, all the way down; NaN is the same as NaN."""
    cls = type(value)
    if cls is not type(other):
        return False
    if cls in (str, int, bool, bytes):
        return bool(value == other)
    if cls is float:
        return repr(value) == repr(other)
    if cls is list:
        return len(value) == len(other) and all(map(is_same, value, other))
    if cls in (set, frozenset):
        return {(type(item), item) for item in value} == {(type(item), item) for item in other}
    name = kind_of(value)
    if name is None:
        return bool(value == other)
    kind = KINDS[name]
    parts = kind.parts or kind.dump
    return is_same(parts(value), parts(other))


def _dump_str(value: str) -> str:
    return value.encode("unicode_escape").decode().replace("@", r"\x40")


def _dump_bytes(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode()


def _load_bytes(data: str) -> bytes:
    return base64.b64decode(data, validate=True)


def _pairs(value: dict[Any, Any]) -> list[Any]:
    return [[key, item] for key, item in value.items()]


def _dump_defaultdict(value: defaultdict[Any, Any]) -> list[Any]:
    factory: Any = value.default_factory
    if factory is None:
        return [None, _pairs(value)]
    if factory not in _FACTORIES.values():
        raise Refused("whose default factory is none of Python's own types: store dict(...) of it")
    return [factory.__name__, _pairs(value)]


def _load_defaultdict(data: list[Any]) -> defaultdict[Any, Any]:
    factory, pairs = data
    return defaultdict(None if factory is None else _FACTORIES[factory], pairs)


def _dump_time(value: datetime | time) -> list[Any]:
    plain: Any = datetime if isinstance(value, datetime) else time
    return [plain.replace(value, tzinfo=None, fold=0).isoformat(), value.tzinfo, value.fold]


def _load_time(cls: Any, data: list[Any]) -> Any:
    text, zone, fold = data
    plain: Any = datetime if issubclass(cls, datetime) else time  # pendulum's own replace() converts the zone
    return plain.replace(cls.fromisoformat(text), tzinfo=zone, fold=fold)


def _time_parts(value: datetime | time) -> list[Any]:
    plain: Any = datetime if isinstance(value, datetime) else time
    # Where there is a zone, fold counts only in the hours that come twice; pendulum sets it anywhere.
    fold = value.fold if value.utcoffset() is None else None
    return [plain.isoformat(value), type(value.tzinfo), repr(value.tzinfo), fold]


def _dump_duration(value: pendulum.Duration) -> list[int]:
    rest = value.as_timedelta() - timedelta(days=365 * value.years + 30 * value.months)
    return [value.years, value.months, rest.days, rest.seconds, rest.microseconds]


def _load_duration(data: list[int]) -> pendulum.Duration:
    years, months, days, seconds, microseconds = data
    return pendulum.Duration(days, seconds, microseconds, years=years, months=months)


_FACTORIES: dict[str, type] = {
    cls.__name__: cls for cls in (list, dict, set, tuple, str, int, float, bool, bytes, deque)
}
KINDS: dict[str, Kind] = {
    "str": Kind(str, _dump_str, lambda d: d.encode().decode("unicode_escape")),
    "int": Kind(int, hex, lambda d: int(d, 16)),
    "float": Kind(float, repr, float),
    "complex": Kind(complex, lambda v: [v.real, v.imag], lambda d: complex(*d)),
    "bytes": Kind(bytes, _dump_bytes, _load_bytes),
    "bytearray": Kind(bytearray, _dump_bytes, lambda d: bytearray(_load_bytes(d))),
    "tuple": Kind(tuple, list, tuple),
    "set": Kind(set, list, set),
    "frozenset": Kind(frozenset, list, frozenset),
    "dict": Kind(dict, _pairs, dict),
    "OrderedDict": Kind(OrderedDict, _pairs, OrderedDict),
    "defaultdict": Kind(defaultdict, _dump_defaultdict, _load_defaultdict),
    "deque": Kind(deque, lambda v: [list(v), v.maxlen], lambda d: deque(*d)),
    "Decimal": Kind(Decimal, str, Decimal),
    **{
        name: Kind(cls, _dump_time, functools.partial(_load_time, cls), _time_parts)
        for name, cls in {
            "datetime": datetime,
            "time": time,
            "pendulum.DateTime": pendulum.DateTime,
            "pendulum.Time": pendulum.Time,
        }.items()
    },
    "timedelta": Kind(timedelta, lambda v: [v.days, v.seconds, v.microseconds], lambda d: timedelta(*d)),
    "timezone": Kind(timezone, lambda v: list(v.__getinitargs__()), lambda d: timezone(*d)),
    "pendulum.Duration": Kind(pendulum.Duration, _dump_duration, _load_duration),
    "pendulum.Interval": Kind(pendulum.Interval, lambda v: [v.start, v.end], lambda d: pendulum.Interval(*d)),
    **{cls.__name__: Kind(cls, str, cls) for cls in (PosixPath, PurePosixPath, PureWindowsPath, WindowsPath)},
    **models.KINDS,
    **arrays.KINDS,
}
"""All kinds, by the name under which they are stored."""

_KIND_OF_TYPE = {kind.type: name for name, kind in KINDS.items() if kind.type is not None}
