"""Small PyRunner apps made from text, their runs in Airflow, and the server the sample job talks to."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any, Self

from scripts.local_airflow import Json, LocalAirflow
from scripts.sample_data_server import SampleDataServer
from tests.setups import SETUP

TIMEOUT = 240
"""Seconds that a run may take: the machine may be busy with something else."""

# What the apps' workers import to tell a test what they saw.
NOTES = '''
"""Writes down what a worker saw, one JSON document a line."""
import json
import os


def note(*seen, app=None):
    with open(os.path.join(app or os.environ["APP_ROOT_DIR"], "notes.jsonl"), "a") as file:
        file.write(json.dumps(seen) + "\\n")
'''


IMPORTS = "from notes import note\nfrom pyrunner import Worker\n\n"


class Run:
    """A run of a DAG."""

    def __init__(self, airflow: LocalAirflow, dag_id: str, run_id: str) -> None:
        self.airflow = airflow
        self.dag_id = dag_id
        self.run_id = run_id

    @property
    def state(self) -> str:
        """The run's state now."""
        return str(self.airflow.run(self.dag_id, self.run_id)["state"])

    def finish(self, timeout: float = TIMEOUT) -> Self:
        """Wait for the run to end, in whatever state."""
        self.airflow.wait_for_run(self.dag_id, self.run_id, timeout)
        return self

    def states(self) -> dict[str, str | None]:
        """Return the state of each task."""
        return self.airflow.states(self.dag_id, self.run_id)

    def attempts(self) -> dict[str, int]:
        """Return how often each task was started."""
        return {task: ti["try_number"] for task, ti in self.instances().items()}

    def instances(self) -> dict[str, Json]:
        """Return the latest try of each task."""
        return self.airflow.task_instances(self.dag_id, self.run_id)

    def tries(self, task_id: str) -> list[Json]:
        """Return all tries of a task."""
        return self.airflow.tries(self.dag_id, self.run_id, task_id)

    def log(self, task_id: str, try_number: int = 1) -> str:
        """Return the log of a task."""
        return self.airflow.logs(self.dag_id, self.run_id, task_id, try_number)

    def log_lines(self, task_id: str, try_number: int = 1) -> list[Json]:
        """Return the log of a task with all that Airflow keeps of each line."""
        path = (
            "dags",
            self.dag_id,
            "dagRuns",
            self.run_id,
            "taskInstances",
            task_id,
            "logs",
            str(try_number),
        )
        json_please = {"Accept": "application/json"}
        answer = self.airflow.api("GET", *path, params={"full_content": True}, headers=json_please)
        return [line for line in answer["content"] if isinstance(line, dict)]

    def xcoms(self, task_id: str) -> Json:
        """Return the XComs of a task."""
        return self.airflow.xcoms(self.dag_id, self.run_id, task_id)

    def rendered(self, task_id: str) -> Json:
        """Return a task's Rendered Templates."""
        fields: Json = self.airflow.task_instance(self.dag_id, self.run_id, task_id)["rendered_fields"]
        return fields

    def clear(self, *task_ids: str, **options: bool) -> list[str]:
        """Clear tasks, or the run's failed ones, as the UI does; they keep their state."""
        return self.airflow.clear(self.dag_id, self.run_id, task_ids or None, **{**SETUP.keeping, **options})

    def wait_for_task(self, task_id: str, state: str) -> None:
        """Wait until a task is in a state."""
        self.airflow.wait(
            lambda: self.states().get(task_id) == state,
            f"{task_id} of {self.dag_id} to be {state}",
            TIMEOUT,
        )


class App:
    """An app in Airflow's dags folder."""

    def __init__(self, airflow: LocalAirflow, path: Path) -> None:
        self.airflow = airflow
        self.path = path
        self.name = path.name

    @property
    def list(self) -> Path:
        """The app's task list."""
        return self.path / "config" / f"{self.name}.lst"

    def write(self, relative: str, text: str) -> Path:
        """Put a file in place at once, so that nobody reads half of it."""
        target = self.path / relative
        draft = self.airflow.home / "draft"
        draft.write_bytes(textwrap.dedent(text).lstrip("\n").encode())
        draft.replace(target)
        return target

    def trigger(
        self, dag_id: str | None = None, *, due: datetime | None = None, conf: Json | None = None
    ) -> Run:
        """Start a run, as soon as Airflow knows the DAG; one that was due earlier by its logical date."""
        dag_id = dag_id or self.name
        self.airflow.wait_for_dag(dag_id, timeout=TIMEOUT)
        self.airflow.unpause(dag_id)
        body = {"logical_date": due and due.isoformat(), "conf": conf}
        run = self.airflow.api("POST", "dags", dag_id, "dagRuns", json=body)
        return Run(self.airflow, dag_id, run["dag_run_id"])

    def notes(self) -> list[Any]:
        """Return what the workers noted."""
        file = self.path / "notes.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def wait_for_note(self, *start: object) -> Any:
        """Wait until a worker has noted something that begins so."""
        return self.airflow.wait(
            lambda: next((seen for seen in self.notes() if seen[: len(start)] == list(start)), None),
            f"a note {start} of {self.name}",
            TIMEOUT,
        )


