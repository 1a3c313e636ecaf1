"""An app for each test, and where its worker runs."""

import os
import secrets
import signal
import sys
from functools import partial

import pytest
from worker_jobs import processes, run_row, source, write

from scripts.interpreters import INTERPRETERS

OWN = {
    version: INTERPRETERS[version] for version in ("3.8", "3.9", "3.13", "3.14") if version in INTERPRETERS
}


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch):
    """Modules that are rewritten within a second must be read again."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.fixture
def root(tmp_path):
    """Make the root folder of an app."""
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


@pytest.fixture
def sleep():
    """Make a command that nobody else runs, and end what is left of it."""
    command = f"sleep 60.{secrets.randbits(48)}"
    yield command
    for pid in processes(command):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(params=["fork", *OWN])
def python(request):
    """What the worker's process is: a fork, or the path of an interpreter of its own."""
    return OWN.get(request.param)


@pytest.fixture
def run_in(root):
    """Write a worker W that has these methods, and run one attempt of its row."""

    def write_and_run(body, preamble="", base="pyrunner_airflow", **fields):
        write(root / "workers" / "workers.py", source(body, preamble, base))
        return run_row(root, **fields)

    return write_and_run


@pytest.fixture
def run(run_in, python):
    """Do the same in each kind of process."""
    return partial(run_in, python=python)


@pytest.fixture
def run_in_fork(run_in):
    """Do the same in a fork."""
    return run_in


@pytest.fixture(params=OWN)
def own_python(request):
    """The path of an interpreter of its own."""
    return OWN[request.param]


@pytest.fixture
def run_in_own(run_in, own_python):
    """Do the same in an interpreter of its own."""
    return partial(run_in, python=own_python)
