"""The calls of a worker's methods, and of the functions that are given its context."""

from __future__ import annotations

import ast
from collections import deque
from typing import TYPE_CHECKING

from pyrunner_airflow.check.flow import Flow
from pyrunner_airflow.check.modules import Function, Meaning, Special

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyrunner_airflow.check.modules import Attribute, Class

Value = Meaning | ast.expr
"""What an expression in a function stands for; a name of its module for itself, till it is looked up."""
FOLLOWED = frozenset((Special.SELF, Special.CONTEXT))
Arguments = dict[int | str, Value]
"""What a call's arguments stand for, by their numbers and names; ``*`` is there if there may be others."""
Call = tuple[Function, frozenset[tuple[str, Value]], bool]
"""A function, what is known of its parameters, and whether it is called whenever the worker succeeds."""

PROPERTIES = frozenset(("property", "cached_property"))
# Decorators after which a function still does what it says.
_TRANSPARENT = frozenset(
    """
    abstractmethod cache cached_property classmethod contextmanager final lru_cache override property
    staticmethod wraps
    """.split()  # noqa: SIM905
)


class Calls:
    """The calls that a worker makes, each once for each set of values that it is made with.

    flow: what they do with the context, as far as they have been read.
    """

    def __init__(self, worker: Class) -> None:
        self.worker = worker
        self.flow = Flow()
        self._made: set[Call] = set()
        self._unread: deque[Call] = deque()

    def __iter__(self) -> Iterator[Call]:
        """Yield those that have not been read, also those that are added meanwhile."""
        while self._unread:
            yield self._unread.popleft()

    def add_method(self, method: Function | Attribute, arguments: Arguments, is_certain: bool) -> None:
        """Add a call of a method of the worker."""
        if not isinstance(method, Function):
            self.flow.escape()
            return
        if method.decorators & PROPERTIES:
            self.hand_on(arguments)
            arguments = {}
        if "staticmethod" in method.decorators:
            self.add(method, arguments, is_certain)
        else:
            first = Special.UNKNOWN if "classmethod" in method.decorators else Special.SELF
            self.add(method, {-1: first, **arguments}, is_certain, first=-1)

    def add(self, function: Function, arguments: Arguments, is_certain: bool, first: int = 0) -> None:
        """Add a call of a function; `first` is the number of its first parameter."""
        parameters = function.node.args
        names = [parameter.arg for parameter in (*parameters.posonlyargs, *parameters.args)]
        only_named = [parameter.arg for parameter in parameters.kwonlyargs]
        known: dict[int | str, str] = {name: name for name in (*names, *only_named)}
        known.update(enumerate(names, first))
        is_followed = not FOLLOWED.isdisjoint(arguments[key] for key in arguments.keys() - known.keys())
        if is_followed or not function.decorators <= _TRANSPARENT:
            self.flow.escape()
            return
        values: dict[str, Value] = {}
        if "*" not in arguments:
            last = names[len(names) - len(parameters.defaults) :]
            defaults = zip([*last, *only_named], [*parameters.defaults, *parameters.kw_defaults], strict=True)
            values = {name: function.module.evaluate(node) for name, node in defaults if node}
        values |= {known[key]: value for key, value in arguments.items() if key in known}
        # A text in a variable that changes is none to be relied on.
        for name in [name for name, value in values.items() if value not in FOLLOWED]:
            if not isinstance(values[name], str) or function.assignments[name] > 1:
                del values[name]
        call = function, frozenset(values.items()), is_certain
        if call not in self._made:
            self._made.add(call)
            self._unread.append(call)

    def hand_on(self, arguments: Arguments) -> None:
        """Note that arguments go where they are not followed."""
        if not FOLLOWED.isdisjoint(arguments.values()):
            self.flow.escape()
