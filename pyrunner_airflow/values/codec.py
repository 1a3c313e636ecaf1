"""
What a context value looks like in the journal, in XCom and on its way to another process.

It is plain JSON, of which each of Airflow's databases gives back all but the order of an object's keys; that
is told beside it. What JSON does not carry, or a database would change, is tagged. Nothing is pickled or
evaluated, since a value may be forged by whoever may edit XComs.
"""

from __future__ import annotations

import re
import sys
from enum import Enum
from itertools import count
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from . import arrays, kinds, models
from .kinds import HINT, TYPES, Kind, Refused, fits, full_name, is_a, library_name, shown
from .models import Allowed, field_names

TAG, VALUE = "__pyrunner__", "value"
MAX_DEPTH = 90  # of values: their JSON may be two levels deeper, and MySQL's limit is 100
ORDERS = (None, [[str, ...], ...])  # the shape of Encoded.orders
ORDERS_LENGTH = 4000  # of all their keys, in characters: every task below stores them too

_RESERVED = frozenset({TAG, "__classname__", "__id__", "__var"})  # ours, Airflow's, and Airflow 2's
_PLACEHOLDER = re.compile(r"[\w.]+@version=\d+\(")
"""How Airflow's XCom tab shows an object, such as a date; saved there, this text takes its place."""
_CANNOT = "which cannot travel to another task"
# How an error writes the step from a value to a part of it, whose key is {0}, as it is shown {1}.
_ITEM, _KEY, _ELEMENT, _ATTRIBUTE = "[{1}]", " key {1}", " element {1}", ".{0}"
_ATOMS = frozenset({int, float, bool, str, type(None)})
_KINDS: dict[Any, Kind] = {**kinds.KINDS, **arrays.KINDS}


class ContextValueError(ValueError):
    """A value that cannot travel from one task to another and come back equal and of the same type."""


class Encoded(NamedTuple):
    """A value as it is stored."""

    data: Any
    """JSON, in which PostgreSQL and MySQL sort each object by its keys."""
    orders: list[list[str]] | None
    """The keys of the dictionaries that this brings into another order."""


class Codec:
    """Encodes values as JSON and decodes them; only models of the classes that are allowed."""

    def __init__(self, allowed: Allowed) -> None:
        self.kinds = {**_KINDS, **models.kinds(allowed)}

    def encode(self, value: Any) -> Encoded:
        """
        Return a value as JSON can hold it: a copy, so that later changes to the value are not seen.

        :raises ContextValueError: if something in it cannot travel: where it stands, its type, what to do.
        """
        if _is_plain(value):
            return Encoded(value, None)
        encoder = _Encoder(self)
        try:
            data = encoder.encode(value, 0)
        except Refused as error:
            path = error.path if len(error.path) < 300 else f"...{error.path[-300:]}"
            cls = error.type or type(value)
            raise ContextValueError(f"value{path} is a {full_name(cls)}, {error}") from error
        return Encoded(data, encoder.orders or None)

    def decode(self, data: Any, orders: Sequence[Sequence[str]] | None = None) -> Any:
        """
        Return a new copy of the value of which :meth:`encode` has made this.

        :raises ContextValueError: if :meth:`encode` never returned this, or this interpreter cannot read it.
        """
        if not fits(orders, ORDERS):
            raise ContextValueError("the order of its keys is not as it was stored")
        try:
            # Each key once, whatever is told: else what stands there would be decoded as often.
            return self._decode(data, {frozenset(keys): [*dict.fromkeys(keys)] for keys in orders or ()})
        except RecursionError as error:
            raise ContextValueError("it is nested too deep") from error

    def _decode(self, data: Any, order_of: Mapping[frozenset[str], Sequence[str]]) -> Any:
        cls = type(data)
        if cls is list:
            return [item if type(item) in _ATOMS else self._decode(item, order_of) for item in data]
        if cls is not dict:
            return data
        if TAG not in data:
            keys = order_of.get(frozenset(data), data) if order_of else data
            return {key: self._decode(data[key], order_of) for key in keys}
        name = data[TAG]
        try:
            if name not in self.kinds:
                raise ValueError("this version does not know it")
            return self.kinds[name].make(self._decode(data[VALUE], order_of))
        except (ContextValueError, RecursionError):
            raise
        except Exception as error:  # a library that is missing, or whatever a forged value leads to
            kind_name = name[:50] if type(name) is str else shown(name)
            where = f"it holds a value of the kind {kind_name}, which {sys.executable} cannot read"
            raise ContextValueError(f"{where}: {shown(error, 300)}") from error


def is_encoded(data: Any, depth: int = 0) -> bool:
    """Say whether this is as :meth:`Codec.encode` has it, whatever is in its tagged parts."""
    if type(data) not in (list, dict):
        return _is_plain(data)
    if type(data) is dict:
        is_tagged = data.keys() == {TAG, VALUE} and type(data[TAG]) is str
        if not (is_tagged or _RESERVED.isdisjoint(data)):
            return False
        data = [*data, *data.values()]
    return depth < MAX_DEPTH + 2 and all(_is_plain(part) or is_encoded(part, depth + 1) for part in data)


