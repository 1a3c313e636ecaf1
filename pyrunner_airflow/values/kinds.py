"""The kinds of values that JSON does not carry; those of the standard library and of pendulum."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import partial
from importlib import import_module
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import FunctionType
from typing import Any, Callable, Iterable, NamedTuple
from uuid import UUID

HINT = "convert it to text, numbers, lists and dictionaries, or keep it in a file and its path in the context"
ZONE = (None, timezone, "zoneinfo.ZoneInfo", "pendulum.Timezone", "pendulum.FixedTimezone")
ZONE_NAME = re.compile(r"(?!dateutil/)[A-Za-z][\w+-]*(/[\w+-]+)*", re.ASCII)
"""Without a dot, so that it does not leave the database; dateutil would take it for any file's path."""

_OF_ONE_HASH = 100  # keys, each of which is compared with all others
_UTF_8 = "utf-8", "surrogatepass"
_FACTORIES: dict[Any, Any] = {
    cls and cls.__name__: cls for cls in (None, list, dict, set, tuple, str, int, float, bool, bytes, deque)
}


class Refused(Exception):
    """Why a value cannot travel, to follow "... is a <type>, "."""

    path = ""  # where it stands in what is encoded, as far as that is known
    type: type | None = None  # its own, as soon as it is known to be a part of another value


class Kind(NamedTuple):
    """How values of a kind travel."""

    shape: Any
    """The shape of what :attr:`dump` returns: see :func:`fits`."""
    dump: Callable[[Any], Any]
    """Returns what a value is made of, to be encoded in turn: a dictionary, if these are its attributes."""
    load: Callable[[Any], Any]
    """Makes the value again of what fits :attr:`shape`."""
    check: Callable[[Any, Any], object] = lambda value, back: None
    """Raises :class:`Refused` if what comes back of a value, if anything does, is not the same."""

    def make(self, data: Any) -> Any:
        """Return the value that is made of this, or raise any exception."""
        if not fits(data, self.shape):
            raise ValueError("it is made of something else")
        return self.load(data)


def fits(data: Any, shape: Any) -> bool:
    """
    Say whether data is of a shape, before its class is asked for anything.

    :param shape: an exact type, its name in a library that may not be there, or object; a pattern of text;
        None; a tuple of which one must fit; a list of shapes, one for each item, or of one and ``...`` for
        any number of such; a dictionary of shapes of some items; a function that says so.
    """
    if isinstance(shape, tuple):
        return any(fits(data, one) for one in shape)
    if isinstance(shape, list):
        shapes = shape[:1] * len(data) if type(data) is list and shape[-1] is ... else shape
        return type(data) is list and len(data) == len(shapes) and all(map(fits, data, shapes))
    if isinstance(shape, dict):
        return type(data) is dict and all(fits(data.get(key), one) for key, one in shape.items())
    if isinstance(shape, FunctionType):
        return bool(shape(data))
    if isinstance(shape, str):
        return library_name(type(data)) == shape
    if isinstance(shape, re.Pattern):
        return type(data) is str and shape.fullmatch(data) is not None
    return data is None if shape is None else shape in (object, type(data))


def library_name(cls: type) -> str:
    """Return a class's name in the library that it belongs to, such as ``pandas.DataFrame``."""
    return f"{cls.__module__.partition('.')[0]}.{cls.__name__}"


def is_a(cls: type, name: str) -> bool:
    """Say whether a class extends the one of this name in a library."""
    return name in map(library_name, cls.__mro__)


def full_name(cls: type) -> str:
    """Return the name under which a class is defined."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def shown(value: Any, length: int = 50) -> str:
    """Return a value, or an error's text, as an error shows it: not too long, whatever its class does."""
    try:
        show: Any = json.dumps if type(value) is str else str if isinstance(value, Exception) else repr
        text = show(value)
    except Exception:  # such as that of an integer of many digits
        text = object.__repr__(value)
    return text if len(text) <= length else f"{text[:length]}..."


def hashed(pairs: Any, keys: Iterable[Any]) -> Any:
    """Return what a dictionary or set of these keys is made of, unless it would take for ever to make."""
    if max(Counter(map(hash, keys)).values(), default=0) > _OF_ONE_HASH:  # as numbers may be chosen to have
        raise Refused(f"of which more than {_OF_ONE_HASH} keys or elements have one hash: store a list")
    return pairs


def _dump_defaultdict(value: defaultdict[Any, Any]) -> list[Any]:
    if value.default_factory not in _FACTORIES.values():
        raise Refused("whose default factory is none of Python's own types: store dict(...) of it")
    return [getattr(value.default_factory, "__name__", None), dict(value)]


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


def _load(load: Callable[[Any, Any], Any] | None, cls: Any, data: Any) -> Any:
    if isinstance(cls, str):
        module, _, name = cls.partition(".")
        cls = getattr(import_module(module), name)
    return load(cls, data) if load else cls(*data)


_TABLE: list[tuple[list[type | str], Any, Any, Any]] = [
    ([tuple], list, None, type.__call__),  # the encoder takes it apart, and the next three
    ([set, frozenset], list, None, lambda cls, d: cls(hashed(d, d))),
    ([dict], [list, ...], None, lambda cls, d: cls(hashed(d, (key for key, _ in d)))),
    ([float, complex, Decimal, UUID], str, str, type.__call__),
    ([PosixPath, PurePosixPath, PureWindowsPath, WindowsPath], str, str, type.__call__),
    ([str], bytes, lambda v: v.encode(*_UTF_8), lambda _, d: str(d, *_UTF_8)),
    ([int], str, hex, lambda _, d: int(d, 16)),
    ([bytes], str, lambda v: base64.b64encode(v).decode(), lambda _, d: base64.b64decode(d, validate=True)),
    ([bytearray], bytes, bytes, type.__call__),
    ([OrderedDict], [dict], lambda v: [dict(v)], None),
    ([defaultdict], [(None, str), dict], _dump_defaultdict, lambda cls, d: cls(_FACTORIES[d[0]], d[1])),
    ([deque], [list, (None, int)], lambda v: [list(v), v.maxlen], None),
    ([datetime, time, "pendulum.DateTime", "pendulum.Time"], [str, ZONE, int], _dump_time, _load_time),
    ([date, "pendulum.Date"], [int] * 3, lambda v: [v.year, v.month, v.day], None),
    ([timedelta], [int] * 3, lambda v: [v.days, v.seconds, v.microseconds], None),
    ([timezone], ([timedelta], [timedelta, str]), lambda v: list(v.__getinitargs__()), None),
    (["zoneinfo.ZoneInfo", "pendulum.Timezone"], [ZONE_NAME], lambda v: [v.key], None),
    (["pendulum.FixedTimezone"], [int, str], lambda v: [v.offset, v.name], None),
    (["pendulum.Duration"], [int] * 9, _dump_duration, None),
    (["pendulum.Interval"], [("pendulum.DateTime", "pendulum.Date")] * 2, lambda v: [v.start, v.end], None),
]
# Classes, or their names in a library that may not be there; the shape of what they are made of; how a value
# is taken apart, and how it is made again: None for a call of the class with all of that.
TYPES: dict[Any, str] = {cls: cls.__name__ for row in _TABLE for cls in row[0] if isinstance(cls, type)}
"""The kinds' names by the types of which all values are of that kind."""
KINDS = {
    TYPES.get(cls, cls): Kind(shape, dump, partial(_load, load, cls))
    for classes, shape, dump, load in _TABLE
    for cls in classes
}
"""By the name under which they are stored: that of their class."""
