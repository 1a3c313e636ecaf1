"""
Follows the context through a worker's methods, the classes it extends, and the functions it calls.

Nothing is guessed: where the context, or the worker that holds it, goes out of sight, no more is known.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pyrunner_airflow.check.flow import FOLLOWED, PROPERTIES, Calls, Flow, Site
from pyrunner_airflow.check.modules import Function, Special, last_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyrunner_airflow.check.flow import Arguments, Call, Value
    from pyrunner_airflow.check.modules import Class, FunctionNode, Meaning

HOOKS = ("on_start", "on_success", "on_fail", "on_exit", "on_destroy")
"""PyRunner's, besides ``run``; `on_start` and `on_destroy` are those of 5.3.0."""

SELF, CONTEXT, UNKNOWN = Special.SELF, Special.CONTEXT, Special.UNKNOWN
# Python's own that look at what they are given, and keep none of it.
_LOOKERS = """
    all any bool dict enumerate hasattr id isinstance iter len list print repr set sorted str tuple type
""".split()  # noqa: SIM905
# What is asked of the keys can as well be asked of the context itself.
_OF_CONTEXT = {"shared_dict": CONTEXT, "keys": CONTEXT, "interactive": UNKNOWN}
_SUBSCRIPTS = {ast.Load: "__getitem__", ast.Store: "__setitem__", ast.Del: "__delitem__"}
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_MISSING_KEY = frozenset(("KeyError", "LookupError", "Exception", "BaseException"))


def flow_of(worker: Class) -> Flow:
    """Return what a worker class does with the context."""
    calls = Calls(worker)
    if worker.is_open:
        calls.flow.escape()
    try:
        for name in ("__init__", "run", *HOOKS):
            if method := worker.find(name):
                calls.add_method(method, {0: CONTEXT} if name == "__init__" else {}, name != "on_fail")
            while calls.unread:
                _Body(calls, calls.unread.popleft()).read()
    except RecursionError:  # or an expression of a thousand terms, or as many branches
        return Flow(is_unknown=True)
    return calls.flow


