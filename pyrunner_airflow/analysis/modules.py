"""The modules of an app, found as Python would find them and read without being imported."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import os
import re
import sys
import warnings
from functools import cached_property
from typing import TYPE_CHECKING

from pyrunner_airflow.tasklist.diagnostics import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What can give a module names that its source does not show.
_HIDDEN_NAMES = re.compile(
    r"\bglobals\(|\blocals\(|\bvars\(|\bexec\(|\bsys\.modules\b|^def __getattr__", re.M
)

# What functions declare as the module's: they may bind it to anything.
_GLOBAL = re.compile(r"^[ \t]+global[ \t]+(\w+(?:[ \t]*,[ \t]*\w+)*)", re.MULTILINE)
# Where a statement has others in it: as they are, or in an `except` or a `case`.
_BLOCKS: dict[type[ast.stmt], tuple[str, ...]] = {
    ast.AsyncFor: ("body", "orelse"),
    ast.AsyncWith: ("body",),
    ast.For: ("body", "orelse"),
    ast.If: ("body", "orelse"),
    ast.Match: ("cases",),
    ast.Try: ("body", "handlers", "orelse", "finalbody"),
    ast.TryStar: ("body", "handlers", "orelse", "finalbody"),
    ast.While: ("body", "orelse"),
    ast.With: ("body",),
}


class ForeignModule:
    """A module that is not the app's: of the standard library, of an installed package, or compiled.

    is_folder: it is nothing but a folder of the app, which has modules in it and no names of its own.
    """

    def __init__(self, name: str, is_folder: bool = False) -> None:
        self.name = name
        self.is_folder = is_folder
        self.is_standard = name.partition(".")[0] in sys.stdlib_module_names


class Module:
    """A module of the app.

    error: why it is no valid Python, if so; it has no names then.
    is_unread: it can't be read here, and might have any names.
    """

    def __init__(self, name: str, file: str, is_package: bool = False) -> None:
        self.name = name
        self.file = file
        self.package = name if is_package else name.rpartition(".")[0]
        self.error: SyntaxError | None = None
        self.is_unread = False
        self.tree = ast.Module([], [])
        self._source = b""
        try:
            with open(file, "rb") as source:
                self._source = source.read()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of escapes in strings: not what is looked for here
                self.tree = ast.parse(self._source)
        except SyntaxError as error:
            self.error = error
        except ValueError as error:  # a NUL
            self.error = SyntaxError(str(error))
        except (OSError, RecursionError, MemoryError):  # whoever runs the job might get over it
            self.is_unread = True

    @cached_property
    def text(self) -> str:
        """The source, its line ends as Python counts them."""
        try:
            return importlib.util.decode_source(self._source)
        except (SyntaxError, ValueError):  # as `error` says
            return re.sub("\r\n?", "\n", self._source.decode(errors="replace"))

    @cached_property
    def hides_names(self) -> bool:
        """Whether it may have names that its source does not show."""
        return bool(self.error or self.is_unread or _HIDDEN_NAMES.search(self.text))

    @cached_property
    def has_generators(self) -> bool:
        """Whether any function may be a generator."""
        return "yield" in self.text

    @cached_property
    def set_attributes(self) -> set[str]:
        """The names of all attributes, of whatever object, that something in the module assigns to."""
        attributes = (node for node in ast.walk(self.tree) if isinstance(node, ast.Attribute))
        return {node.attr for node in attributes if not isinstance(node.ctx, ast.Load)}

    @cached_property
    def names(self) -> dict[str, ast.AST | None]:
        """What each name of the module is bound to: its one statement, None where that depends."""
        names: dict[str, ast.AST | None] = {}
        for name, node, is_certain in bindings(self.tree.body):
            names[name] = node if is_certain or name not in names else None
        for declared in _GLOBAL.findall(self.text):
            names.update(dict.fromkeys(name.strip() for name in declared.split(",")))
        return names

    @cached_property
    def star_imports(self) -> list[ast.ImportFrom]:
        """Its ``from ... import *``."""
        froms = (node for node in statements(self.tree.body) if isinstance(node, ast.ImportFrom))
        return [node for node in froms if node.names[0].name == "*"]

    def absolute(self, node: ast.ImportFrom) -> str:
        """Return the absolute name of the module that a ``from ... import`` names."""
        if not node.level:
            return node.module or ""
        parts = self.package.split(".") if self.package else []
        parts = parts[: len(parts) - node.level + 1]
        return ".".join([*parts, *([node.module] if node.module else [])])

    def place(self, node: ast.expr | ast.stmt) -> Place:
        """Return where a node stands: all of an expression, the name of a class or function."""
        text = self.line(node.lineno)
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            found = re.compile(rf"\b{re.escape(node.name)}\b").search(
                text, _characters(text, node.col_offset)
            )
            start, end = found.span() if found else (0, len(text))
        else:
            start = _characters(text, node.col_offset)
            one_line = node.end_lineno == node.lineno and node.end_col_offset is not None
            end = _characters(text, node.end_col_offset or 0) if one_line else len(text)
        return Place(node.lineno, start + 1, end - start, None, text)

    def line(self, number: int) -> str:
        """Return a line, from 1; "" if there is none."""
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")


class Modules:
    """What ``import`` finds for the workers of one folder of an app.

    root, folder: absolute; they come first and last on ``sys.path`` when a worker runs.
    read: the modules read so far, by their files; shared by the folders of an app.
    """

    def __init__(self, root: str, folder: str, read: dict[str, Module]) -> None:
        self._root = root
        self._folder = folder
        self._read = read
        self._found: dict[str, Module | ForeignModule | None] = {}

    def find(self, name: str) -> Module | ForeignModule | None:
        """Return a module by its absolute name; None if there seems to be none."""
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def hidden(self, name: str) -> str | None:
        """Return the app's file that Python never imports, since it has a module of that name itself."""
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names or _locate([self._root], top)[0]:
            return None
        return _locate([self._folder], top)[0]

    def names(self) -> list[str]:
        """Return the top-level modules that the app has."""
        found = set()
        for folder in (self._folder, self._root):
            for entry in os.scandir(folder) if os.path.isdir(folder) else ():
                stem, ending = os.path.splitext(entry.name)
                if ending == ".py" and stem != "__init__":
                    found.add(stem)
        return sorted(found)

    def _find(self, name: str) -> Module | ForeignModule | None:
        top, *below = name.split(".")
        if top == "pyrunner" or self.hidden(top):
            return ForeignModule(name)
        file, folders = _locate([self._root, self._folder], top)
        if not (file or folders):
            return ForeignModule(name) if self._may_be_elsewhere(top) else None
        for part in below:
            if file and not folders:
                return None  # a module, not a package
            file, folders = _locate(folders, part)
        if not file:
            return ForeignModule(name, not self._may_be_elsewhere(top)) if folders else None
        if not file.endswith(".py"):
            return ForeignModule(name)
        if file not in self._read:
            self._read[file] = Module(name, file, is_package=bool(folders))
        return self._read[file]

    def _may_be_elsewhere(self, top: str) -> bool:
        """Look among the installed packages, and where Airflow's own dags folder may be."""
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            return True
        if spec and spec.origin:  # without an origin it is a mere folder of that name
            return True
        parents = _parents(self._root)
        return any(file or folders for file, folders in (_locate([parent], top) for parent in parents))


