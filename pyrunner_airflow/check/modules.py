"""The modules of an app, found as Python would find them, and what their names stand for."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import sys
from collections import Counter
from collections.abc import Iterable
from enum import Enum
from functools import cached_property
from importlib.machinery import PathFinder
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pyrunner_airflow.check.source import Source, bindings, walk

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

_PLAIN = frozenset(("object", "ABC", "Generic", "Protocol"))
# Methods by which a class can be anything.
_DYNAMIC = frozenset(("__getattr__", "__getattribute__", "__init_subclass__", "__new__", "__setattr__"))
_MOST_BASES = 1000  # each counted once for each way that leads to it
_PYRUNNER_MODULES = ("pyrunner", "pyrunner.worker", "pyrunner.worker.abstract", "pyrunner.worker.shellworker")


class Special(Enum):
    """What an expression can stand for, besides texts and what has its source in the app."""

    WORKER = "pyrunner's Worker"
    SHELL_WORKER = "pyrunner's ShellWorker"
    PLAIN = "a class without methods"
    FOREIGN = "something of Python itself: no worker"
    SELF = "the worker that is read"
    CONTEXT = "its context"
    UNKNOWN = "nobody knows"
    MISSING = "nothing"


_PYRUNNER_CLASSES = {"Worker": Special.WORKER, "ShellWorker": Special.SHELL_WORKER}


class ForeignModule:
    """A module that is not the app's: of the standard library, of an installed package, or compiled.

    is_folder: it is nothing but a folder of the app, which has modules in it and no names of its own.
    """

    def __init__(self, name: str, is_folder: bool = False) -> None:
        self.name = name
        self.is_folder = is_folder
        self.is_standard = name.partition(".")[0] in sys.stdlib_module_names
        self.classes = [*_PYRUNNER_CLASSES] if name in _PYRUNNER_MODULES else []

    def look_up(self, name: str) -> Meaning:
        """Return what a name of the module stands for."""
        if self.name.partition(".")[0] in ("pyrunner", "pyrunner_airflow"):
            unknown = Special.MISSING if self.name in _PYRUNNER_MODULES else Special.UNKNOWN
            return _PYRUNNER_CLASSES.get(name, unknown)
        if self.is_standard:
            return Special.PLAIN if name in _PLAIN else Special.FOREIGN
        return Special.UNKNOWN


class Module(Source):
    """A module of the app."""

    def __init__(self, modules: Modules, name: str, file: str, is_package: bool = False) -> None:
        super().__init__(file)
        self.name = name
        self._modules = modules
        self._package = name if is_package else name.rpartition(".")[0]
        self._meanings: dict[str, Meaning] = {}

    @cached_property
    def classes(self) -> list[str]:
        """The names that stand for classes of the app."""
        return [name for name in self.names if isinstance(self.look_up(name), Class)]

    @cached_property
    def _star_imports(self) -> Iterable[ast.ImportFrom]:
        imports = (node for node in walk(self.tree) if isinstance(node, ast.ImportFrom))
        return {(node.level, node.module): node for node in imports if node.names[0].name == "*"}.values()

    @cached_property
    def _imported(self) -> dict[str, str]:
        """What is imported under each name, by its name where it comes from."""
        aliases = (node for node in walk(self.tree) if isinstance(node, ast.alias))
        return {alias.asname or alias.name: alias.name for alias in aliases}

    def evaluate(self, node: ast.expr) -> Meaning:
        """Return what an expression on the outermost level stands for."""
        match node:
            case ast.Name(id=name):
                return self.look_up(name)
            case ast.Attribute(value=value, attr=name):
                return self._modules.attribute(self.evaluate(value), name)
            case ast.Subscript(value=value):  # Generic[T]
                return self.evaluate(value)
            case ast.Constant(value=value):
                return value if isinstance(value, str) else Special.FOREIGN
        return Special.UNKNOWN

    def look_up(self, name: str) -> Meaning:
        """Return what a name of the module stands for."""
        if name not in self._meanings:
            self._meanings[name] = Special.UNKNOWN  # what it stays if the search comes back here
            self._meanings[name] = self._look_up(name)
        return self._meanings[name]

    def _look_up(self, name: str) -> Meaning:
        if name in self.names:
            return self._bound(self.names[name], name)
        imported = (self._import(node, name) for node in self._star_imports)
        if found := list(islice((meaning for meaning in imported if meaning is not Special.MISSING), 2)):
            return found[0] if len(found) == 1 else Special.UNKNOWN
        if self.hides_names:
            return Special.UNKNOWN
        if hasattr(builtins, name):
            return Special.PLAIN if name in _PLAIN else Special.FOREIGN
        return Special.MISSING

    def _bound(self, node: ast.AST | None, name: str) -> Meaning:
        match node:
            case ast.ClassDef():
                return Class(self, node)
            case ast.FunctionDef(decorator_list=[]) | ast.AsyncFunctionDef(decorator_list=[]):
                return Function(self, node)
            case ast.Import():
                return self._modules.find(self._imported.get(name, name)) or Special.UNKNOWN
            case ast.ImportFrom():
                found = self._import(node, self._imported[name])
                return Special.UNKNOWN if found is Special.MISSING else found
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                return self.evaluate(value)
        return Special.UNKNOWN

    def _import(self, node: ast.ImportFrom, name: str) -> Meaning:
        above = self._package.split(".")[: 1 - node.level or None] if node.level else []
        module = self._modules.find(".".join(filter(None, [*above, node.module])))
        return self._modules.attribute(module, name) if module else Special.UNKNOWN


class Function:
    """A function of the app, or a method of one of its classes."""

    def __init__(self, module: Module, node: FunctionNode | ast.Lambda, owner: Class | None = None) -> None:
        self.module = module
        self.node = node
        self.owner = owner

    @property
    def name(self) -> str:
        """Its own name, behind that of its class."""
        name: str = getattr(self.node, "name", "lambda")
        return f"{self.owner.node.name}.{name}" if self.owner else name

    @cached_property
    def decorators(self) -> set[str]:
        """The last names of its decorators; "" for what is no name."""
        nodes: list[ast.expr] = getattr(self.node, "decorator_list", [])
        return {last_name(node.func if isinstance(node, ast.Call) else node) for node in nodes}

    @cached_property
    def assignments(self) -> Counter[str]:
        """How often it assigns to each of its variables; a parameter is one assignment."""
        return Counter(name for name, *_ in bindings(self.node))


class Attribute(NamedTuple):
    """What a class has that is no method; `is_certain` is whether it surely has this value."""

    module: Module
    value: ast.expr | None
    is_certain: bool


class Class:
    """A class of the app."""

    def __init__(self, module: Module, node: ast.ClassDef) -> None:
        self.module = module
        self.node = node

    @cached_property
    def own(self) -> dict[str, Function | Attribute]:
        """What the class itself defines."""
        return {
            name: Function(self.module, node, self)
            if is_certain and isinstance(node, FunctionNode)
            else Attribute(self.module, getattr(node, "value", None), is_certain)
            for name, node, is_certain in bindings(self.node)
        }

    @cached_property
    def mro(self) -> tuple[Class | Special, ...]:
        """The class, and the classes that it inherits from, in the order in which methods are looked up.

        It has `Special.UNKNOWN` where a base can't be told, or a decorator or metaclass may add anything.
        """
        self.__dict__["mro"] = (unknown := Special.UNKNOWN,)  # for a base that extends this class
        found: list[Class | Special] = [self]
        keywords = ((keyword.arg, last_name(keyword.value)) for keyword in self.node.keywords)
        is_plain = all(keyword == ("metaclass", "ABCMeta") for keyword in keywords)
        if self.node.decorator_list or not is_plain or not _DYNAMIC.isdisjoint(self.own):
            found.append(unknown)
        for base in map(self.module.evaluate, self.node.bases):
            found += base.mro if isinstance(base, Class) else [base if isinstance(base, Special) else unknown]
            if len(found) > _MOST_BASES:
                return (self, unknown)
        # A class that several bases share comes after all of them.
        return tuple(reversed(dict.fromkeys(reversed(found))))

    @property
    def is_worker(self) -> bool | None:
        """Whether it extends pyrunner's Worker; None where that can't be told."""
        if Special.WORKER in self.mro or Special.SHELL_WORKER in self.mro:
            return True
        return None if Special.UNKNOWN in self.mro or Special.MISSING in self.mro else False

    @property
    def is_open(self) -> bool:
        """Whether it may have methods that can't be seen."""
        return not {Special.UNKNOWN, Special.MISSING, Special.FOREIGN}.isdisjoint(self.mro)

    @cached_property
    def classes(self) -> list[Class]:
        """The app's classes among those that it consists of."""
        return [found for found in self.mro if isinstance(found, Class)]

    def find(self, name: str, after: Class | None = None) -> Function | Attribute | None:
        """Return a method or an attribute; `after` is the class whose ``super()`` asks."""
        classes = self.classes
        if after in classes:
            classes = classes[classes.index(after) + 1 :]
        return next((found.own[name] for found in classes if name in found.own), None)

    def constant(self, name: str) -> str | Special:
        """Return the text that an attribute is bound to for good."""
        match self.find(name):
            case Attribute(value=ast.Constant(value=str(text)), is_certain=True):
                is_set = any(name in owner.module.set_attributes for owner in self.classes)
                return Special.UNKNOWN if is_set else text
        return Special.UNKNOWN

    def runs_code(self, name: str) -> bool:
        """Say whether getting or setting an attribute may call something of the app's."""
        found = self.find(name)
        if not isinstance(found, Attribute) or not found.is_certain:
            return found is not None
        value = found.value.func if isinstance(found.value, ast.Call) else found.value
        if isinstance(value, (ast.Name, ast.Attribute)):
            meaning = found.module.evaluate(value)
            return meaning is not Special.FOREIGN and not isinstance(meaning, str)
        return isinstance(value, (ast.Call, ast.Lambda))


