"""Which keys of the context a worker reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyrunner_airflow.check.source import Site


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


class Flow:
    """What a worker does with the context, each key with the first place where it does.

    needs: keys that must be there; a key that the worker itself writes is none of them.
    reads: keys that it reads, in any way.
    writes: keys that it gives a value, in any way.
    gives: those of them whose value does not need one that was there before.
    changes: keys that it surely writes or deletes whenever it succeeds.
    may_read_more, may_write_more: whether there may be keys that the source does not tell.
    """

    def __init__(self) -> None:
        self.needs: dict[str, Site] = {}
        self.reads: dict[str, Site] = {}
        self.writes: dict[str, Site] = {}
        self.gives: set[str] = set()
        self.changes: dict[str, Site] = {}
        self.may_read_more = False
        self.may_write_more = False
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
                    self.needs.setdefault(key, site)
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

    def close(self) -> None:
        """Decide, now that all is seen, what is needed: not what is asked for first, or written here too."""
        for key in self._optional | self.gives:
            self.needs.pop(key, None)
