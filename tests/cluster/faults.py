"""
What breaks on hosts where a job runs, and what must hold then: `python -m tests.cluster.faults TIMES SEED`.

Each fault, or each that is named behind the seed, strikes so many runs at moments that the seed decides.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil
import redis

from tests.cluster.cluster import HEARTBEAT_TIMEOUT, ON_HUB, REDIS_PORT, Cluster
from tests.cluster.hosts import kill
from tests.postgres import postgres_server
from tests.scheduler.apps import TIMEOUT, App, Apps

ROWS = "".join(f"{row}|-1|4|0|Steps|workers|Steps||\n" for row in range(1, 4))
AT_ONCE = 5
"""How many runs, each begun by itself, a fault strikes at once: a host has room for all of their rows."""
STEP_SECONDS = 0.25
AGAIN = 12
"""How many more steps an attempt takes that finds some; any other goes on until it is told to stop."""
LOST = 5.0
"""Seconds before a fault whose writes may be gone: 1.5, and more where the API server is busy."""
HELD_UP = 10.0
"""Seconds between two steps that no busy machine explains."""
WORKERS = f"""
import os
import socket
import time

class Steps(Worker):
    def run(self):
        ti = self.airflow["ti"]
        self.me = [ti.task_id, ti.try_number, socket.gethostname()]
        step = first = self.context.get("step", 0)
        note("start", *self.me, first, time.monotonic())
        while step < first + {AGAIN} or first == 0 and not os.path.exists("enough"):
            step += 1
            self.context["step"] = step
            note("step", *self.me, step, time.monotonic())
            time.sleep({STEP_SECONDS})

    def on_exit(self):
        self.context["ended_by"] = self.me
        note("end", *self.me, self.context["step"], time.monotonic())
"""


class Note(NamedTuple):
    """What a row told; times are of the one monotonic clock that all hosts share."""

    what: str
    task_id: str
    attempt: int
    host: str
    step: int
    time: float


class Anew(NamedTuple):
    """A row that began anew after a fault, in seconds."""

    after: float
    """From the fault."""
    lost: float
    """Between the last write to the context that it found and the end, or the fault if that was earlier."""
    beside: float
    """For which the attempt before went on."""


class Outcome(NamedTuple):
    """What became of a run that a fault struck."""

    problems: list[str]
    """What was not as it must be."""
    anew: list[Anew]


def task_processes(cluster: Cluster, host: str) -> tuple[list[psutil.Process], list[psutil.Process]]:
    """Return the tasks' processes on a host, and their workers'."""
    found = {
        each.pid: each for each in cluster.processes(host) if "airflow worker -- " in " ".join(each.cmdline())
    }
    tasks = [each for each in found.values() if each.ppid() not in found]
    return tasks, [each for each in found.values() if each.ppid() in found]


def kill_task(cluster: Cluster, host: str) -> None:
    kill(task_processes(cluster, host)[0])


def kill_worker(cluster: Cluster, host: str) -> None:
    kill(task_processes(cluster, host)[1])


def kill_celery(cluster: Cluster, host: str) -> None:
    cluster.kill(host)


def cut_off(seconds: float) -> Callable[[Cluster, str], None]:
    def strike(cluster: Cluster, host: str) -> None:
        cluster.hosts[host].cut()
        time.sleep(seconds)
        cluster.hosts[host].plug()

    return strike


def power_off(cluster: Cluster, host: str) -> None:
    cluster.hosts[host].power_off()
    cluster.hosts[host].start()


def lose(component: str) -> Callable[[Cluster, str], None]:
    def strike(cluster: Cluster, host: str) -> None:
        cluster.kill(component)
        time.sleep(HEARTBEAT_TIMEOUT / 2)
        cluster.start(component)

    return strike


def lose_redis(cluster: Cluster, host: str) -> None:
    (server,) = [
        each
        for each in psutil.process_iter()
        if each.name() == "redis-server" and cluster.hub in " ".join(each.cmdline())
    ]
    server.suspend()
    time.sleep(HEARTBEAT_TIMEOUT / 2)
    server.resume()


def lose_postgres(cluster: Cluster, host: str) -> None:
    """Have it drop all connections, and take none for a while; what ends for that is started again."""
    option = f"port={urlsplit(cluster.database).port}"
    (server,) = [
        each for each in psutil.process_iter() if each.name() == "postgres" and option in each.cmdline()
    ]
    server.suspend()
    kill(server.children())
    time.sleep(HEARTBEAT_TIMEOUT / 2)
    server.resume()
    time.sleep(HEARTBEAT_TIMEOUT / 2)
    cluster.start(*(name for name in ON_HUB if not cluster.processes(name)))


def fill_disk(cluster: Cluster, host: str) -> None:
    """Leave no room where a host's logs are."""
    full = str(cluster.home / "logs" / "full")
    subprocess.run(
        cluster.hosts[host].command("dd", "if=/dev/zero", f"of={full}", "bs=1M"), capture_output=True
    )
    time.sleep(HEARTBEAT_TIMEOUT / 2)
    subprocess.run(cluster.hosts[host].command("rm", full), check=True)


