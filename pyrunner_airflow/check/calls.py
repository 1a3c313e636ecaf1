"""The calls of a worker's methods, and of the functions that are given its context."""

from __future__ import annotations

import ast
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from pyrunner_airflow.check.flow import Flow
from pyrunner_airflow.check.modules import Function, Meaning, Special

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyrunner_airflow.check.modules import Attribute, Class

Value = Meaning | ast.expr
"""What an expression in a function stands for; a name of its module for itself, till it is looked up."""
FOLLOWED = frozenset((Special.SELF, Special.CONTEXT))
Call = tuple[Function, frozenset[tuple[str, Value]], bool]
"""A function, what is known of its parameters, and whether it is called whenever the worker succeeds."""

# Decorators after which a function still does what it says.
_TRANSPARENT = frozenset(
    """
    abstractmethod cache cached_property classmethod contextmanager final lru_cache override property
    staticmethod wraps
    """.split()  # noqa: SIM905
)


class Arguments(NamedTuple):
    """What a call's arguments stand for; `is_whole` is whether there are no others."""

    positional: Sequence[Value] = ()
    named: Mapping[str, Value] = {}
    is_whole: bool = True

    @property
    def hold_context(self) -> bool:
        """Whether the context, or the worker that holds it, is one of them."""
        return not FOLLOWED.isdisjoint((*self.positional, *self.named.values()))

    def bind(self, function: Function) -> dict[str, Value] | None:
        """Return what is known of a function's parameters; None if the context goes into its ``*args``."""
        parameters = function.node.args
        names = [parameter.arg for parameter in (*parameters.posonlyargs, *parameters.args)]
        only_named = [parameter.arg for parameter in parameters.kwonlyargs]
        rest = [value for name, value in self.named.items() if name not in (*names, *only_named)]
        if not FOLLOWED.isdisjoint((*self.positional[len(names) :], *rest)):
            return None
        given: dict[str, Value] = {}
        if self.is_whole:
            last = names[len(names) - len(parameters.defaults) :]
            defaults = zip([*last, *only_named], [*parameters.defaults, *parameters.kw_defaults], strict=True)
            given |= {name: function.module.evaluate(node) for name, node in defaults if node}
        given |= {**dict(zip(names, self.positional, strict=False)), **self.named}
        # A text in a variable that changes is none to be relied on.
        changed = {name for name, times in function.assignments.items() if times > 1}
        return {
            name: value
            for name, value in given.items()
            if value in FOLLOWED or (isinstance(value, str) and name not in changed)
        }


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
        if method.is_property:
            self.hand_on(arguments)
            arguments = Arguments()
        if "staticmethod" not in method.decorators:
            first = Special.UNKNOWN if "classmethod" in method.decorators else Special.SELF
            arguments = arguments._replace(positional=[first, *arguments.positional])
        self.add(method, arguments, is_certain)

    def add(self, function: Function, arguments: Arguments, is_certain: bool) -> None:
        """Add a call of a function."""
        values = arguments.bind(function)
        if values is None or not function.decorators <= _TRANSPARENT:
            self.flow.escape()
            return
        call = function, frozenset(values.items()), is_certain
        if call not in self._made:
            self._made.add(call)
            self._unread.append(call)

    def hand_on(self, arguments: Arguments) -> None:
        """Note that arguments go where they are not followed."""
        if arguments.hold_context:
            self.flow.escape()
