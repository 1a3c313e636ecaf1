"""What the rows of a list do to each other through the context."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, pairwise
from typing import TYPE_CHECKING, NamedTuple

from pyrunner_airflow.check.flow import Flow, Site
from pyrunner_airflow.tasklist.diagnostics import quote
from pyrunner_airflow.tasklist.fields import Column
from pyrunner_airflow.tasklist.graph import layers, rows_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pyrunner_airflow.check.reporter import Reporter
    from pyrunner_airflow.tasklist import TaskRow

    Rows = Sequence[TaskRow]


class _Step(NamedTuple):
    """A row, and what it does; `above` has the bits of all rows that have ended when it starts."""

    row: TaskRow
    flow: Flow
    bit: int
    above: int


class Ordering:
    """The rows of a list, parents before their children, with what each does with the context.

    flows: by the rows' IDs; None for a row of whose worker nothing is known.
    given: keys that the context holds before any row has written to it.
    """

    def __init__(
        self, rows: Rows, flows: Mapping[int, Flow | None], given: Collection[str], reporter: Reporter
    ) -> None:
        self._steps = list(_steps(rows, flows))
        self._given = given
        self._reporter = reporter
        self._writers: dict[str, list[_Step]] = defaultdict(list)
        self._writing: dict[str, int] = defaultdict(int)
        self._changers: dict[str, list[_Step]] = defaultdict(list)
        self._unknown = 0
        for step in self._steps:
            self._unknown |= step.bit * step.flow.may_write_more
            for key in step.flow.writes:
                self._writers[key].append(step)
                self._writing[key] |= step.bit
            for key in step.flow.changes:
                self._changers[key].append(step)

    def check(self) -> None:
        """Report what may go wrong."""
        for step in self._steps:
            for key, site in step.flow.reads.items():
                if key in self._writers and key not in self._given:
                    self._check_read(step, key, site)
        for key, changers in self._changers.items():
            self._check_changes(key, changers)
        if not self._unknown:
            self._check_unwritten()

    def _check_read(self, reader: _Step, key: str, site: Site) -> None:
        writing = self._writing[key]
        if writing & reader.bit or (writing | self._unknown) & reader.above:
            return
        beside = [writer for writer in self._writers[key] if not writer.above & reader.bit]
        if not (beside or key in reader.flow.needs):
            return
        writers = beside or self._writers[key]
        where = self._reporter.where(writers[0].flow.writes[key])
        rows, write = rows_text(writer.row.id for writer in writers), "write" if writers[1:] else "writes"
        message = f"row {reader.row.id} reads the context's {quote(key)} ({self._reporter.where(site)}), but "
        if beside:
            message += f"does not wait for {rows}, which {write} it ({where})"
            hint = f"Add {beside[0].row.id} to PARENT_IDS of row {reader.row.id}."
        else:
            message += f"only {rows}, after it, {write} it ({where})"
            hint = "Let a row above it write the key."
        self._reporter.in_list("unordered-read", Column.PARENT_IDS, [reader.row], message, hint)

    def _check_changes(self, key: str, changers: list[_Step]) -> None:
        """Report rows that change a key side by side: of those in order, each is above the next."""
        beside = {}
        for before, after in pairwise(changers):
            if not after.above & before.bit:
                beside.update({before.row.id: before, after.row.id: after})
        if not beside:
            return
        *_, last = beside.values()
        where = self._reporter.where(last.flow.changes[key])
        message = f"{rows_text(beside)} change the context's {quote(key)} side by side ({where})"
        hint = "The later one wins. Let them wait for each other, or give each a key of its own."
        self._reporter.in_list("unordered-writes", Column.PARENT_IDS, [last.row], message, hint)

    def _check_unwritten(self) -> None:
        available = {key for step in self._steps for key in step.flow.gives}.union(self._given)
        found: dict[tuple[str, Site], list[int]] = defaultdict(list)
        for step in self._steps:
            for key, site in step.flow.needs.items():
                if key not in available:
                    found[key, site].append(step.row.id)
        for (key, site), ids in found.items():
            reading = f"{rows_text(ids)} of {self._reporter.source} {'read' if ids[1:] else 'reads'}"
            message = f"{reading} the context's {quote(key)}, but no row writes it"
            hint = self._reporter.did_you_mean(key, sorted(available), quote)
            hint += "Let a row above write it, or give it a value in cvar below [pyrunner]."
            self._reporter.in_module("unwritten-key", site, message, hint)


def _steps(rows: Rows, flows: Mapping[int, Flow | None]) -> Iterator[_Step]:
    unknown = Flow(is_unknown=True)
    ended: dict[int, int] = {}
    for number, row in enumerate(chain.from_iterable(layers(rows))):
        above = 0
        for parent in row.parent_ids:
            above |= ended[parent]
        ended[row.id] = above | 1 << number
        yield _Step(row, flows.get(row.id) or unknown, 1 << number, above)
