"""What the rows of a list do to each other through the context."""

from __future__ import annotations

from collections import defaultdict
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from pyrunner_airflow.tasklist.diagnostics import quote
from pyrunner_airflow.tasklist.fields import Column
from pyrunner_airflow.tasklist.graph import ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from pyrunner_airflow.analysis.flow import Flow, Site
    from pyrunner_airflow.tasklist import TaskRow
    from pyrunner_airflow.tasklist.diagnostics import Place, Problems

    PlaceOf = Callable[[TaskRow, Column], Place]


class _Row(NamedTuple):
    row: TaskRow
    flow: Flow | None
    """None for a worker that nothing is known of."""
    bit: int
    above: int
    """The bits of all rows that have ended when this one starts."""


class ContextRules:
    """The rows of a list, parents before their children, with what each does with the context.

    given: keys that the context holds before any row has written to it.
    available: those, and all that rows write.
    """

    def __init__(
        self, rows: Sequence[TaskRow], flows: Mapping[int, Flow | None], given: Collection[str]
    ) -> None:
        self._rows = _in_order(rows, flows)
        self._given = given
        self.available = {key for row in self._rows if row.flow for key in row.flow.gives}.union(given)
        self._writers: dict[str, list[_Row]] = defaultdict(list)
        self._changers: dict[str, list[_Row]] = defaultdict(list)
        self._writing: dict[str, int] = defaultdict(int)
        self._unknown = 0
        for row in self._rows:
            if row.flow is None or row.flow.may_write_more:
                self._unknown |= row.bit
            for key in row.flow.writes if row.flow else ():
                self._writers[key].append(row)
                self._writing[key] |= row.bit
            for key in row.flow.changes if row.flow else ():
                self._changers[key].append(row)

    def check(self, problems: Problems, place: PlaceOf, show: Callable[[Site], str]) -> None:
        """Report what may go wrong; `place` and `show` tell where in the list, and in the source, it is."""
        for row in self._rows:
            for key, site in row.flow.reads.items() if row.flow else ():
                if key in self._writers and key not in self._given:
                    self._check_read(row, key, site, problems, place, show)
        for key, changers in self._changers.items():
            self._check_changes(key, changers, problems, place, show)

    def unwritten(self) -> Mapping[tuple[str, Site], list[TaskRow]]:
        """Return the keys that rows need and none writes, each with the place that reads it, and the rows."""
        found: dict[tuple[str, Site], list[TaskRow]] = defaultdict(list)
        if self._unknown:
            return found
        for row in self._rows:
            for key, site in row.flow.needs.items() if row.flow else ():
                if key not in self.available:
                    found[key, site].append(row.row)
        return found

    def _check_read(
        self, row: _Row, key: str, site: Site, problems: Problems, place: PlaceOf, show: Callable[[Site], str]
    ) -> None:
        mask = self._writing[key]
        if mask & row.bit or (mask | self._unknown) & row.above:
            return
        writers = self._writers[key]
        beside = [writer for writer in writers if not writer.above & row.bit]
        if not row.flow or not (beside or key in row.flow.needs):
            return
        first = beside[0] if beside else writers[0]
        ids = [writer.row.id for writer in beside or writers]
        where = f" ({show(first.flow.writes[key])})" if first.flow else ""
        if beside:
            fault = f"does not wait for {rows_text(ids)}, which {_verb(ids, 'write')} it{where}"
        else:
            fault = f"only {rows_text(ids)}, after it, {_verb(ids, 'write')} it{where}"
        problems.warning(
            "unordered-read",
            place(row.row, Column.PARENT_IDS),
            f"row {row.row.id} reads the context's {quote(key)} ({show(site)}), but {fault}",
            f"Add {ids[0]} to PARENT_IDS of row {row.row.id}."
            if beside
            else "Let a row above it write the key.",
        )

    def _check_changes(
        self, key: str, changers: list[_Row], problems: Problems, place: PlaceOf, show: Callable[[Site], str]
    ) -> None:
        """Report rows that change a key side by side: of those in order, each is above the next."""
        beside = {}
        for before, after in pairwise(changers):
            if not after.above & before.bit:
                beside.update({before.row.id: before, after.row.id: after})
        if not beside:
            return
        *_, last = beside.values()
        where = f" ({show(last.flow.changes[key])})" if last.flow else ""
        problems.warning(
            "unordered-writes",
            place(last.row, Column.PARENT_IDS),
            f"{rows_text(beside)} change the context's {quote(key)} side by side{where}",
            "The later one wins. Let them wait for each other, or give each a key of its own.",
        )


def _in_order(rows: Sequence[TaskRow], flows: Mapping[int, Flow | None]) -> list[_Row]:
    by_id = {row.id: row for row in rows}
    order = TopologicalSorter({row.id: row.parent_ids for row in rows}).static_order()
    found: dict[int, _Row] = {}
    for number, id_ in enumerate(order):
        above = 0
        for parent in by_id[id_].parent_ids:
            above |= found[parent].above | found[parent].bit
        found[id_] = _Row(by_id[id_], flows.get(id_), 1 << number, above)
    return list(found.values())


def _verb(ids: Collection[int], verb: str) -> str:
    return verb if len(ids) > 1 else f"{verb}s"


def rows_text(ids: Iterable[int]) -> str:
    """Return ``row 4``, or ``rows 2 to 4``."""
    numbers = set(ids)
    return f"{'row' if len(numbers) == 1 else 'rows'} {ranges(numbers)}"
