"""The small example apps, side by side in one Airflow, as under python-batch-runner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.examples import sample_results
from tests.examples.test_examples_under_pyrunner import around_log
from tests.scheduler.apps import App, Apps, Run

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "example_lst"
FOLDERS = {
    "retry_with_wait": "retry_with_wait",
    "shell_rows": "shell_rows",
    "north": "two_teams",
    "south": "two_teams",
}


@pytest.fixture(scope="module")
def examples(apps: Apps) -> dict[str, App]:
    copies = {folder: apps.copy(EXAMPLES / folder) for folder in dict.fromkeys(FOLDERS.values())}
    return {name: copies[folder] for name, folder in FOLDERS.items()}


@pytest.fixture(scope="module")
def runs(examples: dict[str, App]) -> dict[str, Run]:
    """Run all of them at once."""
    started = {name: app.trigger(name) for name, app in examples.items()}
    return {name: run.finish() for name, run in started.items()}


@pytest.mark.parametrize("name", FOLDERS)
def test_it_succeeds(runs, name):
    assert runs[name].state == "success", runs[name].states()


def test_retry_with_wait_succeeds_at_the_third_attempt_and_the_next_row_knows_the_count(runs, examples):
    assert runs["retry_with_wait"].attempts() == {"1_fetch_exchange_rates": 3, "2_report_attempts": 1}
    logs = sample_results.logs(examples["retry_with_wait"].path)
    assert "SUCCESS - Fetched exchange rates with call 3" in logs["fetch_exchange_rates.log"]
    assert logs["report_attempts.log"] == around_log("INFO - Fetching 3 exchange rates took 3 attempts")


def test_each_command_of_shell_rows_logs_what_it_prints(runs, examples):
    assert sample_results.logs(examples["shell_rows"].path) == {
        "make_folder.log": around_log(),
        "list_files.log": around_log(),
        "count_rows.log": around_log("INFO - 5"),
        "print_report.log": around_log("INFO - app_profile", "INFO - shell_rows.lst"),
        "check_report.log": around_log("SUCCESS - The report is complete"),
    }


@pytest.mark.parametrize(
    ("team", "result", "log"),
    [
        ("north", {"total": 107750}, "SUCCESS - North: 107750 in total"),
        ("south", {"best": "Sevilla"}, "SUCCESS - South: Sevilla sold most, for 52300"),
    ],
)
def test_each_of_two_teams_runs_its_own_workers(runs, examples, team, result, log):
    folder = examples[team].path / team
    assert json.loads((folder / "temp/sales.json").read_text()) == result
    assert sample_results.logs(folder)["publish_sales.log"] == around_log(log)