Meaning = Module | ForeignModule | Class | Function | str | Special
"""What an expression stands for; a text is one that it is for good."""


class Modules:
    """What ``import`` finds for the workers of one folder of an app.

    root, folder: absolute; they come first and last on ``sys.path`` when a worker runs.
    """

    def __init__(self, root: str, folder: str) -> None:
        self._root = root
        self._folder = folder
        self._found: dict[str, Module | ForeignModule | None] = {}

    def find(self, name: str) -> Module | ForeignModule | None:
        """Return a module by its absolute name; None if there seems to be none."""
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def attribute(self, base: Meaning, name: str) -> Meaning:
        """Return what an attribute stands for: of a module also a module below it."""
        if isinstance(base, (Module, ForeignModule)):
            found = base.look_up(name)
            if found is Special.MISSING or (found is Special.UNKNOWN and isinstance(base, ForeignModule)):
                return self.find(f"{base.name}.{name}") or found
            return found
        if isinstance(base, Class) and not base.is_open:
            method = base.find(name)
            return method if isinstance(method, Function) else base.constant(name)
        return base if base is Special.FOREIGN else Special.UNKNOWN

    def file(self, name: str, folder: str | None = None) -> str | None:
        """Return the file of a top-level module that the worker folder has, or another one."""
        spec = PathFinder.find_spec(name, [folder or self._folder])
        return spec.origin if spec else None

    @cached_property
    def names(self) -> list[str]:
        """The top-level modules that the app has."""
        import pkgutil  # only those who made a mistake pay for it

        return sorted({module.name for module in pkgutil.iter_modules([self._folder, self._root])})

    def _find(self, name: str) -> Module | ForeignModule | None:
        top, *below = name.split(".")
        if top == "pyrunner" or (top in sys.stdlib_module_names and not self.file(top, self._root)):
            return ForeignModule(name)
        spec = PathFinder.find_spec(top, [self._root, self._folder])
        if not spec:
            return ForeignModule(name) if self._may_be_elsewhere(top) else None
        for part in below:
            spec = spec and PathFinder.find_spec(part, spec.submodule_search_locations or [])
        if not spec:
            return None
        if not spec.origin:
            return ForeignModule(name, is_folder=not self._may_be_elsewhere(top))
        if not spec.origin.endswith(".py"):
            return ForeignModule(name)
        return Module(self, name, spec.origin, is_package=spec.submodule_search_locations is not None)

    def _may_be_elsewhere(self, top: str) -> bool:
        """Look among the installed packages, and where Airflow's own dags folder may be."""
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            return True
        if spec and spec.origin:  # without an origin it is a mere folder of that name
            return True
        return PathFinder.find_spec(top, [*map(str, Path(self._root).parents)]) is not None


def last_name(node: ast.expr) -> str:
    """Return the last part of a dotted name; "" for what is no name."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
