"""
What a context value looks like in the journal and in XCom, and how it becomes a value again.

What is stored is plain JSON that each of Airflow's databases gives back as it was: no NUL and no lone
surrogate in text, no NaN, no integer beyond 64 bits, no float that Postgres would make an integer of; and
not too deep. Only the order of an object's keys changes, so it is told beside the JSON: other tasks, which
do without, pull a plain dictionary. A value that Airflow's own serialization ("serde") gives back equal and
of the same type is stored as serde does it, so that any task can pull it and a person can read it. Any other
is tagged: ``{"__pyrunner__": kind, "value": ...}``.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pendulum
from airflow.sdk import conf
from airflow.sdk.serde import deserialize, serialize

from pyrunner_airflow.dag.kinds import KINDS
from pyrunner_airflow.worker.codec import (
    MAX_DEPTH,
    TAG,
    VALUE,
    ContextValueError,
    Encoder,
    Opaque,
    check_depth,
    explained,
    is_json_scalar,
    load_standard,
)
from pyrunner_airflow.worker.kind import Refused, shown

CLASSNAME, VERSION, DATA = "__classname__", "__version__", "__data__"  # serde's
ORDERS_LENGTH = 4000
"""How many characters the keys in :attr:`Encoded.orders` may have, since every task below stores them too."""

_RESERVED = frozenset({TAG, CLASSNAME, "__id__", "__var"})
"""Keys that tell a dictionary of ours or of serde's, of today or of Airflow 2."""
_PLACEHOLDER = re.compile(r"[\w.]+@version=\d+\(")
"""How Airflow's XCom tab shows an object, such as a date; saved there, this text takes its place."""
_ATOMS = frozenset({int, float, bool, type(None)})
_SCALARS = _ATOMS | {str}
_IMMUTABLE = _ATOMS | {date, timedelta, Decimal, UUID, pendulum.DateTime, pendulum.Date}
_CONTAINERS = {f"builtins.{cls.__name__}": cls for cls in (tuple, set, frozenset)}
_FORMS: dict[type, Any] = {cls: serialize(cls()) for cls in _CONTAINERS.values()}
_SERDE_TYPES = frozenset(
    {date, datetime, timedelta, Decimal, pendulum.Date, pendulum.DateTime, pendulum.Timezone}
)
"""Types of a kind that serde carries too, but not always unchanged."""
_SERDE_MODULES = frozenset({"datetime", "decimal", "numpy", "pandas", "pendulum", "uuid", "zoneinfo"})
Orders = Iterable[Iterable[str]]


class Encoded(NamedTuple):
    """A value as it is stored."""

    data: Any
    """JSON, in which PostgreSQL and MySQL sort each object by its keys."""
    orders: list[list[str]] | None
    """The keys of the dictionaries that this brings into another order."""


def encode(value: Any) -> Encoded:
    """
    Return a value as JSON can hold it: a copy, so that later changes to the value are not seen.

    :raises ContextValueError: if something in the value cannot travel: where it stands, its type, what to do.
    """
    encoder = _Encoder()
    try:
        data = encoder.encode(value, 0)
    except (Refused, RecursionError) as error:
        raise explained(value, error, _Encoder(), KINDS) from error
    return Encoded(data, encoder.orders or None)


class _Reading(NamedTuple):
    """How stored JSON is read."""

    orders: Mapping[frozenset[str], Iterable[str]]
    is_handed_on: bool = False


def decode(data: Any, orders: Orders | None = None, *, is_handed_on: bool = False) -> Any:
    """
    Return a new copy of the value that :func:`encode` was given.

    :param data: what :func:`encode` returned, or what ``xcom_pull`` made of it.
    :param orders: the keys of dictionaries in their order, from :func:`encode`.
    :param is_handed_on: leave what needs more than the standard library :class:`Opaque`, since it is for
        another interpreter.
    :raises ContextValueError: if :func:`encode` never returned this.
    """
    try:
        return _decode(data, _Reading({frozenset(keys): keys for keys in orders or ()}, is_handed_on))
    except Exception as error:  # whatever a forged value leads to
        raise ContextValueError(f"what is stored cannot be read: {error!r:.300}") from error


