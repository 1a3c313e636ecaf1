"""What is wrong with a worker class, whatever row it is for."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from pyrunner_airflow.analysis.modules import statements
from pyrunner_airflow.analysis.names import Class, Known
from pyrunner_airflow.analysis.reader import HOOKS
from pyrunner_airflow.analysis.values import FunctionNode, decorators
from pyrunner_airflow.tasklist.diagnostics import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyrunner_airflow.analysis.modules import Module
    from pyrunner_airflow.tasklist.diagnostics import Problems

_PHASES = ("run", *HOOKS)
# Decorators that leave a function's result and its parameters as they are.
_KEEPING = frozenset(("staticmethod", "classmethod", "override"))
_HOOKS = "PyRunner calls run, on_start, on_success, on_fail, on_exit and on_destroy."


def check_class(worker: Class, problems_of: Callable[[Module], Problems]) -> None:
    """Report what is wrong with a class that is a Worker."""
    if not worker.is_open:
        _check_run_exists(worker, problems_of(worker.module))
        for owner in worker.classes:
            _check_hook_names(owner, worker, problems_of(owner.module))
    for phase in _PHASES:
        found = worker.find(phase)
        owner, node = found or (worker, None)
        if isinstance(node, FunctionNode) and decorators(node) <= _KEEPING:
            _check_parameters(owner, node, problems_of(owner.module))
            _check_results(owner, node, problems_of(owner.module))


def _check_run_exists(worker: Class, problems: Problems) -> None:
    found = worker.find("run")
    node = found[1] if found else None
    is_abstract = isinstance(node, FunctionNode) and "abstractmethod" in decorators(node)
    if is_abstract or (found is None and Known.SHELL_WORKER not in worker.mro):
        problems.error(
            "no-run",
            worker.module.place(worker.node),
            f"{worker.node.name} has no method run",
            "Write one: def run(self). It is what the row does.",
        )


def _check_hook_names(owner: Class, worker: Class, problems: Problems) -> None:
    for name, node in owner.own.items():
        if not name.startswith("on_") or name in HOOKS or not isinstance(node, ast.FunctionDef):
            continue
        if node.decorator_list or _is_mentioned(name, worker):
            continue
        problems.warning(
            "unknown-hook",
            owner.module.place(node),
            f"nothing calls {owner.node.name}.{name}",
            did_you_mean(name, HOOKS, limit=1, cutoff=0.7) + _HOOKS,
        )


def _is_mentioned(name: str, worker: Class) -> bool:
    """Say whether the worker's modules have a name elsewhere than where it is defined."""
    mention = re.compile(rf"(?<!def )\b{name}\b")
    return any(mention.search(owner.module.text) for owner in worker.classes)


def _check_parameters(owner: Class, node: FunctionNode, problems: Problems) -> None:
    parameters = [*node.args.posonlyargs, *node.args.args]
    needed = parameters[: len(parameters) - len(node.args.defaults)]
    given = 0 if "staticmethod" in decorators(node) else 1
    if given > len(parameters) and not node.args.vararg:
        problems.error(
            "run-with-parameters",
            owner.module.place(node),
            f"{owner.node.name}.{node.name} lacks its parameter self",
            f"Write def {node.name}(self).",
        )
    unset = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    surplus = [*needed[given:], *(parameter for parameter, default in unset if default is None)]
    if surplus:
        names = ", ".join(parameter.arg for parameter in surplus)
        problems.error(
            "run-with-parameters",
            owner.module.place(node),
            f"{owner.node.name}.{node.name} is called without arguments, but needs {names}",
            "The row's ARGUMENTS are self.argv; what other rows left is in self.context.",
        )


def _check_results(owner: Class, node: FunctionNode, problems: Problems) -> None:
    if node.name == "on_fail":
        return  # whose result does not count
    is_generator = _is_generator(node, owner.module)
    if is_generator or isinstance(node, ast.AsyncFunctionDef):
        kind, way = ("generator", "a plain loop") if is_generator else ("coroutine", "asyncio.run(...)")
        problems.error(
            "invalid-return-code",
            owner.module.place(node),
            f"{owner.node.name}.{node.name} is a {kind}: called, it does nothing but return one, which is no "
            "return code",
            f"Let it be a plain function, with {way} in it.",
        )
        return
    for statement in statements(node.body):
        if isinstance(statement, ast.Return) and statement.value:
            _check_result(owner, node, statement.value, problems)


def _is_generator(node: FunctionNode, module: Module) -> bool:
    if not module.has_generators:
        return False
    return any(isinstance(found, (ast.Yield, ast.YieldFrom)) for found in _inner(node))


def _check_result(owner: Class, node: FunctionNode, value: ast.expr, problems: Problems) -> None:
    place = owner.module.place(value)
    if isinstance(value, ast.Constant) and value.value is True:
        problems.warning(
            "true-is-failure",
            place,
            f"True is the return code 1: the row fails when {node.name} returns it",
            "Return nothing, 0 or False for success; a number for a failure.",
        )
    elif not _is_code(value):
        problems.error(
            "invalid-return-code",
            place,
            f"this is no return code: the row fails when {node.name} returns it",
            "Return nothing or 0 for success, a number from 1 for a failure; put results into self.context.",
        )


def _is_code(node: ast.expr) -> bool:
    """Say whether a value can be a return code; anything but a constant can."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return not node.elts or all(isinstance(item, ast.Starred) for item in node.elts)
    if isinstance(node, ast.Dict):
        return None in node.keys or not node.keys
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return True  # no constant
    try:
        return not value or int(value) >= 0
    except (TypeError, ValueError, OverflowError):
        return False


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes of a function, without those of functions and classes within it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            yield child
            yield from _inner(child)
