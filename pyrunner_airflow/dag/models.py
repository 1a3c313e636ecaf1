"""
Context values of an author's own classes: members of an Enum, dataclasses, attrs classes, pydantic models.

Only a class that Airflow's ``[core] allowed_deserialization_classes`` allows is imported, and none is called.
A member of an Enum is also found in a module that the worker has imported already: that runs no code.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import sys
from enum import Enum, Flag
from fnmatch import fnmatchcase
from typing import Any

import pydantic
from airflow.sdk import conf

from pyrunner_airflow.dag.kind import Kind, Refused, name_of


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return all that a dataclass, attrs class or pydantic model holds, or None for any other value."""
    if isinstance(value, pydantic.BaseModel):
        extra, private = value.__pydantic_extra__, value.__pydantic_private__
        return {**vars(value), **(extra or {}), **(private or {})}
    names = _field_names(type(value))
    if names is None:
        return None
    fields = {name: getattr(value, name) for name in names if hasattr(value, name)}
    return {**fields, **getattr(value, "__dict__", {})}


def _field_names(cls: Any) -> list[str] | None:
    if issubclass(cls, pydantic.BaseModel):
        return list(cls.model_fields)
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls)]
    return [field.name for field in cls.__attrs_attrs__] if hasattr(cls, "__attrs_attrs__") else None


def _is_allowed(name: str) -> bool:
    globs = conf.get("core", "allowed_deserialization_classes").split()
    patterns = conf.get("core", "allowed_deserialization_classes_regexp").split()
    return any(fnmatchcase(name, glob) for glob in globs) or any(
        re.fullmatch(text, name) for text in patterns
    )


def _address(value: Any) -> str:
    address = f"{type(value).__module__}:{type(value).__qualname__}"
    try:
        found = _find_class(address)
    except (ImportError, KeyError, ValueError):
        found = None
    if found is not type(value):
        raise Refused("whose class cannot be found by its name: define it at the top level of a module")
    return address


def _find_class(address: str) -> type:
    module_name, name = address.split(":")
    if module_name not in sys.modules and not _is_allowed(f"{module_name}.{name}"):
        raise ValueError(
            f"{module_name}.{name} is not there: import {module_name} in the worker's module, or add "
            f"the class to [core] allowed_deserialization_classes"
        )
    found: Any = sys.modules.get(module_name) or importlib.import_module(module_name)
    for part in name.split("."):
        found = vars(found)[part]  # getattr may run code
    if not isinstance(found, type):
        raise ValueError(f"{module_name}.{name} is no class")
    return found


def _dump_model(value: Any) -> list[Any]:
    name = name_of(type(value))
    if not _is_allowed(name):
        raise Refused(
            f"which no other task may load: add {name} to [core] allowed_deserialization_classes, "
            f"or store a dictionary of its fields"
        )
    is_pydantic = isinstance(value, pydantic.BaseModel)
    return [_address(value), pydantic.BaseModel.__getstate__(value) if is_pydantic else fields_of(value)]


def _load_model(data: list[Any]) -> Any:
    address, state = data
    cls: Any = _find_class(address)
    if not _is_allowed(name_of(cls)):
        raise ValueError(f"{name_of(cls)} is not in [core] allowed_deserialization_classes")
    names = _field_names(cls)
    if names is None:
        raise ValueError(f"{name_of(cls)} is no dataclass, attrs class or pydantic model")
    # As copy.copy() does: a constructor may not take all that the model holds, or may change it.
    model = object.__new__(cls)
    if issubclass(cls, pydantic.BaseModel):
        pydantic.BaseModel.__setstate__(model, state)
    else:
        for name, item in state.items():
            object.__setattr__(model, name, item)
    missing = [name for name in names if not hasattr(model, name)]
    if missing:
        raise ValueError(f"a {name_of(cls)} without {', '.join(missing)}")
    return model


def _dump_enum(value: Enum) -> list[Any]:
    return [_address(value), value.value if isinstance(value, Flag) else value.name]


def _load_enum(data: list[Any]) -> Enum:
    cls = _find_class(data[0])
    if not issubclass(cls, Enum):
        raise ValueError(f"{name_of(cls)} is no Enum")
    return cls(data[1]) if issubclass(cls, Flag) else cls[data[1]]


KINDS = {
    "enum": Kind(None, _dump_enum, _load_enum),
    "model": Kind(None, _dump_model, _load_model),
}
"""By the name under which they are stored."""
