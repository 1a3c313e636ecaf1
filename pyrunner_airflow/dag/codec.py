"""
What a context value looks like in the journal and in XCom, and how it becomes a value again.

What is stored is plain JSON that each of Airflow's databases gives back as it was: no NUL and no lone
surrogate in text, no NaN, no integer beyond 64 bits, no float that Postgres would make an integer of; and
not too deep. A value that Airflow's own serialization ("serde") gives back equal and of the same type is
stored as serde does it, so that any task can pull it and a person can read it. Any other is tagged:
``{"__pyrunner__": kind, "value": ...}``.
"""

from __future__ import annotations

import copy
import json
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pendulum
from airflow.sdk import conf
from airflow.sdk.serde import deserialize, serialize

from pyrunner_airflow.dag.kinds import KINDS, Refused, fields_of, is_same, kind_of, name_of

TAG = "__pyrunner__"
VALUE = "value"
CLASSNAME, VERSION, DATA = "__classname__", "__version__", "__data__"  # serde's
MAX_DEPTH = 90
"""How deep the arrays and objects of stored JSON are nested; MySQL's limit is 100."""

_RESERVED = frozenset({TAG, CLASSNAME, "__id__", "__var"})
"""Keys that tell a dictionary of ours or of serde's, of today or of Airflow 2."""
_SCALARS = frozenset({str, int, float, bool, type(None)})
_IMMUTABLE = _SCALARS | {date, timedelta, Decimal, UUID, pendulum.DateTime, pendulum.Date}
_CONTAINERS = {f"builtins.{cls.__name__}": cls for cls in (tuple, set, frozenset)}
_FORMS: dict[type, Any] = {cls: serialize(cls()) for cls in _CONTAINERS.values()}
_SERDE_TYPES = frozenset({datetime, pendulum.DateTime, timedelta, Decimal})
"""Types of a kind that serde carries too, but not always unchanged."""
_SERDE_MODULES = frozenset({"datetime", "decimal", "numpy", "pandas", "pendulum", "uuid", "zoneinfo"})
_HINT = (
    "convert it to text, numbers, lists and dictionaries, or keep it in a file and its path in the context"
)


class ContextValueError(ValueError):
    """A value that cannot travel from one task to another and come back equal and of the same type."""


def encode(value: Any) -> Any:
    """
    Return a value as JSON can hold it: a copy, so that later changes to the value are not seen.

    :raises ContextValueError: if something in the value cannot travel: where it stands, its type, what to do.
    """
    try:
        return _encode(value, 0)
    except Refused as error:
        path, culprit, reason = _locate(value, "value", str(error))
        raise ContextValueError(f"{path} is a {name_of(type(culprit))}, {reason}") from error
    except RecursionError as error:
        raise ContextValueError(f"value is nested too deep: {_HINT}") from error


def decode(encoded: Any) -> Any:
    """
    Return a new copy of the value that :func:`encode` was given.

    :param encoded: what :func:`encode` returned, or what ``xcom_pull`` made of it.
    :raises ContextValueError: if :func:`encode` never returned this.
    """
    try:
        return _decode(encoded)
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
        return _decode(encoded)
    # The class may be gone: an app's modules are forgotten when its worker is done.
    body = {"__module__": module, "__version__": version, "serialize": lambda _: to_xcom(data)}
    return type(class_name, (), body)()


def _encode(value: Any, depth: int) -> Any:
    return _ENCODERS.get(type(value), _encode_object)(value, depth)


def _encode_str(value: str, depth: int) -> Any:
    is_plain = "\0" not in value and (value.isascii() or _is_utf8(value))
    return value if is_plain else _tagged("str", value, depth)


def _encode_int(value: int, depth: int) -> Any:
    return value if -(2**63) <= value < 2**63 else _tagged("int", value, depth)


def _encode_float(value: float, depth: int) -> Any:
    # In Postgres 1e16 becomes an integer, and -0.0 loses its sign.
    is_plain = -1e16 < value < 1e16 and (value != 0 or str(value) == "0.0")
    return value if is_plain else _tagged("float", value, depth)


def _encode_list(value: list[Any], depth: int) -> Any:
    _check_depth(depth)
    encoders, depth = _ENCODERS, depth + 1
    return [encoders.get(type(item), _encode_object)(item, depth) for item in value]


def _encode_dict(value: dict[Any, Any], depth: int) -> Any:
    _check_depth(depth)
    if not _RESERVED.isdisjoint(value):
        return _tagged("dict", value, depth)
    for key in value:
        if type(key) is not str or "\0" in key or not (key.isascii() or _is_utf8(key)):
            return _tagged("dict", value, depth)
    encoders, depth = _ENCODERS, depth + 1
    return {key: encoders.get(type(item), _encode_object)(item, depth) for key, item in value.items()}


def _encode_container(value: Any, depth: int) -> Any:
    _check_depth(depth)
    cls = type(value)
    items = _encode_list(list(value), depth + 1)
    # To serde what is tagged is a dictionary, and no set holds one.
    if not _is_kept(cls) or (cls is not tuple and f'"{TAG}"' in json.dumps(items)):
        return {TAG: cls.__name__, VALUE: items}
    return {**_FORMS[cls], DATA: items}


