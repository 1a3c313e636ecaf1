"""
Context values of an author's own classes: members of an Enum, dataclasses, attrs classes, pydantic models.

Only a class that may be loaded is imported, and none is called. A member of an Enum is also found in a module
that is imported already. No library of models is imported: whoever has such a value has done that.
"""

from __future__ import annotations

import importlib
import re
import sys
from enum import Enum, Flag
from fnmatch import fnmatchcase
from functools import partial
from types import MemberDescriptorType
from typing import Any, NamedTuple, Sequence

from .kinds import Kind, Refused, full_name, is_a

_ADDRESS = "{0.__module__}:{0.__qualname__}"  # of a class
_OPTION = "[core] allowed_deserialization_classes"


class Allowed(NamedTuple):
    """The classes that may be loaded, as Airflow's configuration names them."""

    globs: Sequence[str] = ()
    patterns: Sequence[str] = ()

    def allows(self, name: str) -> bool:
        """Say whether the class of this name may be loaded."""
        by_glob = any(fnmatchcase(name, glob) for glob in self.globs)
        return by_glob or any(re.fullmatch(pattern, name) for pattern in self.patterns)


def field_names(cls: Any) -> list[str] | None:
    """Return the fields of a dataclass, attrs class or pydantic model, or None for any other class."""
    if is_a(cls, "pydantic.BaseModel"):
        return list(cls.model_fields if hasattr(cls, "model_fields") else cls.__fields__)  # pydantic 2, 1
    if hasattr(cls, "__dataclass_fields__"):
        return [field.name for field in sys.modules["dataclasses"].fields(cls)]
    return [field.name for field in cls.__attrs_attrs__] if hasattr(cls, "__attrs_attrs__") else None


def _attributes(model: Any) -> dict[str, Any]:
    if is_a(type(model), "pydantic.BaseModel"):
        state = dict(sys.modules["pydantic"].BaseModel.__getstate__(model))
        private = state.pop("__private_attribute_values__", {})  # pydantic 1 has these
        return {**private, **state.pop("__dict__"), **state}
    slots = {name: getattr(model, name) for name in field_names(type(model)) or () if hasattr(model, name)}
    return {**slots, **getattr(model, "__dict__", {})}


def find_class(allowed: Allowed, address: str) -> Any:
    """Return a class, without asking an object that is none for anything; raises ValueError, ImportError."""
    module_name, name = address.split(":")
    if module_name not in sys.modules and not allowed.allows(f"{module_name}.{name}"):
        raise ValueError(f"import {module_name} in the worker's module, or add the class {name} to {_OPTION}")
    found: Any = sys.modules.get(module_name) or importlib.import_module(module_name)
    try:
        for part in name.split("."):
            found = object.__getattribute__(found, "__dict__")[part]  # anything else may run code
    except (KeyError, AttributeError):
        found = None
    if not issubclass(type(found), type):  # isinstance() asks an object for its class, which may run code
        raise ValueError(f"{address} is not found: define it at the top level of a module")
    return found


def _load_enum(allowed: Allowed, data: list[Any]) -> Any:
    cls = find_class(allowed, data[0])
    if not issubclass(cls, Enum) or type(data[1]) is not (int if issubclass(cls, Flag) else str):
        raise ValueError(f"{full_name(cls)} is no such Enum")
    return cls(data[1]) if issubclass(cls, Flag) else cls[data[1]]


def _dump_model(allowed: Allowed, value: Any) -> dict[str, Any]:
    name = full_name(type(value))
    if not allowed.allows(name):
        instead = f"add {name} to {_OPTION}, or store a dictionary of its fields"
        raise Refused(f"which no other task may load: {instead}")
    return {"class": _ADDRESS.format(type(value)), **_attributes(value)}


def _load_model(allowed: Allowed, data: dict[str, Any]) -> Any:
    cls = find_class(allowed, data.pop("class"))
    names = field_names(cls) if allowed.allows(full_name(cls)) else None
    if names is None:
        raise ValueError(f"{full_name(cls)} is no dataclass, attrs class or pydantic model of {_OPTION}")
    if not data.keys() >= {*names}:
        raise ValueError(f"{full_name(cls)} has other fields")
    # As copy.copy() does: a constructor may not take all that the model holds, or may change it.
    model = object.__new__(cls)
    found = {name: item for base in reversed(cls.__mro__) for name, item in vars(base).items()}
    for name, item in data.items():
        if type(found.get(name)) is MemberDescriptorType:  # a slot
            found[name].__set__(model, item)
        else:  # without a property's setter
            model.__dict__[name] = item
    return model


def kinds(allowed: Allowed) -> dict[str, Kind]:
    """Return the kinds, by the name under which they are stored."""
    return {
        "enum": Kind(
            [str, (str, lambda v: type(v) is int and v.bit_length() <= 1000)],  # old Pythons go bit by bit
            lambda v: [_ADDRESS.format(type(v)), v.value if isinstance(v, Flag) else v.name],
            partial(_load_enum, allowed),
        ),
        "model": Kind({"class": str}, partial(_dump_model, allowed), partial(_load_model, allowed)),
    }
