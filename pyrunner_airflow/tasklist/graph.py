"""What holds between rows: unique IDs, parents that exist, no cycles."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from pyrunner_airflow.tasklist.columns import to_integer
from pyrunner_airflow.tasklist.diagnostics import NEAR_MATCHES, did_you_mean
from pyrunner_airflow.tasklist.fields import Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pyrunner_airflow.tasklist.diagnostics import Place, Problems
    from pyrunner_airflow.tasklist.fields import Row
    from pyrunner_airflow.tasklist.model import TaskRow

    Rows = Sequence[tuple[Row, TaskRow]]

_RANGES_SHOWN = 10
_CYCLE_SHOWN = 12
MAX_CYCLES = 10


def check_graph(rows: Rows, problems: Problems) -> None:
    """Report duplicate IDs, unknown parents, rows that wait for themselves, and cycles.

    rows: all of the file, also those that are broken elsewhere; an ID of 0 could not be read.
    """
    by_id = _index(rows, problems)
    _check_parents(rows, by_id, problems)
    if _are_parents_first(rows):
        return
    for cycle in find_cycles({key: task.parent_ids for key, (_, task) in by_id.items()}):
        _report_cycle(cycle, by_id, problems)


def _are_parents_first(rows: Rows) -> bool:
    """Say whether each row's parents stand above it, as in most lists, which then have no cycles."""
    above: set[int] = set()
    for _, task in rows:
        if not above.issuperset(task.parent_ids):
            return False
        above.add(task.id)
    return True


def find_cycles(parents: Mapping[int, Iterable[int]]) -> list[list[int]]:
    """Return cycles that share no row, each in running order from its first row in `parents`.

    Parents that are not keys, and rows that are their own parents, are left aside. graphlib names one
    cycle at a time, so at most `MAX_CYCLES` are looked for: a list of nothing but cycles would take too long.
    """
    order = {row: number for number, row in enumerate(parents)}
    left = {row: {above for above in ids if above in order and above != row} for row, ids in parents.items()}
    cycles: list[list[int]] = []
    while len(cycles) < MAX_CYCLES:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            found = error.args[1][1:]
            first = found.index(min(found, key=order.__getitem__))
            cycles.append(found[first:] + found[:first])
            gone = set(found)
            left = {row: ids - gone for row, ids in left.items() if row not in gone}
        else:
            break
    return cycles


def layers(rows: Iterable[TaskRow]) -> list[list[TaskRow]]:
    """Return the rows of a list without errors by how many rows stand above them at most.

    The rows of a layer wait only for rows of the layers before it. Each layer is in the order of the list.
    """
    by_id = {row.id: row for row in rows}
    depth: dict[int, int] = {}
    for id_ in TopologicalSorter({row.id: row.parent_ids for row in by_id.values()}).static_order():
        depth[id_] = max((depth[parent] + 1 for parent in by_id[id_].parent_ids), default=0)
    found: list[list[TaskRow]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for row in by_id.values():
        found[depth[row.id]].append(row)
    return found


def _index(rows: Rows, problems: Problems) -> dict[int, tuple[Row, TaskRow]]:
    """Return the first row of each ID; the later ones are errors."""
    by_id: dict[int, tuple[Row, TaskRow]] = {}
    for row, task in rows:
        first = by_id.setdefault(task.id, (row, task))
        if first[0] is not row and task.id > 0:
            message = f"ID {task.id} is used already in line {first[1].line}"
            hint = "Give each row an ID of its own, and adapt the PARENT_IDS that mean it."
            problems.error("duplicate-id", row.place(Column.ID), message, hint)
    by_id.pop(0, None)
    return by_id


def _check_parents(rows: Rows, by_id: Mapping[int, object], problems: Problems) -> None:
    unknown = []
    for row, task in rows:
        wrong = [parent for parent in task.parent_ids if parent not in by_id or parent == task.id]
        if not wrong:
            continue
        places = _parent_places(row)
        for parent in wrong:
            if parent in by_id:
                message = f"row {task.id} is its own parent, and would wait for itself for ever"
                hint = f"Remove {parent} from PARENT_IDS; -1 means no parents."
                problems.error("self-parent", places[parent], message, hint)
            else:
                unknown.append((places[parent], parent))
    _report_unknown(unknown, rows, problems)


def _report_unknown(unknown: list[tuple[Place, int]], rows: Rows, problems: Problems) -> None:
    if not unknown:
        return
    ids = {task.id for _, task in rows} - {0}
    unread = next((f" The ID in line {row.line} could not be read." for row, task in rows if not task.id), "")
    hints = id_hints([str(parent) for _, parent in unknown], ids)
    for (place, parent), known in zip(unknown, hints, strict=True):
        message = f"PARENT_IDS names {parent}, but no row has that ID"
        problems.error("unknown-parent", place, message, known + unread)


def _report_cycle(cycle: list[int], by_id: Mapping[int, tuple[Row, TaskRow]], problems: Problems) -> None:
    path = _shortened([*map(str, cycle), str(cycle[0])], _CYCLE_SHOWN)
    message = f"{len(cycle)} rows wait for each other for ever: {' -> '.join(path)}"
    hint = "Remove one of these rows from the PARENT_IDS of the one after it."
    problems.error("cycle", _parent_places(by_id[cycle[0]][0])[cycle[-1]], message, hint)


def _parent_places(row: Row) -> dict[int, Place]:
    """Return where each parent stands in its row, at its first mention."""
    places: dict[int, Place] = {}
    for offset, item in row.items(Column.PARENT_IDS):
        parent = to_integer(item)
        if parent is not None and parent not in places:
            places[parent] = row.place(Column.PARENT_IDS, offset, len(item))
    return places


def id_hints(unknown: Iterable[str], ids: set[int]) -> Iterator[str]:
    """Yield for each ID that no row has what may be meant instead, and which IDs there are."""
    known = f"IDs in this list: {ranges(ids)}."
    names = [str(id_) for id_ in ids]
    for number, name in enumerate(unknown):
        yield (did_you_mean(name, names) if number < NEAR_MATCHES else "") + known


def ranges(ids: set[int]) -> str:
    """Return IDs in short: ``1 to 6, 10``."""
    spans: list[list[int]] = []
    for number in sorted(ids):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    shown = [str(low) if low == high else f"{low} to {high}" for low, high in spans]
    return ", ".join(_shortened(shown, _RANGES_SHOWN)) or "none"


def _shortened(parts: list[str], most: int) -> list[str]:
    half = most // 2
    return parts if len(parts) <= most else [*parts[:half], "...", *parts[-half:]]


def rows_text(ids: Iterable[int]) -> str:
    """Return ``row 4``, or ``rows 2 to 4``."""
    numbers = set(ids)
    return f"{'row' if len(numbers) == 1 else 'rows'} {ranges(numbers)}"