def _encode_object(value: Any, depth: int) -> Any:
    kind = kind_of(value)
    # Of a complex number serde takes the real part, with a warning that the worker's author would see.
    is_ours = kind in ("enum", "ndarray") or (kind == "numpy" and value.dtype.kind == "c")
    form = None if is_ours else _serde_form(value, depth)
    if form is not None:
        return form
    if kind in (None, "model"):
        base = next((base for base in type(value).__mro__ if base in _ENCODERS), None)
        if base is not None:
            raise Refused(f"which would come back as its base: store {base.__name__}(...) of it")
    if kind is None:
        raise Refused(f"which cannot travel to another task: {_HINT}")
    return _tagged(kind, value, depth)


def _tagged(kind: str, value: Any, depth: int) -> Any:
    _check_depth(depth)
    try:
        data = KINDS[kind].dump(value)
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"which cannot travel to another task ({error}): {_HINT}") from error
    form = {TAG: kind, VALUE: _encode(data, depth + 1)}
    if KINDS[kind].type is None and not _comes_back(value, form):
        raise Refused(f"which would come back different: {_HINT}")
    return form


def _serde_form(value: Any, depth: int) -> Any:
    """Return serde's form of an object, or None if it would not come back the same from any database."""
    if not _is_kept(type(value)):
        return None
    try:
        form = serialize(value)
    except Exception:  # whatever the object's own methods raise
        return None
    is_form = type(form) is dict and CLASSNAME in form and _is_json(form, depth)
    return form if is_form and _comes_back(value, form) else None


def _comes_back(value: Any, form: Any) -> bool:
    try:
        return is_same(value, _decode(form))
    except Exception:  # whatever the object's own methods raise
        return False


def _is_json(value: Any, depth: int) -> bool:
    cls = type(value)
    if cls in _SCALARS:
        return _encode(value, 0) is value
    items = [*value, *value.values()] if cls is dict else value if cls is list else None
    return items is not None and depth < MAX_DEPTH and all(_is_json(item, depth + 1) for item in items)


def _is_kept(cls: type) -> bool:
    """Say whether the XCom backend keeps serde's form of a class: other backends lose nested tuples."""
    return cls is set or cls.__module__.split(".")[0] in _SERDE_MODULES or _backend_is_airflows()


@cache
def _backend_is_airflows() -> bool:
    return conf.get("core", "xcom_backend").endswith(".BaseXCom")


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise ContextValueError(
            f"value is nested more than {MAX_DEPTH} levels deep, or holds itself: {_HINT}"
        )


def _decode(encoded: Any) -> Any:
    cls = type(encoded)
    if cls in _IMMUTABLE:
        return encoded
    if cls is list:
        return [item if type(item) in _SCALARS else _decode(item) for item in encoded]
    if cls is dict and TAG in encoded:
        return KINDS[encoded[TAG]].load(_decode(encoded[VALUE]))
    if cls is dict and CLASSNAME not in encoded:
        return {key: item if type(item) in _SCALARS else _decode(item) for key, item in encoded.items()}
    if cls is dict and encoded[CLASSNAME] in _CONTAINERS:
        return _CONTAINERS[encoded[CLASSNAME]](map(_decode, encoded[DATA]))
    if cls in _FORMS:
        return cls(map(_decode, encoded))
    value = deserialize(encoded) if cls is dict else copy.deepcopy(encoded)
    if type(value) is datetime and isinstance(value.tzinfo, pendulum.Timezone):
        # Serde gives a datetime one of pendulum's zones; where it had one before, it is tagged.
        key = value.tzinfo.key
        return value.replace(tzinfo=UTC if key == "UTC" else ZoneInfo(key))
    return value


def _locate(value: Any, path: str, reason: str) -> tuple[str, Any, str]:
    """Return where in a value the first thing stands that was refused, that thing, and why."""
    for step, child in _children(value):
        try:
            _encode(child, 0)
        except Refused as error:
            return _locate(child, path + step, str(error))
    return path, value, reason


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                yield f" key {key!r:.50}", key
            yield f"[{json.dumps(key) if type(key) is str else repr(key)}]", item
    elif isinstance(value, (list, tuple, deque)):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        yield from ((f" element {item!r:.50}", item) for item in value)
    else:
        yield from ((f".{name}", item) for name, item in (fields_of(value) or {}).items())


_ENCODERS: dict[type, Callable[[Any, int], Any]] = {
    **{
        kind.type: partial(_tagged, name)
        for name, kind in KINDS.items()
        if kind.type is not None and kind.type not in _SERDE_TYPES
    },
    type(None): lambda value, _: value,
    bool: lambda value, _: value,
    str: _encode_str,
    int: _encode_int,
    float: _encode_float,
    list: _encode_list,
    dict: _encode_dict,
    **dict.fromkeys(_FORMS, _encode_container),
}
