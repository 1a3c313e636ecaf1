"""
Follows the context through a worker's methods, the classes it extends, and the functions it calls.

Nothing is guessed: where the context, or the worker that holds it, goes out of sight, no more is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyrunner_airflow.analysis.flow import Flow
from pyrunner_airflow.analysis.names import Function
from pyrunner_airflow.analysis.scope import Scope
from pyrunner_airflow.analysis.values import Arguments, FunctionNode, Value, decorators

if TYPE_CHECKING:
    from pyrunner_airflow.analysis.names import Class, Names

HOOKS = ("on_start", "on_success", "on_fail", "on_exit", "on_destroy")
"""PyRunner's, besides ``run``; `on_start` and `on_destroy` are those of 5.3.0."""

# Decorators after which a function still does what it says.
_TRANSPARENT = frozenset(
    """
    abstractmethod cache cached_property classmethod contextmanager final lru_cache override property
    staticmethod wraps
    """.split()  # noqa: SIM905
)
_DEEPEST = 50


def flow_of(worker: Class, names: Names) -> Flow:
    """Return what a worker class does with the context."""
    reader = Reader(worker, names)
    if worker.is_open:
        reader.flow.escape()
    for name in ("__init__", "run", *HOOKS):
        reader.start(name)
    reader.flow.close()
    return reader.flow


class Reader:
    """Reads a worker's functions, each once for each set of values that it is called with."""

    def __init__(self, worker: Class, names: Names) -> None:
        self.worker = worker
        self.names = names
        self.flow = Flow()
        self._read: set[object] = set()
        self._depth = 0

    def start(self, name: str) -> None:
        """Read a method that PyRunner calls."""
        found = self.worker.find(name)
        if found is None:
            return
        owner, node = found
        if not isinstance(node, FunctionNode):
            self.flow.escape()
            return
        context = [Value.CONTEXT] if name == "__init__" else []
        arguments = Arguments([Value.SELF, *context])
        self.call(Function(owner.module, node), owner, arguments, is_certain=name != "on_fail")

    def call(self, function: Function, owner: Class | None, arguments: Arguments, is_certain: bool) -> None:
        """Read a function as it is called; `owner` is the class whose method it is."""
        values = arguments.bind(function.node.args)
        if values is None or self._depth > _DEEPEST or not decorators(function.node) <= _TRANSPARENT:
            self.flow.escape()
            return
        key = function.node, owner, frozenset(values.items()), is_certain
        if key not in self._read:
            self._read.add(key)
            self._depth += 1
            Scope(self, function.module, owner, function.node, values, is_certain).read()
            self._depth -= 1
