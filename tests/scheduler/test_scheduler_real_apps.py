"""Apps in the shapes that real ones have: PyRunner runs each, too, and both must leave the same behind."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from scripts.local_airflow import BIN, LocalAirflow
from tests.examples import sample_results
from tests.scheduler.apps import TIMEOUT, App, Apps, Run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
REAL_APPS = Path(__file__).with_name("real_apps")
LOADERS = ROOT / "dags"
LONG = 1200
"""Seconds that a run of many rows may take."""


def make_app(name: str, folder: Path, apps: Path = REAL_APPS) -> Path:
    """Make an app: PyRunner's own driver and profile, and what its author added or changed."""
    setup = [BIN / "pyrunner", "--setup"]
    subprocess.run(setup, cwd=folder, input=f"{name}\n\n\n", text=True, capture_output=True, check=True)
    app = folder / name
    shutil.copytree(apps / name, app, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    if (app / "make_list.py").exists():
        subprocess.run([sys.executable, "make_list.py"], cwd=app, check=True)
    return app


def run_under_pyrunner(app: Path) -> None:
    """Run an app's driver in the app's folder, as its crontab line does, but 100 ticks a second."""
    done = subprocess.run(
        [sys.executable, f"{app.name}.py", "-t", "100", "--nozip"],
        cwd=app,
        env={name: value for name, value in os.environ.items() if not name.startswith("APP_")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stdout


class Both(NamedTuple):
    """An app after its runs: in Airflow's dags folder, and where PyRunner ran it."""

    ours: Path
    theirs: Path
    runs: list[Run]


@pytest.fixture(scope="module")
def run_both(apps: Apps, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Both]:
    """Run an app under Airflow and under PyRunner, so many times each."""

    def run_app(name: str, times: int = 1, apps_folder: Path = REAL_APPS) -> Both:
        theirs = make_app(name, tmp_path_factory.mktemp("pyrunner"), apps_folder)
        ours = apps.copy(theirs)
        for _ in range(times):
            run_under_pyrunner(theirs)
        return Both(ours.path, theirs, [ours.trigger().finish(LONG) for _ in range(times)])

    return run_app


class TestThreeRowsOfOneModule:
    """Seven sibling modules by bare name, output by print alone, a state file by relative path."""

    @pytest.fixture(scope="class")
    @staticmethod
    def app(run_both) -> Both:
        return run_both("daily-price-sync", times=2)

    def test_each_run_succeeds(self, app):
        assert [run.state for run in app.runs] == ["success", "success"]

    def test_the_second_run_finds_the_state_of_the_first(self, app):
        assert json.loads((app.ours / "state.json").read_text())["runs"] == 2

    def test_the_state_file_is_pyrunners(self, app):
        assert (app.ours / "state.json").read_text() == (app.theirs / "state.json").read_text()

    def test_the_log_files_are_pyrunners(self, app):
        logs = sample_results.logs(app.ours)
        assert "Börse: 11.00 (+0.50)" in logs["report.log"]
        assert logs == sample_results.logs(app.theirs)

    def test_what_is_printed_is_in_airflows_log(self, app):
        assert "ACME: 5.50 (+5.50)\n" in app.runs[0].log("3_write_report")


class TestLongChainOfGeneratedRows:
    """41 rows; packages beside the driver, one of them the workers'; a path and 360 kB in the context."""

    @pytest.fixture(scope="class")
    @staticmethod
    def app(run_both) -> Both:
        return run_both("shelf_catalogue")

    @pytest.fixture(scope="class")
    @staticmethod
    def summary(app) -> dict[str, object]:
        return json.loads((app.ours / "temp/summary.json").read_text())

    def test_every_row_succeeds(self, app):
        states = app.runs[0].states()
        assert len(states) == 41
        assert set(states.values()) == {"success"}

    def test_it_is_a_chain_and_a_row_below_nearly_all(self, app, airflow):
        tasks = airflow.tasks("shelf_catalogue").values()
        below = {task["task_id"]: sorted(task["downstream_task_ids"]) for task in tasks}
        assert below["2_add_book_2_aaaaac"] == ["3_add_book_3_aaaaad"]
        assert below["3_add_book_3_aaaaad"] == ["1000_summarise", "4_add_book_4_aaaaae"]
        assert sum("1000_summarise" in tasks for tasks in below.values()) == 38

    def test_the_context_reaches_the_last_row_with_its_types(self, summary):
        assert summary["types"] == {"folder": "PosixPath", "day": "str", "books": "list"}
        assert (summary["latest"], summary["library"]) == ("aaaabo", "north")

    def test_what_the_rows_wrote_is_what_they_write_under_pyrunner(self, app, summary):
        assert len(summary["books"]) == 39
        assert summary == json.loads((app.theirs / "temp/summary.json").read_text())

    def test_the_log_files_are_pyrunners(self, app):
        logs = sample_results.logs(app.ours)
        assert len(logs) == 41
        assert logs == sample_results.logs(app.theirs)

    def test_an_argument_with_a_comma_is_two(self, app):
        arguments = app.runs[0].rendered("40_add_book_40_aaaabo")["op_args"]
        assert str(["40", "aaaabo"]) in str(arguments)


class TestManyGeneratedRows:
    """The example of 165 rows: 160 commands side by side, and four that wait for forty each."""

    @pytest.fixture(scope="class")
    @staticmethod
    def app(run_both) -> Both:
        return run_both("generated_rows", apps_folder=ROOT / "example_lst")

    def test_every_row_succeeds(self, app):
        states = app.runs[0].states()
        assert len(states) == 165
        assert set(states.values()) == {"success"}

    def test_each_command_left_what_it_leaves_under_pyrunner(self, app):
        ours, theirs = (
            {path.name: path.read_text() for path in (folder / "temp").glob("*/*")}
            for folder in (app.ours, app.theirs)
        )
        assert len(ours) == 160
        assert ours == theirs

    def test_the_log_files_are_pyrunners(self, app):
        logs = sample_results.logs(app.ours)
        assert logs["north.log"] == ["# LOG START", "INFO - 40", "# LOG END"]
        assert logs == sample_results.logs(app.theirs)


PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE = 1


def obey_permissions() -> None:
    """Take root's right to write anywhere from whatever this thread will start."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())


def let_write(folder: Path, allowed: bool) -> None:
    """Allow writing to a folder and all that is in it, or forbid it."""
    for path in [folder, *folder.rglob("*")]:
        mode = path.stat().st_mode
        path.chmod(mode | 0o200 if allowed else mode & ~0o222)


def entries(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return all files and folders with sizes and times, which tell whether anything was written there."""
    stats = {path: path.stat() for path in [folder, *folder.rglob("*")]}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


@pytest.mark.xdist_group("airflow_sqlite")
class TestReadOnlyDagsFolder:
    """The stock profile makes log folders inside the app; `[pyrunner] env` names others."""

    @pytest.fixture(scope="class")
    @staticmethod
    def theirs(tmp_path_factory) -> Path:
        return make_app("read_only", tmp_path_factory.mktemp("pyrunner"))

    @pytest.fixture(scope="class")
    @staticmethod
    def output(tmp_path_factory) -> Path:
        return tmp_path_factory.mktemp("job_output")

    @pytest.fixture(scope="class")
    @staticmethod
    def local(tmp_path_factory, theirs, output) -> Iterator[LocalAirflow]:
        """Yield an Airflow that is not yet started."""
        local = LocalAirflow(tmp_path_factory.mktemp("airflow"), env={"JOB_OUTPUT": str(output)})
        for path in [theirs, *LOADERS.glob("*.py")]:
            local.add(path)
        let_write(local.dags_folder, False)
        yield local
        local.stop()
        let_write(local.dags_folder, True)

    @pytest.fixture(scope="class")
    @staticmethod
    def before(local) -> dict[Path, tuple[int, int]]:
        return entries(local.dags_folder)

    @pytest.fixture(scope="class")
    @staticmethod
    def run(local, before) -> Run:
        with ThreadPoolExecutor(1, initializer=obey_permissions) as thread:
            thread.submit(local.start).result()
        return App(local, local.dags_folder / "read_only").trigger().finish()

    def test_the_run_succeeds(self, run):
        assert run.states() == {"1_first": "success", "2_second": "success"}

    def test_nothing_is_written_to_it(self, local, before, run):
        assert entries(local.dags_folder) == before

    def test_the_log_files_are_pyrunners_where_env_says(self, run, output, theirs):
        run_under_pyrunner(theirs)
        ours = {path.name: sample_results.log_lines(path) for path in output.glob("read_only/logs/*")}
        assert ours["second.log"] == ["# LOG START", "INFO - from the first row", "# LOG END"]
        assert ours == sample_results.logs(theirs)

    def test_what_the_profile_could_not_make_is_told(self, run):
        assert re.search("read_only/logs.*Permission denied", run.log("1_first"))
