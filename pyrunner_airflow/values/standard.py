"""Context values of the standard library, and pendulum's, which extend its times."""

from __future__ import annotations

import base64
import re
from collections import OrderedDict, defaultdict, deque
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import partial
from importlib import import_module
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Callable
from uuid import UUID

from .kind import ANY, Kind, Refused

ZONE = (None, timezone, "zoneinfo.ZoneInfo", "pendulum.Timezone", "pendulum.FixedTimezone")
"""The shape of a time's zone."""
ZONE_NAME = re.compile(r"(?!dateutil/)[A-Za-z][\w+-]*(/[\w+-]+)*", re.ASCII)
"""Without a dot, so that it does not leave the database; dateutil would take it for any file's path."""

_FACTORIES: dict[str | None, Any] = {
    None: None,
    **{cls.__name__: cls for cls in (list, dict, set, tuple, str, int, float, bool, bytes, deque)},
}


def _dump_str(value: str) -> str:
    return value.encode("unicode_escape").decode().replace("@", r"\x40")


def _pairs(value: dict[Any, Any]) -> list[Any]:
    return [[key, item] for key, item in value.items()]


def _dump_defaultdict(value: defaultdict[Any, Any]) -> list[Any]:
    factory: Any = value.default_factory
    if factory not in _FACTORIES.values():
        raise Refused("whose default factory is none of Python's own types: store dict(...) of it")
    return [factory and factory.__name__, dict(value)]


def _dump_time(value: datetime | time) -> list[Any]:
    plain: Any = datetime if isinstance(value, datetime) else time  # pendulum's replace() converts the zone
    offset = value.utcoffset()
    # Where there is an offset, fold counts only in the hours that come twice; pendulum sets it anywhere.
    is_counted = offset is None or offset != plain.replace(value, fold=1 - value.fold).utcoffset()
    text = plain.replace(value, tzinfo=None, fold=0).isoformat()
    return [text, value.tzinfo, value.fold if is_counted else 0]


def _load_time(cls: Any, data: list[Any]) -> Any:
    text, zone, fold = data
    plain: Any = datetime if issubclass(cls, datetime) else time
    return plain.replace(cls.fromisoformat(text), tzinfo=zone, fold=fold)


def _dump_duration(value: Any) -> list[int]:
    rest = value.as_timedelta() - timedelta(days=365 * value.years + 30 * value.months)
    return [rest.days, rest.seconds, rest.microseconds, 0, 0, 0, 0, value.years, value.months]


def _of_one(cls: Any, argument: Any) -> Any:
    return cls(argument)


def _of_many(cls: Any, arguments: list[Any]) -> Any:
    return cls(*arguments)


def _load(load: Callable[[Any, Any], Any], cls: type | str, data: Any) -> Any:
    if isinstance(cls, str):
        module, _, name = cls.partition(".")
        cls = getattr(import_module(module), name)
    return load(cls, data)


_DAY = ("pendulum.DateTime", "pendulum.Date")
_PATHS = (PosixPath, PurePosixPath, PureWindowsPath, WindowsPath)
_TABLE: list[tuple[list[type | str], Any, Callable[[Any], Any], Callable[[Any, Any], Any]]] = [
    ([tuple, set, frozenset], list, list, _of_one),
    ([float, complex, Decimal, UUID, *_PATHS], str, str, _of_one),
    ([str], str, _dump_str, lambda _, d: d.encode("ascii").decode("unicode_escape")),
    ([int], str, hex, lambda _, d: int(d, 16)),
    ([bytes], str, lambda v: base64.b64encode(v).decode(), lambda _, d: base64.b64decode(d, validate=True)),
    ([bytearray], bytes, bytes, _of_one),
    ([dict], [[ANY, ANY], ...], _pairs, _of_one),
    ([OrderedDict], [dict], lambda v: [dict(v)], _of_many),
    ([defaultdict], [(None, str), dict], _dump_defaultdict, lambda cls, d: cls(_FACTORIES[d[0]], d[1])),
    ([deque], [list, (None, int)], lambda v: [list(v), v.maxlen], _of_many),
    ([datetime, time, "pendulum.DateTime", "pendulum.Time"], [str, ZONE, int], _dump_time, _load_time),
    ([date, "pendulum.Date"], [int] * 3, lambda v: [v.year, v.month, v.day], _of_many),
    ([timedelta], [int] * 3, lambda v: [v.days, v.seconds, v.microseconds], _of_many),
    ([timezone], ([timedelta], [timedelta, str]), lambda v: list(v.__getinitargs__()), _of_many),
    (["zoneinfo.ZoneInfo", "pendulum.Timezone"], [ZONE_NAME], lambda v: [v.key], _of_many),
    (["pendulum.FixedTimezone"], [int, str], lambda v: [v.offset, v.name], _of_many),
    (["pendulum.Duration"], [int] * 9, _dump_duration, _of_many),
    (["pendulum.Interval"], [_DAY, _DAY], lambda v: [v.start, v.end], _of_many),
]
"""Classes, or their names in libraries that may not be there: the shape of what they are made of, dump, load."""
KINDS = {
    cls if isinstance(cls, str) else cls.__name__: Kind(
        None if isinstance(cls, str) else cls, shape, dump, partial(_load, load, cls)
    )
    for classes, shape, dump, load in _TABLE
    for cls in classes
}
"""By the name under which they are stored: that of their class."""
