"""
A worker's exception on its way to the task's process, which raises it again.

It travels as its class's name and as values of the context do: nothing that a worker's process may have
written is unpickled, no class's own code makes the exception, and no module is imported for it.
"""

from __future__ import annotations

import json
from typing import Any

from airflow.sdk.exceptions import TaskDeferred

from pyrunner_airflow.values import Allowed, Codec, ContextValueError
from pyrunner_airflow.values.models import find_class


class _Trigger:
    """What Airflow asks a deferral's trigger for, without its class, which only the triggerer imports."""

    def __init__(self, path: str, arguments: dict[str, Any], flags: dict[str, bool]) -> None:
        self._serialized = path, arguments
        vars(self).update(flags)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class, and what its constructor takes."""
        return self._serialized


def dump_error(error: BaseException, codec: Codec) -> str | None:
    """
    Return an exception as it goes to the task's process, or None if it cannot go there.

    Attributes that cannot travel stay behind, but not those of Airflow's own exceptions, which it asks for.
    """
    cls = type(error)
    try:
        # Constructors of their own take other arguments than `args` as often as not.
        args, state = error.args, vars(error)
        if cls.__module__ == "builtins":
            reduced: Any = error.__reduce__()  # which has what is not in vars, such as an ImportError's name
            _, args, *attributes = reduced
            state = dict(*attributes)
        if isinstance(error, TaskDeferred):
            state = {**state, "trigger": _dump_trigger(error.trigger)}
        told = {}
        for name, value in state.items():
            try:
                told[name] = codec.encode(value).data
            except ContextValueError:
                if cls.__module__.startswith("airflow."):
                    raise
        text = json.dumps([f"{cls.__module__}:{cls.__qualname__}", codec.encode(list(args)).data, told])
        return text if str(load_error(text, codec)) == str(error) else None
    except Exception:  # whatever a class or its attributes make of it
        return None


def load_error(text: str | None, codec: Codec) -> BaseException | None:
    """Return the exception, or None if this process does not have its class: no app is imported for it."""
    try:
        name, args, told = json.loads(text or "")
        cls = find_class(Allowed(), name)
        args, state = codec.decode(args), {key: codec.decode(value) for key, value in told.items()}
        base = next(base for base in cls.__mro__ if base.__module__ == "builtins")
        if not issubclass(base, BaseException):
            return None
        if cls is base:
            error: BaseException = cls(*args)
            error.__setstate__(state)
        else:
            error = base.__new__(cls, *args)
            vars(error).update(state)
        if isinstance(error, TaskDeferred):
            error.trigger = _Trigger(*error.trigger)
    except Exception:
        return None
    return error


def _dump_trigger(trigger: Any) -> list[Any]:
    classes = reversed(type(trigger).__mro__)
    flags = {name: value for cls in classes for name, value in vars(cls).items() if type(value) is bool}
    return [*trigger.serialize(), flags]
