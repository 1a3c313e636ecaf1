"""The dictionary that the workers of a job share, as its authors see it."""

from __future__ import annotations

import re
from typing import Any, Iterator, List, MutableMapping

_MAX_KEY_LENGTH = 250
_RESERVED_PREFIX = "pyrunner."
KEY = re.compile(f"(?!{re.escape(_RESERVED_PREFIX)}).{{1,{_MAX_KEY_LENGTH}}}", re.DOTALL)
"""What a key of the context may be."""


class ContextKeyError(ValueError):
    """A key that the context cannot hold."""


class _Keys(List[str]):
    """Keys that may be called: PyRunner's ``keys`` is a list and a property, a mapping's is a method."""

    def __call__(self) -> _Keys:
        return self


class Context(MutableMapping[str, Any]):
    """
    PyRunner's context over any mapping that holds the values.

    The mapping is the boundary to whoever runs the worker: a plain dictionary in a unit test, XComs in an
    Airflow task. Method names are those of python-batch-runner 5.2.1's Context, with the rest of a mapping.
    """

    __hash__ = object.__hash__  # which a mapping has not, but PyRunner's context has

    interactive = False
    """PyRunner's interactive mode, which there is none of here."""

    def __init__(self, store: MutableMapping[str, Any]) -> None:
        self._store = store

    def __getitem__(self, key: str) -> Any:
        return self._store[key]

    def __setitem__(self, key: str, value: Any) -> None:
        _check_key(key)
        self._store[key] = value

    def __delitem__(self, key: str) -> None:
        del self._store[key]

    def __contains__(self, key: object) -> bool:
        return key in self._store

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._store))  # a loop over the context may change it, as in PyRunner

    def __len__(self) -> int:
        return len(self._store)

    def __bool__(self) -> bool:
        return True  # as in PyRunner, where helpers say `context = context or {}`

    def __repr__(self) -> str:
        return f"<Context of {sorted(self._store)}>"

    @property
    def keys(self) -> _Keys:  # type: ignore[override]
        """The keys, as ``context.keys`` (PyRunner) and as ``context.keys()`` (a mapping)."""
        return _Keys(self)

    # Not what a mapping inherits: only ``context[key]`` may go on looking where the key is not expected.

    def get(self, key: str, default: Any = None) -> Any:
        """Return the key's value, or the default."""
        if key in self:
            return self[key]
        return default

    def pop(self, key: str, *default: Any) -> Any:
        """Delete the key and return its value; where there is none, the default or a KeyError."""
        if default and key not in self:
            return default[0]
        value = self[key]
        del self[key]
        return value

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the key's value, after giving it the default where there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def items(self) -> list[tuple[str, Any]]:  # type: ignore[override]
        """Return keys and values as a list, as PyRunner does."""
        return [(key, self[key]) for key in self]

    @property
    def shared_dict(self) -> Context:
        """What PyRunner keeps the values in; here the context itself."""
        return self

    def copy(self) -> dict[str, Any]:
        """Return a dictionary of all keys and values."""
        return dict(self.items())

    def has_key(self, key: str) -> bool:
        """Say whether the context has the key."""
        return key in self

    def set(self, key: str, value: Any) -> None:
        """Assign a value, like ``context[key] = value``."""
        self[key] = value


def _check_key(key: object) -> None:
    if not isinstance(key, str):
        raise ContextKeyError(f"a context key must be a str, not {type(key).__name__}: {key!r}")
    if key.startswith(_RESERVED_PREFIX):
        raise ContextKeyError(f"context keys that start with {_RESERVED_PREFIX!r} are reserved: {key!r}")
    if not KEY.fullmatch(key):
        bounds = f"1 to {_MAX_KEY_LENGTH} characters"
        raise ContextKeyError(f"a context key must have {bounds}, not {len(key)}: {key[:50]!r}")