def deliver_twice(cluster: Cluster, host: str) -> None:
    """Have Celery's workers think that whoever took a message is gone, and take it once more."""
    with closing(redis.Redis(cluster.hub, REDIS_PORT)) as broker:
        taken = set(broker.zrange("unacked_index", 0, -1))
        for message in taken:
            broker.zincrby("unacked_index", -1e6, message)
        cluster.wait(
            lambda: taken.isdisjoint(broker.zrange("unacked_index", 0, -1)), "the second delivery", 120
        )
    time.sleep(HEARTBEAT_TIMEOUT / 2)


FAULTS: dict[str, Callable[[Cluster, str], None]] = {
    "kill_task": kill_task,
    "kill_worker": kill_worker,
    "kill_celery": kill_celery,
    "cut_off": cut_off(HEARTBEAT_TIMEOUT + 10),
    "cut_off_long": cut_off(90),
    "cut_off_briefly": cut_off(HEARTBEAT_TIMEOUT / 4),
    "power_off": power_off,
    "lose_scheduler": lose("scheduler"),
    "lose_api_server": lose("api-server"),
    "lose_dag_processor": lose("dag-processor"),
    "lose_redis": lose_redis,
    "lose_postgres": lose_postgres,
    "fill_disk": fill_disk,
    "deliver_twice": deliver_twice,
}
SPARES_TASKS = (
    "cut_off_briefly",
    "lose_scheduler",
    "lose_api_server",
    "lose_dag_processor",
    "lose_redis",
    "lose_postgres",
    "fill_disk",
    "deliver_twice",
)
ENDS_CELERY = ("kill_celery", "power_off")
IS_UNSEEN = ("cut_off", "cut_off_long", "lose_api_server")
"""The faults in which Airflow hears nothing of attempts for so long that it begins others beside them."""


