"""
All kinds of context values that JSON does not carry, and how each travels.

Nothing is pickled or evaluated, since a value may be forged by whoever may edit XComs.
"""

from __future__ import annotations

import base64
import functools
from collections import OrderedDict, defaultdict, deque
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Callable, Dict, Iterator, Mapping

from . import arrays, models
from .kind import Kind, Refused


class Kinds(Mapping[str, Kind]):
    """Kinds of values, by the names under which they are stored."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self._names = {kind.type: name for name, kind in kinds.items() if kind.type is not None}

    def __getitem__(self, name: str) -> Kind:
        return self._kinds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    @property
    def types(self) -> set[type]:
        """The types that are a kind."""
        return set(self._names)

    def kind_of(self, value: Any) -> str | None:
        """Return the name of a value's kind, or None if it has none."""
        cls = type(value)
        if cls in self._names:
            return self._names[cls]
        if isinstance(value, Enum):
            return "enum"
        if (cls.__module__, cls.__name__) in _LAZY:
            return cls.__name__
        return arrays.kind_of(value) or (None if models.fields_of(value) is None else "model")

    def is_same(self, value: Any, other: Any) -> bool:
        """Compare two values by type and content, all the way down; NaN is the same as NaN."""
        cls = type(value)
        if cls is not type(other):
            return False
        if cls in (str, int, bool, bytes):
            return bool(value == other)
        if cls is float:
            return repr(value) == repr(other)
        if cls is list:
            return len(value) == len(other) and all(map(self.is_same, value, other))
        if cls in (set, frozenset):
            return {(type(item), item) for item in value} == {(type(item), item) for item in other}
        name = self.kind_of(value)
        if name is None:
            return bool(value == other)
        kind = self[name]
        parts = kind.parts or kind.dump
        return self.is_same(parts(value), parts(other))


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


def dump_time(value: datetime | time) -> list[Any]:
    """Return what a time is made of."""
    plain: Any = datetime if isinstance(value, datetime) else time
    return [plain.replace(value, tzinfo=None, fold=0).isoformat(), value.tzinfo, value.fold]


def load_time(cls: Any, data: list[Any]) -> Any:
    """Make a time of a class again."""
    text, zone, fold = data
    plain: Any = datetime if issubclass(cls, datetime) else time  # pendulum's own replace() converts the zone
    return plain.replace(cls.fromisoformat(text), tzinfo=zone, fold=fold)


def time_parts(value: datetime | time) -> list[Any]:
    """Return what is compared of a time."""
    plain: Any = datetime if isinstance(value, datetime) else time
    # Where there is a zone, fold counts only in the hours that come twice; pendulum sets it anywhere.
    fold = value.fold if value.utcoffset() is None else None
    return [plain.isoformat(value), type(value.tzinfo), repr(value.tzinfo), fold]


def _load_zone(key: str) -> Any:
    from zoneinfo import ZoneInfo  # Python 3.9

    return ZoneInfo(key)


def _load_uuid(text: str) -> Any:
    from uuid import UUID

    return UUID(text)


_LAZY = frozenset({("zoneinfo", "ZoneInfo"), ("uuid", "UUID")})
"""Classes of modules that are imported only where there are such values."""
_FACTORIES: Dict[str, type] = {
    cls.__name__: cls for cls in (list, dict, set, tuple, str, int, float, bool, bytes, deque)
}
STANDARD: Dict[str, Kind] = {
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
        name: Kind(cls, dump_time, functools.partial(load_time, cls), time_parts)
        for name, cls in (("datetime", datetime), ("time", time))
    },
    "date": Kind(date, date.isoformat, date.fromisoformat),
    "timedelta": Kind(timedelta, lambda v: [v.days, v.seconds, v.microseconds], lambda d: timedelta(*d)),
    "timezone": Kind(timezone, lambda v: list(v.__getinitargs__()), lambda d: timezone(*d)),
    "ZoneInfo": Kind(None, lambda v: v.key, _load_zone),
    "UUID": Kind(None, str, _load_uuid),
    **{cls.__name__: Kind(cls, str, cls) for cls in (PosixPath, PurePosixPath, PureWindowsPath, WindowsPath)},
}
"""Those that need the standard library alone."""


def all_kinds(is_allowed: Callable[[str], bool], more: Mapping[str, Kind]) -> Kinds:
    """
    Return all kinds that there are in an interpreter.

    :param is_allowed: says of a class's full name whether it may be loaded.
    :param more: those that only the caller knows.
    """
    return Kinds({**STANDARD, **models.kinds(is_allowed), **arrays.KINDS, **more})
