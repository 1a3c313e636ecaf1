"""How context values of a kind travel that JSON does not carry."""

from __future__ import annotations

import json
from typing import Any, Callable, NamedTuple

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
    parts: Callable[[Any], Any] | None = None
    """Returns what is compared, where it is not what :attr:`dump` returns."""


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
