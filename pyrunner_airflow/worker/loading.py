"""Importing an app's worker classes, so that no two apps see each other's modules."""

from __future__ import annotations

import importlib
import importlib.util
import keyword
import os
import sys
from types import ModuleType
from typing import Any

from .app import App, AppError
from .base import ShellWorker, Worker

# Before Python 3.10 it is an interpreter of its own, which has loaded nothing else.
_KEPT = frozenset({"airflow", "pyrunner_airflow", *getattr(sys, "stdlib_module_names", sys.modules)})
"""Modules that no app's take the place of: what runs the worker stands on them."""


def load_worker(module_name: str, worker_name: str, folders: list[str]) -> Any:
    """
    Import a row's worker class.

    :param folders: where the module is looked for, for the message if it is not found.
    :raises AppError: if there is no such module or class, or if it is no Worker.
    :raises Exception: whatever importing the module raises.
    """
    for name in (*module_name.split("."), worker_name):
        if not name.isidentifier() or keyword.iskeyword(name):
            raise AppError(f"{module_name}.{worker_name}: {name!r} is not a Python name")
    if module_name.split(".")[0] == "pyrunner" and worker_name == "ShellWorker":
        return ShellWorker  # the real package's hands the shell a list, and so loses all but the first
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise _no_module(error.name, folders) from error
    worker = getattr(module, worker_name, None)
    file = getattr(module, "__file__", None) or module_name
    if worker is None and file == module_name and hasattr(module, "__path__"):  # a mere folder of that name
        raise _no_module(module_name, folders)
    if worker is None:
        raise AppError(f"there is no class {worker_name} in {file}")
    if not _is_worker(worker):
        raise AppError(f"{worker_name} in {file} is not a subclass of pyrunner's Worker")
    return worker


def _no_module(name: str, folders: list[str]) -> AppError:
    return AppError(f"there is no module {name} in {', '.join(folders)} or on sys.path")


def _is_worker(worker: Any) -> bool:
    """Recognise our Worker and python-batch-runner's, whichever of the two the module imported."""
    return isinstance(worker, type) and any(
        base is Worker or (base.__name__ == "Worker" and base.__module__.split(".")[0] == "pyrunner")
        for base in worker.__mro__
    )


def find_imports(app: App, folder: str) -> None:
    """
    Arrange imports as PyRunner does: the app's root goes first on ``sys.path``, its worker folder last.

    Only the entries that hold the app itself come later, since other apps lie there too: Airflow adds its
    dags folder. Modules of the app's names that a DAG's file has imported from elsewhere are dropped.
    """
    root = _import_root(app, folder)
    around = [entry for entry in sys.path if _lies_in(root, entry) or _lies_in(folder, entry)]
    sys.path[:] = [root, *(entry for entry in sys.path if entry not in around), folder, *around]
    _look_anew({root, folder})
    _drop_modules({root, folder})
    sys.modules["__main__"] = ModuleType("__main__")  # multiprocessing would have a spawned child import it
    spec = importlib.util.find_spec("pyrunner")
    if spec is None or spec.origin is None:  # without an origin it is a mere folder of that name
        sys.modules.update(_stand_in())


def _look_anew(folders: set[str]) -> None:
    """
    Do what importlib.invalidate_caches() does, for the folders of an app.

    That would load importlib.metadata, and have each folder of ``sys.path`` be listed again.
    """
    for entry, finder in list(sys.path_importer_cache.items()):
        if finder is None:  # a folder that was not there
            del sys.path_importer_cache[entry]
        elif hasattr(finder, "invalidate_caches") and any(_lies_in(entry, folder) for folder in folders):
            finder.invalidate_caches()


def _drop_modules(folders: set[str]) -> None:
    """Drop loaded modules in whose place Python would find one in these folders if none were loaded."""
    hidden = set()
    for folder in filter(os.path.isdir, folders):
        for entry in os.listdir(folder):
            name, ending = os.path.splitext(entry)
            is_module = ending == ".py" or os.path.exists(os.path.join(folder, entry, "__init__.py"))
            if name in sys.modules and name not in _KEPT:
                is_plain_folder = getattr(sys.modules[name], "__file__", None) is None
                if is_module or (is_plain_folder and not ending):
                    hidden.add(name)
    if hidden:  # a fork copies what it looks at, and there are thousands
        for name in [name for name in sys.modules if name.split(".")[0] in hidden]:
            del sys.modules[name]


def _import_root(app: App, folder: str) -> str:
    """Return the folder that goes first on ``sys.path``: the root that a worker folder belongs to."""
    around = [root for root in (app.home, app.root) if _lies_in(folder, root)]
    return max(around, key=len, default=app.root)


def _lies_in(path: str, folder: str) -> bool:
    return os.path.join(path, "").startswith(os.path.join(os.path.abspath(folder), ""))


def _stand_in() -> dict[str, ModuleType]:
    """Return modules that answer for python-batch-runner's where it is not installed."""
    modules = {
        name: ModuleType(name, "Stands in for python-batch-runner while pyrunner-airflow runs a worker.")
        for name in ("pyrunner", "pyrunner.worker", "pyrunner.worker.abstract", "pyrunner.worker.shellworker")
    }
    for module in modules.values():
        module.__dict__.update(Worker=Worker, ShellWorker=ShellWorker, __path__=[])
    for name in modules:
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, modules[name])
    return modules
