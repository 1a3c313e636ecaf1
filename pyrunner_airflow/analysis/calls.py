"""What calls and attributes do to the context: its own, the worker's, and functions that are given it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pyrunner_airflow.analysis.flow import Site
from pyrunner_airflow.analysis.names import Constant, Function, Known
from pyrunner_airflow.analysis.values import Arguments, FunctionNode, Value, decorators, is_property

if TYPE_CHECKING:
    from pyrunner_airflow.analysis.names import Class
    from pyrunner_airflow.analysis.scope import Scope
    from pyrunner_airflow.analysis.values import Something

# Python's own that look at what they are given, and keep none of it.
_LOOKERS = frozenset(
    """
    all any bool dict enumerate hasattr id isinstance iter len list print repr set sorted str tuple type
    """.split()  # noqa: SIM905
)
_LOOKING_METHODS = frozenset(("items", "values", "copy", "clear", "popitem", "__iter__", "__len__"))


def read_call(scope: Scope, node: ast.Call) -> Something:
    """Read a call, and return what is known of its result."""
    function = node.func
    if not isinstance(function, (ast.Name, ast.Attribute)):
        scope.use(function)
        _arguments(scope, node).escape(scope.flow)
        return None
    if isinstance(function, ast.Attribute) and is_call_of(function.value, "super"):
        _call_super(scope, function.attr, _arguments(scope, node))
        return None
    base = scope.value(function.value) if isinstance(function, ast.Attribute) else None
    arguments = _arguments(scope, node)
    if isinstance(function, ast.Attribute) and base is Value.CONTEXT:
        arguments.escape(scope.flow)
        return _call_context(scope, function.attr, node)
    if isinstance(function, ast.Attribute) and base is Value.SELF:
        call_method(scope, function.attr, arguments)
    elif isinstance(function, ast.Name) and function.id in scope.values:
        scope.flow.escape()
    elif arguments.hold_context:
        return _call_function(scope, function, arguments)
    return None


def read_attribute(scope: Scope, node: ast.Attribute) -> Something:
    """Read an attribute, and return what is known of its value."""
    base = scope.value(node.value)
    if not isinstance(base, Value):
        return None
    if not isinstance(node.ctx, ast.Load):
        if node.attr == "context" or base is not Value.SELF or _is_code(scope, node.attr):
            scope.flow.escape()
        return None
    return _of_self(scope, node.attr) if base is Value.SELF else _of_context(scope, node.attr, base)


def _of_self(scope: Scope, name: str) -> Value | None:
    """Read an attribute of the worker."""
    if name == "context":
        return Value.CONTEXT
    if name == "__dict__":
        scope.flow.escape()
    found = scope.reader.worker.find(name)
    if found and isinstance(found[1], FunctionNode):
        if is_property(found[1]):
            call_method(scope, name, Arguments())
        else:
            with scope.branch():  # it may be called later, with whatever arguments
                call_method(scope, name, Arguments(is_whole=False))
    elif _is_code(scope, name):
        scope.flow.escape()
    return None


def _is_code(scope: Scope, name: str) -> bool:
    """Say whether getting or setting an attribute of the worker may call something of the app's."""
    owner, node = scope.reader.worker.find(name) or (None, None)
    if owner is None:
        return False
    if node is None or isinstance(node, FunctionNode):
        return True
    value = getattr(node, "value", None)
    value = value.func if isinstance(value, ast.Call) else value
    if not isinstance(value, (ast.Name, ast.Attribute)):
        return isinstance(value, (ast.Call, ast.Lambda))
    thing = scope.reader.names.of_expression(owner.module, value)
    return not (isinstance(thing, Constant) or thing in (Known.FOREIGN_CLASS, Known.NO_CLASS))


def _of_context(scope: Scope, name: str, base: Value) -> Value | None:
    if base is Value.CONTEXT and name == "shared_dict":
        return base
    if base is Value.CONTEXT and name == "keys":
        return Value.KEYS
    if name != "interactive":
        scope.flow.escape()
    return None


