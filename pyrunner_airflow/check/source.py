"""A file of Python, read without being imported."""

from __future__ import annotations

import ast
import importlib.util
import re
import warnings
from functools import cached_property
from typing import TYPE_CHECKING

from pyrunner_airflow.tasklist.diagnostics import Place
from pyrunner_airflow.tasklist.files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator

# What can give a module names that its source does not show.
_HIDDEN_NAMES = re.compile(
    r"\bglobals\(|\blocals\(|\bvars\(|\bexec\(|\bsys\.modules\b|^def __getattr__", re.M
)
# What functions declare as the module's: they may bind it to anything.
_GLOBAL = re.compile(r"^[ \t]+global[ \t]+(\w+(?:[ \t]*,[ \t]*\w+)*)", re.MULTILINE)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BLOCKS = (*_DEFINITIONS, ast.Lambda)
_LEAVES = (ast.Name, ast.Constant, ast.expr_context)  # most nodes, with nothing to look for in them


class Source:
    """The text of a file, and its tree.

    error: why it can't be read, if so; a SyntaxError where it is no valid Python. The tree is empty then.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.error: Exception | None = None
        self.tree = ast.Module([], [])
        self._bytes = b""
        try:
            self._bytes = read_file(file)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of escapes in strings: not what is looked for here
                self.tree = ast.parse(self._bytes)
        except (SyntaxError, OSError, RecursionError, MemoryError) as error:
            self.error = error
        except ValueError as error:  # a NUL
            self.error = SyntaxError(str(error))

    @cached_property
    def text(self) -> str:
        """All of it, its line ends as Python counts them."""
        try:
            return importlib.util.decode_source(self._bytes)
        except (SyntaxError, ValueError):  # as `error` says
            return re.sub("\r\n?", "\n", self._bytes.decode(errors="replace"))

    @cached_property
    def hides_names(self) -> bool:
        """Whether it may bind names that it does not show."""
        return bool(self.error or _HIDDEN_NAMES.search(self.text))

    @cached_property
    def set_attributes(self) -> set[str]:
        """The names of all attributes, of whatever object, that something in it assigns to."""
        attributes = (node for node in walk(self.tree, is_deep=True) if isinstance(node, ast.Attribute))
        return {node.attr for node in attributes if not isinstance(node.ctx, ast.Load)}

    @cached_property
    def hook_mentions(self) -> frozenset[str]:
        """The words like ``on_exit`` that stand elsewhere than where they are defined."""
        return frozenset(re.findall(r"(?<!def )\bon_\w*", self.text))

    @cached_property
    def names(self) -> dict[str, ast.AST | None]:
        """What each name of the module is bound to: its one statement, None where that depends."""
        names: dict[str, ast.AST | None] = {}
        for name, node, is_certain in bindings(self.tree):
            names[name] = node if is_certain or name not in names else None
        for declared in _GLOBAL.findall(self.text):
            names.update(dict.fromkeys(name.strip() for name in declared.split(",")))
        return names

    def place(self, node: ast.expr | ast.stmt | SyntaxError) -> Place:
        """Return where something stands: an expression, the name of a class, or what Python can't read."""
        line = node.lineno or 0
        text = self._lines[line - 1] if 0 < line <= len(self._lines) else ""
        if isinstance(node, SyntaxError):
            start = max(min(node.offset or 1, len(text) + 1), 1)
            length = (node.end_offset or 0) - start if node.end_lineno == line else 1
            return Place(line, start, max(length, 1), None, text) if text else Place()
        start = _characters(text, node.col_offset)
        end = _characters(text, node.end_col_offset or 0) if node.end_lineno == line else len(text)
        if isinstance(node, _DEFINITIONS):
            found = re.compile(rf"\b{re.escape(node.name)}\b").search(text, start)
            start, end = found.span() if found else (0, len(text))
        return Place(line, start + 1, end - start, None, text)

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")


def walk(block: ast.AST, is_deep: bool = False) -> Iterator[ast.AST]:
    """Yield the nodes of a module, class or function, in their order; those of others in it if `is_deep`."""
    pending = [block]
    while pending:
        node = pending.pop()
        if node is not block:
            yield node
            if isinstance(node, _LEAVES) or (isinstance(node, _BLOCKS) and not is_deep):
                continue
        for field in reversed(node._fields):
            value = getattr(node, field, None)
            if isinstance(value, list):
                pending += [part for part in reversed(value) if isinstance(part, ast.AST)]
            elif isinstance(value, ast.AST):
                pending.append(value)


def bindings(block: ast.AST) -> Iterator[tuple[str, ast.AST, bool]]:
    """Yield the names that a block binds, each time, by which node, and whether that is sure and clear."""
    outermost = set(ast.iter_child_nodes(block))
    statements: dict[ast.AST, ast.AST] = {}
    for node in walk(block):
        match node:
            case ast.Import(names=parts) | ast.ImportFrom(names=parts) | ast.Assign(targets=parts):
                statements |= dict.fromkeys(parts, node)
            case ast.AnnAssign(target=target):
                statements[target] = node
        binder = statements.get(node, node)
        for name in _bound_by(node):
            yield name, binder, binder in outermost


def _bound_by(node: ast.AST) -> list[str]:
    """Return the names that a node, without what is in it, binds; those of another block twice."""
    match node:
        case (
            ast.Name(id=name, ctx=ast.Store() | ast.Del())
            | ast.arg(arg=name)
            | ast.MatchMapping(rest=str(name))
        ):
            return [name]
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            return names * 2
        case ast.alias(name=name, asname=new_name):
            return [new_name or name.partition(".")[0]]
    of_node = getattr(node, "name", None)  # a function, a class, an exception, a pattern
    return [of_node] if isinstance(of_node, str) else []


def _characters(text: str, offset: int) -> int:
    """Return a column of `ast`, which counts bytes of UTF-8, in characters."""
    return offset if text.isascii() else len(text.encode()[:offset].decode(errors="replace"))
