"""
Kinds of values that neither JSON nor Airflow's serialization carries: how each is taken apart and rebuilt.

Nothing is pickled or evaluated, since a value may be forged by whoever may edit XComs. Only a class that
Airflow's ``[core] allowed_deserialization_classes`` allows is imported or called. A member of an Enum is also
found in a module that the worker has imported already: that runs no code.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import importlib
import io
import re
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag
from fnmatch import fnmatchcase
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, NamedTuple

import pendulum
import pydantic
from airflow.sdk import conf


class Refused(Exception):
    """Why a value cannot travel, to follow "... is a <type>, "."""


class Kind(NamedTuple):
    """How values of a kind travel."""

    type: type | None
    """The exact type, where one type is the kind."""
    dump: Callable[[Any], Any]
    """Returns what the value is made of: something that can be encoded in turn."""
    load: Callable[[Any], Any]
    """Makes the value again; raises any exception on what :attr:`dump` never returned."""


def kind_of(value: Any) -> str | None:
    """Return the name of a value's kind, or None if it has none."""
    if type(value) in _KIND_OF_TYPE:
        return _KIND_OF_TYPE[type(value)]
    if isinstance(value, Enum):
        return "enum"
    numpy = sys.modules.get("numpy")
    if numpy and isinstance(value, numpy.generic):
        return "numpy"
    if numpy and type(value) is numpy.ndarray:
        return "ndarray"
    return None if fields_of(value) is None else "model"


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return what a dataclass or pydantic model is made of, or None for any other value."""
    if isinstance(value, pydantic.BaseModel):
        return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
    return None


def is_same(value: Any, other: Any) -> bool:
    """Compare two values by type and content, all the way down; NaN is the same as NaN."""
    if type(value) is not type(other):
        return False
    if isinstance(value, dict):
        keys = {key: key for key in other}
        return len(value) == len(other) and all(
            key in keys and is_same(key, keys[key]) and is_same(item, other[key])
            for key, item in value.items()
        )
    if isinstance(value, (list, tuple, deque)):
        return len(value) == len(other) and all(map(is_same, value, other))
    if isinstance(value, (set, frozenset)):
        return {(type(item), item) for item in value} == {(type(item), item) for item in other}
    if isinstance(value, (datetime, time)):
        return bool(value == other) and _zone(value) == _zone(other)
    if isinstance(value, (float, complex, Decimal)):
        return repr(value) == repr(other)
    if kind_of(value) in ("numpy", "ndarray"):
        return bool(value.dtype == other.dtype and value.tobytes() == other.tobytes())
    if type(value).__module__.split(".")[0] == "pandas":
        return _is_same_frame(value, other)
    fields = fields_of(value)
    return bool(value == other) if fields is None else is_same(fields, fields_of(other))


def _zone(moment: datetime | time) -> tuple[Any, ...]:
    # Where there is a zone, fold counts only in the hours that come twice; pendulum sets it anywhere.
    offset = moment.utcoffset()
    return type(moment.tzinfo), repr(moment.tzinfo), moment.fold if offset is None else offset


def _is_same_frame(value: Any, other: Any) -> bool:
    from pandas.testing import assert_frame_equal

    try:
        assert_frame_equal(value, other, check_exact=True, check_freq=False)
    except AssertionError:
        return False
    return True


def name_of(cls: type) -> str:
    """Return a class's full name."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _is_allowed(name: str) -> bool:
    globs = conf.get("core", "allowed_deserialization_classes").split()
    patterns = conf.get("core", "allowed_deserialization_classes_regexp").split()
    return any(fnmatchcase(name, glob) for glob in globs) or any(
        re.fullmatch(text, name) for text in patterns
    )


def _address(value: Any) -> str:
    return f"{type(value).__module__}:{type(value).__qualname__}"


