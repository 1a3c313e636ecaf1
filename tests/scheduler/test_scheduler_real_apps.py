"""Apps in the shapes that real ones have: PyRunner runs each, too, and both must leave the same behind."""

from __future__ import annotations

import ctypes
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.local_airflow import LocalAirflow
from tests.examples import sample_results
from tests.scheduler.apps import App, Apps, Run
from tests.scheduler.both import Both, make_app, run_both, run_under_pyrunner

pytestmark = pytest.mark.slow

LOADERS = Path(__file__).parents[2] / "dags"


class TestThreeRowsOfOneModule:
    """Seven sibling modules by bare name, output by print alone, a state file by relative path."""

    @pytest.fixture(scope="class")
    @staticmethod
    def app(apps: Apps, tmp_path_factory) -> Both:
        return run_both(apps, tmp_path_factory.mktemp("pyrunner"), "daily-price-sync", times=2)

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
    def app(apps: Apps, tmp_path_factory) -> Both:
        return run_both(apps, tmp_path_factory.mktemp("pyrunner"), "shelf_catalogue")

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
