"""
What breaks on hosts where a job runs, and what must hold then: `python -m tests.cluster.faults TIMES SEED`.

Each fault strikes a run at a moment that the seed decides; or those alone that are named behind the seed.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import pairwise, product
from pathlib import Path
from typing import NamedTuple

import psutil
import redis

from tests.cluster.cluster import HEARTBEAT_TIMEOUT, REDIS_PORT, Cluster
from tests.cluster.hosts import kill
from tests.postgres import postgres_server
from tests.scheduler.apps import App, Apps

ROWS = "".join(f"{row}|-1|4|0|Steps|workers|Steps||\n" for row in range(1, 5))
STEP_SECONDS = 0.25
AGAIN = 12
"""How many more steps each later attempt takes; the first goes on until it is told that it is enough."""
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
        while step < first + {AGAIN} or ti.try_number == 1 and not os.path.exists("enough"):
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
    "deliver_twice": deliver_twice,
}
SPARES_TASKS = (
    "cut_off_briefly",
    "lose_scheduler",
    "lose_api_server",
    "lose_dag_processor",
    "lose_redis",
    "deliver_twice",
)
ENDS_CELERY = ("kill_celery", "power_off")
IS_UNSEEN = ("cut_off", "cut_off_long")
"""The faults after which Airflow cannot know whether an attempt goes on."""


def strike(cluster: Cluster, app: App, fault: str, host: str, moment: float) -> list[str]:
    """Have a fault strike a host in the midst of a run, and return what was not as it must be."""
    before = len(app.notes())
    enough = app.path / "enough"
    enough.unlink(missing_ok=True)

    def notes(what: str) -> list[Note]:
        return [note for each in app.notes()[before:] if (note := Note(*each)).what == what]

    def wait_for_all(rows: set[str], what: str, attempt: int) -> None:
        cluster.wait(
            lambda: rows <= {note.task_id for note in notes(what) if note.attempt == attempt},
            f"the {what} of attempt {attempt} of {rows}",
            120,
        )

    run = app.trigger()
    wait_for_all(set(cluster.tasks(app.name)), "start", 1)
    time.sleep(moment)
    struck_at = time.monotonic()
    FAULTS[fault](cluster, host)
    if fault not in SPARES_TASKS:
        there = {note.task_id for note in notes("start") if note.host == host and note.attempt == 1}
        wait_for_all(there, "start", 2)
        if fault in IS_UNSEEN:
            wait_for_all(there, "end", 1)
    enough.touch()
    state = run.finish().state
    if fault in ENDS_CELERY:
        cluster.start(host)
    problems = [] if state == "success" else [f"the run is {state}"]
    for task_id in run.states():
        steps = [note for note in notes("step") if note.task_id == task_id]
        starts = [note for note in notes("start") if note.task_id == task_id]
        problems += [
            f"{task_id}: {text}" for text in _problems(fault, struck_at, steps, starts, run.xcoms(task_id))
        ]
    return problems


def _problems(
    fault: str, struck_at: float, steps: list[Note], starts: list[Note], xcoms: dict[str, object]
) -> Iterator[str]:
    by_attempt = {
        start.attempt: [start, *(step for step in steps if step.attempt == start.attempt)] for start in starts
    }
    last = max(by_attempt)
    if len(starts) > len(by_attempt):
        yield f"an attempt began twice: {starts}"
    ends = [steps[-1] for steps in by_attempt.values()]
    if xcoms.get("step") != ends[-1].step or xcoms.get("ended_by", [None, None])[1] != last:
        yield f"its XComs are {xcoms}, and not of attempt {last}, which ended with {ends[-1]}"
    for earlier, later in pairwise(starts):
        known = [
            step.step
            for step in by_attempt[earlier.attempt]
            if step.time < min(struck_at, ends[0].time) - LOST
        ]
        if later.step < max(known, default=0):
            yield f"attempt {later.attempt} began at step {later.step}, after {known[-1]} steps"
        if fault not in IS_UNSEEN and by_attempt[earlier.attempt][-1].time > later.time:
            yield f"attempts {earlier.attempt} and {later.attempt} overlap"
    for attempt in by_attempt.values():
        pause = max((later.time - step.time for step, later in pairwise(attempt)), default=0)
        if pause > HELD_UP:
            yield f"{attempt[0].host} was held up for {pause:.0f} s"


def main(times: int, seed: int, faults: Sequence[str]) -> int:
    """Have each fault strike so many times, print what was seen, and return how often that was wrong."""
    moments = random.Random(seed)
    print(f"seed {seed}")
    count = 0
    with (
        tempfile.TemporaryDirectory(prefix="faults_") as folder,
        postgres_server() as postgres,
        Cluster(Path(folder), postgres.database("cluster")) as cluster,
    ):
        app = Apps(cluster).add("steps", ROWS, WORKERS)
        for number, fault in product(range(1, times + 1), faults):
            host, moment = moments.choice(["wa", "wb"]), moments.uniform(0, 8)
            problems = strike(cluster, app, fault, host, moment)
            count += bool(problems)
            text = "; ".join(problems) or "ok"
            print(f"{number} {fault} {host} after {moment:.1f} s: {text}", flush=True)
    return count


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] or list(FAULTS)))
