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
import json
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
from airflow.sdk.serde import deserialize, serialize

SHOWN_LENGTH = 50
"""How many characters of a key or value an error shows."""


class Refused(Exception):
    """Why a value cannot travel, to follow "... is a <type>, "."""


class Kind(NamedTuple):
    """How values of a kind travel."""

    type: type | None
    """The exact type, where one type is the kind; other values are compared with what comes back."""
    dump: Callable[[Any], Any]
    """Returns what the value is made of: something that can be encoded in turn."""
    load: Callable[[Any], Any]
    """Makes the value again; raises any exception on what :attr:`dump` never returned."""
    is_same: Callable[[Any, Any], bool] | None = None
    """Compares two values of one type, where their dumps may differ though they are the same."""


def kind_of(value: Any) -> str | None:
    """Return the name of a value's kind, or None if it has none."""
    cls = type(value)
    if cls in _KIND_OF_TYPE:
        return _KIND_OF_TYPE[cls]
    if isinstance(value, Enum):
        return "enum"
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy and isinstance(value, numpy.generic):
        return "numpy"
    if numpy and cls is numpy.ndarray:
        return "ndarray"
    if pandas and value is pandas.NaT:
        return "pandas.NaT"
    if pandas and cls is getattr(pandas, cls.__name__, None) and f"pandas.{cls.__name__}" in KINDS:
        return f"pandas.{cls.__name__}"
    return None if fields_of(value) is None else "model"


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return all that a dataclass or pydantic model holds, or None for any other value."""
    if isinstance(value, pydantic.BaseModel):
        extra, private = value.__pydantic_extra__, value.__pydantic_private__
        return {**vars(value), **(extra or {}), **(private or {})}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if hasattr(value, field.name)]
        return {**{name: getattr(value, name) for name in names}, **getattr(value, "__dict__", {})}
    return None


def is_same(value: Any, other: Any) -> bool:
    """Compare two values by type and content, all the way down; NaN is the same as NaN."""
    cls = type(value)
    if cls is not type(other):
        return False
    if cls in (str, int, bool):
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
    return kind.is_same(value, other) if kind.is_same else is_same(kind.dump(value), kind.dump(other))


def name_of(cls: type) -> str:
    """Return a class's full name."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def shown(value: Any) -> str:
    """Return a value as an error shows it: not too long, whatever its class makes of ``repr``."""
    try:
        text = json.dumps(value) if type(value) is str else repr(value)
    except Exception:  # such as that of an integer of many digits
        text = object.__repr__(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}..."


def _is_allowed(name: str) -> bool:
    globs = conf.get("core", "allowed_deserialization_classes").split()
    patterns = conf.get("core", "allowed_deserialization_classes_regexp").split()
    return any(fnmatchcase(name, glob) for glob in globs) or any(
        re.fullmatch(text, name) for text in patterns
    )


def _address(value: Any) -> str:
    address = f"{type(value).__module__}:{type(value).__qualname__}"
    try:
        found = _find_class(address)
    except (ImportError, KeyError, ValueError):
        found = None
    if found is not type(value):
        raise Refused("whose class cannot be found by its name: define it at the top level of a module")
    return address


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
    is_pydantic = isinstance(value, pydantic.BaseModel)
    return [_address(value), pydantic.BaseModel.__getstate__(value) if is_pydantic else fields_of(value)]


def _load_model(data: list[Any]) -> Any:
    address, state = data
    cls: Any = _find_class(address)
    if not _is_allowed(name_of(cls)):
        raise ValueError(f"{name_of(cls)} is not in [core] allowed_deserialization_classes")
    # As copy.copy() does: a constructor may not take all that the model holds, or may change it.
    model = object.__new__(cls)
    if issubclass(cls, pydantic.BaseModel):
        pydantic.BaseModel.__setstate__(model, state)
        names = set(cls.model_fields)
    else:
        for name, item in state.items():
            object.__setattr__(model, name, item)
        names = {field.name for field in dataclasses.fields(cls)}
    if not all(hasattr(model, name) for name in names):
        raise ValueError(f"{name_of(cls)} has other fields")
    return model


def _dump_enum(value: Enum) -> list[Any]:
    return [_address(value), value.value if isinstance(value, Flag) else value.name]


def _load_enum(data: list[Any]) -> Enum:
    cls = _find_class(data[0])
    if not issubclass(cls, Enum):
        raise ValueError(f"{name_of(cls)} is no Enum")
    return cls(data[1]) if issubclass(cls, Flag) else cls[data[1]]


def _dump_str(value: str) -> str:
    return value.encode("unicode_escape").decode().replace("@", r"\x40")


