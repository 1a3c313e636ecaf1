"""All that can be told of a task list's workers from their source."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyrunner_airflow.analysis.classes import check_class
from pyrunner_airflow.analysis.context import ContextRules, rows_text
from pyrunner_airflow.analysis.flow import Flow
from pyrunner_airflow.analysis.modules import ForeignModule, Module, Modules
from pyrunner_airflow.analysis.names import Class, Known, Names
from pyrunner_airflow.analysis.profile import worker_folder
from pyrunner_airflow.analysis.reader import flow_of
from pyrunner_airflow.tasklist.columns import ENV_OPEN
from pyrunner_airflow.tasklist.diagnostics import (
    Diagnostic,
    Place,
    Problems,
    Severity,
    did_you_mean,
    quote,
)
from pyrunner_airflow.tasklist.fields import Column, Row
from pyrunner_airflow.worker.app import find_app, find_folder, worker_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pyrunner_airflow.analysis.flow import Site
    from pyrunner_airflow.tasklist import TaskList, TaskRow
    from pyrunner_airflow.worker.app import App

_SHOWN = 10
# A near match costs a comparison with every name that there is.
_NEAR_MATCHES = 10
_EXTEND = "Name a class that extends pyrunner's Worker."
_WRITE_CLASS = "Write a class that extends it, and name that."
_WORKER_CLASSES = {"Worker": Known.WORKER, "ShellWorker": Known.SHELL_WORKER}
_WORKER_MODULES = frozenset(
    ("pyrunner", "pyrunner.worker", "pyrunner.worker.abstract", "pyrunner.worker.shellworker")
)


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is known of a list's workers.

    diagnostics: of the list and of the files that its workers are in.
    flows: what each row does with the context, by its ID; None where nothing is known of its worker.
    notes: what could not be found out, and why.
    """

    diagnostics: tuple[Diagnostic, ...]
    flows: Mapping[int, Flow | None]
    notes: tuple[str, ...]