def to_xcom(encoded: Any) -> Any:
    """Return what to hand to ``xcom_push`` for Airflow to store the encoded value."""
    cls = type(encoded)
    if cls is list:
        return [item if type(item) in _SCALARS else to_xcom(item) for item in encoded]
    if cls is not dict:
        return encoded
    if CLASSNAME not in encoded:
        return {key: item if type(item) in _SCALARS else to_xcom(item) for key, item in encoded.items()}
    name, version, data = encoded[CLASSNAME], encoded[VERSION], encoded[DATA]
    if name in _CONTAINERS:
        return _CONTAINERS[name](map(to_xcom, data))
    module, _, class_name = name.rpartition(".")
    if module.split(".")[0] in _SERDE_MODULES:
        return _decode(encoded, _Reading({}))
    # The class may be gone: an app's modules are forgotten when its worker is done.
    body = {"__module__": module, "__version__": version, "serialize": lambda _: to_xcom(data)}
    return type(class_name, (), body)()


class _Encoder(Encoder):
    """Encodes one value."""

    def __init__(self) -> None:
        super().__init__(KINDS)
        self.orders: list[list[str]] = []
        self._room = ORDERS_LENGTH
        self._order_of: dict[frozenset[str], tuple[str, ...]] = {}
        self._plain: set[tuple[str, ...]] = set()

    @property
    def bases(self) -> Collection[type]:
        return _ENCODERS

    def encode(self, value: Any, depth: int) -> Any:
        return _ENCODERS.get(type(value), _Encoder.encode_object)(self, value, depth)

    def encode_str(self, value: str, depth: int) -> Any:
        is_plain = _is_storable(value) and not _is_placeholder(value)
        return value if is_plain else self.encode_tagged(value, depth)

    def encode_int(self, value: int, depth: int) -> Any:
        return value if is_json_scalar(value) else self.encode_tagged(value, depth)

    def encode_float(self, value: float, depth: int) -> Any:
        # In Postgres 1e16 becomes an integer, and -0.0 loses its sign.
        is_plain = -1e16 < value < 1e16 and (value != 0 or str(value) == "0.0")
        return value if is_plain else self.encode_tagged(value, depth)

    def encode_list(self, value: list[Any], depth: int) -> Any:
        check_depth(depth)
        return [self.encode(item, depth + 1) for item in value]

    def encode_dict(self, value: dict[Any, Any], depth: int) -> Any:
        check_depth(depth)
        if not self._is_plain_dict(value):
            return self.encode_tagged(value, depth)
        return {key: self.encode(item, depth + 1) for key, item in value.items()}

    def encode_container(self, value: Any, depth: int) -> Any:
        check_depth(depth)
        cls = type(value)
        items = self.encode_list(list(value), depth + 1)
        # To serde what is tagged is a dictionary, and no set holds one.
        if not _is_kept(cls) or (cls is not tuple and f'"{TAG}"' in json.dumps(items)):
            return {TAG: cls.__name__, VALUE: items}
        return {**_FORMS[cls], DATA: items}

    def encode_object(self, value: Any, depth: int) -> Any:
        kind = KINDS.kind_of(value)
        # Serde takes the real part of a complex number and drops a frame's attrs, with a warning in the log.
        is_less = (kind == "numpy" and value.dtype.kind == "c") or (
            kind == "pandas.DataFrame" and value.attrs
        )
        is_ours = is_less or kind in ("enum", "numpy.ndarray")
        form = None if is_ours else _serde_form(value, depth)
        if form is not None:
            return form
        if kind in (None, "model"):
            self.check_class(value, kind)
        return self.encode_tagged(value, depth)

    def decode(self, form: Any) -> Any:
        return _decode(form, _Reading({}))

    def _is_plain_dict(self, value: dict[Any, Any]) -> bool:
        if any(type(key) is not str for key in value):
            return False
        keys = tuple(value)
        if keys in self._plain:
            return True
        if not _RESERVED.isdisjoint(keys) or not all(map(_is_storable, keys)) or not self._has_order(keys):
            return False
        self._plain.add(keys)
        return True

    def _has_order(self, keys: tuple[str, ...]) -> bool:
        """Say whether a dictionary's keys come back in their order, noting it where a database changes it."""
        if self._order_of.setdefault(frozenset(keys), keys) != keys:
            return False
        if keys != tuple(sorted(keys, key=_rank)):
            length = sum(map(len, keys))
            if length > self._room:
                return False
            self._room -= length
            self.orders.append(list(keys))
        return True


