"""
Measure everything, side by side in one run, and print what it is to reach: ``make bench``.

``make bench-large`` runs one job of 500 rows under a real scheduler instead, and ``make bench-cluster`` two
jobs on several hosts, which takes longer.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks import commands, jobs, measure, runs
from scripts.interpreters import INTERPRETERS
from scripts.local_airflow import LocalAirflow
from tests.cluster.cluster import Cluster

ROUNDS = 5
DAG_FACTORY = os.environ.get("DAG_FACTORY", "")
"""The folder that dag-factory is installed in: its Airflow plugin must not be loaded by the others."""

Result = dict[str, float]
Measure = Callable[[], Result]


class Side(NamedTuple):
    """
    One way to do a thing.

    targets: for ours, what each measure is to be at most; for another, how many times the other's
    ours is to be at most. What has none is only told.
    """

    name: str
    measure: Measure
    targets: Mapping[str, float]


class Comparison(NamedTuple):
    """A thing done in one way or several; the first is ours."""

    title: str
    sides: tuple[Side, ...]
    rounds: int = ROUNDS
    warm_up: bool = True
    """Whether each side is measured once for nothing: that compiles what Python keeps compiled."""


def in_process(*arguments: str, **environment: str) -> Measure:
    """Return a measure of ``benchmarks.measure`` in a process of its own."""

    def measure() -> Result:
        command = [sys.executable, "-m", "benchmarks.measure", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | environment
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        result: Result = json.loads(done.stdout.splitlines()[-1])
        return result

    return measure


def comparisons(folder: Path) -> Iterator[Comparison]:
    """Write the files that are measured, and say what to measure."""
    yield _dag_load(folder, lists=100, rows=20)
    yield _dag_load(folder, lists=1, rows=1000)
    yield from _folders(folder)
    for shape in (jobs.chain, jobs.fan, jobs.layers):
        yield from _parse(folder, shape)
    writes = Side("ours", in_process("write_context", measure.FORK, "10000"), {"time": 2})
    yield Comparison("10,000 writes to one context key", (writes,))
    yield from _own_interpreters()
    yield from _context_calls(folder, chain_rows=100, writers=200)
    yield _check(folder)
    yield from _run(folder)
    yield _sample_in_process(folder)


def _new_folder(folder: Path, name: str) -> Path:
    place = folder / name
    place.mkdir()
    return place


def _dag_load(folder: Path, lists: int, rows: int) -> Comparison:
    targets = {"by hand": {"time": 1.0, "size": 1.1}, "dag-factory": {"time": 0.2}}
    environment = {"PYTHONPATH": os.pathsep.join([os.getcwd(), DAG_FACTORY]), "DO_NOT_TRACK": "1"}
    sides = []
    for way, write in jobs.WAYS.items():
        if way == "dag-factory" and not DAG_FACTORY:
            continue
        place = _new_folder(folder, f"{lists}_{rows}_{way}")
        write(place, {f"job_{number}": jobs.layers(rows) for number in range(lists)})
        extra = environment if way == "dag-factory" else {}
        sides.append(Side(way, in_process("load_dags", str(place), **extra), targets.get(way, {})))
    return Comparison(f"{lists:,} x {rows:,} rows to DAGs", tuple(sides))


def _folders(folder: Path) -> Iterator[Comparison]:
    """Yield what many lists in one folder cost, to load all of them and one of them."""
    many = {f"job_{number}": jobs.layers(20) for number in range(1000)}
    flat, few, nested = (_new_folder(folder, name) for name in ("flat", "few", "nested"))
    jobs.write_lists(flat, many)
    jobs.write_lists(few, {name: many[name] for name in ("job_1", "job_500")})
    jobs.write_apps(nested, many)
    yield Comparison(
        "1,000 x 20 rows to DAGs",
        (Side("ours", in_process("load_dags", str(flat)), {"time": 10}),),
        rounds=3,
    )

    def start(place: Path) -> Measure:
        return in_process("load_dags", str(place / "pyrunner_lst.py"), "job_500")

    yield Comparison(
        "one of 1,000 lists of a folder at task start",
        (
            Side("ours", start(flat), {"time": 0.01}),
            Side("one of 2 lists", start(few), {"time": 1.1}),
            Side("1,000 folders", start(nested), {}),
        ),
    )


def _parse(folder: Path, shape: Callable[[int], jobs.Rows]) -> Iterator[Comparison]:
    def path(rows: int) -> str:
        file = folder / f"{shape.__name__}_{rows}.lst"
        file.write_text(jobs.as_list(shape(rows)))
        return str(file)

    yield Comparison(
        f"parse 10,000 rows, {shape.__name__}",
        (
            Side("ours", in_process("parse", path(10_000)), {"time": 1}),
            Side("1,000 rows", in_process("parse", path(1000)), {"time": 15}),
        ),
    )
    # PyRunner takes time that doubles with each layer.
    rows = 100 if shape is jobs.layers else 500
    yield Comparison(
        f"parse {rows} rows, {shape.__name__}",
        (
            Side("ours", in_process("parse", path(rows)), {}),
            Side("PyRunner", in_process("parse_with_pyrunner", path(rows)), {}),
        ),
    )


def _own_interpreters() -> Iterator[Comparison]:
    """Yield what a worker in an interpreter of its own costs, for each that this machine has."""
    for version, python in INTERPRETERS.items():
        bare = in_process("start_python", python)
        limit = bare()["time"] + 0.06
        sides = (
            Side("ours", in_process("start_worker", python), {"time": limit}),
            Side("python -c pass", bare, {}),
        )
        yield Comparison(f"start of a worker in Python {version}", sides)
        writes = Side("ours", in_process("write_context", python, "10000"), {"time": 3})
        yield Comparison(f"10,000 writes to one context key from Python {version}", (writes,))


def _context_calls(folder: Path, chain_rows: int, writers: int) -> Iterator[Comparison]:
    place = _new_folder(folder, "context")
    jobs.write_context_jobs(place, chain_rows, writers)
    by_hand = in_process("run_dag", str(place), "by_hand")
    no_op = by_hand()["calls"]
    shapes = {
        "idle": ("calls of a row that does nothing", 0),
        "chain": (f"calls of a row, chain of {chain_rows} that count in one key", 5),
        "fan_in": (f"calls of a row that reads one key below {writers} writers", writers + 3),
    }
    for name, (title, more) in shapes.items():
        ours = Side("ours", in_process("run_dag", str(place), name), {"calls": no_op + more})
        other = Side("no-op by hand", lambda: {"calls": no_op}, {})
        yield Comparison(title, (ours, other), rounds=1, warm_up=False)


def _check(folder: Path) -> Comparison:
    place = _new_folder(folder, "check")
    jobs.write_lists(place, {"job": jobs.layers(1000)})
    (place / "workers.py").write_text(jobs.WORKERS)
    side = Side("ours", lambda: commands.ours("check", place), {"time": 0.3})
    return Comparison("`check` of 1,000 rows, the whole command", (side,))


def _run(folder: Path) -> Iterator[Comparison]:
    dags = _new_folder(folder, "dags_by_hand")
    runs.add_sample(dags)
    sample = dags / "my_sample_app/config/my_sample_app.lst"
    (dags / "pyrunner_lst.py").unlink()  # `dags test` would load the list too
    yield Comparison(
        "`run` of the sample job, the whole command",
        (
            Side("ours", lambda: commands.ours("run", sample), {}),
            Side("`dags test` by hand", lambda: commands.dags_test(dags, "sample_by_hand"), {"time": 1.1}),
        ),
    )
    apps = {rows: commands.write_app(folder / f"run_{rows}", jobs.chain(rows)) for rows in (1, 20)}

    def one_more_row() -> Result:
        few, many = (commands.ours("run", apps[rows])["time"] for rows in (1, 20))
        return {"time": many, "task": (many - few) / 19}

    yield Comparison(
        "`run` of 20 layers of one no-op row",
        (
            Side("ours", one_more_row, {"task": 0.15}),
            Side("`pyrunner`", lambda: commands.pyrunner(apps[20]), {"time": 1.0}),
        ),
        rounds=3,
    )


def _sample_in_process(folder: Path) -> Comparison:
    place = _new_folder(folder, "sample")
    runs.add_sample(place)
    return Comparison(
        "sample job in `dags test`, without its first task",
        (
            Side("ours", in_process("run_dag", str(place), "my_sample_app"), {}),
            Side("by hand", in_process("run_dag", str(place), "sample_by_hand"), {"time": 1.05}),
        ),
        rounds=3,
    )


def scheduled() -> Iterator[Comparison]:
    """Yield what is run by a real scheduler; Airflow runs until the last has been asked for."""
    with runs.airflow() as airflow:
        # One row at a time: rows that run side by side slow each other down, by how many there happen to be.
        runs.add_no_ops(airflow.dags_folder, "no_ops", jobs.chain(20))
        runs.add_sample(airflow.dags_folder)

        def side(name: str, dag_id: str, targets: Mapping[str, float]) -> Side:
            return Side(name, lambda: runs.time_run(airflow, dag_id), targets)

        # Of the whole of it, not of the task's own time: a fork, its end and the worker's import take 15
        # to 25 ms: half of what a no-op is by hand, and a tenth of what Airflow does around it.
        yield Comparison(
            "a chain of 20 no-op rows, LocalExecutor",
            (side("ours", "no_ops", {}), side("by hand", "no_ops_by_hand", {"time": 1.1})),
        )
        yield Comparison(
            "sample job, LocalExecutor",
            (side("ours", "my_sample_app", {}), side("by hand", "sample_by_hand", {"time": 1.05})),
        )


def large() -> Iterator[Comparison]:
    """Yield a job of 500 rows, each of which depends on all 50 of the layer above."""
    with runs.airflow() as airflow:
        rows = jobs.layers(500, width=50, parents=50)
        yield whole_runs("500 no-op rows, 22,500 edges, LocalExecutor", airflow, "large", rows)


def clustered() -> Iterator[Comparison]:
    """Yield jobs on three hosts."""
    with runs.cluster() as airflow:
        fan, layers = jobs.fan(200), jobs.layers(1000, width=50)
        yield whole_runs("200 no-op rows ready at once, two Celery workers", airflow, "fan", fan)
        yield whole_runs("1,000 no-op rows, two Celery workers", airflow, "thousand", layers)


def whole_runs(title: str, airflow: LocalAirflow | Cluster, name: str, rows: jobs.Rows) -> Comparison:
    """Return the runs of a job, and of the same by hand."""
    runs.add_no_ops(airflow.dags_folder, name, rows)
    by_hand = f"{name}_by_hand"
    return Comparison(
        title,
        (
            Side("ours", partial(runs.time_run, airflow, name), {}),
            Side("by hand", partial(runs.time_run, airflow, by_hand), {"time": 1.05}),
        ),
        rounds=3,
        warm_up=False,
    )


def run(comparison: Comparison) -> list[Result]:
    """Measure each side in turn, several times over, and return the medians."""
    results: list[list[Result]] = [[] for _ in comparison.sides]
    if comparison.warm_up:
        for side in comparison.sides:
            side.measure()
    for _ in range(comparison.rounds):
        for side, found in zip(comparison.sides, results, strict=True):
            found.append(side.measure())
    return [{key: statistics.median(r[key] for r in found) for key in found[0]} for found in results]


def add_rows(table: Table, comparison: Comparison, results: list[Result]) -> None:
    """Add a comparison to the table, a row for each side."""
    ours = results[0]
    for number, (side, result) in enumerate(zip(comparison.sides, results, strict=True)):
        verdicts = []
        for key, target in side.targets.items():
            value = ours[key] / result[key] if number else ours[key]
            limit = f"{target:g}x" if number else _FORMATS[key](target)
            verdicts.append(f"{key} {limit}: {'[green]yes' if value <= target else '[red]NO'}[/]")
        table.add_row(
            "" if number else f"{comparison.title}",
            side.name,
            *(_cell(key, result, ours if number else {}) for key in _FORMATS),
            ", ".join(verdicts),
        )
    table.add_section()


def _cell(key: str, result: Result, ours: Result) -> str:
    """Return a measure, and ours as a multiple of it."""
    if key not in result:
        return ""
    amount = _FORMATS[key](result[key])
    return f"{amount} ({ours[key] / result[key]:.2f}x)" if key in ours else amount


def _duration(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds >= 10 else f"{seconds * 1000:,.0f} ms"


def _size(size: float) -> str:
    return f"{size / 1000:,.0f} kB"


_FORMATS: Mapping[str, Callable[[float], str]] = {
    "time": _duration,
    "task": _duration,
    "memory": lambda size: f"{size / 2**20:,.0f} MB",
    "serializing": _duration,
    "size": _size,
    "of it tasks": _size,
    "calls": lambda count: f"{count:.0f}",
}
"""The columns, and how what stands in them is shown."""


def main() -> None:
    """Print the table."""
    console = Console(width=None if sys.stdout.isatty() else 190)
    table = Table(
        "measure",
        "",
        *_FORMATS,
        "to reach",
        title="medians; in brackets how many times theirs ours is",
    )
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # all are compiled once, as where they are used
        alone = {"large": large, "cluster": clustered}
        if sys.argv[1:]:
            parts = [alone[sys.argv[1]]()]
        else:
            subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True
            )
            parts = [comparisons(Path(folder)), scheduled()]
        with console.status("") as status:
            for comparison in chain.from_iterable(parts):
                status.update(comparison.title)
                add_rows(table, comparison, run(comparison))
    console.print(table)


if __name__ == "__main__":
    main()