class Analyzer:
    """Analyses task lists, and reads the modules that they share once."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], Names] = {}
        self._read: dict[str, dict[str, Module]] = defaultdict(dict)

    def analyse(self, task_list: TaskList, lines: Sequence[str], path: str) -> Analysis:
        """Read the workers of a list.

        lines: the list's own, without line ends.
        path: where it lies, which need not be its source.
        """
        return _ListAnalysis(task_list, lines, path, self.names).analyse()

    def names(self, root: str, folder: str) -> Names:
        """Return the names of the modules that the workers of a folder can import."""
        key = root, folder
        if key not in self._names:
            self._names[key] = Names(Modules(root, folder, self._read[root]))
        return self._names[key]


class _ListAnalysis:
    """The analysis of one list; used once."""

    def __init__(
        self,
        task_list: TaskList,
        lines: Sequence[str],
        path: str,
        names: Callable[[str, str], Names],
    ) -> None:
        self._list = task_list
        self._lines = lines
        self._is_relative = not os.path.isabs(task_list.source)
        self._names_of = names
        self._problems = Problems(task_list.source)
        self._doubt: str | None = None
        self._shown_paths: dict[str, str] = {}
        self._app = self._find_app(path)
        self._folders = self._worker_folders()
        self._unfound: list[str] = []
        self._unread: dict[str, str] = {}
        self._unknown = 0
        self._flows: dict[int, Flow | None] = {}

    def analyse(self) -> Analysis:
        by_module: dict[str, list[TaskRow]] = defaultdict(list)
        for row in self._list.rows:
            by_module[row.module].append(row)
        for module, rows in by_module.items():
            if ENV_OPEN not in module:
                self._check_module(module, rows)
        rules = ContextRules(self._list.rows, self._flows, self._list.options.cvar)
        rules.check(self._problems, self._place, self._show)
        self._check_unwritten(rules)
        # Once each: a base class is looked at with each class that extends it.
        diagnostics = tuple(dict.fromkeys(self._problems.as_error().diagnostics))
        if self._doubt:
            diagnostics = tuple(map(_soften, diagnostics))
        return Analysis(diagnostics, self._flows, tuple(self._notes()))

    def _find_app(self, path: str) -> App:
        options = self._list.options
        app = find_app(path, options.app_root, options.cwd)
        if os.path.isdir(app.root):
            return app
        self._doubt = f"{self._list.source}: app_root {app.root} is not on this machine"
        return find_app(path, None, options.cwd)

    def _worker_folders(self) -> list[str]:
        """Return where modules are looked for; set the doubt if the job may look elsewhere."""
        folder = self._list.options.env.get("APP_WORKER_DIR")
        source = self._list.source
        if folder is None and self._app.profile:
            source = self._shown(self._app.profile)
            folder, is_sure = worker_folder(self._app.profile)
            if not is_sure:
                self._doubt = f"{source}: only running it shows what APP_WORKER_DIR is"
        elif folder and ENV_OPEN in folder:
            folder = None
            self._doubt = f"{source}: only a run shows what APP_WORKER_DIR of [pyrunner] env is"
        if folder and self._is_elsewhere(folder):
            self._doubt = f"{source}: APP_WORKER_DIR {folder} is not on this machine"
            folder = None
        return worker_folders(self._app, {"APP_WORKER_DIR": folder} if folder else {})

    def _is_elsewhere(self, folder: str) -> bool:
        inside = folder.startswith(os.path.join(self._app.root, ""))
        return os.path.isabs(folder) and not inside and not os.path.isdir(folder)

    def _notes(self) -> list[str]:
        unread = [
            f"{self._list.source}: {what}; nothing was asked of {python}, which runs it"
            for what, python in self._unread.items()
        ]
        if self._doubt is None:
            return unread
        note = f"{self._doubt}; looked for workers in {', '.join(map(self._shown, self._folders))}"
        if self._unfound:
            note += f"; not found there: {', '.join(self._unfound)}"
        return [note, *unread]

    def _own_python(self, rows: list[TaskRow]) -> str | None:
        """Return the interpreter that a module is for, if it is not the one that reads it."""
        return next(filter(None, map(self._list.options.python_of, rows)), None)

    # Modules

    def _check_module(self, name: str, rows: list[TaskRow]) -> None:
        names = self._names_of(self._app.root, find_folder(self._folders, name))
        module = names.modules.find(name)
        if module is None or (isinstance(module, ForeignModule) and module.is_folder):
            self._report_module(name, rows, names)
            return
        if isinstance(module, Module) and module.error:
            python = self._own_python(rows)
            if python:
                self._unread[f"{self._shown(module.file)} is not of this Python's syntax"] = python
            else:
                self._report_syntax(module)
            return
        if isinstance(module, ForeignModule) and module.is_standard:
            self._report_standard(name, rows, names)
            return
        by_class: dict[str, list[TaskRow]] = defaultdict(list)
        for row in rows:
            by_class[row.worker].append(row)
        for worker, its_rows in by_class.items():
            if ENV_OPEN not in worker:
                try:
                    flow = self._check_worker(module, worker, its_rows, names)
                except RecursionError:  # an expression of a thousand terms, or as many branches
                    flow = None
                self._flows.update(dict.fromkeys((row.id for row in its_rows), flow))

    def _report_module(self, name: str, rows: list[TaskRow], names: Names) -> None:
        stem = name.removesuffix(".py")
        if stem != name and names.modules.find(stem):
            self._report(
                "module-ends-in-py",
                Column.MODULE_NAME,
                rows,
                f"MODULE_NAME {quote(name)} is the name of a file",
                f"Write the module's name, {stem}.",
            )
            return
        if self._doubt:
            self._unfound.append(name)
            return
        if python := self._own_python(rows):
            self._unread[f"module {name} is not among the app's"] = python
            return
        top, *below = name.split(".")
        known = names.modules.names()
        folders = dict.fromkeys([*self._folders, self._app.root])
        self._report(
            "module-not-found",
            Column.MODULE_NAME,
            rows,
            f"there is no module {name}",
            self._did_you_mean(top, known, lambda match: ".".join([match, *below]))
            + f"Looked in {', '.join(map(self._shown, folders))}, and among the installed packages.",
        )

    def _report_standard(self, name: str, rows: list[TaskRow], names: Names) -> None:
        hidden = names.modules.hidden(name)
        what = f", which Python finds before {self._shown(hidden)}" if hidden else ""
        self._report(
            "standard-module",
            Column.MODULE_NAME,
            rows,
            f"{name} is a module of Python's own{what}",
            "Give the workers' module another name.",
        )

    def _report_syntax(self, module: Module) -> None:
        assert module.error
        line = module.error.lineno or 0
        text = module.line(line)
        start = min(module.error.offset or 1, len(text) + 1)
        end = module.error.end_offset if module.error.end_lineno == line else None
        place = Place(line, max(start, 1), max((end or 0) - start, 1), None, text) if text else Place()
        self._problems_of(module).error(
            "invalid-python",
            place,
            f"Python can't read this module: {module.error.msg}",
            "Mend it: no row whose worker is in it can start.",
        )

    # Workers

    def _check_worker(
        self, module: Module | ForeignModule, name: str, rows: list[TaskRow], names: Names
    ) -> Flow | None:
        """Check one worker class; return what it does with the context, None if nobody knows."""
        if isinstance(module, Module):
            thing = names.of_module(module, name)
            where = self._shown(module.file)
        else:
            is_known = module.name in _WORKER_MODULES
            thing = _WORKER_CLASSES.get(name, Known.MISSING) if is_known else Known.UNKNOWN
            where = module.name
        if thing is Known.MISSING:
            known = names.classes(module) if isinstance(module, Module) else list(_WORKER_CLASSES)
            self._report_class(name, where, known, rows)
        elif thing is Known.WORKER:
            self._report("no-run", Column.WORKER_NAME, rows, "Worker itself has no method run", _WRITE_CLASS)
        elif isinstance(thing, Class):
            return self._check_class(thing, rows, names)
        elif thing is Known.SHELL_WORKER:
            return Flow()
        elif thing is not Known.UNKNOWN:
            self._report(
                "not-a-worker",
                Column.WORKER_NAME,
                rows,
                f"{name} in {where} is no class that extends Worker",
                _EXTEND,
            )
        return None

    def _check_class(self, worker: Class, rows: list[TaskRow], names: Names) -> Flow | None:
        if worker.is_worker is False:
            place = worker.module.place(worker.node)
            where = f"{self._shown(worker.module.file)}:{place.line}"
            message = f"{worker.node.name} ({where}) does not extend Worker"
            self._report("not-a-worker", Column.WORKER_NAME, rows, message, _EXTEND)
            return None
        if worker.is_worker:
            check_class(worker, self._problems_of)
        return flow_of(worker, names)

    def _report_class(self, name: str, where: str, known: list[str], rows: list[TaskRow]) -> None:
        shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
        self._report(
            "class-not-found",
            Column.WORKER_NAME,
            rows,
            f"there is no class {name} in {where}",
            f"{self._did_you_mean(name, known)}Its classes: {shown or 'none'}.",
        )

    def _check_unwritten(self, rules: ContextRules) -> None:
        for (key, site), rows in rules.unwritten().items():
            self._problems_of(site.module).warning(
                "unwritten-key",
                site.module.place(site.node),
                f"{rows_text(row.id for row in rows)} of {self._list.source} "
                f"{'reads' if len(rows) == 1 else 'read'} the context's {quote(key)}, but no row writes it",
                self._did_you_mean(key, sorted(rules.available), quote)
                + "Let a row above write it, or give it a value in cvar below [pyrunner].",
            )

    def _did_you_mean(self, name: str, known: list[str], shown: Callable[[str], str] = str) -> str:
        """Ask about the first unknown names alone: each is compared with all others."""
        self._unknown += 1
        return did_you_mean(name, known, shown=shown) if self._unknown <= _NEAR_MATCHES else ""

    # Where things are

    def _report(self, code: str, column: Column, rows: list[TaskRow], message: str, hint: str) -> None:
        """Report an error at the first of the rows that have it."""
        first, *others = rows
        if others:
            message += f" (also {rows_text(row.id for row in others)})"
        self._problems.error(code, self._place(first, column), message, hint)

    def _place(self, row: TaskRow, column: Column) -> Place:
        return Row(row.line, self._lines[row.line - 1]).place(column)

    def _problems_of(self, module: Module) -> Problems:
        return self._problems.of(self._shown(module.file))

    def _show(self, site: Site) -> str:
        return f"{self._shown(site.module.file)}:{site.node.lineno}"

    def _shown(self, path: str) -> str:
        """Return a path as the list's own was given."""
        if path not in self._shown_paths:
            self._shown_paths[path] = os.path.relpath(path) if self._is_relative else path
        return self._shown_paths[path]


def _soften(problem: Diagnostic) -> Diagnostic:
    """Return a warning in place of an error: the job may look for its workers elsewhere."""
    return problem._replace(severity=Severity.WARNING)