def _dump_bytes(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode()


def _load_bytes(data: str) -> bytes:
    return base64.b64decode(data, validate=True)


def _dump_array(value: Any) -> list[Any]:
    import numpy

    file = io.BytesIO()
    numpy.save(file, value, allow_pickle=False)
    return [_dump_bytes(file.getvalue()), value.dtype.isalignedstruct]


def _load_array(data: list[Any]) -> Any:
    import numpy

    text, is_aligned = data
    array = numpy.load(io.BytesIO(_load_bytes(text)), allow_pickle=False)
    if not is_aligned:
        return array
    layout: Any = {
        "names": array.dtype.names,
        "formats": [array.dtype.fields[name][0] for name in array.dtype.names],
        "offsets": [array.dtype.fields[name][1] for name in array.dtype.names],
        "itemsize": array.dtype.itemsize,
    }
    return array.view(numpy.dtype(layout, align=True))


def _is_same_array(value: Any, other: Any) -> bool:
    if value.shape != other.shape or repr(value.dtype) != repr(other.dtype):
        return False
    if value.dtype.names:  # between the fields there may be bytes that mean nothing
        return all(_is_same_array(value[name], other[name]) for name in value.dtype.names)
    return bool(value.tobytes() == other.tobytes())


def _dump_frame(value: Any) -> dict[str, Any]:
    """Take off a frame what Airflow's form of it lacks."""
    freq = value.index.freqstr if value.index.dtype.kind in "mM" else None
    if not value.attrs and not freq:
        raise Refused(_why_not(value))
    bare = value.copy(deep=False)
    bare.attrs = {}
    if freq:
        bare.index = value.index.copy()
        bare.index.freq = None
    return {"frame": bare, "freq": freq, "attrs": value.attrs}


def _load_frame(data: dict[str, Any]) -> Any:
    frame = data["frame"]
    if data["freq"]:
        frame.index.freq = data["freq"]
    frame.attrs = data["attrs"]
    return frame


def _is_same_frame(value: Any, other: Any) -> bool:
    from pandas.testing import assert_frame_equal

    try:
        assert_frame_equal(value, other, check_exact=True)
    except AssertionError:
        return False
    # To pandas a tuple in a cell is the same as an array.
    cells, others = (
        [column.tolist() for _, column in frame.items() if column.dtype == object] for frame in (value, other)
    )
    return is_same(cells, others) and is_same(value.attrs, other.attrs)


def _why_not(frame: Any) -> str:
    """Say why Airflow does not carry a frame."""
    for position, (label, dtype) in enumerate(zip(frame.columns, frame.dtypes, strict=True)):
        column = frame.iloc[:, [position]].reset_index(drop=True).set_axis(["x"], axis=1)
        try:
            is_carried = is_same(column, deserialize(serialize(column)))
        except Exception:  # whatever pyarrow raises
            is_carried = False
        if not is_carried:
            types = ", ".join(sorted({type(item).__name__ for item in column["x"].head(1000)}))
            return (
                f"whose column {shown(label)} ({dtype} of {types:.100}) would come back different: "
                f"convert it, for example with .astype(str), or store .to_dict() of the frame"
            )
    return (
        "whose index or column labels would come back different: "
        "store .reset_index() of it, with a text of its own over each column"
    )


def _dump_timestamp(value: Any) -> list[Any]:
    return [str(value.asm8), value.unit, value.tzinfo]


def _load_timestamp(data: list[Any]) -> Any:
    import numpy
    import pandas

    text, unit, zone = data
    moment = pandas.Timestamp(numpy.datetime64(text, unit))
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)


def _dump_delta(value: Any) -> list[Any]:
    return [int(value.asm8.astype("int64")), value.unit]


def _load_delta(data: list[Any]) -> Any:
    import numpy
    import pandas

    return pandas.Timedelta(numpy.timedelta64(*data))


def _load_nat(data: None) -> Any:
    import pandas

    return pandas.NaT


def _dump_series(value: Any) -> list[Any]:
    return [value.name, value.to_frame("values")]


def _load_series(data: list[Any]) -> Any:
    name, frame = data
    return frame["values"].rename(name)


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


def _is_same_time(value: datetime | time, other: Any) -> bool:
    return bool(value == other) and _zone(value) == _zone(other)


def _zone(moment: datetime | time) -> tuple[Any, ...]:
    # Where there is a zone, fold counts only in the hours that come twice; pendulum sets it anywhere.
    offset = moment.utcoffset()
    return type(moment.tzinfo), repr(moment.tzinfo), moment.fold if offset is None else offset


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
        name: Kind(cls, _dump_time, functools.partial(_load_time, cls), _is_same_time)
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
    "enum": Kind(None, _dump_enum, _load_enum),
    "model": Kind(None, _dump_model, _load_model),
    "ndarray": Kind(None, _dump_array, _load_array, _is_same_array),
    "numpy": Kind(None, _dump_array, lambda d: _load_array(d)[()], _is_same_array),
    "pandas.DataFrame": Kind(None, _dump_frame, _load_frame, _is_same_frame),
    "pandas.Series": Kind(None, _dump_series, _load_series),
    "pandas.Timestamp": Kind(None, _dump_timestamp, _load_timestamp),
    "pandas.Timedelta": Kind(None, _dump_delta, _load_delta),
    "pandas.NaT": Kind(None, lambda v: None, _load_nat),
}
"""All kinds, by the name under which they are stored."""

_KIND_OF_TYPE = {kind.type: name for name, kind in KINDS.items() if kind.type is not None}