class _Body(ast.NodeVisitor):
    """The body of one function, from its top to its end; a visit returns what an expression stands for."""

    def __init__(self, calls: Calls, call: Call, outer: Sequence[Function] = ()) -> None:
        self._function, values, self._is_certain = call
        self._values = dict(values)
        self._functions = (*outer, self._function)
        self._calls = calls
        self._flow = calls.flow
        self._branches = 0
        self._guards = 0

    def read(self) -> None:
        body = self._function.node.body
        self._use(*(body if isinstance(body, list) else [body]))

    @property
    def _is_certain_here(self) -> bool:
        """Whether this place is reached whenever the worker succeeds."""
        return self._is_certain and not self._branches

    def _use(self, *nodes: ast.AST, is_branch: bool = False, is_guarded: bool = False) -> None:
        """Visit nodes whose values go out of sight; a branch may be left out, a guard does without a key."""
        self._branches += is_branch
        self._guards += is_guarded
        for node in nodes:
            if self.visit(node) in FOLLOWED:
                self._flow.escape()
        self._branches -= is_branch
        self._guards -= is_guarded

    def _iterate(self, node: ast.expr) -> None:
        value = self.visit(node)
        if value is SELF:
            self._flow.escape()
        self._look(value)

    def _look(self, value: Value) -> None:
        """Note that all of the context is looked at, if it is the context."""
        if value is CONTEXT:
            self._flow.may_read_more = True

    def _store(self, target: ast.expr, value: Value) -> None:
        before: Value = UNKNOWN
        if isinstance(target, ast.Name):
            before = self._values.pop(target.id, UNKNOWN)
            is_known = isinstance(value, str) or value in FOLLOWED
            if is_known and (before is value or self._function.assignments[target.id] == 1):
                self._values[target.id] = value
                return
        else:
            self._use(target)
        if before in FOLLOWED or value in FOLLOWED:
            self._flow.escape()

    def visit(self, node: ast.AST) -> Value:
        self._calls.spend(1)
        visitor = getattr(self, f"visit_{type(node).__name__}", self.generic_visit)
        found: Value | None = visitor(node)
        return UNKNOWN if found is None else found

    def generic_visit(self, node: ast.AST) -> None:
        for field, value in ast.iter_fields(node):
            values = value if isinstance(value, list) else [value]
            parts = [part for part in values if isinstance(part, ast.AST)]
            match node, field:
                case (_, "test" | "ifs") | (ast.Expr(), _):
                    for part in parts:
                        self.visit(part)
                case (_, "iter") | (ast.Starred(), "value"):
                    self._iterate(value)
                case (_, "target" | "optional_vars") if value:
                    self._store(value, UNKNOWN)
                case ast.Dict(keys=keys, values=dict_values), "values":
                    for key, part in zip(keys, dict_values, strict=True):
                        (self._use if key else self._iterate)(part)
                case ast.FormattedValue(), "value":
                    self._look(self.visit(value))
                case (ast.Try() | ast.TryStar() | ast.With() | ast.AsyncWith(), _):
                    self._use(*parts, is_guarded=field == "body" and _guards(node))
                case _:
                    is_branch = field in ("body", "orelse") or isinstance(node, _COMPREHENSIONS)
                    self._use(*parts, is_branch=is_branch)
        if isinstance(node, ast.Return) and self._branches:
            self._is_certain = False  # what follows may be left out

    def visit_Assign(self, node: ast.Assign | ast.AnnAssign) -> None:
        value = self.visit(node.value) if node.value else UNKNOWN
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            self._store(target, value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._use(node.value)
        target = node.target
        if isinstance(target, ast.Subscript) and self.visit(target.value) is CONTEXT:
            self._operate("__iadd__", self.visit(target.slice), target.slice)
        else:
            self._use(target)

    def visit_FunctionDef(self, node: FunctionNode | ast.Lambda) -> None:
        """Evaluate a function within this one as if it were called sometime."""
        self._use(*getattr(node, "decorator_list", ()), node.args)
        self._calls.spend(len(self._values))
        inner = Function(self._function.module, node, self._function.owner)
        values = [(name, value) for name, value in self._values.items() if name not in inner.assignments]
        _Body(self._calls, (inner, frozenset(values), False), self._functions).read()

    visit_AnnAssign = visit_Assign
    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    def visit_Constant(self, node: ast.Constant) -> Value:
        return node.value if isinstance(node.value, str) else UNKNOWN

    def visit_Name(self, node: ast.Name) -> Value:
        return self._values.get(node.id, node)

    def visit_Attribute(self, node: ast.Attribute) -> Value:
        base = self.visit(node.value)
        if isinstance(base, ast.expr):
            return node
        if isinstance(node.ctx, ast.Load):
            if base is SELF:
                return self._of_self(node.attr)
            if base is CONTEXT and node.attr in _OF_CONTEXT:
                return _OF_CONTEXT[node.attr]
        elif base is SELF and node.attr != "context" and not self._calls.worker.runs_code(node.attr):
            return UNKNOWN
        if base in FOLLOWED:
            self._flow.escape()
        return UNKNOWN

    def _of_self(self, name: str) -> Value:
        """Return what an attribute of the worker stands for."""
        if name == "context":
            return CONTEXT
        worker = self._calls.worker
        method = worker.find(name)
        if isinstance(method, Function):
            # One that is no property may be called later, with whatever arguments.
            is_certain = self._is_certain_here and bool(method.decorators & PROPERTIES)
            self._calls.add_method(method, {"*": UNKNOWN}, is_certain)
        elif name == "__dict__" or worker.runs_code(name):
            self._flow.escape()
        return worker.constant(name)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        base = self.visit(node.value)
        if base is CONTEXT:
            self._operate(_SUBSCRIPTS[type(node.ctx)], self.visit(node.slice), node.slice)
            return
        if base is SELF:
            self._flow.escape()
        self._use(node.slice)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        values = [self.visit(operand) for operand in operands]
        for operator, operand, left, right in zip(node.ops, operands, values, values[1:], strict=False):
            if isinstance(operator, (ast.In, ast.NotIn)) and right is CONTEXT:
                self._operate("__contains__", left, operand)
            elif not isinstance(operator, (ast.Is, ast.IsNot)):
                self._look(left)
                self._look(right)

    def visit_BoolOp(self, node: ast.BoolOp) -> Value:
        first = self.visit(node.values[0])
        self._use(*node.values[1:], is_branch=True)
        return first if first is CONTEXT and isinstance(node.op, ast.Or) else UNKNOWN

    def visit_NamedExpr(self, node: ast.NamedExpr) -> Value:
        value = self.visit(node.value)
        self._store(node.target, value)
        return value

    def visit_Call(self, node: ast.Call) -> Value:
        callee = node.func
        method = callee.attr if isinstance(callee, ast.Attribute) else None
        base = callee.value if isinstance(callee, ast.Attribute) else callee
        if method and _calls(base, "super"):
            arguments, owner = self._arguments(node), self._function.owner
            if owner is None:
                self._flow.escape()
            elif found := self._calls.worker.find(method, after=owner):
                self._calls.add_method(found, arguments, self._is_certain_here)
            return UNKNOWN
        holder, arguments = self.visit(base), self._arguments(node)
        if method and holder is CONTEXT:
            self._calls.hand_on(arguments)
            return self._call_context(method, node, arguments)
        if method and holder is SELF:
            if found := self._calls.worker.find(method):
                self._calls.add_method(found, arguments, self._is_certain_here)
            else:  # a method of pyrunner's Worker, or of something that the worker holds
                self._calls.hand_on(arguments)
        elif holder in FOLLOWED and not method:
            self._flow.escape()
        elif not FOLLOWED.isdisjoint(arguments.values()):
            return self._call_function(callee if isinstance(holder, ast.expr) else UNKNOWN, arguments)
        return UNKNOWN

    def _arguments(self, node: ast.Call) -> Arguments:
        arguments: Arguments = dict(enumerate(map(self.visit, node.args)))
        for keyword in node.keywords:
            arguments[keyword.arg or "*"] = self.visit(keyword.value)
        if "*" in arguments:
            self._look(arguments["*"])
            arguments["*"] = UNKNOWN
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            self._calls.hand_on(arguments)  # who knows which is which
            return {"*": UNKNOWN}
        return arguments

    def _call_function(self, callee: Value, arguments: Arguments) -> Value:
        """Read a call of something of the module that is given the context, or the worker."""
        function = self._evaluate(callee)
        name = callee.id if isinstance(callee, ast.Name) and function is Special.FOREIGN else None
        match [name, *arguments.values()]:
            case _ if isinstance(function, Function):
                self._calls.add(function, arguments, self._is_certain_here)
            case _ if name in _LOOKERS:
                for value in arguments.values():
                    self._look(value)
            case ["getattr", Special.SELF, str(attribute), *default] if FOLLOWED.isdisjoint(default):
                return self._of_self(attribute)
            case _:
                self._flow.escape()
        return UNKNOWN

    def _call_context(self, method: str, node: ast.Call, arguments: Arguments) -> Value:
        """Read a call of one of the context's methods."""
        if method == "keys":
            return CONTEXT
        if method == "update":
            for argument in node.args:
                for name in argument.keys if isinstance(argument, ast.Dict) else [None]:
                    self._operate("set", self.visit(name) if name else UNKNOWN, name or argument)
            for keyword in node.keywords:
                self._operate("set", keyword.arg or UNKNOWN, keyword.value)
            return UNKNOWN
        key = arguments.get(0, arguments.get("key", UNKNOWN))
        named = (keyword.value for keyword in node.keywords if keyword.arg == "key")
        has_default = len(node.args) + len(node.keywords) > 1
        self._operate(method, key, (*node.args, *named, node)[0], has_default)
        return UNKNOWN

    def _operate(self, method: str, key: Value, node: ast.expr, has_default: bool = False) -> None:
        """Note what a method of the context does with a key; `node` is where the key stands."""
        found = self._evaluate(key)
        text = found if isinstance(found, str) else None
        site, is_needed = Site(self._function.module, node), not (has_default or self._guards)
        self._flow.operate(method, text, site, self._is_certain_here, is_needed)

    def _evaluate(self, value: Value) -> Meaning:
        """Look a name of the module up, if it is no variable."""
        if not isinstance(value, ast.expr):
            return value
        names = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
        is_local = any(not names.isdisjoint(function.assignments) for function in self._functions)
        return UNKNOWN if is_local else self._function.module.evaluate(value)


def _calls(node: ast.expr, name: str) -> bool:
    """Say whether an expression calls something of that name, in whatever module."""
    return isinstance(node, ast.Call) and last_name(node.func) == name


def _guards(node: ast.Try | ast.TryStar | ast.With | ast.AsyncWith) -> bool:
    """Say whether a statement takes care of a missing key in its body."""
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return any(_calls(item.context_expr, "suppress") for item in node.items)
    caught = [handler.type for handler in node.handlers]
    names = [name for found in caught for name in (found.elts if isinstance(found, ast.Tuple) else [found])]
    return None in names or any(isinstance(name, ast.Name) and name.id in _MISSING_KEY for name in names)
