"""All that can be told of a task list's workers from their source."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pyrunner_airflow.check.evaluator import HOOKS, flow_of
from pyrunner_airflow.check.flow import Flow, Site
from pyrunner_airflow.check.modules import Class, ForeignModule, Function, Module, Modules, Special
from pyrunner_airflow.check.ordering import Ordering
from pyrunner_airflow.check.profile import find_workers
from pyrunner_airflow.check.reporter import Reporter
from pyrunner_airflow.check.source import walk
from pyrunner_airflow.tasklist.columns import ENV_OPEN
from pyrunner_airflow.tasklist.diagnostics import did_you_mean, quote
from pyrunner_airflow.tasklist.fields import Column
from pyrunner_airflow.worker.app import find_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyrunner_airflow.tasklist import Diagnostic, TaskList, TaskRow

    Rows = Sequence[TaskRow]
    Problems = Sequence[Diagnostic]
    ReadModules = dict[tuple[str, str], Modules]

_SHOWN = 10
_OF_OPTIONS = frozenset(("invalid-option", "invalid-toml", "not-utf8", "unknown-option", "unreadable-file"))
# Decorators that leave a function's result and its parameters as they are.
_KEEPING = frozenset(("staticmethod", "classmethod", "override"))


class Check:
    """The check of one list, and what is known of its workers after it.

    lines: the list's own, without line ends.
    path: where it lies, which need not be its source.
    modules: those that have been read, by the folders of their app; lists may share them.
    errors: the list's own, of which it has what could be read.

    diagnostics: of the list and of the files that its workers are in.
    flows: what each row does with the context, by its ID; None where nothing is known of its worker.
    notes: what could not be found out, and why.
    """

    def __init__(
        self, tasks: TaskList, lines: Sequence[str], path: str, modules: ReadModules, errors: Problems = ()
    ) -> None:
        self._list = tasks
        self._modules = modules
        self._reporter = Reporter(tasks.source, lines)
        self._root, self._folders, self._doubt = find_workers(tasks, path, self._reporter.shown)
        if any(error.code in _OF_OPTIONS for error in errors):
            self._doubt = f"{tasks.source}: its options have errors, and may say where its workers lie"
        self._reporter.is_unsure = self._doubt is not None
        self._unfound: list[str] = []
        self.flows: dict[int, Flow | None] = {}
        self.notes: list[str] = []
        self._read_workers()
        if not errors:  # which are the parents of which
            Ordering(tasks.rows, self.flows, tasks.options.cvar, self._reporter).check()
        self.diagnostics = self._reporter.diagnostics
        if self._doubt and (self._unfound or not errors):
            rest = f"; not found there: {', '.join(self._unfound)}" if self._unfound else ""
            self.notes.insert(0, f"{self._doubt}; looked for workers in {self._shown(self._folders)}{rest}")

    def _read_workers(self) -> None:
        for name, rows in _grouped(self._list.rows, "module").items():
            module = self._find_module(name, rows)
            for worker, its_rows in _grouped(rows, "worker").items():
                try:
                    flow = self._check_worker(module, worker, its_rows) if module else None
                except RecursionError:  # as many bases, or names for each other
                    flow = None
                self.flows.update(dict.fromkeys((row.id for row in its_rows), flow))

    def _find_module(self, name: str, rows: Rows) -> Module | ForeignModule | None:
        """Return the module of these rows, if there can be workers in it."""
        key = self._root, find_folder(self._folders, name)
        modules = self._modules.setdefault(key, Modules(*key))
        module = modules.find(name)
        python = next(filter(None, map(self._list.options.python_of, rows)), None)
        unasked = f"; nothing was asked of {python}, which runs it"
        report, cell = self._reporter.in_list, (Column.MODULE_NAME, rows)
        if isinstance(module, Module):
            if not isinstance(module.error, SyntaxError):
                if isinstance(module.error, OSError):
                    self.notes.append(f"{self._shown([module.file])} can't be read: {module.error.strerror}")
                return module
            if python:
                file = self._shown([module.file])
                self.notes.append(f"{self._list.source}: {file} is not of this Python's syntax{unasked}")
            else:
                message = f"Python can't read this module: {module.error.msg}"
                hint = "Mend it: no row whose worker is in it can start."
                self._reporter.in_module("invalid-python", Site(module, module.error), message, hint)
        elif module and not (module.is_folder or module.is_standard):
            return module
        elif module and module.is_standard:
            hidden = modules.file(name.partition(".")[0])
            found = f", which Python finds before {self._shown([hidden])}" if hidden else ""
            message = f"{name} is a module of Python's own{found}"
            report("standard-module", *cell, message, "Give the workers' module another name.")
        elif (stem := name.removesuffix(".py")) != name and modules.find(stem):
            message = f"MODULE_NAME {quote(name)} is the name of a file"
            report("module-ends-in-py", *cell, message, f"Write the module's name, {stem}.")
        elif self._doubt:
            self._unfound.append(name)
        elif python:
            self.notes.append(f"{self._list.source}: module {name} is not among the app's{unasked}")
        else:
            top, dot, below = name.partition(".")
            hint = self._reporter.did_you_mean(top, modules.names, lambda match: match + dot + below)
            folders = self._shown(dict.fromkeys([*self._folders, self._root]))
            hint += f"Looked in {folders}, and among the installed packages."
            report("module-not-found", *cell, f"there is no module {name}", hint)
        return None

    def _check_worker(self, module: Module | ForeignModule, name: str, rows: Rows) -> Flow | None:
        """Check one worker class; return what it does with the context, None if nobody knows."""
        report, cell = self._reporter.in_list, (Column.WORKER_NAME, rows)
        worker = module.look_up(name)
        where = self._reporter.shown(module.file) if isinstance(module, Module) else module.name
        if isinstance(worker, Class) and worker.is_worker is not False:
            if worker.is_worker:
                _check_class(worker, self._reporter)
            return flow_of(worker)
        if worker is Special.SHELL_WORKER:
            return Flow()
        if worker is Special.WORKER:
            hint = "Write a class that extends it, and name that."
            report("no-run", *cell, "Worker itself has no method run", hint)
        elif worker is Special.MISSING:
            known = module.classes
            shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
            hint = f"{self._reporter.did_you_mean(name, known)}Its classes: {shown or 'none'}."
            report("class-not-found", *cell, f"there is no class {name} in {where}", hint)
        elif worker is not Special.UNKNOWN:
            message = f"{name} in {where} is no class that extends Worker"
            if isinstance(worker, Class):
                message = f"{worker.node.name} ({self._reporter.where(worker)}) does not extend Worker"
            report("not-a-worker", *cell, message, "Name a class that extends pyrunner's Worker.")
        return None

    def _shown(self, paths: Iterable[str]) -> str:
        return ", ".join(map(self._reporter.shown, paths))


def _grouped(rows: Rows, column: str) -> dict[str, list[TaskRow]]:
    """Return the rows by what is in their module or worker column, if that can be told."""
    groups: dict[str, list[TaskRow]] = {}
    for row in rows:
        if (name := getattr(row, column)) and ENV_OPEN not in name:
            groups.setdefault(name, []).append(row)
    return groups


def _check_class(worker: Class, reporter: Reporter) -> None:
    """Report what is wrong with a class that is a Worker."""
    if not worker.is_open:
        run = worker.find("run")
        is_abstract = isinstance(run, Function) and "abstractmethod" in run.decorators
        if is_abstract or (run is None and Special.SHELL_WORKER not in worker.mro):
            hint = "Write one: def run(self). It is what the row does."
            reporter.in_module("no-run", worker, f"{worker.node.name} has no method run", hint)
        _check_hook_names(worker, reporter)
    for phase in ("run", *HOOKS):
        method = worker.find(phase)
        if isinstance(method, Function) and method.decorators <= _KEEPING:
            _check_parameters(method, phase, reporter)
            if phase != "on_fail":  # whose result does not count
                _check_results(method, phase, reporter)


def _check_hook_names(worker: Class, reporter: Reporter) -> None:
    modules = {owner.module for owner in worker.classes}
    mentioned = set(HOOKS).union(*(module.hook_mentions for module in modules))
    for owner in worker.classes:
        for name, method in owner.own.items():
            if name in mentioned or not (name.startswith("on_") and isinstance(method, Function)):
                continue
            if method.decorators or isinstance(method.node, ast.AsyncFunctionDef):
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
        reporter.in_module("run-with-parameters", method, message, f"Write def {phase}(self).")
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
        message = f"{method.name} is a {kind}: a call does nothing but return one, which is no return code"
        hint = f"Let it be a plain function, with {way} in it."
        return reporter.in_module("invalid-return-code", method, message, hint)
    for value in (node.value for node in nodes if isinstance(node, ast.Return) and node.value):
        if isinstance(value, ast.Constant) and value.value is True:
            message = f"True is the return code 1: the row fails when {phase} returns it"
            hint = "Return nothing, 0 or False for success; a number for a failure."
            reporter.in_module("true-is-failure", Site(method.module, value), message, hint)
        elif not _is_code(value):
            message = f"this is no return code: the row fails when {phase} returns it"
            hint = "Return nothing or 0 for success, 1 or more for a failure; put results into self.context."
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
