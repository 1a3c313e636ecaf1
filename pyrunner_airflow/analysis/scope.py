"""The body of one function, read for what it does with the context."""

from __future__ import annotations

import ast
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pyrunner_airflow.analysis.calls import is_call_of, read_attribute, read_call
from pyrunner_airflow.analysis.flow import Site
from pyrunner_airflow.analysis.names import Class, Constant
from pyrunner_airflow.analysis.values import (
    FunctionNode,
    Value,
    assignments,
    catches_key_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pyrunner_airflow.analysis.modules import Module
    from pyrunner_airflow.analysis.names import Thing
    from pyrunner_airflow.analysis.reader import Reader
    from pyrunner_airflow.analysis.values import Something, Variables


class Scope:
    """The body of one function, read from its top to its end."""

    def __init__(
        self,
        reader: Reader,
        module: Module,
        owner: Class | None,
        node: FunctionNode | ast.Lambda,
        values: Variables,
        is_certain: bool,
        outer: Scope | None = None,
    ) -> None:
        self.reader = reader
        self.flow = reader.flow
        self.module = module
        self.owner = owner
        self._node = node
        self.values = values
        self._is_certain = is_certain
        self._outer = outer
        self._branches = 0
        self.guards = 0
        # A text that is not for good is none to be relied on.
        for name in [name for name, value in values.items() if isinstance(value, str)]:
            if self._assignments.get(name) != 1 and not outer:
                del values[name]

    def read(self) -> None:
        """Read it all."""
        if isinstance(self._node, ast.Lambda):
            self.use(self._node.body)
        else:
            self._statements(self._node.body)

    # Statements

    def _statements(self, body: Iterable[ast.stmt]) -> None:
        for node in body:
            handler = _STATEMENTS.get(type(node))
            if handler:
                handler(self, node)
            else:
                self._parts(node)

    def _parts(self, node: ast.AST) -> None:
        """Read what a node is made of."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.use(child)
            elif isinstance(child, ast.stmt):
                self._statements((child,))
            else:
                self._parts(child)

    def _expression(self, node: ast.Expr) -> None:
        self.value(node.value)

    def _assign(self, node: ast.Assign | ast.AnnAssign) -> None:
        value = self.value(node.value) if node.value else None
        for target in node.targets if isinstance(node, ast.Assign) else (node.target,):
            self._store(target, value)

    def _store(self, target: ast.expr, value: Something) -> None:
        if not isinstance(target, ast.Name):
            self.use(target)
        elif value is None and target.id not in self.values:
            return
        elif value is not None and self._assignments.get(target.id) == 1:
            self.values[target.id] = value
            return
        elif isinstance(value, Value) and self.values.get(target.id) is value:
            return  # context = context or {}
        elif isinstance(self.values.pop(target.id, None), Value):
            self.flow.escape()
        if isinstance(value, Value):
            self.flow.escape()

    def _augment(self, node: ast.AugAssign) -> None:
        self.use(node.value)
        target = node.target
        if isinstance(target, ast.Subscript) and self.value(target.value) is Value.CONTEXT:
            key, site = self.key(target.slice)
            self.flow.read(key, site, is_needed=not self.guards)
            self.flow.write(key, site, self.is_certain, is_new=False)
        else:
            self.use(target)

    def _return(self, node: ast.Return) -> None:
        if node.value:
            self.use(node.value)
        if self._branches:
            self._is_certain = False  # what follows may be left out

    def _if(self, node: ast.If | ast.While) -> None:
        self.value(node.test)
        with self.branch():
            self._statements(node.body)
            self._statements(node.orelse)

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        self._iterate(node.iter)
        self._store(node.target, None)
        with self.branch():
            self._statements(node.body)
            self._statements(node.orelse)

    def _match(self, node: ast.Match) -> None:
        self.use(node.subject)
        with self.branch():
            for case in node.cases:
                self._parts(case)

    def _try(self, node: ast.Try) -> None:
        with self._guard(any(catches_key_error(handler.type) for handler in node.handlers)):
            self._statements(node.body)
        with self.branch():
            for handler in node.handlers:
                self._statements(handler.body)
        self._statements(node.orelse)
        self._statements(node.finalbody)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.use(item.context_expr)
            if item.optional_vars:
                self._store(item.optional_vars, None)
        with self._guard(any(is_call_of(item.context_expr, "suppress") for item in node.items)):
            self._statements(node.body)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        """Read a function within this one as if it were called sometime."""
        if not isinstance(node, ast.Lambda):
            for decorator in node.decorator_list:
                self.use(decorator)
        self._parts(node.args)
        inner = Scope(self.reader, self.module, self.owner, node, {}, False, outer=self)
        inner.values = {name: value for name, value in self.values.items() if name not in inner._assignments}
        inner.read()

    # Expressions

    def use(self, node: ast.expr) -> None:
        """Read an expression whose value goes somewhere that is not followed."""
        value = self.value(node)
        if value is Value.KEYS:
            self.flow.may_read_more = True
        elif isinstance(value, Value):
            self.flow.escape()

    def value(self, node: ast.expr) -> Something:
        """Read an expression, and return what is known of its value."""
        handler = _EXPRESSIONS.get(type(node))
        if handler:
            return handler(self, node)
        self._parts(node)
        return None

    def _constant(self, node: ast.Constant) -> str | None:
        return node.value if isinstance(node.value, str) else None

    def _name(self, node: ast.Name) -> Something:
        return self.values.get(node.id)

    def _subscript(self, node: ast.Subscript) -> None:
        base = self.value(node.value)
        if base is not Value.CONTEXT:
            if base is Value.SELF:
                self.flow.escape()
            self.use(node.slice)
            return
        key, site = self.key(node.slice)
        if isinstance(node.ctx, ast.Store):
            self.flow.write(key, site, self.is_certain)
            return
        self.flow.read(key, site, is_needed=not self.guards)
        if isinstance(node.ctx, ast.Del):
            self.flow.delete(key, site, self.is_certain)

    def _compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        values = [self.value(operand) for operand in operands]
        for number, operator in enumerate(node.ops):
            left, right = values[number : number + 2]
            if isinstance(operator, (ast.In, ast.NotIn)) and right in (Value.CONTEXT, Value.KEYS):
                key, site = self.key(operands[number])
                self.flow.read(key, site, is_needed=False)
            elif not isinstance(operator, (ast.Is, ast.IsNot)):
                self.look(left)
                self.look(right)

    def _bool(self, node: ast.BoolOp) -> Value | None:
        first = self.value(node.values[0])
        with self.branch():
            for operand in node.values[1:]:
                self.use(operand)
        return first if first is Value.CONTEXT and isinstance(node.op, ast.Or) else None

    def _if_expression(self, node: ast.IfExp) -> None:
        self.value(node.test)
        with self.branch():
            self.use(node.body)
            self.use(node.orelse)

    def _named(self, node: ast.NamedExpr) -> Something:
        value = self.value(node.value)
        self._store(node.target, value)
        return value

    def _formatted(self, node: ast.FormattedValue) -> None:
        self.look(self.value(node.value))
        if node.format_spec:
            self.use(node.format_spec)

    def _starred(self, node: ast.Starred) -> None:
        self._iterate(node.value)

    def _dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                self._iterate(value)
            else:
                self.use(key)
                self.use(value)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        with self.branch():
            for generator in node.generators:
                self._iterate(generator.iter)
                self._store(generator.target, None)
                for test in generator.ifs:
                    self.value(test)
            if isinstance(node, ast.DictComp):
                self.use(node.key)
                self.use(node.value)
            else:
                self.use(node.elt)

    def _iterate(self, node: ast.expr) -> None:
        value = self.value(node)
        if value is Value.SELF:
            self.flow.escape()
        self.look(value)

    def look(self, value: Something) -> None:
        """Note that all of the context is looked at, if it is the context."""
        if value in (Value.CONTEXT, Value.KEYS):
            self.flow.may_read_more = True

    def key(self, node: ast.expr) -> tuple[str | None, Site]:
        """Return the text that an expression surely is, and where it stands."""
        value = self.value(node)
        if value is None and isinstance(node, (ast.Name, ast.Attribute)):
            value = self._constant_of(node)
        return value if isinstance(value, str) else None, Site(self.module, node)

    def _constant_of(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Attribute) and self.value(node.value) is Value.SELF:
            return self.reader.worker.text(node.attr)
        if self.is_local(node):
            return None
        thing = self.thing(node)
        return thing.value if isinstance(thing, Constant) else None

    def thing(self, node: ast.expr) -> Thing:
        """Return what a name stands for that is no local one."""
        return self.reader.names.of_expression(self.module, node)

    # What surrounds a place

    @property
    def is_certain(self) -> bool:
        """Whether this place is reached whenever the worker succeeds."""
        return self._is_certain and not self._branches

    @cached_property
    def _assignments(self) -> dict[str, int]:
        return assignments(self._node)

    @contextmanager
    def branch(self) -> Iterator[None]:
        """Surround what may be left out."""
        self._branches += 1
        yield
        self._branches -= 1

    @contextmanager
    def _guard(self, is_guard: bool) -> Iterator[None]:
        self.guards += is_guard
        yield
        self.guards -= is_guard

    def is_local(self, node: ast.expr) -> bool:
        """Say whether a name with dots begins with a variable of a function."""
        while isinstance(node, ast.Attribute):
            node = node.value
        if not isinstance(node, ast.Name):
            return True
        scope: Scope | None = self
        while scope:
            if node.id in scope._assignments:
                return True
            scope = scope._outer
        return False


_STATEMENTS: dict[type[ast.stmt], Callable[[Scope, Any], None]] = {
    ast.AnnAssign: Scope._assign,
    ast.Assign: Scope._assign,
    ast.AsyncFor: Scope._for,
    ast.AsyncFunctionDef: Scope._function,
    ast.AsyncWith: Scope._with,
    ast.AugAssign: Scope._augment,
    ast.Expr: Scope._expression,
    ast.For: Scope._for,
    ast.FunctionDef: Scope._function,
    ast.If: Scope._if,
    ast.Match: Scope._match,
    ast.Return: Scope._return,
    ast.Try: Scope._try,
    ast.TryStar: Scope._try,
    ast.While: Scope._if,
    ast.With: Scope._with,
}
_EXPRESSIONS: dict[type[ast.expr], Callable[[Scope, Any], Something]] = {
    ast.Attribute: read_attribute,
    ast.BoolOp: Scope._bool,
    ast.Call: read_call,
    ast.Compare: Scope._compare,
    ast.Constant: Scope._constant,
    ast.Dict: Scope._dict,
    ast.DictComp: Scope._comprehension,
    ast.FormattedValue: Scope._formatted,
    ast.GeneratorExp: Scope._comprehension,
    ast.IfExp: Scope._if_expression,
    ast.Lambda: Scope._function,
    ast.ListComp: Scope._comprehension,
    ast.Name: Scope._name,
    ast.NamedExpr: Scope._named,
    ast.SetComp: Scope._comprehension,
    ast.Starred: Scope._starred,
    ast.Subscript: Scope._subscript,
}
