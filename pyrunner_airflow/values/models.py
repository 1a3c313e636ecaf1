"""
Context values of an author's own classes: members of an Enum, dataclasses, attrs classes, pydantic models.

Only a class that may be loaded is imported, and none is called. A member of an Enum is also found in a module
that is imported already: that runs no code. dataclasses, attrs and pydantic are not imported: whoever has
such a value has done that.
"""

from __future__ import annotations

import importlib
import re
import sys
from enum import Enum, Flag
from fnmatch import fnmatchcase
from functools import partial
from types import MemberDescriptorType
from typing import Any, NamedTuple

from .kinds import Kind, Refused, full_name, is_a

_FLAG_BITS = 1000
_OPTION = "[core] allowed_deserialization_classes"


class Allowed(NamedTuple):
    """The classes that may be loaded, as Airflow's configuration names them."""

    globs: list[str]
    patterns: list[str]

    def allows(self, name: str) -> bool:
        """Say whether the class of this name may be loaded."""
        return any(fnmatchcase(name, glob) for glob in self.globs) or any(
            re.fullmatch(pattern, name) for pattern in self.patterns
        )


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


def _address(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _find(allowed: Allowed, address: str) -> Any:
    module_name, name = address.split(":")
    if module_name not in sys.modules and not allowed.allows(f"{module_name}.{name}"):
        raise ValueError(f"import {module_name} in the worker's module, or add the class {name} to {_OPTION}")
    found: Any = sys.modules.get(module_name) or importlib.import_module(module_name)
    try:
        for part in name.split("."):
            found = object.__getattribute__(found, "__dict__")[part]  # anything else may run code
    except (KeyError, AttributeError):
        raise ValueError(f"{address} is not found: define it at the top level of a module") from None
    return found


def _dump_enum(value: Enum) -> list[Any]:
    return [_address(type(value)), value.value if isinstance(value, Flag) else value.name]


def _load_enum(allowed: Allowed, data: list[Any]) -> Any:
    cls = _find(allowed, data[0])
    if not issubclass(cls, Enum):
        raise ValueError(f"{full_name(cls)} is no Enum")
    if not issubclass(cls, Flag):
        return cls[data[1]]
    if data[1].bit_length() > _FLAG_BITS:  # which an old Python takes one by one
        raise ValueError(f"{full_name(cls)} has no such flags")
    return cls(data[1])


def _dump_model(allowed: Allowed, value: Any) -> dict[str, Any]:
    name = full_name(type(value))
    if not allowed.allows(name):
        raise Refused(
            f"which no other task may load: add {name} to {_OPTION}, or store a dictionary of its fields"
        )
    return {"class": _address(type(value)), **_attributes(value)}


def _load_model(allowed: Allowed, data: dict[str, Any]) -> Any:
    cls = _find(allowed, data.pop("class"))
    names = field_names(cls)
    if names is None or not allowed.allows(full_name(cls)):
        raise ValueError(f"{full_name(cls)} is no dataclass, attrs class or pydantic model of {_OPTION}")
    # As copy.copy() does: a constructor may not take all that the model holds, or may change it.
    model = object.__new__(cls)
    if not data.keys() >= {*names}:
        raise ValueError(f"{full_name(cls)} has other fields")
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
        "enum": Kind([str, (str, int)], _dump_enum, partial(_load_enum, allowed)),
        "model": Kind({"class": str}, partial(_dump_model, allowed), partial(_load_model, allowed)),
    }