def is_call_of(node: ast.expr, name: str) -> bool:
    """Say whether an expression calls something of that name, in whatever module."""
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    return name == (function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", ""))


def call_method(scope: Scope, name: str, arguments: Arguments) -> None:
    """Read a method of the worker as it is called."""
    _call_found(scope, scope.reader.worker.find(name), arguments)


def _call_super(scope: Scope, name: str, arguments: Arguments) -> None:
    if scope.owner is None:
        scope.flow.escape()
    elif found := scope.reader.worker.find(name, after=scope.owner):
        _call_found(scope, found, arguments)


def _call_found(scope: Scope, found: tuple[Class, ast.AST | None] | None, arguments: Arguments) -> None:
    if found is None:  # a method of pyrunner's Worker, or of something that the worker holds
        arguments.escape(scope.flow)
        return
    owner, node = found
    if not isinstance(node, FunctionNode):
        scope.flow.escape()
        return
    names = decorators(node)
    if is_property(node):
        arguments.escape(scope.flow)
        arguments = Arguments()
    if "staticmethod" not in names:
        first = None if "classmethod" in names else Value.SELF
        arguments = arguments._replace(positional=[first, *arguments.positional])
    scope.reader.call(Function(owner.module, node), owner, arguments, scope.is_certain)


def _call_function(scope: Scope, function: ast.Name | ast.Attribute, arguments: Arguments) -> Something:
    """Read a call of a function that is given the context, or the worker."""
    thing = Known.UNKNOWN if scope.is_local(function) else scope.thing(function)
    name = function.id if isinstance(function, ast.Name) and thing is Known.FOREIGN_CLASS else None
    if isinstance(thing, Function):
        scope.reader.call(thing, None, arguments, scope.is_certain)
    elif name in _LOOKERS:
        for value in arguments.positional:
            scope.look(value)
    elif name == "getattr" and _is_attribute_of_self(arguments):
        return _of_self(scope, str(arguments.positional[1]))
    else:
        scope.flow.escape()
    return None


def _is_attribute_of_self(arguments: Arguments) -> bool:
    first, second, *others = [*arguments.positional, None]
    return first is Value.SELF and isinstance(second, str) and not any(isinstance(v, Value) for v in others)


def _call_context(scope: Scope, name: str, node: ast.Call) -> Something:
    """Read a call of one of the context's methods."""
    named = (keyword.value for keyword in node.keywords if keyword.arg == "key")
    first = node.args[0] if node.args else next(named, None)
    key, site = scope.key(first) if first else (None, Site(scope.module, node))
    if name in ("get", "has_key", "__contains__"):
        scope.flow.read(key, site, is_needed=False)
    elif name in ("set", "__setitem__"):
        scope.flow.write(key, site, scope.is_certain)
    elif name == "setdefault":
        scope.flow.read(key, site, is_needed=False)
        scope.flow.write(key, site, is_certain=False)
    elif name in ("pop", "__getitem__", "__delitem__"):
        is_needed = len(node.args) + len(node.keywords) == 1 and not scope.guards
        scope.flow.read(key, site, is_needed)
        if name != "__getitem__":
            scope.flow.delete(key, site, is_needed and scope.is_certain)
    elif name == "update":
        _update(scope, node)
    elif name == "keys":
        return Value.KEYS
    elif name in _LOOKING_METHODS:
        scope.flow.may_read_more = True
    else:
        scope.flow.escape()
    return None


def _update(scope: Scope, node: ast.Call) -> None:
    for argument in node.args:
        keys = argument.keys if isinstance(argument, ast.Dict) else [None]
        for key in keys:
            if key is None:
                scope.flow.may_write_more = True
            else:
                scope.flow.write(*scope.key(key), scope.is_certain)
    for keyword in node.keywords:
        scope.flow.write(keyword.arg, Site(scope.module, keyword.value), scope.is_certain)


def _arguments(scope: Scope, node: ast.Call) -> Arguments:
    positional = [scope.value(argument) for argument in node.args]
    named = {keyword.arg: scope.value(keyword.value) for keyword in node.keywords}
    is_whole = None not in named
    scope.look(named.pop(None, None))
    arguments = Arguments(positional, {str(name): value for name, value in named.items()}, is_whole)
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        arguments.escape(scope.flow)  # who knows which is which
        return Arguments(is_whole=False)
    return arguments