class _Encoder:
    """Encodes one value."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.orders: list[list[str]] = []
        self._room = ORDERS_LENGTH
        # In which order dictionaries of some keys are plain, if in any.
        self._order_of: dict[frozenset[str], tuple[str, ...] | None] = {}

    def encode(self, value: Any, depth: int) -> Any:
        """Return the form of a value that stands so deep in what is encoded."""
        if _is_plain(value):
            return value
        if depth >= MAX_DEPTH:
            fault = f"is nested more than {MAX_DEPTH} levels deep, or holds itself"
            raise ContextValueError(f"value {fault}: {HINT}")
        cls = type(value)
        if cls is list:
            return self._encode_all(_ITEM, enumerate(value), depth + 1)
        if cls in (tuple, set, frozenset):
            step, keys = (_ITEM, count()) if cls is tuple else (_ELEMENT, kinds.hashed(value, value))
            return {TAG: cls.__name__, VALUE: self._encode_all(step, zip(keys, value), depth + 2)}
        return self._encode_dict(_ITEM, value, depth) if cls is dict else self._encode_kind(value, depth)

    def _encode_kind(self, value: Any, depth: int) -> Any:
        name = _kind_of(value)
        kind = self._codec.kinds[name]
        try:
            data = kind.dump(value)
            if type(data) is dict:
                made_of: Any = self._encode_dict(_ATTRIBUTE, data, depth + 1)
            elif type(data) is list:  # an error names the value, since nobody knows what it travels as
                made_of = [self.encode(part, depth + 2) for part in data]
            else:
                made_of = self.encode(data, depth + 1)
            if type(value) not in TYPES:
                back = kind.make(self._codec.decode(made_of))
                if type(back) is not type(value):
                    raise TypeError(f"it would come back as a {full_name(type(back))}")
                kind.check(value, back)
        except (Refused, ContextValueError):
            raise
        except Exception as error:  # whatever the object's own methods raise
            kind.check(value, None)
            raise Refused(f"{_CANNOT} ({shown(error, 200)}): {HINT}") from error
        return {TAG: name, VALUE: made_of}

    def _encode_all(self, step: str, parts: Iterable[tuple[Any, Any]], depth: int) -> list[Any]:
        forms = []
        for key, part in parts:
            try:
                forms.append(self.encode(part, depth))
            except Refused as error:
                error.path = step.format(key, shown(key)) + error.path
                error.type = error.type or type(part)
                raise
        return forms

    def _encode_dict(self, step: str, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        if self._is_plain_dict(value):
            return dict(zip(value, self._encode_all(step, value.items(), depth + 1)))
        keys = self._encode_all(_KEY, zip(kinds.hashed(value, value), value), depth + 3)
        items = self._encode_all(step, value.items(), depth + 3)
        return {TAG: "dict", VALUE: [list(pair) for pair in zip(keys, items)]}

    def _is_plain_dict(self, value: dict[Any, Any]) -> bool:
        """Say whether a dictionary comes back from JSON, noting the order of its keys if that changes it."""
        if any(type(key) is not str for key in value):
            return False
        order = tuple(value)
        keys = frozenset(order)
        if keys not in self._order_of:
            is_plain = _RESERVED.isdisjoint(keys) and all(map(_is_plain, keys))
            if is_plain and order != tuple(sorted(order, key=lambda key: (len(key.encode()), key.encode()))):
                is_plain = sum(map(len, order)) <= self._room
                if is_plain:
                    self._room -= sum(map(len, order))
                    self.orders.append(list(order))
            self._order_of[keys] = order if is_plain else None
        return self._order_of[keys] == order


def _is_plain(value: Any) -> bool:
    """Say whether a value is text, a number, a bool or None that every database gives back as it was."""
    cls = type(value)
    if cls is str:
        is_text = "\0" not in value and (value.isascii() or value.encode(errors="ignore").decode() == value)
        return is_text and ("@version=" not in value or not _PLACEHOLDER.match(value))
    if cls is int:
        return bool(-(2**63) <= value < 2**63)
    if cls is float:
        # In PostgreSQL 1e16 becomes an integer, and -0.0 loses its sign.
        return bool(-1e16 < value < 1e16 and (value or str(value) == "0.0"))
    return value is None or cls is bool


def _kind_of(value: Any) -> str:
    """Return the name of a value's kind; raises Refused if it has none."""
    cls = type(value)
    name = TYPES.get(cls) or library_name(cls)
    if name in _KINDS:
        return name
    if isinstance(value, Enum) or is_a(cls, "numpy.generic"):
        return "enum" if isinstance(value, Enum) else "numpy.generic"
    for base in cls.__mro__:
        if base in TYPES or base is list:
            raise Refused(f"which would come back as its base: store {base.__name__}(...) of it")
    if field_names(cls) is None:
        raise Refused(f"{_CANNOT}: {HINT}")
    return "model"
