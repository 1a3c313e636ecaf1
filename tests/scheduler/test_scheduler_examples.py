"""The small example apps, side by side in one Airflow, as under python-batch-runner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from scripts.interpreters import INTERPRETERS, OLDEST
from scripts.local_airflow import Json, LocalAirflow
from tests.examples import sample_results
from tests.examples.test_examples_under_pyrunner import around_log
from tests.postgres import Postgres
from tests.scheduler.apps import TIMEOUT, App, Apps, Run

VERSION = next(iter(INTERPRETERS), "")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not OLDEST, reason="no other Python on this machine")]

EXAMPLES = Path(__file__).parents[2] / "example_lst"
FOLDERS = {
    "retry_with_wait": "retry_with_wait",
    "shell_rows": "shell_rows",
    "north": "two_teams",
    "south": "two_teams",
    "nightly_orders": "nightly_orders",
    "own_interpreter": "own_interpreter",
    "load_prices": "list_starts_list",
}
NIGHT = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
"""02:30 in Berlin."""
ORDERS = [(1, "ACME", Decimal("12.50")), (2, "Börse", Decimal("0.99"))]


@pytest.fixture(scope="module")
def examples(apps: Apps) -> dict[str, App]:
    copies = {folder: apps.copy(EXAMPLES / folder) for folder in dict.fromkeys(FOLDERS.values())}
    python = copies["own_interpreter"].path / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(OLDEST)
    return {name: copies[folder] for name, folder in FOLDERS.items()}


@pytest.fixture(scope="module")
def databases(airflow: LocalAirflow, postgres: Postgres) -> Iterator[dict[str, str]]:
    """The databases of nightly_orders, which Airflow knows by their Connections."""
    tables = {
        "shop": "CREATE TABLE orders (id int, customer text, amount numeric, day date)",
        "warehouse": "CREATE TABLE orders (day date, id int, customer text, amount numeric)",
    }
    addresses = {}
    for name, table in tables.items():
        url = urlsplit(postgres.database(name).replace("+psycopg2", ""))
        addresses[name] = url.geturl()
        ask(addresses[name], table)
        known = {"host": url.hostname, "port": url.port, "login": url.username, "schema": name}
        airflow.api("POST", "connections", json={"connection_id": name, "conn_type": "postgres", **known})
    for row in [*ORDERS, (3, "ACME", Decimal(7))]:
        day = date(2026, 3, 1) if row in ORDERS else date(2026, 2, 28)
        ask(addresses["shop"], "INSERT INTO orders VALUES (%s, %s, %s, %s)", *row, day)
    yield addresses
    for name in tables:
        airflow.api("DELETE", "connections", name)


def ask(address: str, statement: str, *values: object) -> list[Any]:
    with closing(psycopg2.connect(address)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def runs(examples: dict[str, App], databases: dict[str, str]) -> dict[str, Run]:
    """Run all of them at once."""
    examples["load_prices"].airflow.wait_for_dag("report_prices", timeout=TIMEOUT)
    examples["load_prices"].airflow.unpause("report_prices")
    due = {"nightly_orders": NIGHT}
    started = {name: app.trigger(name, due=due.get(name)) for name, app in examples.items()}
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


def test_one_file_has_the_options_of_both_teams(runs, airflow):
    tags = {name: {tag["name"] for tag in airflow.dag(name)["tags"]} for name in ("north", "south")}
    assert tags == {"north": {"pyrunner", "sales"}, "south": {"pyrunner", "sales", "south"}}
    owners = {task["owner"] for name in tags for task in airflow.tasks(name).values()}
    assert owners == {"data platform"}


def test_nightly_orders_loads_the_day_before_and_its_rows_may_run_again(runs, databases, airflow):
    run = runs["nightly_orders"]
    for again in (False, True):
        if again:
            run.clear("2_load_orders", "3_check_totals", only_failed=False)
            assert run.finish().state == "success"
        loaded = ask(databases["warehouse"], "SELECT * FROM orders ORDER BY id")
        assert loaded == [(date(2026, 3, 1), *row) for row in ORDERS]
    assert "13.49 in all" in run.log("3_check_totals", 2)


def test_own_interpreter_hands_on_what_another_python_has_made(runs):
    log = runs["own_interpreter"].log("2_publish_rates")
    assert f"EUR 1.0000, GBP 0.8432, computed by Python {VERSION}" in log


def test_a_list_starts_another(runs, airflow):
    def started() -> list[Json]:
        return airflow.api("GET", "dags", "report_prices", "dagRuns")["dag_runs"]

    [report] = airflow.wait(started, "a run of report_prices", TIMEOUT)
    run = Run(airflow, "report_prices", report["dag_run_id"]).finish()
    assert "2 prices, the highest 11.0" in run.log("1_report_prices")
