"""An app for each test, and where its worker runs."""

import sys
from functools import partial

import pytest
from worker_jobs import run_row, source, write

from scripts.interpreters import INTERPRETERS

OWN = {version: INTERPRETERS[version] for version in ("3.8", "3.9", "3.13") if version in INTERPRETERS}


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
def run_here(root):
    """Write a worker W that has these methods, and run one attempt of its row."""

    def write_and_run(body, preamble="", base="pyrunner_airflow", **columns):
        write(root / "workers" / "workers.py", source(body, preamble, base))
        return run_row(root, **columns)

    return write_and_run


@pytest.fixture
def run(run_here):
    """Do the same; a module of tests may have it done anywhere else too."""
    return run_here


@pytest.fixture(params=OWN)
def python(request):
    """The path of an interpreter of its own."""
    return OWN[request.param]


@pytest.fixture
def run_in_own(run_here, python):
    """Do the same in an interpreter of its own."""
    return partial(run_here, python=python)


@pytest.fixture(params=["in process", *OWN])
def run_anywhere(request, run_here):
    """Do the same in process, and in each interpreter of its own."""
    return partial(run_here, python=OWN.get(request.param))
