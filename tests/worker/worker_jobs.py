"""
Writes the apps that these tests run, and runs one row of them.

Standard library only and Python 3.8, since some tests use it in other interpreters.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pyrunner_airflow.values import Allowed, Codec
from pyrunner_airflow.worker.app import Run
from pyrunner_airflow.worker.attempt import Job, Outcome, another_follows

_DUE = datetime(2024, 2, 29, 23, 30, 15, tzinfo=timezone.utc)  # noqa: UP017 - Python 3.8
RUN = Run("manual__1", "2024-02-29T23:30:00+00:00", _DUE.timestamp())
ALLOWED = Allowed(["worker_values.*"], [])
REPOSITORY = Path(__file__).parents[2]


class Interrupted(BaseException):
    """What a timeout or SIGTERM raises."""


class AirflowSkipException(Exception):
    """What a worker raises that asks for neither success nor failure: known by its name."""


class AirflowFailException(Exception):
    """What a worker raises that no further attempt would help."""


class MemoryContext:
    """Keeps the context of a task's process in a dictionary."""

    def __init__(self, values=None):
        self._codec = Codec(ALLOWED)
        self.forms = {key: self._codec.encode(value) for key, value in (values or {}).items()}
        self.journaled = 0

    @property
    def values(self):
        return {key: self._codec.decode(*form) for key, form in self.forms.items()}

    def get(self, key):
        return *self.forms[key], ""

    def set(self, key, encoded):
        self.forms[key] = encoded

    def delete(self, key):
        del self.forms[key]

    def has(self, key):
        return key in self.forms

    def keys(self):
        return list(self.forms)

    def journal(self):
        self.journaled += 1


class Ran(NamedTuple):
    """One attempt that was run."""

    outcome: Outcome
    kept: MemoryContext
    lines: list
    logfile: Path
    is_tried_again: bool

    @property
    def code(self):
        return self.outcome.code

    @property
    def error(self):
        return self.outcome.error

    @property
    def error_type(self):
        """The name of the type of what was raised, there where the worker ran."""
        return getattr(self.error, "name", type(self.error).__name__)

    @property
    def error_text(self):
        return getattr(self.error, "text", str(self.error))

    @property
    def traceback(self):
        """Where it was raised, there where the worker ran."""
        return str(self.error.__cause__)

    @property
    def cause(self):
        """What failed, in one line."""
        return self.outcome.cause

    @property
    def context(self):
        return self.kept.values

    @property
    def log(self):
        return self.logfile.read_text("utf-8", "surrogateescape")


def source(body, preamble="", base="pyrunner_airflow"):
    """Return a module with a worker W, of which these are the methods."""
    exceptions = "AirflowFailException, AirflowSkipException, Interrupted"
    head = f"from {base} import Worker\nfrom worker_jobs import {exceptions}\n{preamble}\n"
    return f"{head}class W(Worker):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"


def write(path, text):
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def make_job(root, list_name="config/job.lst", **fields):
    """Return the only attempt of a row in the app at ``root``."""
    defaults = {
        "app_root": None,
        "cwd": None,
        "python": None,
        "timezone": None,
        "env": {},
        "run_id": RUN.run_id,
        "logical_date": RUN.logical_date,
        "run_time": RUN.time,
        "writable_folder": str(root.parent / "writable"),
        "line": 3,
        "id": 4,
        "name": "Load Table",
        "module": "workers",
        "worker": "W",
        "arguments": [],
        "arguments_text": None,
        "logfile": None,
        "mark": "",
        "attempt": 1,
        "max_attempts": 1,
        "retry_wait_time": 0,
    }
    return Job(list_path=str(root / list_name), **{**defaults, **fields})


def connect(host):
    """Keep, in a fork, how the task's process is asked."""
    global asked_host
    asked_host = host


def run_row(
    root, context=None, python=None, env=None, airflow=None, on_log=None, printed=None, mask=None, **fields
):
    """
    Run one attempt of a row in the app at ``root``; in an interpreter of its own, where one is named.

    ``on_log`` gets the host and each line's text, before the worker goes on. ``printed`` gets what is
    printed, with its stream's name; without it that goes to the streams themselves.
    """
    from pyrunner_airflow.dag.host import Host
    from pyrunner_airflow.dag.raised import dump_error
    from pyrunner_airflow.worker.child import InAirflow

    if python is not None:
        env = {"PYTHONPATH": str(Path(__file__).parent), **(env or {})}
    job = make_job(root, python=python, env=env or {}, **fields)
    kept = context if isinstance(context, MemoryContext) else MemoryContext(context)
    lines = []
    exceptions = {"skip": AirflowSkipException, "final": AirflowFailException}
    dump = partial(dump_error, codec=Codec(ALLOWED))
    around = InAirflow(airflow, {}, exceptions, connect, mask or (lambda _: set()), dump, lambda: [])

    def log(level, text):
        lines.append((level, text))
        if on_log:
            on_log(host, text)

    host = Host(job, kept, log, printed, ALLOWED, around, airflow or {})
    outcome = host.run()
    is_tried_again = another_follows(job, outcome)
    host.close_logfile(is_tried_again)
    return Ran(outcome, kept, lines, root / (job.logfile or "none"), is_tried_again)


def terminate_at(line, seconds_to_end=60):
    """Return what has the worker end (SIGTERM) when it logs this line, for ``run_row``'s ``on_log``."""
    from pyrunner_airflow.dag.errors import WorkerTerminated

    def on_log(host, text):
        if text == line:
            host.terminate(WorkerTerminated("the task is ended", seconds_to_end))

    return on_log


def python(script, *arguments, interpreter=(sys.executable,), **options):
    """Start a script in a process of its own, where this package and these helpers can be imported."""
    head = f"import sys\nsys.path[:0] = {[str(REPOSITORY), str(Path(__file__).parent)]!r}\n"
    return subprocess.Popen(
        [*interpreter, "-c", head + textwrap.dedent(script), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )


def output_of(process):
    """Wait for a process; return what it printed, or fail with it."""
    output = process.communicate(timeout=50)[0].decode()
    assert process.returncode == 0, output
    return output


def json_of(process):
    """Return what the last line that a process printed says."""
    return json.loads(output_of(process).splitlines()[-1])


def wait_until(condition):
    """Say whether the condition came true before what it waits for would end by itself."""
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def processes(text):
    """Return the IDs of the processes whose command line contains the text, zombies left out."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")  # empty for a zombie
        except OSError:
            continue
        if os.fsencode(text) in command and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found
