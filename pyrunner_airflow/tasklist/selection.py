"""Which rows of a list take part in a run, by PyRunner's options for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Graph = Mapping[Any, Iterable[Any]]


def kept_by(graph: Graph, ids: Iterable[int], params: Mapping[str, Any]) -> dict[str, set[Any]]:
    """Return the rows that each parameter of a run keeps which leaves rows out; they narrow each other down.

    graph: the rows by ID, and whatever else stands between them, each with what stands directly above it.
    """
    only, without, first, last = (params.get(name) for name in ("exec_only", "norun", "from", "to"))
    kept: dict[str, set[Any]] = {}
    if only is not None:
        kept["exec_only"] = set(map(int, only))
    if without:
        kept["norun"] = set(ids).difference(map(int, without))
    if first is not None:
        kept["from"] = below(graph, first)
    if last is not None:
        kept["to"] = _all_from(last, graph)
    return kept


def left_out_of(graph: Graph, ids: Iterable[int], params: Mapping[str, Any]) -> set[int]:
    """Return the rows that the parameters of a run leave out."""
    rows = set(ids)
    return rows - rows.intersection(*kept_by(graph, rows, params).values())


def below(graph: Graph, row: Any) -> set[Any]:
    """Return a row, and all that stands below it."""
    return _all_from(row, _upside_down(graph))


def _all_from(start: int, graph: Graph) -> set[Any]:
    """Return a row, and all that is reached from it."""
    reached, ahead = {start}, [start]
    while ahead:
        found = set(graph.get(ahead.pop(), ())) - reached
        reached |= found
        ahead.extend(found)
    return reached


def _upside_down(graph: Graph) -> dict[Any, list[Any]]:
    below: dict[Any, list[Any]] = {}
    for row, parents in graph.items():
        for parent in parents:
            below.setdefault(parent, []).append(row)
    return below