class Struck:
    """A run in whose midst a fault strikes, and what its rows note."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._before = len(app.notes())
        self._enough = app.path / "enough"
        self._enough.unlink(missing_ok=True)
        self._run = app.trigger()

    def notes(self, what: str) -> list[Note]:
        return [note for each in self._app.notes()[self._before :] if (note := Note(*each)).what == what]

    def _first_attempts(self) -> dict[str, Note]:
        """Return how each row began first."""
        return {note.task_id: note for note in reversed(self.notes("start"))}

    def wait_for_first_attempts(self) -> None:
        rows = set(self._app.airflow.tasks(self._app.name))
        self._app.airflow.wait(
            lambda: rows == set(self._first_attempts()), f"the start of all rows of {self._app.name}", TIMEOUT
        )

    def wait_for_next_attempts(self, fault: str, host: str) -> None:
        """Wait until the rows that a fault ended on a host have begun anew, and ended where they went on."""
        there = [note for note in self._first_attempts().values() if note.host == host]

        def is_over() -> bool:
            last = {note.task_id: note.attempt for note in self.notes("start")}
            ended = {(note.task_id, note.attempt) for note in self.notes("end")}
            return all(
                last[note.task_id] > note.attempt
                and (fault not in IS_UNSEEN or (note.task_id, note.attempt) in ended)
                for note in there
            )

        self._app.airflow.wait(is_over, f"the next attempts of {self._app.name} after {fault}", TIMEOUT)

    def outcome(self, fault: str, struck_at: float) -> Outcome:
        """Have the run end, and return what became of it."""
        self._enough.touch()
        state = self._run.finish().state
        outcome = Outcome([] if state == "success" else [f"{self._app.name} is {state}"], [])
        for task_id in self._run.states():
            starts = [note for note in self.notes("start") if note.task_id == task_id]
            steps = [note for note in self.notes("step") if note.task_id == task_id]
            attempts = [
                [start, *(step for step in steps if step.attempt == start.attempt)] for start in starts
            ]
            anew = [_anew(earlier, later[0], struck_at) for earlier, later in pairwise(attempts)]
            problems = _problems(fault, attempts, anew, self._run.xcoms(task_id))
            outcome.problems.extend(f"{self._app.name}, {task_id}: {text}" for text in problems)
            outcome.anew.extend(anew)
        return outcome


def strike(
    cluster: Cluster, apps: Sequence[App], fault: str, host: str, moments: Sequence[float]
) -> list[Outcome]:
    """
    Have a fault strike a host in the midst of a run of each of these apps.

    :param moments: seconds from when all rows of a run and of those before it have begun to the next moment;
        after the last one it strikes.
    """
    runs = [Struck(app) for app in apps]
    for run, moment in zip(runs, moments, strict=True):
        run.wait_for_first_attempts()
        time.sleep(moment)
    struck_at = time.monotonic()
    FAULTS[fault](cluster, host)
    if fault not in SPARES_TASKS:
        for run in runs:
            run.wait_for_next_attempts(fault, host)
    outcomes = [run.outcome(fault, struck_at) for run in runs]
    if fault in ENDS_CELERY:
        cluster.start(host)
    return outcomes


def _anew(earlier: list[Note], later: Note, struck_at: float) -> Anew:
    end = min(struck_at, earlier[-1].time)
    found = max((note.time for note in earlier if note.step <= later.step), default=end)
    return Anew(later.time - struck_at, max(0, end - found), max(0, earlier[-1].time - later.time))


def _problems(
    fault: str, attempts: list[list[Note]], anew: list[Anew], xcoms: dict[str, Any]
) -> Iterator[str]:
    numbers = [attempt[0].attempt for attempt in attempts]
    if len(set(numbers)) < len(numbers):
        yield f"an attempt began twice: {numbers}"
    last = attempts[-1][-1]
    if xcoms.get("step") != last.step or xcoms.get("ended_by", [None, None])[1] != last.attempt:
        yield f"its XComs are {xcoms}, and not of the last attempt, which ended with {last}"
    for number, each in zip(numbers[1:], anew, strict=True):
        if each.lost > LOST:
            yield f"attempt {number} found nothing of the last {each.lost:.1f} s"
        if fault not in IS_UNSEEN and each.beside:
            yield f"attempt {number} began {each.beside:.1f} s before the end of the one before"
    for attempt in attempts:
        pause = max((later.time - step.time for step, later in pairwise(attempt)), default=0)
        if pause > HELD_UP:
            yield f"{attempt[0].host} was held up for {pause:.0f} s"


def _table(seen: dict[str, list[Outcome]]) -> str:
    """Return for each fault what became of the runs, in Markdown."""
    lines = [
        "| fault | runs | as promised | rows begun anew | after | writes lost | side by side |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for fault, outcomes in seen.items():
        good = sum(not outcome.problems for outcome in outcomes)
        anew = [each for outcome in outcomes for each in outcome.anew]
        seconds = [
            f"{statistics.median(values):.1f} s, at most {max(values):.1f}"
            for values in zip(*anew, strict=True)
        ]
        cells = [fault, len(outcomes), good, len(anew), *(seconds or [""] * len(Anew._fields))]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main(times: int, seed: int, faults: Sequence[str]) -> int:
    """Have each fault strike so many runs, print what was seen, and return in how many that was wrong."""
    chance = random.Random(seed)
    print(f"seed {seed}")
    seen: dict[str, list[Outcome]] = {fault: [] for fault in faults}
    with (
        tempfile.TemporaryDirectory(prefix="faults_") as folder,
        postgres_server() as postgres,
        Cluster(Path(folder), postgres.database("cluster")) as cluster,
    ):
        added = Apps(cluster)
        apps = [added.add(f"steps_{number}", ROWS, WORKERS) for number in range(AT_ONCE)]
        for struck in range(AT_ONCE, times + AT_ONCE, AT_ONCE):
            for fault in faults:
                host, moments = chance.choice(["wa", "wb"]), [chance.uniform(0, 4) for _ in apps]
                outcomes = strike(cluster, apps, fault, host, moments)
                seen[fault] += outcomes
                text = "; ".join(problem for outcome in outcomes for problem in outcome.problems) or "ok"
                print(f"{struck} {fault} {host}: {text}", flush=True)
            print(_table(seen), flush=True)
    return sum(bool(outcome.problems) for outcomes in seen.values() for outcome in outcomes)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] or list(FAULTS)))
