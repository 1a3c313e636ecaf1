"""How values of a kind travel that JSON does not carry, and the shape of what they are made of."""

from __future__ import annotations

import json
import re
from typing import Any, Callable, NamedTuple

HINT = "convert it to text, numbers, lists and dictionaries, or keep it in a file and its path in the context"
ANY = object
"""The shape of anything."""

_SHOWN_LENGTH = 50  # characters of a key or value in an error


class Refused(Exception):
    """
    Why a value cannot travel, to follow "... is a <type>, ".

    :ivar path: where it stands in what is encoded.
    :ivar type: its type, if it is not what is encoded itself.
    """

    path = ""
    type: type | None = None


class Kind(NamedTuple):
    """How values of a kind travel."""

    type: type | None
    """The exact type, where one type is the kind; for others it is tried whether they come back."""
    shape: Any
    """The shape of what :attr:`dump` returns: see :func:`fits`."""
    dump: Callable[[Any], Any]
    """Returns what the value is made of, to be encoded in turn; a dictionary is one of its attributes."""
    load: Callable[[Any], Any]
    """Makes the value again of what fits :attr:`shape`, or raises any exception."""
    fault: Callable[[Any, Any], str | None] | None = None
    """Says why what comes back is not the same, where :attr:`dump` may leave something out."""


def fits(data: Any, shape: Any) -> bool:
    """
    Say whether data is of a shape, before its class is asked for anything.

    :param shape: an exact type; the full name of one, whose library may not be there; a pattern of text;
        None; a tuple of shapes of which one must fit; a list of shapes, one for each item, or of one shape
        and ``...`` for any number of such items; a dictionary of shapes that items of one have; or
        :data:`ANY`.
    """
    if isinstance(shape, tuple):
        return any(fits(data, one) for one in shape)
    if isinstance(shape, list):
        if type(data) is not list:
            return False
        shapes = [shape[0]] * len(data) if shape[-1] is ... else shape
        return len(data) == len(shapes) and all(map(fits, data, shapes))
    if isinstance(shape, dict):
        return type(data) is dict and all(fits(data.get(key), one) for key, one in shape.items())
    if isinstance(shape, str):
        return library_name(type(data)) == shape
    if isinstance(shape, re.Pattern):
        return type(data) is str and shape.fullmatch(data) is not None
    return shape is ANY or (data is None if shape is None else type(data) is shape)


def library_name(cls: type) -> str:
    """Return a class's name in the library that it belongs to, such as ``pandas.DataFrame``."""
    return f"{cls.__module__.partition('.')[0]}.{cls.__name__}"


def full_name(cls: type) -> str:
    """Return the name under which a class is defined."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def shown(value: Any) -> str:
    """Return a value as an error shows it: not too long, whatever its class makes of ``repr``."""
    try:
        text = json.dumps(value) if type(value) is str else repr(value)
    except Exception:  # such as that of an integer of many digits
        text = object.__repr__(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."
