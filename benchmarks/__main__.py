"""Measure everything, side by side in one run, and print the ratios: ``make bench``."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks import jobs

ROUNDS = 5


class Side(NamedTuple):
    """One way to do a thing: its name, and the arguments of ``benchmarks.measure``."""

    name: str
    arguments: tuple[str, ...]


class Comparison(NamedTuple):
    """A thing done in one way or several, and what the first is to reach."""

    title: str
    sides: tuple[Side, ...]
    target: str
    rounds: int = ROUNDS


def comparisons(folder: Path) -> list[Comparison]:
    """Write the files that are measured, and say what to measure."""
    return [
        _dag_load(folder, lists=100, rows=20),
        _dag_load(folder, lists=1, rows=1000),
        _task_start(folder),
        *(_parse(folder, shape, rows) for shape in ("chain", "fan", "layers") for rows in (500, 10_000)),
        Comparison(
            "10,000 writes to one context key", (Side("ours", ("write_context", "10000")),), "under 2 s"
        ),
        *_context_calls(folder, chain_rows=100, writers=200),
    ]


def _dag_load(folder: Path, lists: int, rows: int) -> Comparison:
    ours, by_hand = (folder / f"{way}_{lists}_{rows}" for way in ("lists", "by_hand"))
    for place, write in ((ours, jobs.write_lists), (by_hand, jobs.write_by_hand)):
        place.mkdir()
        write(place, lists, rows)
    sides = (Side("ours", ("load_dags", str(ours))), Side("by hand", ("load_dags", str(by_hand))))
    return Comparison(f"{lists} x {rows} rows to DAGs", sides, "1.0x the time, 1.1x the size")


def _task_start(folder: Path) -> Comparison:
    place = folder / "start"
    place.mkdir()
    jobs.write_lists(place, 1000, 5)
    side = Side("ours", ("load_dags", str(place / "pyrunner_lst.py"), "job_500"))
    return Comparison("one of 1,000 lists at task start", (side,), "10 ms")


def _parse(folder: Path, shape: str, rows: int) -> Comparison:
    path = folder / f"{shape}_{rows}.lst"
    path.write_text(jobs.as_list(getattr(jobs, shape)(rows)))
    sides = [Side("ours", ("parse", str(path)))]
    if rows == 500 and shape != "layers":  # PyRunner's time for layers grows as width to the power of layers
        sides.append(Side("PyRunner", ("parse_with_pyrunner", str(path))))
    return Comparison(f"parse a {shape} of {rows:,} rows", tuple(sides), "10,000 rows in 1 s")


def _context_calls(folder: Path, chain_rows: int, writers: int) -> list[Comparison]:
    place = folder / "context"
    place.mkdir()
    jobs.write_context_jobs(place, chain_rows, writers)
    by_hand = Side("no-op by hand", ("count_calls", str(place), "by_hand"))
    shapes = {
        "idle": ("calls of a row that does nothing", "1.0x"),
        "chain": (f"most calls of a row in a chain of {chain_rows} that count in one key", "5 more"),
        "fan_in": (f"calls of a row that reads one key below {writers} writers", f"{writers} + 3 more"),
    }
    return [
        Comparison(title, (Side("ours", ("count_calls", str(place), name)), by_hand), target, rounds=1)
        for name, (title, target) in shapes.items()
    ]


def run(comparison: Comparison) -> dict[str, dict[str, float]]:
    """Measure each side in turn, several times over, and return the medians."""
    results: dict[str, list[dict[str, float]]] = {side.name: [] for side in comparison.sides}
    for _ in range(comparison.rounds):
        for side in comparison.sides:
            command = [sys.executable, "-m", "benchmarks.measure", *side.arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
            results[side.name].append(json.loads(done.stdout.splitlines()[-1]))
    return {
        name: {
            key: statistics.median(result[key] for result in rounds)
            for key, value in rounds[0].items()
            if isinstance(value, (int, float))
        }
        for name, rounds in results.items()
    }


def main() -> None:
    """Print the table."""
    table = Table("measure", "ours", "others", "ratio", "size", "to reach", title=f"medians of {ROUNDS}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
        for comparison in comparisons(Path(folder)):
            table.add_row(*_cells(comparison, run(comparison)))
    Console().print(table)


def _cells(comparison: Comparison, results: dict[str, dict[str, float]]) -> tuple[str, ...]:
    (_, ours), *others = results.items()
    if not others:
        return comparison.title, _amount(ours), "", "", "", comparison.target
    ((name, other),) = others
    ratios = {key: f"{ours[key] / other[key]:.2f}x" for key in ("seconds", "calls", "bytes") if key in ours}
    ratio = ratios.get("seconds") or ratios.get("calls", "")
    return (
        comparison.title,
        _amount(ours),
        f"{name} {_amount(other)}",
        ratio,
        ratios.get("bytes", ""),
        comparison.target,
    )


def _amount(result: dict[str, float]) -> str:
    return f"{result['seconds'] * 1000:,.0f} ms" if "seconds" in result else f"{result['calls']:.0f} calls"


if __name__ == "__main__":
    main()
