"""What the examples do under python-batch-runner itself, before Airflow comes into play."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.sample_data_server import SampleDataServer
from tests.examples import sample_results
from tests.scheduler.apps import TIMEOUT

pytest_plugins = ["tests.mariadb"]

EXAMPLES = Path(__file__).parents[2] / "example_lst"
APPS = {
    "my_sample_app": EXAMPLES / "my_sample_app",
    "retry_with_wait": EXAMPLES / "retry_with_wait",
    "shell_rows": EXAMPLES / "shell_rows",
    "north": EXAMPLES / "two_teams" / "north",
    "south": EXAMPLES / "two_teams" / "south",
}
DATA = APPS["my_sample_app"] / "data"


@pytest.fixture
def app(tmp_path):
    """Copy an app to a folder of this test."""
    return lambda name: copy_app(name, tmp_path)


@pytest.fixture(scope="module")
def finished_sample(tmp_path_factory):
    """Run the sample job once, as it stands, for the tests that look at its results."""
    sample = copy_app("my_sample_app", tmp_path_factory.mktemp("finished"))
    assert run(sample) == 0
    return sample


def copy_app(name: str, folder: Path) -> Path:
    """Copy an app without what earlier runs left in it."""
    ignore = shutil.ignore_patterns("logs", "temp", "__pycache__")
    return Path(shutil.copytree(APPS[name], folder / name, ignore=ignore))


def run(app: Path, *options: str, **env: str) -> int:
    """Run an app's driver as cron would, 100 ticks a second, and return its exit code."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("APP_", "SAMPLE_"))}
    done = subprocess.run(
        [sys.executable, app / f"{app.name}.py", "-t", "100", "--nozip", "--silent", *options],
        cwd=app.parent,
        env={**kept, "no_proxy": "127.0.0.1", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    print(done.stdout, done.stderr)
    return done.returncode


def around_log(*lines: str) -> list[str]:
    return ["# LOG START", *lines, "# LOG END"]


class TestMySampleApp:
    def test_it_loads_the_first_file_into_the_table(self, finished_sample):
        table = sample_results.table_rows(f"sqlite:///{finished_sample}/temp/data/sample.sqlite")
        assert table == sample_results.csv_rows(DATA / "data1.csv")

    def test_it_writes_the_second_file_as_parquet_named_after_the_day(self, finished_sample):
        extract = sample_results.extract_file(finished_sample / "temp")
        day_of_run = next(finished_sample.glob("logs/*")).name
        assert extract.name == f"extract_{day_of_run}.parquet"
        assert sample_results.parquet_rows(extract) == sample_results.csv_rows(DATA / "data2.csv")

    def test_each_row_logs_to_its_own_file(self, finished_sample):
        assert sample_results.logs(finished_sample) == {
            "start.log": around_log(
                "INFO - Starting example batch process",
                "Slack: Starting daily data download for DATE",
            ),
            "download_1.log": around_log("INFO - Initiating File Download 1"),
            "download_2.log": around_log("INFO - Initiating File Download 2"),
            "load_mysql.log": around_log("INFO - Loading MySQL table"),
            "write_parquet.log": around_log("INFO - Writing Parquet file"),
            "end.log": around_log(
                "INFO - Completed example batch process",
                "Slack: Successfully completed daily data download for DATE",
            ),
        }

    def test_it_downloads_from_a_server_and_tells_slack(self, app):
        with SampleDataServer(DATA) as server:
            env = {"SAMPLE_DATA_URL": server.url, "SAMPLE_SLACK_WEBHOOK_URL": f"{server.url}/slack"}
            assert run(app("my_sample_app"), **env) == 0
        assert sorted(server.requests) == [
            ("GET", "/data1.csv", 200),
            ("GET", "/data2.csv", 200),
            ("POST", "/slack", 200),
            ("POST", "/slack", 200),
        ]
        assert sample_results.undated(server.messages) == [
            "Starting daily data download for DATE",
            "Successfully completed daily data download for DATE",
        ]

    def test_all_output_goes_where_sample_output_dir_says(self, app, tmp_path):
        sample, output = app("my_sample_app"), tmp_path / "elsewhere"
        assert run(sample, SAMPLE_OUTPUT_DIR=str(output)) == 0
        written = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
        extract = sample_results.extract_file(output).name
        assert written == {"landing/data1.csv", "landing/data2.csv", "data/sample.sqlite", f"data/{extract}"}
        assert list((sample / "temp").iterdir()) == []

    def test_a_failed_download_fails_the_job_and_a_restart_runs_only_what_is_missing(self, app):
        sample = app("my_sample_app")
        with SampleDataServer(DATA, fail_once=["/data2.csv"]) as server:
            env = {"SAMPLE_DATA_URL": server.url, "SAMPLE_SLACK_WEBHOOK_URL": f"{server.url}/slack"}
            assert run(sample, **env) == 1
            assert list(sample.glob("temp/data/*.parquet")) == []
            first_try = len(server.requests)
            assert run(sample, "-r", **env) == 0
        assert server.requests[first_try:] == [("GET", "/data2.csv", 200), ("POST", "/slack", 200)]
        extract = sample_results.extract_file(sample / "temp")
        assert sample_results.parquet_rows(extract) == sample_results.csv_rows(DATA / "data2.csv")

    def test_a_second_run_replaces_the_rows_of_the_first(self, app):
        sample = app("my_sample_app")
        assert run(sample) == 0
        assert run(sample) == 0
        table = sample_results.table_rows(f"sqlite:///{sample}/temp/data/sample.sqlite")
        assert table == sample_results.csv_rows(DATA / "data1.csv")

    def test_slack_answering_with_an_error_fails_the_row(self, app):
        sample = app("my_sample_app")
        with SampleDataServer(DATA, fail_once=["/slack"]) as server:
            assert run(sample, SAMPLE_SLACK_WEBHOOK_URL=f"{server.url}/slack") == 1
        assert "ERROR - HTTP Error 500: Internal Server Error" in sample_results.logs(sample)["start.log"]

    def test_it_loads_into_mariadb(self, app, mariadb_url):
        assert run(app("my_sample_app"), SAMPLE_DATABASE_URL=mariadb_url) == 0
        assert sample_results.table_rows(mariadb_url) == sample_results.csv_rows(DATA / "data1.csv")


class TestRetryWithWait:
    def test_it_succeeds_at_the_third_attempt_and_the_next_row_knows_the_count(self, app):
        retry = app("retry_with_wait")
        assert run(retry) == 0
        logs = sample_results.logs(retry)
        attempts = logs["fetch_exchange_rates.log"]
        assert [line for line in attempts if line.startswith("ERROR - The rate service")] == [
            "ERROR - The rate service refused call 1",
            "ERROR - The rate service refused call 2",
        ]
        assert "SUCCESS - Fetched exchange rates with call 3" in attempts
        assert logs["report_attempts.log"] == around_log("INFO - Fetching 3 exchange rates took 3 attempts")

    def test_it_waits_two_seconds_before_each_retry(self, app):
        started = time.monotonic()
        assert run(app("retry_with_wait")) == 0
        assert time.monotonic() - started >= 4


class TestShellRows:
    def test_each_command_logs_what_it_prints(self, app):
        shell = app("shell_rows")
        assert run(shell) == 0
        assert sample_results.logs(shell) == {
            "make_folder.log": around_log(),
            "list_files.log": around_log(),
            "count_rows.log": around_log("INFO - 5"),
            "print_report.log": around_log("INFO - app_profile", "INFO - shell_rows.lst"),
            "check_report.log": around_log("SUCCESS - The report is complete"),
        }

    def test_a_pipe_in_quotes_reaches_the_shell(self, app):
        shell = app("shell_rows")
        assert run(shell) == 0
        assert (shell / "temp/report/files.txt").read_text() == "app_profile\nshell_rows.lst\n"


class TestTwoTeams:
    @pytest.mark.parametrize(
        ("team", "result", "log"),
        [
            ("north", {"total": 107750}, "SUCCESS - North: 107750 in total"),
            ("south", {"best": "Sevilla"}, "SUCCESS - South: Sevilla sold most, for 52300"),
        ],
    )
    def test_each_team_runs_its_own_workers(self, app, team, result, log):
        copy = app(team)
        assert run(copy) == 0
        assert json.loads((copy / "temp/sales.json").read_text()) == result
        assert sample_results.logs(copy)["publish_sales.log"] == around_log(log)


class TestEveryExample:
    @pytest.mark.parametrize("name", APPS)
    def test_its_profile_is_the_one_that_pyrunner_scaffolds(self, name, tmp_path):
        setup = [Path(sys.executable).with_name("pyrunner"), "--setup"]
        subprocess.run(setup, cwd=tmp_path, input=f"{name}\n\n\n", text=True, check=True, timeout=TIMEOUT)
        expected = (tmp_path / name / "config/app_profile").read_text()
        if name == "my_sample_app":
            expected = expected.replace("${APP_ROOT_DIR}/workers", "${APP_ROOT_DIR}/python")
        assert (APPS[name] / "config/app_profile").read_text() == expected

    @pytest.mark.parametrize("name", APPS)
    def test_its_driver_can_be_started_by_name(self, name):
        assert (APPS[name] / f"{name}.py").stat().st_mode & stat.S_IXUSR

    @pytest.mark.parametrize(
        "path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: str(path.relative_to(EXAMPLES))
    )
    def test_no_file_looks_like_a_dag_file_to_airflow(self, path):
        content = path.read_bytes().lower()
        assert not (b"airflow" in content and b"dag" in content)
