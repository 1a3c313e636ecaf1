"""Which keys of the context a worker reads and writes, and the calls by which it does."""

from __future__ import annotations

import ast
from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from pyrunner_airflow.check.modules import Function, Meaning, Special

if TYPE_CHECKING:
    from pyrunner_airflow.check.modules import Attribute, Class, Module

Value = Meaning | ast.expr
"""What an expression in a function stands for; a name of its module for itself, till it is looked up."""
FOLLOWED = frozenset((Special.SELF, Special.CONTEXT))
Arguments = dict[int | str, Value]
"""What a call's arguments stand for, by their numbers and names; ``*`` is there if there may be others."""
Call = tuple[Function, frozenset[tuple[str, Value]], bool]
"""A function, what is known of its parameters, and whether it is called whenever the worker succeeds."""

PROPERTIES = frozenset(("property", "cached_property"))
# Other decorators after which a function still does what it says.
_TRANSPARENT = "abstractmethod cache classmethod contextmanager final lru_cache override staticmethod wraps"

# What the context's methods, and operators by the names of theirs, do with a key.
_EFFECTS = {
    **dict.fromkeys(("get", "has_key", "__contains__"), "reads"),
    "__getitem__": "reads needs",
    **dict.fromkeys(("set", "__setitem__"), "writes gives changes"),
    "setdefault": "reads writes gives",
    "__iadd__": "reads needs writes changes",
    **dict.fromkeys(("pop", "__delitem__"), "reads needs changes"),
    **dict.fromkeys(("items", "values", "copy", "clear", "popitem", "__iter__", "__len__"), "reads"),
}

# A second: ten thousand lines take less, or a helper that is called for a thousand keys.
_MOST_STEPS = 300_000


class Site(NamedTuple):
    """Where in a module something is done."""

    module: Module
    node: ast.expr | ast.stmt | SyntaxError


class Flow:
    """What a worker does with the context, each key with the first place where it does.

    reads: keys that it reads, in any way.
    writes: keys that it gives a value, in any way.
    gives: those of them whose value does not need one that was there before.
    changes: keys that it surely writes or deletes whenever it succeeds.
    may_read_more, may_write_more: whether there may be keys that the source does not tell.
    """

    def __init__(self, is_unknown: bool = False) -> None:
        self.reads: dict[str, Site] = {}
        self.writes: dict[str, Site] = {}
        self.gives: set[str] = set()
        self.changes: dict[str, Site] = {}
        self.may_read_more = self.may_write_more = is_unknown
        self._needed: dict[str, Site] = {}
        self._optional: set[str] = set()

    def operate(self, method: str, key: str | None, site: Site, is_certain: bool, is_needed: bool) -> None:
        """Note what a method of the context does, or an operator that stands for it.

        key: None for one that can't be told.
        is_certain: whether it is called whenever the worker succeeds.
        is_needed: whether a key that is not there would be an error, if the method needs it.
        """
        effects = _EFFECTS.get(method)
        if effects is None:
            self.escape()
        elif key is None:
            self.may_read_more |= "reads" in effects
            self.may_write_more |= "writes" in effects
        else:
            if "reads" in effects:
                self.reads.setdefault(key, site)
                if is_needed and "needs" in effects:
                    self._needed.setdefault(key, site)
                else:
                    self._optional.add(key)
            if "writes" in effects:
                self.writes.setdefault(key, site)
            if "gives" in effects:
                self.gives.add(key)
            if "changes" in effects and is_certain and (is_needed or method != "pop"):
                self.changes.setdefault(key, site)

    def escape(self) -> None:
        """Note that the context is out of sight."""
        self.may_read_more = self.may_write_more = True

    @cached_property
    def needs(self) -> dict[str, Site]:
        """Keys that must be there, now that all is seen: not what it asks for first, or writes itself."""
        optional = self._optional | self.gives
        return {key: site for key, site in self._needed.items() if key not in optional}


class Calls:
    """The calls that a worker makes, each once for each set of values, and what those read so far do."""

    def __init__(self, worker: Class) -> None:
        self.worker = worker
        self.flow = Flow()
        self._made: set[Call] = set()
        self._steps = 0
        self.unread: deque[Call] = deque()

    def spend(self, steps: int) -> None:
        """Count steps of work. Raises RecursionError for too many: calls in calls can have endless values."""
        self._steps += steps
        if self._steps > _MOST_STEPS:
            raise RecursionError

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
        self.spend(len(function.assignments))
        names = [parameter.arg for parameter in (*parameters.posonlyargs, *parameters.args)]
        only_named = [parameter.arg for parameter in parameters.kwonlyargs]
        known: dict[int | str, str] = {name: name for name in (*names, *only_named)}
        known.update(enumerate(names, first))
        is_lost = not FOLLOWED.isdisjoint(arguments[key] for key in arguments.keys() - known.keys())
        if is_lost or not function.decorators <= PROPERTIES.union(_TRANSPARENT.split()):
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
            self.unread.append(call)

    def hand_on(self, arguments: Arguments) -> None:
        """Note that arguments go where they are not followed."""
        if not FOLLOWED.isdisjoint(arguments.values()):
            self.flow.escape()
