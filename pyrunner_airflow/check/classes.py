"""What is wrong with a worker class, whatever row it is for."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from pyrunner_airflow.check.evaluator import HOOKS
from pyrunner_airflow.check.flow import Site
from pyrunner_airflow.check.modules import Function, Special
from pyrunner_airflow.check.source import walk
from pyrunner_airflow.tasklist.diagnostics import did_you_mean

if TYPE_CHECKING:
    from pyrunner_airflow.check.modules import Class
    from pyrunner_airflow.check.reporter import Reporter

# Decorators that leave a function's result and its parameters as they are.
_KEEPING = frozenset(("staticmethod", "classmethod", "override"))


def check_class(worker: Class, reporter: Reporter) -> None:
    """Report what is wrong with a class that is a Worker."""
    if not worker.is_open:
        _check_run_exists(worker, reporter)
        _check_hook_names(worker, reporter)
    for phase in ("run", *HOOKS):
        method = worker.find(phase)
        if isinstance(method, Function) and method.decorators <= _KEEPING:
            _check_parameters(method, phase, reporter)
            if phase != "on_fail":  # whose result does not count
                _check_results(method, phase, reporter)


def _check_run_exists(worker: Class, reporter: Reporter) -> None:
    run = worker.find("run")
    is_abstract = isinstance(run, Function) and "abstractmethod" in run.decorators
    if is_abstract or (run is None and Special.SHELL_WORKER not in worker.mro):
        message = f"{worker.node.name} has no method run"
        hint = "Write one: def run(self). It is what the row does."
        reporter.in_module("no-run", worker, message, hint)


def _check_hook_names(worker: Class, reporter: Reporter) -> None:
    for owner in worker.classes:
        for name, method in owner.own.items():
            if not name.startswith("on_") or name in HOOKS or not isinstance(method, Function):
                continue
            mention = re.compile(rf"(?<!def )\b{name}\b")  # elsewhere than where it is defined
            is_mentioned = any(mention.search(found.module.text) for found in worker.classes)
            if is_mentioned or method.decorators or isinstance(method.node, ast.AsyncFunctionDef):
                continue
            hint = did_you_mean(name, HOOKS, limit=1, cutoff=0.7)
            hint += "PyRunner calls run, on_start, on_success, on_fail, on_exit and on_destroy."
            reporter.in_module("unknown-hook", method, f"nothing calls {method.name}", hint)


def _check_parameters(method: Function, phase: str, reporter: Reporter) -> None:
    parameters = method.node.args
    positional = [*parameters.posonlyargs, *parameters.args]
    needed = positional[: len(positional) - len(parameters.defaults)]
    given = 0 if "staticmethod" in method.decorators else 1
    if given > len(positional) and not parameters.vararg:
        message = f"{method.name} lacks its parameter self"
        hint = f"Write def {phase}(self)."
        reporter.in_module("run-with-parameters", method, message, hint)
    named = zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True)
    surplus = [*needed[given:], *(parameter for parameter, default in named if default is None)]
    if surplus:
        names = ", ".join(parameter.arg for parameter in surplus)
        message = f"{method.name} is called without arguments, but needs {names}"
        hint = "The row's ARGUMENTS are self.argv; what other rows left is in self.context."
        reporter.in_module("run-with-parameters", method, message, hint)


def _check_results(method: Function, phase: str, reporter: Reporter) -> None:
    nodes = list(walk(method.node))
    is_generator = any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in nodes)
    if is_generator or isinstance(method.node, ast.AsyncFunctionDef):
        kind, way = ("generator", "a plain loop") if is_generator else ("coroutine", "asyncio.run(...)")
        message = (
            f"{method.name} is a {kind}: called, it does nothing but return one, which is no return code"
        )
        hint = f"Let it be a plain function, with {way} in it."
        reporter.in_module("invalid-return-code", method, message, hint)
        return
    for value in (node.value for node in nodes if isinstance(node, ast.Return) and node.value):
        if isinstance(value, ast.Constant) and value.value is True:
            message = f"True is the return code 1: the row fails when {phase} returns it"
            hint = "Return nothing, 0 or False for success; a number for a failure."
            reporter.in_module("true-is-failure", Site(method.module, value), message, hint)
        elif not _is_code(value):
            message = f"this is no return code: the row fails when {phase} returns it"
            hint = "Return nothing or 0 for success, a number from 1 for a failure; "
            hint += "put results into self.context."
            reporter.in_module("invalid-return-code", Site(method.module, value), message, hint)


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
