"""The sample job on a real scheduler: as under python-batch-runner, and restarted where it failed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.local_airflow import LocalAirflow
from tests.examples import sample_results
from tests.examples.test_examples_under_pyrunner import copy_app
from tests.examples.test_examples_under_pyrunner import run as run_under_pyrunner
from tests.scheduler.apps import App, Apps, DataServer, Run

pytest_plugins = ["tests.mariadb"]

SAMPLE = Path(__file__).parents[2] / "example_lst" / "my_sample_app"
TASKS = [
    "1_start_job_notification",
    "2_download_file_1",
    "3_download_file_2",
    "4_load_mysql_table",
    "5_write_parquet_file",
    "6_end_job_notification",
]
ABOVE = {1: [], 2: [1], 3: [1], 4: [2], 5: [3], 6: [4, 5]}
CLEARED = {
    "1_start_job_notification": 1,
    "2_download_file_1": 1,
    "3_download_file_2": 2,
    "4_load_mysql_table": 1,
    "5_write_parquet_file": 1,
    "6_end_job_notification": 1,
}
FAILED = {
    "1_start_job_notification": "success",
    "2_download_file_1": "success",
    "3_download_file_2": "failed",
    "4_load_mysql_table": "success",
    "5_write_parquet_file": "upstream_failed",
    "6_end_job_notification": "upstream_failed",
}


def results(app: Path, server: DataServer) -> dict[str, object]:
    """Return all that a run of the sample left behind, without its dates and times."""
    return {
        "table": sample_results.table_rows(f"sqlite:///{app}/temp/data/sample.sqlite"),
        "extract": sample_results.parquet_rows(sample_results.extract_file(app / "temp")),
        "messages": sample_results.undated(server.messages),
        "requests": sorted(server.requests),
        "logs": sample_results.logs(app),
    }


def files(app: Path) -> dict[str, bytes]:
    """Return the app's own files."""
    own = ("config", "data", "python", "my_sample_app.py")
    paths = (path for name in own for path in [app / name, *(app / name).rglob("*")])
    return {
        str(path.relative_to(app)): path.read_bytes()
        for path in paths
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.fixture(scope="module")
def sample(apps: Apps) -> App:
    return apps.copy(SAMPLE)


@pytest.fixture(scope="module")
def finished(sample: App, sample_server: DataServer) -> SimpleNamespace:
    """Run the sample once; the two downloads are served only when both are on their way."""
    sample_server.forget()
    sample_server.let_two_meet()
    run = sample.trigger().finish()
    assert run.state == "success", run.states()
    return SimpleNamespace(run=run, results=results(sample.path, sample_server))


class TestSample:
    def test_every_row_succeeds_at_its_first_attempt(self, finished):
        assert finished.run.states() == dict.fromkeys(TASKS, "success")
        assert finished.run.attempts() == dict.fromkeys(TASKS, 1)

    def test_a_row_starts_when_its_parents_have_ended(self, finished):
        instances = list(finished.run.instances().values())
        for row, parents in ABOVE.items():
            for parent in parents:
                assert instances[row - 1]["start_date"] >= instances[parent - 1]["end_date"]

    def test_rows_side_by_side_run_at_the_same_time(self, finished):
        downloads = [request for request in finished.results["requests"] if request[0] == "GET"]
        # The server keeps the first waiting for the second, and answers 504 where there is none.
        assert downloads == [("GET", "/data1.csv", 200), ("GET", "/data2.csv", 200)]

    def test_the_app_is_left_as_it_was(self, sample, finished):
        assert files(sample.path) == files(SAMPLE)

    def test_python_batch_runner_gives_the_same(self, finished, sample_server, tmp_path):
        sample_server.forget()
        app = copy_app("my_sample_app", tmp_path)
        url = sample_server.url
        assert run_under_pyrunner(app, SAMPLE_DATA_URL=url, SAMPLE_SLACK_WEBHOOK_URL=f"{url}/slack") == 0
        assert finished.results == results(app, sample_server)


@pytest.mark.slow
class TestMariadb:
    def test_its_table_there_is_the_same(self, sample, apps, mariadb_url, finished):
        apps.add_file(
            "sample_in_mariadb.py",
            f"""
            import os

            from pyrunner_airflow import PyRunnerDag

            os.environ["SAMPLE_DATABASE_URL"] = {mariadb_url!r}
            dag = PyRunnerDag("my_sample_app/config/my_sample_app.lst", dag_id="sample_in_mariadb")
            """,
        )
        assert sample.trigger("sample_in_mariadb").finish().state == "success"
        assert sample_results.table_rows(mariadb_url) == finished.results["table"]


class TestRestart:
    """Two ways to restart a run where it failed, while another one waits for somebody to look at it."""

    @pytest.fixture(scope="class")
    @staticmethod
    def failed(sample: App, sample_server: DataServer, finished: SimpleNamespace) -> list[Run]:
        return [TestRestart.fail(sample, sample_server) for _ in range(3)]

    @staticmethod
    def fail(sample: App, server: DataServer) -> Run:
        server.fail_next("/data2.csv")
        return sample.trigger().finish()

    @staticmethod
    def expect_restarted(run: Run, server: DataServer) -> None:
        assert run.finish().states() == dict.fromkeys(TASKS, "success")
        assert run.attempts() == CLEARED
        assert [request for request in server.requests if request[0] == "GET"] == [("GET", "/data2.csv", 200)]
        today = run.xcoms("1_start_job_notification")["run_date_str"]
        assert server.messages == [f"Successfully completed daily data download for {today}"]

    def test_a_failed_download_fails_the_run_and_what_stands_below(self, failed):
        assert [run.state for run in failed] == ["failed"] * 3
        assert [run.states() for run in failed] == [FAILED] * 3

    def test_cleared_in_the_ui_only_what_failed_and_what_stands_below_runs_again(self, failed, sample_server):
        sample_server.forget()
        cleared = failed[0].clear()
        assert sorted(cleared) == [task for task in TASKS if FAILED[task] != "success"]
        self.expect_restarted(failed[0], sample_server)

    def test_restarted_on_the_command_line_it_is_the_same(self, failed, sample_server, airflow: LocalAirflow):
        sample_server.forget()
        airflow.cli("pyrunner", "restart", "my_sample_app", failed[1].run_id)
        self.expect_restarted(failed[1], sample_server)

    def test_the_other_failed_run_stays_as_it_is(self, failed):
        assert failed[2].state == "failed"
        assert failed[2].states() == FAILED
        assert set(failed[2].attempts().values()) <= {0, 1}
