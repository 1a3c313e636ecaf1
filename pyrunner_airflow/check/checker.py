"""All that can be told of a task list's workers from their source."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pyrunner_airflow.check.classes import check_class
from pyrunner_airflow.check.evaluator import flow_of
from pyrunner_airflow.check.flow import Flow, Site
from pyrunner_airflow.check.modules import Class, ForeignModule, Module, Modules, Special
from pyrunner_airflow.check.ordering import Ordering
from pyrunner_airflow.check.profile import find_workers
from pyrunner_airflow.check.reporter import Reporter
from pyrunner_airflow.tasklist.diagnostics import quote
from pyrunner_airflow.tasklist.fields import Column
from pyrunner_airflow.tasklist.values import ENV_OPEN
from pyrunner_airflow.worker.app import find_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyrunner_airflow.tasklist import TaskList, TaskRow

    Rows = Sequence[TaskRow]
    ReadModules = dict[tuple[str, str], Modules]

_SHOWN = 10


class Check:
    """The check of one list, and what is known of its workers after it.

    lines: the list's own, without line ends.
    path: where it lies, which need not be its source.
    modules: those that have been read, by the folders of their app; lists may share them.

    diagnostics: of the list and of the files that its workers are in.
    flows: what each row does with the context, by its ID; None where nothing is known of its worker.
    notes: what could not be found out, and why.
    """

    def __init__(self, task_list: TaskList, lines: Sequence[str], path: str, modules: ReadModules) -> None:
        self._list = task_list
        self._modules = modules
        self._reporter = Reporter(task_list.source, lines)
        self._root, self._folders, self._doubt = find_workers(task_list, path, self._reporter.shown)
        self._reporter.is_unsure = self._doubt is not None
        self._unfound: list[str] = []
        self.flows: dict[int, Flow | None] = {}
        self.notes: list[str] = []
        self._read_workers()
        Ordering(task_list.rows, self.flows, task_list.options.cvar, self._reporter).check()
        self.diagnostics = self._reporter.diagnostics
        if self._doubt:
            unfound = f"; not found there: {', '.join(self._unfound)}" if self._unfound else ""
            note = f"{self._doubt}; looked for workers in {self._shown(self._folders)}{unfound}"
            self.notes.insert(0, note)

    def _read_workers(self) -> None:
        for name, rows in _grouped(self._list.rows, "module").items():
            module = self._find_module(name, rows)
            for worker, its_rows in _grouped(rows, "worker").items():
                try:
                    flow = self._check_worker(module, worker, its_rows) if module else None
                except RecursionError:  # an expression of a thousand terms, or as many branches
                    flow = None
                self.flows.update(dict.fromkeys((row.id for row in its_rows), flow))

    def _find_module(self, name: str, rows: Rows) -> Module | ForeignModule | None:
        """Return the module of these rows, if there can be workers in it."""
        key = self._root, find_folder(self._folders, name)
        modules = self._modules.setdefault(key, Modules(*key))
        module = modules.find(name)
        python = next(filter(None, map(self._list.options.python_of, rows)), None)
        report, cell = self._reporter.in_list, (Column.MODULE_NAME, rows)
        if isinstance(module, Module):
            if not isinstance(module.error, SyntaxError):
                return module
            if python:
                self._note(f"{self._shown([module.file])} is not of this Python's syntax", python)
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
            hint = "Give the workers' module another name."
            report("standard-module", *cell, message, hint)
        elif (stem := name.removesuffix(".py")) != name and modules.find(stem):
            message = f"MODULE_NAME {quote(name)} is the name of a file"
            hint = f"Write the module's name, {stem}."
            report("module-ends-in-py", *cell, message, hint)
        elif self._doubt:
            self._unfound.append(name)
        elif python:
            self._note(f"module {name} is not among the app's", python)
        else:
            top, dot, below = name.partition(".")
            hint = self._reporter.did_you_mean(top, modules.names(), lambda match: match + dot + below)
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
                check_class(worker, self._reporter)
            return flow_of(worker)
        if worker is Special.SHELL_WORKER:
            return Flow()
        if worker is Special.WORKER:
            message = "Worker itself has no method run"
            hint = "Write a class that extends it, and name that."
            report("no-run", *cell, message, hint)
        elif worker is Special.MISSING:
            known = module.classes
            shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
            hint = f"{self._reporter.did_you_mean(name, known)}Its classes: {shown or 'none'}."
            report("class-not-found", *cell, f"there is no class {name} in {where}", hint)
        elif worker is not Special.UNKNOWN:
            message = f"{name} in {where} is no class that extends Worker"
            if isinstance(worker, Class):
                where = self._reporter.where(worker)
                message = f"{worker.node.name} ({where}) does not extend Worker"
            hint = "Name a class that extends pyrunner's Worker."
            report("not-a-worker", *cell, message, hint)
        return None

    def _note(self, what: str, python: str) -> None:
        self.notes.append(f"{self._list.source}: {what}; nothing was asked of {python}, which runs it")

    def _shown(self, paths: Iterable[str]) -> str:
        return ", ".join(map(self._reporter.shown, paths))


def _grouped(rows: Rows, column: str) -> dict[str, list[TaskRow]]:
    """Return the rows by what is in their module or worker column, if it can be told."""
    groups: dict[str, list[TaskRow]] = defaultdict(list)
    for row in rows:
        name = getattr(row, column)
        if ENV_OPEN not in name:
            groups[name].append(row)
    return groups
