"""
Writes the apps that these tests run, and runs one row of them.

Standard library only and Python 3.8, since some tests use it in other interpreters.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import textwrap
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from pyrunner_airflow.values import Allowed, Codec
from pyrunner_airflow.worker.app import Run, app_environment, find_app
from pyrunner_airflow.worker.interpreter import Interpreter, WorkerRaised, run_worker_in
from pyrunner_airflow.worker.running import Job, Outcome, run_worker

_DUE = datetime(2024, 2, 29, 23, 30, 15, tzinfo=timezone.utc)  # noqa: UP017 - Python 3.8
RUN = Run("manual__1", "2024-02-29T23:30:00+00:00", _DUE)
ALLOWED = Allowed(["worker_values.*"], [])
REPOSITORY = Path(__file__).parents[2]


class Interrupted(BaseException):
    """What a timeout or SIGTERM raises."""


class SkipRow(Exception):
    """What a worker raises that asks for neither success nor failure."""


class Hopeless(Exception):
    """What a worker raises that no further attempt would help."""


class MemoryHost:
    """Keeps the context in a dictionary and the log in a list."""

    airflow = None
    skip_exceptions = (SkipRow,)
    final_exceptions = (Hopeless,)

    def __init__(self, context=None):
        self.context = {} if context is None else context
        self.lines = []

    def log(self, level, text):
        self.lines.append((level, text))

    def interruptible(self):
        return contextlib.nullcontext()


class Ran(NamedTuple):
    """One attempt that was run."""

    outcome: Outcome
    host: MemoryHost
    logfile: Path

    @property
    def code(self):
        return self.outcome.code

    @property
    def error(self):
        return self.outcome.error

    @property
    def error_type(self):
        """The name of the type of what was raised, there where the worker ran."""
        return self.error.name if isinstance(self.error, WorkerRaised) else type(self.error).__name__

    @property
    def error_text(self):
        return self.error.text if isinstance(self.error, WorkerRaised) else str(self.error)

    @property
    def report(self):
        return self.outcome.report

    @property
    def context(self):
        return self.host.context

    @property
    def lines(self):
        return self.host.lines

    @property
    def log(self):
        return self.logfile.read_text("utf-8", "surrogateescape")


def source(body, preamble="", base="pyrunner_airflow"):
    """Return a module with a worker W, of which these are the methods."""
    head = f"from {base} import Worker\nfrom worker_jobs import Hopeless, Interrupted, SkipRow\n{preamble}\n"
    return f"{head}class W(Worker):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"


def write(path, text):
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def make_job(
    root, list_name="config/job.lst", environment=None, app_root=None, working_directory=None, **columns
):
    """Return the only attempt of a row in the app at ``root``; ``environment`` adds to APP_*."""
    app = find_app(str(root / list_name), app_root, working_directory)
    variables = app_environment(app, RUN, str(root.parent / "writable"), warn=print)
    defaults = {
        "line": 3,
        "id": 4,
        "name": "Load Table",
        "module": "workers",
        "worker": "W",
        "arguments": [],
        "arguments_text": None,
        "logfile": None,
        "attempt": 1,
        "max_attempts": 1,
        "retry_wait_time": 0,
    }
    return Job(app=app, environment={**variables, **(environment or {})}, **{**defaults, **columns})


def run_row(root, host=None, python=None, environment=None, **columns):
    """Run one attempt of a row in the app at ``root``; in an interpreter of its own, where one is named."""
    host = host or MemoryHost()
    if python is None:
        job = make_job(root, environment=environment, **columns)
        outcome = run_worker(job, host)
    else:
        here = {"PYTHONPATH": str(Path(__file__).parent)}
        job = make_job(root, environment={**here, **(environment or {})}, **columns)
        outcome = run_worker_in(Interpreter(python, Codec(ALLOWED), ALLOWED), job, host)
    return Ran(outcome, host, root / (job.logfile or "none"))


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


def wait_until(condition, seconds=5.0):
    """Say whether the condition came true in time."""
    end = time.monotonic() + seconds
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