def _rank(key: str) -> tuple[int, bytes]:
    """Return by what PostgreSQL and MySQL sort the keys of an object."""
    raw = key.encode()
    return len(raw), raw


def _sorted(value: Any) -> Any:
    """Return JSON as PostgreSQL and MySQL sort it."""
    if type(value) is list:
        return [_sorted(item) for item in value]
    return {key: _sorted(value[key]) for key in sorted(value, key=_rank)} if type(value) is dict else value


def _serde_form(value: Any, depth: int) -> Any:
    """Return serde's form of an object, or None if it would not come back the same from any database."""
    if not _is_kept(type(value)):
        return None
    try:
        form = serialize(value)
    except Exception:  # whatever the object's own methods raise
        return None
    is_form = type(form) is dict and CLASSNAME in form and _is_json(form, depth)
    return form if is_form and _Encoder().comes_back(value, _sorted(form)) else None


def _is_json(value: Any, depth: int) -> bool:
    cls = type(value)
    if cls in _SCALARS:
        return _Encoder().encode(value, 0) is value
    items = [*value, *value.values()] if cls is dict else value if cls is list else None
    return items is not None and depth < MAX_DEPTH and all(_is_json(item, depth + 1) for item in items)


def _is_kept(cls: type) -> bool:
    """Say whether the XCom backend keeps serde's form of a class: other backends lose nested tuples."""
    return cls is set or cls.__module__.split(".")[0] in _SERDE_MODULES or _backend_is_airflows()


@cache
def _backend_is_airflows() -> bool:
    return conf.get("core", "xcom_backend").endswith(".BaseXCom")


def _is_storable(text: str) -> bool:
    return "\0" not in text and is_json_scalar(text)


def _is_placeholder(text: str) -> bool:
    return "@version=" in text and _PLACEHOLDER.match(text) is not None


def _decode(encoded: Any, reading: _Reading) -> Any:
    cls = type(encoded)
    if cls is str:
        if _is_placeholder(encoded):
            raise ValueError(f"{shown(encoded)} only tells what it was")
        return encoded
    if cls in _IMMUTABLE:
        return encoded
    if cls is list or cls in _FORMS:
        return cls(item if type(item) in _ATOMS else _decode(item, reading) for item in encoded)
    if cls is dict and TAG in encoded:
        name, value = encoded[TAG], _decode(encoded[VALUE], reading)
        return load_standard(name, value) if reading.is_handed_on else KINDS[name].load(value)
    if cls is dict and CLASSNAME not in encoded:
        keys = reading.orders.get(frozenset(encoded), encoded) if reading.orders else encoded
        return {key: _decode(encoded[key], reading) for key in keys}
    if cls is dict and encoded[CLASSNAME] in _CONTAINERS:
        return _CONTAINERS[encoded[CLASSNAME]](_decode(item, reading) for item in encoded[DATA])
    value = deserialize(encoded) if cls is dict else copy.deepcopy(encoded)
    if type(value) is datetime and isinstance(value.tzinfo, pendulum.Timezone):
        # Serde gives a datetime one of pendulum's zones; where it had one before, it is tagged.
        key = value.tzinfo.key
        return value.replace(tzinfo=UTC if key == "UTC" else ZoneInfo(key))
    return value


_ENCODERS: dict[type, Callable[[_Encoder, Any, int], Any]] = {
    **{
        kind.type: _Encoder.encode_tagged
        for kind in KINDS.values()
        if kind.type is not None and kind.type not in _SERDE_TYPES
    },
    type(None): lambda _, value, __: value,
    bool: lambda _, value, __: value,
    str: _Encoder.encode_str,
    int: _Encoder.encode_int,
    float: _Encoder.encode_float,
    list: _Encoder.encode_list,
    dict: _Encoder.encode_dict,
    **dict.fromkeys(_FORMS, _Encoder.encode_container),
    Opaque: _Encoder.encode_opaque,
}