def _parents(folder: str) -> Iterator[str]:
    while (parent := os.path.dirname(folder)) != folder:
        yield parent
        folder = parent


def _locate(folders: Iterable[str], name: str) -> tuple[str | None, list[str]]:
    """Return the file of a module, and the folders in which modules below it are looked for."""
    portions = []
    for folder in folders:
        path = os.path.join(folder, name)
        package = os.path.join(path, "__init__.py")
        if os.path.isfile(package):
            return package, [path]
        if os.path.isfile(f"{path}.py"):
            return f"{path}.py", []
        compiled = (f"{path}{ending}" for ending in importlib.machinery.EXTENSION_SUFFIXES)
        if file := next(filter(os.path.isfile, compiled), None):
            return file, []
        if os.path.isdir(path):
            portions.append(path)
    return None, portions


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module or function, without those of functions and classes within it."""
    for node in body:
        yield node
        for part in _BLOCKS.get(type(node), ()):
            for block in getattr(node, part):
                yield from statements((block,) if isinstance(block, ast.stmt) else block.body)


def bindings(body: list[ast.stmt]) -> Iterator[tuple[str, ast.AST, bool]]:
    """Yield the names that a module or class binds, by what, and whether that surely happens and is clear."""
    outermost = set(map(id, body))
    for node in statements(body):
        is_certain = id(node) in outermost
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, node, is_certain
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                name = alias.asname or alias.name
                yield (name if isinstance(node, ast.ImportFrom) else name.partition(".")[0]), node, is_certain
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from (
                    (name, node, is_certain and isinstance(target, ast.Name)) for name in stored(target)
                )
        else:
            yield from ((name, node, False) for name in stored(node))


def stored(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement or target itself assigns to, other than in the blocks within it."""
    pending = [node]
    while pending:
        found = pending.pop()
        if isinstance(found, ast.Name) and isinstance(found.ctx, (ast.Store, ast.Del)):
            yield found.id
        elif not isinstance(found, ast.Lambda):
            pending += (child for child in ast.iter_child_nodes(found) if not isinstance(child, ast.stmt))


def _characters(text: str, offset: int) -> int:
    """Return a column of `ast`, which counts bytes of UTF-8, in characters."""
    return offset if text.isascii() else len(text.encode()[:offset].decode(errors="replace"))
