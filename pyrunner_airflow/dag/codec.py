"""What a context value looks like in the journal and in XCom."""

from __future__ import annotations

from typing import Any

from airflow.sdk.serde import deserialize, serialize

_PLAIN = (str, int, float, bool, type(None))


class ContextValueError(TypeError):
    """A value that cannot travel from one task to another and come back the same."""


def encode(value: Any) -> Any:
    """
    Return a value as JSON can hold it: a copy, so that later changes to the value are not seen.

    :raises ContextValueError: if Airflow's serialization refuses the value, or would change it.
    """
    if type(value) in _PLAIN:
        return value
    try:
        encoded = serialize(value)
    except (TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ContextValueError(
            f"a {type(value).__qualname__} cannot be kept in the context: {error}"
        ) from error
    if not _same(value, deserialize(encoded)):
        raise ContextValueError(
            f"a {type(value).__qualname__} would not come back from the context as it is: {value!r:.200}"
        )
    return encoded


def decode(encoded: Any) -> Any:
    """Return a new copy of the value that :func:`encode` was given."""
    return encoded if type(encoded) in _PLAIN else deserialize(encoded)


def _same(value: Any, other: Any) -> bool:
    """Compare by type and value; what has no plain equality (arrays, frames) by type alone."""
    if type(value) is not type(other):
        return False
    if isinstance(value, dict):
        return value.keys() == other.keys() and all(_same(value[key], other[key]) for key in value)
    if isinstance(value, (list, tuple)):
        return len(value) == len(other) and all(map(_same, value, other))
    if isinstance(value, (*_PLAIN, set, frozenset)):
        return bool(value == other)
    return True