def _find_class(address: str) -> type:
    module_name, name = address.split(":")
    if module_name not in sys.modules and not _is_allowed(f"{module_name}.{name}"):
        raise ValueError(
            f"{module_name}.{name} is not there: import {module_name} in the worker's module, or add "
            f"the class to [core] allowed_deserialization_classes"
        )
    found: Any = sys.modules.get(module_name) or importlib.import_module(module_name)
    for part in name.split("."):
        found = vars(found)[part]  # getattr may run code
    if not isinstance(found, type):
        raise ValueError(f"{module_name}.{name} is no class")
    return found


def _dump_model(value: Any) -> list[Any]:
    name = name_of(type(value))
    if not _is_allowed(name):
        raise Refused(
            f"which no other task may load: add {name} to [core] allowed_deserialization_classes, "
            f"or store a dictionary of its fields"
        )
    return [_address(value), fields_of(value)]


def _load_model(data: list[Any]) -> Any:
    cls = _find_class(data[0])
    if not _is_allowed(name_of(cls)):
        raise ValueError(f"{name_of(cls)} is not in [core] allowed_deserialization_classes")
    if not (dataclasses.is_dataclass(cls) or issubclass(cls, pydantic.BaseModel)):
        raise ValueError(f"{name_of(cls)} is neither a dataclass nor a pydantic model")
    return cls(**data[1])


def _dump_enum(value: Enum) -> list[Any]:
    try:
        found = _find_class(_address(value))
    except (KeyError, ValueError):
        found = None
    if found is not type(value):
        raise Refused("whose class cannot be found by its name: define it at the top level of a module")
    return [_address(value), value.value if isinstance(value, Flag) else value.name]


def _load_enum(data: list[Any]) -> Enum:
    cls = _find_class(data[0])
    if not issubclass(cls, Enum):
        raise ValueError(f"{name_of(cls)} is no Enum")
    return cls(data[1]) if issubclass(cls, Flag) else cls[data[1]]


def _dump_bytes(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode()


def _load_bytes(data: str) -> bytes:
    return base64.b64decode(data, validate=True)


def _dump_array(value: Any) -> str:
    import numpy

    file = io.BytesIO()
    numpy.save(file, value, allow_pickle=False)
    return _dump_bytes(file.getvalue())


def _load_array(data: str) -> Any:
    import numpy

    return numpy.load(io.BytesIO(_load_bytes(data)), allow_pickle=False)


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
    "str": Kind(
        str, lambda v: v.encode("unicode_escape").decode(), lambda d: d.encode().decode("unicode_escape")
    ),
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
    "datetime": Kind(datetime, _dump_time, functools.partial(_load_time, datetime)),
    "time": Kind(time, _dump_time, functools.partial(_load_time, time)),
    "timedelta": Kind(timedelta, lambda v: [v.days, v.seconds, v.microseconds], lambda d: timedelta(*d)),
    "timezone": Kind(timezone, lambda v: list(v.__getinitargs__()), lambda d: timezone(*d)),
    "pendulum.DateTime": Kind(
        pendulum.DateTime, _dump_time, functools.partial(_load_time, pendulum.DateTime)
    ),
    "pendulum.Time": Kind(pendulum.Time, _dump_time, functools.partial(_load_time, pendulum.Time)),
    "pendulum.Duration": Kind(pendulum.Duration, _dump_duration, _load_duration),
    "pendulum.Interval": Kind(pendulum.Interval, lambda v: [v.start, v.end], lambda d: pendulum.Interval(*d)),
    **{cls.__name__: Kind(cls, str, cls) for cls in (PosixPath, PurePosixPath, PureWindowsPath, WindowsPath)},
    "enum": Kind(None, _dump_enum, _load_enum),
    "model": Kind(None, _dump_model, _load_model),
    "ndarray": Kind(None, _dump_array, _load_array),
    "numpy": Kind(None, _dump_array, lambda d: _load_array(d)[()]),
}
"""All kinds, by the name under which they are stored."""

_KIND_OF_TYPE = {kind.type: name for name, kind in KINDS.items() if kind.type is not None}
