"""What a name in an app's module stands for, as far as its source tells."""

from __future__ import annotations

import ast
import builtins
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from pyrunner_airflow.analysis.modules import ForeignModule, Module, bindings
from pyrunner_airflow.analysis.values import FunctionNode

if TYPE_CHECKING:
    from pyrunner_airflow.analysis.modules import Modules

_WORKERS = frozenset(("pyrunner", "pyrunner_airflow"))
_PLAIN = frozenset(("object", "ABC", "Generic", "Protocol"))

# Methods by which a class can be anything.
_DYNAMIC = frozenset(("__getattr__", "__getattribute__", "__init_subclass__", "__new__", "__setattr__"))


class Known(Enum):
    """What a name can stand for that has no source in the app."""

    WORKER = "pyrunner's Worker"
    SHELL_WORKER = "pyrunner's ShellWorker"
    PLAIN = "a class without methods"
    FOREIGN_CLASS = "a class, or something else, of Python itself: no worker"
    NO_CLASS = "something that is no class"
    UNKNOWN = "nobody knows"
    MISSING = "nothing"


class Function(NamedTuple):
    """A function, or a method."""

    module: Module
    node: ast.FunctionDef | ast.AsyncFunctionDef


class Constant(NamedTuple):
    """A text that a name is bound to for good."""

    value: str


class Class:
    """A class of the app."""

    def __init__(self, names: Names, module: Module, node: ast.ClassDef) -> None:
        self._names = names
        self.module = module
        self.node = node

    @cached_property
    def own(self) -> dict[str, ast.AST | None]:
        """What the class itself defines: functions, assignments; None for what depends."""
        return {name: node if is_certain else None for name, node, is_certain in bindings(self.node.body)}

    @cached_property
    def mro(self) -> tuple[Class | Known, ...]:
        """The class, and the classes that it inherits from, in the order in which methods are looked up.

        It has `Known.UNKNOWN` where a base can't be told, or where a decorator or metaclass may add anything.
        """
        return self._mro(())

    def _mro(self, below: tuple[Class, ...]) -> tuple[Class | Known, ...]:
        if self in below:
            return (Known.UNKNOWN,)
        found: list[Class | Known] = [self]
        keywords = ((keyword.arg, _last_name(keyword.value)) for keyword in self.node.keywords)
        is_plain = all(keyword == ("metaclass", "ABCMeta") for keyword in keywords)
        if self.node.decorator_list or not is_plain or not _DYNAMIC.isdisjoint(self.own):
            found.append(Known.UNKNOWN)
        for node in self.node.bases:
            base = self._names.of_expression(self.module, node)
            if isinstance(base, Class):
                found += base._mro((*below, self))
            elif isinstance(base, Known):
                found.append(Known.UNKNOWN if base is Known.MISSING else base)
            else:
                found.append(Known.UNKNOWN)
        # A class that several bases share comes after all of them.
        return tuple(reversed(dict.fromkeys(reversed(found))))

    @property
    def is_worker(self) -> bool | None:
        """Whether it extends pyrunner's Worker; None where that can't be told."""
        if Known.WORKER in self.mro or Known.SHELL_WORKER in self.mro:
            return True
        return None if Known.UNKNOWN in self.mro else False

    @property
    def is_open(self) -> bool:
        """Whether it may have methods that can't be seen."""
        return Known.UNKNOWN in self.mro or Known.FOREIGN_CLASS in self.mro

    @cached_property
    def classes(self) -> list[Class]:
        """The app's classes among those that it consists of."""
        return [found for found in self.mro if isinstance(found, Class)]

    def find(self, name: str, after: Class | None = None) -> tuple[Class, ast.AST | None] | None:
        """Return where an attribute is defined, and by what; `after` is the class whose ``super()`` asks."""
        classes = self.classes
        if after in classes:
            classes = classes[classes.index(after) + 1 :]
        for found in classes:
            if name in found.own:
                return found, found.own[name]
        return None

    def text(self, name: str) -> str | None:
        """Return the text that an attribute is bound to for good; None where it is anything else."""
        found = self.find(name)
        value = getattr(found[1], "value", None) if found else None
        if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
            return None
        return None if any(name in owner.module.set_attributes for owner in self.classes) else value.value


Thing = Module | ForeignModule | Class | Function | Constant | Known


