"""What is known of a variable while a worker's source is read."""

from __future__ import annotations

import ast
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyrunner_airflow.analysis.flow import Flow

_MISSING_KEY = frozenset(("KeyError", "LookupError", "Exception", "BaseException"))


class Value(Enum):
    """The values that are followed."""

    SELF = "the worker"
    CONTEXT = "the context"
    KEYS = "the context's keys"


Something = Value | str | None
"""A value that is followed, a text, or anything else."""
Variables = dict[str, Value | str]
"""What is known of a function's variables."""
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Arguments(NamedTuple):
    """What is known of a call's arguments; `is_whole` is whether there are no others."""

    positional: Sequence[Something] = ()
    named: Mapping[str, Something] = {}
    is_whole: bool = True

    @property
    def hold_context(self) -> bool:
        """Whether the context, or the worker that holds it, is one of them."""
        return any(isinstance(value, Value) for value in (*self.positional, *self.named.values()))

    def escape(self, flow: Flow) -> None:
        """Note that they go where they are not followed."""
        if self.hold_context:
            flow.escape()

    def bind(self, parameters: ast.arguments) -> Variables | None:
        """Return what a function's parameters become; None if the context goes into one of its ``*args``."""
        names = [parameter.arg for parameter in (*parameters.posonlyargs, *parameters.args)]
        known = {*names, *(parameter.arg for parameter in parameters.kwonlyargs)}
        rest = [*self.positional[len(names) :], *(v for name, v in self.named.items() if name not in known)]
        if any(isinstance(value, Value) for value in rest):
            return None
        given = _defaults(parameters) if self.is_whole else {}
        given |= {**dict(zip(names, self.positional, strict=False)), **self.named}
        return {name: value for name, value in given.items() if value is not None and name in known}


def _defaults(parameters: ast.arguments) -> dict[str, Something]:
    """Return the texts that parameters are if they are not given."""
    names = [parameter.arg for parameter in (*parameters.posonlyargs, *parameters.args)]
    pairs = [
        *zip(names[len(names) - len(parameters.defaults) :], parameters.defaults, strict=True),
        *zip((parameter.arg for parameter in parameters.kwonlyargs), parameters.kw_defaults, strict=True),
    ]
    constants = ((name, node.value) for name, node in pairs if isinstance(node, ast.Constant))
    return {name: value for name, value in constants if isinstance(value, str)}


def decorators(node: FunctionNode) -> set[str]:
    """Return the last names of a function's decorators; "" for what is no name."""
    calls = (item.func if isinstance(item, ast.Call) else item for item in node.decorator_list)
    return {item.attr if isinstance(item, ast.Attribute) else getattr(item, "id", "") for item in calls}


def is_property(node: FunctionNode) -> bool:
    """Say whether a method is called by naming it."""
    return bool(decorators(node) & {"property", "cached_property"})


def catches_key_error(node: ast.expr | None) -> bool:
    """Say whether an `except` with these exceptions catches what a missing key raises."""
    if node is None:
        return True
    names = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(isinstance(name, ast.Name) and name.id in _MISSING_KEY for name in names)


def assignments(node: FunctionNode | ast.Lambda) -> dict[str, int]:
    """Count how often a function assigns to each of its variables; a parameter is one assignment."""
    counts: dict[str, int] = {}
    pending: list[ast.AST] = [node.args, *(node.body if isinstance(node.body, list) else [node.body])]
    while pending:
        part = pending.pop()
        for name in _assigned_by(part):
            counts[name] = counts.get(name, 0) + 1
        if not isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            pending += ast.iter_child_nodes(part)
    return counts


def _assigned_by(node: ast.AST) -> list[str]:
    """Return the variables that a node, without what is in it, assigns to; twice those of the module."""
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return node.names * 2
    if isinstance(node, ast.alias):
        return [(node.asname or node.name).partition(".")[0]]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        return [node.name] if node.name else []
    return [node.rest] if isinstance(node, ast.MatchMapping) and node.rest else []
