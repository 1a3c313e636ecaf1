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
from typing import Any

from .kind import ANY, Kind, Refused

ZONE = (None, timezone, "zoneinfo.ZoneInfo", "pendulum.Timezone", "pendulum.FixedTimezone")
"""The shape of a time's zone."""
ZONE_NAME = re.compile(r"(?!dateutil/)[A-Za-z][\w+-]*(/[\w+-]+)*", re.ASCII)
"""Without a dot, so that it does not leave the database; dateutil would take it for any file's path."""

_FACTORIES: dict[str | None, Any] = {
    None: None,
    **{cls.__name__: cls for cls in (list, dict, set, tuple, str, int, float, bool, bytes, deque)},
}
_load_bytes = partial(base64.b64decode, validate=True)


def _dump_str(value: str) -> str:
    return value.encode("unicode_escape").decode().replace("@", r"\x40")


def _dump_bytes(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode()


def _pairs(value: dict[Any, Any]) -> list[Any]:
    return [[key, item] for key, item in value.items()]


def _dump_defaultdict(value: defaultdict[Any, Any]) -> list[Any]:
    factory: Any = value.default_factory
    if factory not in _FACTORIES.values():
        raise Refused("whose default factory is none of Python's own types: store dict(...) of it")
    return [factory and factory.__name__, _pairs(value)]


def _dump_time(value: datetime | time) -> list[Any]:
    plain: Any = datetime if isinstance(value, datetime) else time  # pendulum's replace() converts the zone
    offset = value.utcoffset()
    # Where there is an offset, fold counts only in the hours that come twice; pendulum sets it anywhere.
    is_counted = offset is None or offset != plain.replace(value, fold=1 - value.fold).utcoffset()
    text = plain.replace(value, tzinfo=None, fold=0).isoformat()
    return [text, value.tzinfo, value.fold if is_counted else 0]


def _load_time(name: str, data: list[Any]) -> Any:
    text, zone, fold = data
    cls = _class(name)
    plain: Any = datetime if issubclass(cls, datetime) else time
    return plain.replace(cls.fromisoformat(text), tzinfo=zone, fold=fold)


def _dump_duration(value: Any) -> list[int]:
    rest = value.as_timedelta() - timedelta(days=365 * value.years + 30 * value.months)
    return [rest.days, rest.seconds, rest.microseconds, 0, 0, 0, 0, value.years, value.months]


def _class(name: str) -> Any:
    """Return the class of a library, which is imported."""
    module, _, attribute = name.partition(".")
    return getattr(import_module(module), attribute)


def _make(name: str, arguments: list[Any]) -> Any:
    return _class(name)(*arguments)


_PAIRS = [[ANY, ANY], ...]
_MOMENT = [str, ZONE, int]
_DAY = ("pendulum.DateTime", "pendulum.Date")
_PATHS = (PosixPath, PurePosixPath, PureWindowsPath, WindowsPath)
KINDS: dict[str, Kind] = {
    "str": Kind(str, str, _dump_str, lambda d: d.encode("ascii").decode("unicode_escape")),
    "int": Kind(int, str, hex, lambda d: int(d, 16)),
    "float": Kind(float, str, repr, float),
    "complex": Kind(complex, [float, float], lambda v: [v.real, v.imag], lambda d: complex(*d)),
    "bytes": Kind(bytes, str, _dump_bytes, _load_bytes),
    "bytearray": Kind(bytearray, str, _dump_bytes, lambda d: bytearray(_load_bytes(d))),
    **{cls.__name__: Kind(cls, list, list, cls) for cls in (tuple, set, frozenset)},
    **{cls.__name__: Kind(cls, _PAIRS, _pairs, cls) for cls in (dict, OrderedDict)},
    "defaultdict": Kind(
        defaultdict, [(None, str), _PAIRS], _dump_defaultdict, lambda d: defaultdict(_FACTORIES[d[0]], d[1])
    ),
    "deque": Kind(deque, [list, (None, int)], lambda v: [list(v), v.maxlen], lambda d: deque(*d)),
    **{cls.__name__: Kind(cls, str, str, cls) for cls in (Decimal, *_PATHS)},
    "date": Kind(date, str, date.isoformat, date.fromisoformat),
    "datetime": Kind(datetime, _MOMENT, _dump_time, partial(_load_time, "datetime.datetime")),
    "time": Kind(time, _MOMENT, _dump_time, partial(_load_time, "datetime.time")),
    "timedelta": Kind(
        timedelta, [int] * 3, lambda v: [v.days, v.seconds, v.microseconds], lambda d: timedelta(*d)
    ),
    "timezone": Kind(
        timezone, ([timedelta], [timedelta, str]), lambda v: list(v.__getinitargs__()), lambda d: timezone(*d)
    ),
    **{
        name: Kind(None, _MOMENT, _dump_time, partial(_load_time, name))
        for name in ("pendulum.DateTime", "pendulum.Time")
    },
    **{
        name: Kind(None, shape, dump, partial(_make, name))
        for name, shape, dump in (
            ("uuid.UUID", [str], lambda v: [str(v)]),
            ("zoneinfo.ZoneInfo", [ZONE_NAME], lambda v: [v.key]),
            ("pendulum.Timezone", [ZONE_NAME], lambda v: [v.key]),
            ("pendulum.FixedTimezone", [int, str], lambda v: [v.offset, v.name]),
            ("pendulum.Date", [int] * 3, lambda v: [v.year, v.month, v.day]),
            ("pendulum.Duration", [int] * 9, _dump_duration),
            ("pendulum.Interval", [_DAY, _DAY], lambda v: [v.start, v.end]),
        )
    },
}
"""By the name under which they are stored: that of their class, in its library if it is not always there."""