class Names:
    """Looks names up in the modules of an app."""

    def __init__(self, modules: Modules) -> None:
        self.modules = modules
        self._things: dict[tuple[str, str], Thing] = {}
        self._classes: dict[str, list[str]] = {}

    def of_module(self, module: Module, name: str) -> Thing:
        """Return what a module's name stands for."""
        key = module.file, name
        if key not in self._things:
            self._things[key] = Known.UNKNOWN  # what it stays if the search comes back here
            self._things[key] = self._look_up(module, name)
        return self._things[key]

    def classes(self, module: Module) -> list[str]:
        """Return the names of a module that stand for classes of the app."""
        if module.file not in self._classes:
            found = [name for name in module.names if isinstance(self.of_module(module, name), Class)]
            self._classes[module.file] = found
        return self._classes[module.file]

    def of_expression(self, module: Module, node: ast.expr) -> Thing:
        """Return what a name with dots stands for on the outermost level of a module."""
        if isinstance(node, ast.Name):
            return self.of_module(module, node.id)
        if isinstance(node, ast.Attribute):
            return self._attribute(self.of_expression(module, node.value), node.attr)
        if isinstance(node, ast.Subscript):  # Generic[T]
            return self.of_expression(module, node.value)
        if isinstance(node, ast.Constant):
            return Constant(node.value) if isinstance(node.value, str) else Known.NO_CLASS
        return Known.UNKNOWN

    def _look_up(self, module: Module, name: str) -> Thing:
        if name in module.names:
            return self._bound(module, module.names[name], name)
        imported = [self._imported(module.absolute(node), name) for node in module.star_imports]
        if found := [thing for thing in imported if thing is not Known.MISSING]:
            return found[0] if len(found) == 1 else Known.UNKNOWN
        if module.hides_names:
            return Known.UNKNOWN
        if hasattr(builtins, name):
            return Known.PLAIN if name in _PLAIN else Known.FOREIGN_CLASS
        return Known.MISSING

    def _bound(self, module: Module, node: ast.AST | None, name: str) -> Thing:
        if isinstance(node, ast.ClassDef):
            return Class(self, module, node)
        if isinstance(node, FunctionNode):
            return Known.UNKNOWN if node.decorator_list else Function(module, node)
        if isinstance(node, ast.Import):
            whole = next((alias.name for alias in node.names if alias.asname == name), name)
            return self.modules.find(whole) or Known.UNKNOWN
        if isinstance(node, ast.ImportFrom):
            alias = next(alias for alias in node.names if name == (alias.asname or alias.name))
            thing = self._imported(module.absolute(node), alias.name)
            return Known.UNKNOWN if thing is Known.MISSING else thing
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value:
            return self.of_expression(module, node.value)
        return Known.UNKNOWN

    def _imported(self, module_name: str, name: str) -> Thing:
        module = self.modules.find(module_name)
        return self._attribute(module, name) if module else Known.UNKNOWN

    def _attribute(self, thing: Thing, name: str) -> Thing:
        if isinstance(thing, Module):
            found = self.of_module(thing, name)
            if found is Known.MISSING:
                return self.modules.find(f"{thing.name}.{name}") or found
            return found
        if isinstance(thing, ForeignModule):
            return self._foreign(thing, name)
        if isinstance(thing, Class) and not thing.is_open:
            return self._of_class(thing, name)
        return thing if thing is Known.FOREIGN_CLASS else Known.UNKNOWN

    def _foreign(self, module: ForeignModule, name: str) -> Thing:
        if module.name.partition(".")[0] in _WORKERS:
            known = {"Worker": Known.WORKER, "ShellWorker": Known.SHELL_WORKER}
            return known.get(name) or self.modules.find(f"{module.name}.{name}") or Known.UNKNOWN
        if module.is_standard:
            return Known.PLAIN if name in _PLAIN else Known.FOREIGN_CLASS
        return self.modules.find(f"{module.name}.{name}") or Known.UNKNOWN

    def _of_class(self, thing: Class, name: str) -> Thing:
        found = thing.find(name)
        if found is None:
            return Known.UNKNOWN
        owner, node = found
        if isinstance(node, FunctionNode):
            return Function(owner.module, node)
        text = thing.text(name)
        return Known.UNKNOWN if text is None else Constant(text)


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
