"""The hooks that pre-commit finds here: what they run is what the command line knows."""

import shlex
from pathlib import Path

import pytest
import yaml
from command import run

HOOKS = {
    hook["id"]: hook
    for hook in yaml.safe_load((Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text())
}


def run_hook(name, *files, folder):
    """Run a hook as pre-commit does."""
    hook = HOOKS[name]
    program, *command = shlex.split(hook["entry"])
    assert program == "pyrunner-airflow"
    passed = files if hook.get("pass_filenames", True) else ()
    return run(*command, *hook.get("args", []), *passed, cwd=folder)


@pytest.fixture
def job(tmp_path):
    run("init", "load_orders", cwd=tmp_path)
    return tmp_path


def test_a_new_job_passes(job):
    path = "load_orders/config/load_orders.lst"
    assert run_hook("pyrunner-airflow-check", path, folder=job).code == 0
    assert run_hook("pyrunner-airflow-fmt", path, folder=job).code == 0


def test_check_fails_when_a_worker_is_renamed(job):
    workers = job / "load_orders/workers/workers.py"
    workers.write_text(workers.read_text().replace("Greet", "Welcome"))
    done = run_hook("pyrunner-airflow-check", "load_orders/workers/workers.py", folder=job)
    assert done.code == 1
    assert "Greet" in done.out


def test_fmt_changes_the_files_that_it_is_given(job):
    path = job / "load_orders/config/load_orders.lst"
    tidy = path.read_text()
    path.write_text(tidy.replace("  |", "|"))
    run_hook("pyrunner-airflow-fmt", "load_orders/config/load_orders.lst", folder=job)
    assert path.read_text() == tidy
