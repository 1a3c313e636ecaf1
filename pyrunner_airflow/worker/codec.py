"""
What a context value looks like between two interpreters, and how it becomes a value again.

It is JSON, in which what JSON does not carry is tagged: ``{"__pyrunner__": kind, "value": ...}``. Nothing is
pickled.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import Any, Callable, Collection, Iterator

from .kind import Refused, name_of, shown
from .kinds import STANDARD, Kinds
from .models import fields_of

TAG = "__pyrunner__"
VALUE = "value"
MAX_DEPTH = 90
"""How deep the arrays and objects of stored JSON are nested; MySQL's limit is 100."""
HINT = "convert it to text, numbers, lists and dictionaries, or keep it in a file and its path in the context"

_PATH_LENGTH = 300  # of what an error shows
_SCALARS: frozenset[type] = frozenset({str, int, float, bool, type(None)})


class ContextValueError(ValueError):
    """A value that cannot travel from one task to another and come back equal and of the same type."""


class Opaque:
    """
    A value of a kind that is not loaded here, but only handed on.

    :ivar kind: the name of its kind.
    :ivar data: what it is made of.
    """

    __slots__ = ("data", "kind")

    def __init__(self, kind: str, data: Any) -> None:
        self.kind = kind
        self.data = data


class Encoder:
    """Encodes values of some kinds."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds

    @property
    def bases(self) -> Collection[type]:
        """The types that come back as they are, and those that extend them do not."""
        return {*self._kinds.types, *_SCALARS, list}

    def encode(self, value: Any, depth: int) -> Any:
        """
        Return a value as JSON, a copy.

        :param depth: how deep in what is encoded the value stands.
        :raises Refused: if it cannot travel.
        """
        cls = type(value)
        if cls in _SCALARS and is_json_scalar(value):
            return value
        check_depth(depth)
        if cls is list:
            return [self.encode(item, depth + 1) for item in value]
        if (
            cls is dict
            and TAG not in value
            and all(type(key) is str and is_json_scalar(key) for key in value)
        ):
            return {key: self.encode(item, depth + 1) for key, item in value.items()}
        if cls is Opaque:
            return self.encode_opaque(value, depth)
        kind = self._kinds.kind_of(value)
        if kind in (None, "model"):
            self.check_class(value, kind)
        return self.encode_tagged(value, depth)

    def encode_opaque(self, value: Opaque, depth: int) -> Any:
        """Hand on a value that was not loaded."""
        check_depth(depth)
        return {TAG: value.kind, VALUE: self.encode(value.data, depth + 1)}

    def check_class(self, value: Any, kind: str | None) -> None:
        """Refuse a value that would lose its class, or that nothing carries."""
        base = next((base for base in type(value).__mro__ if base in self.bases), None)
        if base is not None:
            raise Refused(f"which would come back as its base: store {base.__name__}(...) of it")
        if kind is None:
            raise Refused(f"which cannot travel to another task: {HINT}")

    def encode_tagged(self, value: Any, depth: int) -> Any:
        """Tag a value with its kind."""
        check_depth(depth)
        name: Any = self._kinds.kind_of(value)
        kind = self._kinds[name]
        try:
            data = kind.dump(value)
        except Refused:
            raise
        except Exception as error:
            raise Refused(f"which cannot travel to another task ({error!s:.200}): {HINT}") from error
        form = {TAG: name, VALUE: self.encode(data, depth + 1)}
        if kind.type is None and not self.comes_back(value, form):
            raise Refused(f"which would come back different: {HINT}")
        return form

    def comes_back(self, value: Any, form: Any) -> bool:
        """Say whether a form becomes the value that it was made of."""
        try:
            return self._kinds.is_same(value, self.decode(form))
        except Exception:  # whatever the object's own methods raise
            return False

    def decode(self, form: Any) -> Any:
        """Return the value of a form."""
        return decode(form, self._kinds)


def is_json_scalar(value: Any) -> bool:
    """Say whether text or a number comes back from JSON: no thousands of digits, no halves of characters."""
    if type(value) is int:
        return -(2**63) <= value < 2**63
    if type(value) is not str or value.isascii():
        return True
    try:
        return bool(value.encode())
    except UnicodeEncodeError:
        return False


def encode(value: Any, kinds: Kinds) -> Any:
    """
    Return a value as JSON: a copy, so that later changes to the value are not seen.

    :raises ContextValueError: if something in the value cannot travel: where it stands, its type, what to do.
    """
    encoder = Encoder(kinds)
    try:
        return encoder.encode(value, 0)
    except (Refused, RecursionError) as error:
        raise explained(value, error, encoder, kinds) from error


def decode(form: Any, kinds: Kinds) -> Any:
    """
    Return a new copy of the value that :func:`encode` was given.

    :raises ContextValueError: if it holds something that this interpreter does not know.
    """
    return _decode(form, lambda name, data: _load(name, data, kinds))


def decode_standard(form: Any) -> Any:
    """Return the value, in which those that need more than the standard library are :class:`Opaque`."""
    return _decode(form, load_standard)


def _decode(form: Any, load: Callable[[str, Any], Any]) -> Any:
    cls = type(form)
    if cls is list:
        return [item if type(item) in _SCALARS else _decode(item, load) for item in form]
    if cls is not dict:
        return form
    if TAG in form:
        return load(form[TAG], _decode(form[VALUE], load))
    return {key: _decode(item, load) for key, item in form.items()}


def load_standard(name: str, data: Any) -> Any:
    """Return the value of a kind, :class:`Opaque` if it is not for this interpreter to make."""
    if name not in STANDARD:
        return Opaque(name, data)
    try:
        return STANDARD[name].load(data)
    except Exception:  # it holds something opaque, such as a time a zone of pendulum's
        return Opaque(name, data)


def _load(name: str, data: Any, kinds: Kinds) -> Any:
    if name not in kinds:
        raise ContextValueError(
            f"it holds a value of the kind {name}, which {sys.executable} does not know: "
            f"let the row that writes it store text, numbers, lists and dictionaries"
        )
    try:
        return kinds[name].load(data)
    except Exception as error:  # a library that is not there, or too old for what was written
        raise ContextValueError(
            f"it holds a value of the kind {name}, which {sys.executable} cannot read: {error}"
        ) from error


def check_depth(depth: int) -> None:
    """Refuse what is nested too deep for a database."""
    if depth >= MAX_DEPTH:
        raise ContextValueError(f"value is nested more than {MAX_DEPTH} levels deep, or holds itself: {HINT}")


def explained(value: Any, error: Exception, encoder: Encoder, kinds: Kinds) -> ContextValueError:
    """
    Return what is to be raised of a value that cannot travel: where in it the first such thing stands.

    :param error: what encoding the whole raised.
    :param encoder: with which its parts are tried.
    """
    if isinstance(error, RecursionError):
        return ContextValueError(f"value is nested too deep: {HINT}")
    path, culprit, reason = _locate(value, "value", str(error), encoder, kinds)
    if len(path) > _PATH_LENGTH:
        path = f"{path[: _PATH_LENGTH // 2]}...{path[-_PATH_LENGTH // 2 :]}"
    return ContextValueError(f"{path} is a {name_of(type(culprit))}, {reason}")


def _locate(value: Any, path: str, reason: str, encoder: Encoder, kinds: Kinds) -> tuple[str, Any, str]:
    """Return where in a value the first thing stands that was refused, that thing, and why."""
    for step, child in _children(value, kinds):
        try:
            encoder.encode(child, 0)
        except Refused as error:
            return _locate(child, path + step, str(error), encoder, kinds)
    return path, value, reason


def _children(value: Any, kinds: Kinds) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                yield f" key {shown(key)}", key
            yield f"[{shown(key)}]", item
    elif isinstance(value, (list, tuple, deque)):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        yield from ((f" element {shown(item)}", item) for item in value)
    else:
        is_frame = kinds.kind_of(value) in ("pandas.DataFrame", "pandas.Series")
        fields = {"attrs": value.attrs} if is_frame else fields_of(value) or {}
        yield from ((f".{name}", item) for name, item in fields.items())
