"""An app for each test."""

import sys

import pytest
from worker_jobs import run_row, source, write


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
def run(root):
    """Write a worker W that has these methods, and run one attempt of its row."""

    def write_and_run(body, preamble="", base="pyrunner_airflow", **columns):
        write(root / "workers" / "workers.py", source(body, preamble, base))
        return run_row(root, **columns)

    return write_and_run
