"""Importing an app's worker classes, so that no two apps see each other's modules."""

from __future__ import annotations

import importlib
import importlib.util
import keyword
import os
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Iterator

from .app import App, AppError, holds_module
from .base import ShellWorker, Worker


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
    _look_anew()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise AppError(f"there is no module {error.name} in {', '.join(folders)} or on sys.path") from error
    worker = getattr(module, worker_name, None)
    if worker is None:
        raise AppError(f"there is no class {worker_name} in {module.__file__}")
    if not _is_worker(worker):
        raise AppError(f"{worker_name} in {module.__file__} is not a subclass of pyrunner's Worker")
    return worker


def _look_anew() -> None:
    """Do what importlib.invalidate_caches() does for modules; that loads importlib.metadata, for 25 ms."""
    for entry, finder in list(sys.path_importer_cache.items()):
        if finder is None:
            del sys.path_importer_cache[entry]
        elif hasattr(finder, "invalidate_caches"):
            finder.invalidate_caches()


def _is_worker(worker: Any) -> bool:
    """Recognise our Worker and python-batch-runner's, whichever of the two the module imported."""
    return isinstance(worker, type) and any(
        base is Worker or (base.__name__ == "Worker" and base.__module__.split(".")[0] == "pyrunner")
        for base in worker.__mro__
    )


@contextmanager
def app_imports(root: str, folder: str, module_name: str) -> Iterator[None]:
    """
    Arrange ``sys.path`` as PyRunner does: the app's root first, its worker folder last.

    Only the entries that hold the app itself come later, since other apps lie there too: Airflow adds its
    dags folder.

    Afterwards the modules that came from the app are forgotten, since another app's may have their names.

    :param module_name: the worker's module: one of that name from elsewhere makes room while this lasts.
    """
    path, before = list(sys.path), set(sys.modules)
    top = module_name.split(".")[0]
    hidden = _take_modules(top) if holds_module(folder, top) else {}
    around = [entry for entry in path if _lies_in(root, entry) or _lies_in(folder, entry)]
    try:
        sys.path[:] = [root, *(entry for entry in path if entry not in around), folder, *around]
        spec = importlib.util.find_spec("pyrunner")
        if spec is None or spec.origin is None:  # without an origin it is a mere folder of that name
            hidden.update(_take_modules("pyrunner"))
            sys.modules.update(_stand_in())
        yield
    finally:
        for name in set(sys.modules) - before:
            if name.split(".")[0] == "pyrunner" or _comes_from_app(sys.modules[name], path, (root, folder)):
                del sys.modules[name]
        sys.path[:] = path
        sys.modules.update(hidden)


def import_root(app: App, folder: str) -> str:
    """Return the folder that goes first on ``sys.path``: the root that a worker folder belongs to."""
    around = [root for root in (app.home, app.root) if _lies_in(folder, root)]
    return max(around, key=len, default=app.root)


def _lies_in(path: str, folder: str) -> bool:
    return os.path.join(path, "").startswith(os.path.join(os.path.abspath(folder), ""))


def _take_modules(top: str) -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.split(".")[0] == top]
    return {name: sys.modules.pop(name) for name in names}


def _comes_from_app(module: ModuleType, outer_path: list[str], app_folders: tuple[str, ...]) -> bool:
    """Say whether a module was found by an entry of sys.path that only the app's worker had."""
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", None) or []), None)
    if not isinstance(file, str):
        return False
    entries = (*app_folders, *outer_path, *sys.path)
    homes = [entry for entry in entries if isinstance(entry, str) and _lies_in(file, entry)]
    home = max(homes, key=len, default=None)
    return home is not None and (home in app_folders or home not in outer_path)


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