class Apps:
    """Puts apps into Airflow's dags folder, each in one step, and takes them out again."""

    def __init__(self, airflow: LocalAirflow) -> None:
        self.airflow = airflow
        self._added: list[Path] = []

    def add(self, name: str, rows: str, workers: str = "", files: Mapping[str, str] | None = None) -> App:
        """Make an app of the text of its task list, its `workers.py`, and other files by relative path."""
        parts = {
            f"config/{name}.lst": rows,
            "workers/workers.py": IMPORTS + textwrap.dedent(workers),
            "workers/notes.py": NOTES,
            **(files or {}),
        }
        return self.add_folder(name, parts)

    def add_folder(self, name: str, parts: Mapping[str, str]) -> App:
        """Make a folder of files, given as texts by relative path."""
        draft = self.airflow.home / "drafts" / name
        for relative, text in parts.items():
            file = draft / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(textwrap.dedent(text).lstrip("\n").encode())
        return self._place(draft, name)

    def copy(self, folder: Path) -> App:
        """Copy a whole app, without what earlier runs left in it."""
        draft = self.airflow.home / "drafts" / folder.name
        shutil.copytree(folder, draft, ignore=shutil.ignore_patterns("logs", "temp", "__pycache__"))
        return self._place(draft, folder.name)

    def add_file(self, name: str, text: str) -> Path:
        """Put a file, such as a DAG written in Python, into the dags folder."""
        draft = self.airflow.home / "draft"
        draft.write_text(textwrap.dedent(text).lstrip("\n"))
        target = self.airflow.dags_folder / name
        draft.replace(target)
        self._added.append(target)
        return target

    def _place(self, draft: Path, name: str) -> App:
        target = self.airflow.dags_folder / name
        os.rename(draft, target)
        self._added.append(target)
        return App(self.airflow, target)

    def remove(self, path: Path) -> None:
        """Take a file or an app out of the dags folder, if it is there."""
        if path.is_dir():
            # In one step, and under a name that is no task list's: a task that still runs may hold files.
            grave = self.airflow.home / "drafts" / f"{path.name}.removed"
            shutil.rmtree(grave, ignore_errors=True)
            grave.parent.mkdir(exist_ok=True)
            path.rename(grave)
            shutil.rmtree(grave, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def remove_all(self) -> None:
        """Take everything out again."""
        while self._added:
            self.remove(self._added.pop())


@dataclass(frozen=True, eq=False)
class Job:
    """An app that tests have in Airflow from the start, and the run of it that they look at.

    `dag` is the text of a Python file whose DAG, of the name `<name>_by_hand`, stands for the list.
    """

    name: str
    rows: str
    workers: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    dag: str = ""
    due: datetime | None = None
    conf: Json | None = None
    runs: bool = True
    """Whether a run starts at once; tests that act in the midst of one start it themselves."""


class Jobs:
    """Puts the jobs of all tests in place at once, and starts all their runs at once."""

    def __init__(self, airflow: LocalAirflow, jobs: Iterable[Job]) -> None:
        apps = Apps(airflow)
        self._apps = {job: self._add(apps, job) for job in jobs}
        self._started = {
            job: app.trigger(self._dag_id(job), due=job.due, conf=job.conf)
            for job, app in self._apps.items()
            if job.runs
        }
        self._ended: dict[Job, Run] = {}

    @staticmethod
    def _add(apps: Apps, job: Job) -> App:
        if not job.dag:
            return apps.add(job.name, job.rows, job.workers, job.files)
        app = apps.add(job.name, job.rows, job.workers, {**job.files, ".airflowignore": "*.lst\nworkers/\n"})
        apps.add_file(f"{job.name}_by_hand.py", job.dag)
        return app

    @staticmethod
    def _dag_id(job: Job) -> str:
        return f"{job.name}_by_hand" if job.dag else job.name

    def app(self, job: Job) -> App:
        """Return a job's app."""
        return self._apps[job]

    def run(self, job: Job) -> Run:
        """Return the job's run, as soon as it has ended."""
        if job not in self._ended:
            self._ended[job] = self._started[job].finish()
        return self._ended[job]


def apps_in(airflow: LocalAirflow) -> Iterator[Apps]:
    """Yield an `Apps` for a fixture of any scope."""
    apps = Apps(airflow)
    yield apps
    apps.remove_all()


class DataServer(SampleDataServer):
    """The sample's data server, which can fail a download on demand, and tell whether two overlap."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._meeting: Barrier | None = None

    def fail_next(self, path: str) -> None:
        """Answer the next request for a path with status 500."""
        self._still_to_fail.add(path)

    def let_two_meet(self) -> None:
        """Answer the next two downloads only when both have asked; if only one ever asks, it fails."""
        self._meeting = Barrier(2, timeout=TIMEOUT)

    def forget(self) -> None:
        """Begin the lists of requests and messages anew."""
        self.requests.clear()
        self.messages.clear()

    def _answer(self, method: str, path: str, body: bytes) -> tuple[HTTPStatus, bytes]:
        meeting = self._meeting
        if meeting and method == "GET":
            try:
                meeting.wait()
            except BrokenBarrierError:
                return HTTPStatus.GATEWAY_TIMEOUT, b""
            self._meeting = None
        return super()._answer(method, path, body)
