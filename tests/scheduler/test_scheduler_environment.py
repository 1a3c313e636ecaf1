"""ARGUMENTS and APP_* variables as a row sees them, and secrets that nobody else sees."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts.local_airflow import LocalAirflow
from tests.postgres import dump
from tests.scheduler.apps import App, Job, Jobs, Run

pytestmark = pytest.mark.slow

STOCK_PROFILE = Path(__file__).parents[2] / "example_lst/retry_with_wait/config/app_profile"
PASSWORD = "q7-Zulu-Password-93"
PLACE = "Ponta-Delgada-27"
KEY_LINE = "x4  Zulu-Key 61"
PROFILE = f"""
export APP_NAME="secrets"
export APP_ROOT_DIR="$(cd $(dirname ${{BASH_SOURCE}})/..; pwd)"
export APP_PLACE="{PLACE}"
set -x
export APP_DB_PASSWORD="{PASSWORD}"
export APP_PRIVATE_KEY="-----BEGIN KEY-----
{KEY_LINE}
-----END KEY-----"
local_password="{PASSWORD}"
echo "log in with $local_password"
"""
ROWS = """
#AIRFLOW params.who = ""
#AIRFLOW tasks.6.pyrunner.python = "PYTHON"
1|-1|1|0|Show Arguments|workers|Show|{{ ds }},$ENV{APP_PLACE},$ENV{APP_DB_PASSWORD},{{ params.who }}|
2|-1|1|0|Print|workers|Print||
3|-1|1|0|Echo|pyrunner|ShellWorker|echo "login with $ENV{APP_DB_PASSWORD} and $APP_DB_PASSWORD"|
4|-1|1|0|Raise|workers|Raise||
5|-1|1|0|Echo Parameter|pyrunner|ShellWorker|echo '{{ params.who }}', twice|
6|-1|1|0|Raise Elsewhere|workers|Raise||
7|-1|1|0|Name A File|workers|Print||$ENV{APP_DB_PASSWORD}.log
""".replace("PYTHON", sys.executable)
WORKERS = """
import os
import sys

class Show(Worker):
    def run(self):
        note("argv", self.argv)
        self.context["length"] = len(self.argv)

class Print(Worker):
    def run(self):
        print("printed: " + os.environ["APP_DB_PASSWORD"])
        print("to stderr: " + os.environ["APP_DB_PASSWORD"], file=sys.stderr)
        self.logger.info("logged: " + os.environ["APP_DB_PASSWORD"])
        print(os.environ["APP_PRIVATE_KEY"])

class Raise(Worker):
    def run(self):
        print(os.environ["APP_PRIVATE_KEY"])
        raise ValueError("cannot log in with " + os.environ["APP_DB_PASSWORD"], os.environ["APP_PRIVATE_KEY"])
"""
CONF = {"who": "$ENV{APP_DB_PASSWORD}"}
DUE = datetime(2026, 1, 31, 12, 30, 15, tzinfo=UTC)


class TestArguments:
    JOB = Job("secrets", ROWS, WORKERS, {"config/app_profile": PROFILE}, due=DUE, conf=CONF)

    def test_templates_and_variables_arrive_resolved_and_a_parameter_as_it_is(self, run, app):
        assert run.states()["1_show_arguments"] == "success"
        assert app.notes() == [["argv", ["2026-01-31", PLACE, PASSWORD, CONF["who"]]]]

    def test_a_command_gets_a_parameter_as_it_is(self, run):
        assert "$ENV{APP_DB_PASSWORD}, twice" in run.log("5_echo_parameter")

    def test_rendered_fields_show_the_template_rendered_and_the_variables_by_name(self, run):
        arguments = run.rendered("1_show_arguments")["op_args"]
        assert "2026-01-31" in str(arguments)
        assert "$ENV{APP_PLACE}" in str(arguments)
        assert "$ENV{APP_DB_PASSWORD}" in str(arguments)

    def test_a_printed_secret_is_masked_in_the_log(self, run):
        log = run.log("2_print")
        assert [f"{how}: ***" in log for how in ("printed", "to stderr", "logged")] == [True] * 3

    def test_a_secret_that_a_command_prints_is_masked_in_the_log(self, run):
        assert "login with *** and ***" in run.log("3_echo")

    def test_a_secret_in_an_exception_is_masked_in_the_log(self, run):
        for row in ("4_raise", "6_raise_elsewhere"):
            assert run.states()[row] == "failed"
            assert "failed: ValueError: ('cannot log in with ***', '***" in run.log(row)

    def test_what_a_profile_prints_is_masked_too(self, run):
        assert "printed: log in with ***" in run.log("2_print")
        assert "what `set -x` prints is not shown" in run.log("2_print")

    def test_a_secret_cannot_name_a_logfile(self, run):
        assert run.states()["7_name_a_file"] == "failed"
        assert "LOGFILE: $ENV{APP_DB_PASSWORD} is a secret" in run.log("7_name_a_file")

    @pytest.mark.parametrize("value", [PASSWORD, PLACE, "Zulu-Key"], ids=["secret", "plain", "key"])
    def test_no_value_is_stored_in_airflow(self, run, airflow, value):
        # Not what Airflow's components print: LocalExecutor repeats all task logs there, unmasked.
        logs = (airflow.home / "logs" / f"dag_id={run.dag_id}").rglob("*.log")
        stored = [dump(airflow.database), *(path.read_text() for path in logs)]
        assert [run.dag_id in text for text in stored] == [True] * 8  # the database, and each row's log
        assert [text for text in stored if value in text] == []


class TestAppVariables:
    """The stock profile stamps `$(date ...)`; the run was due days ago, and runs, and is cleared, today."""

    ROWS = """
    1|-1|1|0|First|workers|Note||$ENV{APP_LOG_DIR}/first.log
    2|1|2|0|Second|workers|FailOnce||$ENV{APP_LOG_DIR}/second.log
    """
    WORKERS = """
    import os

    class Note(Worker):
        def run(self):
            values = {name: value for name, value in os.environ.items() if name.startswith("APP_")}
            note(self.airflow["ti"].task_id, values)

    class FailOnce(Note):
        def run(self):
            super().run()
            return 1 if self.airflow["ti"].try_number == 1 else 0
    """

    PROFILE = STOCK_PROFILE.read_text().replace("retry_with_wait", "stamped")
    DUE = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    JOB = Job("stamped", ROWS, WORKERS, {"config/app_profile": PROFILE}, due=DUE)

    @pytest.fixture(scope="class")
    @staticmethod
    def cleared(jobs: Jobs) -> Run:
        run = jobs.run(TestAppVariables.JOB)
        assert run.state == "success"
        run.clear(only_failed=False)
        return run.finish()

    def test_every_attempt_of_every_row_sees_the_same_also_after_a_clear(self, cleared, app):
        assert cleared.state == "success"
        rows = [seen[0] for seen in app.notes()]
        assert rows == ["1_first", "2_second", "2_second", "1_first", "2_second"]
        values = [seen[1] for seen in app.notes()]
        assert [other for other in values if other != values[0]] == []

    def test_they_tell_the_time_at_which_the_run_was_due(self, cleared, app):
        values = app.notes()[0][1]
        local = self.DUE.astimezone()
        assert values["APP_EXEC_TIMESTAMP"] == f"{local:%Y%m%d_%H%M%S}"
        assert values["APP_LOG_DIR"] == f"{app.path}/logs/{local:%Y-%m-%d}"
        assert datetime.fromisoformat(values["APP_LOGICAL_DATE"]) == self.DUE
        assert values["APP_RUN_ID"] == cleared.run_id

    def test_what_a_cleared_row_logs_is_in_the_log_folder_of_the_runs_day(self, cleared, app):
        assert [path.name for path in (app.path / "logs").iterdir()] == [f"{self.DUE.astimezone():%Y-%m-%d}"]


class TestRunsTime:
    """A daily DAG: its own run, and those that others start for a past day; and one that follows an asset."""

    LIST = """
    #AIRFLOW [pyrunner]
    #AIRFLOW timezone = "Asia/Kolkata"
    1|-1|1|0|Tell|workers|Tell||
    """
    PROFILE = """
    export APP_ROOT_DIR="$(cd $(dirname ${BASH_SOURCE})/..; pwd)"
    export APP_NOW=$(date +%FT%T%z)
    """
    WORKERS = """
    import os

    class Tell(Worker):
        def run(self):
            run = self.airflow["dag_run"]
            note(run.run_type.value, run.run_id, os.environ["APP_NOW"], os.environ["APP_LOGICAL_DATE"])
    """
    DAG = """
    from datetime import UTC, datetime

    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
    from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, task
    from pyrunner_airflow import PyRunnerDag

    path, start_date = "due/config/due.lst", datetime(2026, 1, 1, tzinfo=UTC)
    daily = CronDataIntervalTimetable("0 12 * * *", timezone="UTC")
    asset = Asset("due")
    dag = PyRunnerDag(path, dag_id="due_by_hand", schedule=daily, start_date=start_date, max_active_runs=9)
    follower = PyRunnerDag(path, dag_id="due_by_asset", schedule=[asset], is_paused_upon_creation=False)
    with DAG("due_starter", schedule=None):
        TriggerDagRunOperator(
            task_id="start", trigger_dag_id="due_by_hand", logical_date="2026-02-01T10:15:00+00:00"
        )
        task(lambda: None, task_id="make", outlets=[asset])()
    """
    DUE = datetime(2026, 2, 3, 10, 15, 30, tzinfo=UTC)
    JOB = Job("due", LIST, WORKERS, {"config/app_profile": PROFILE}, dag=DAG, due=DUE)

    @pytest.fixture
    @staticmethod
    def told(jobs: Jobs, app: App, airflow: LocalAirflow):
        """Return a run of a type, when it was, and its logical date as it told them."""
        jobs.run(TestRunsTime.JOB)

        def told(run_type: str, dag_id: str = "due_by_hand") -> tuple[dict, datetime, str]:
            _, run_id, now, logical_date = app.wait_for_note(run_type)
            return airflow.run(dag_id, run_id), datetime.fromisoformat(now), logical_date

        return told

    @pytest.fixture
    def started(self, told, app):
        if not any(seen[0] == "operator_triggered" for seen in app.notes()):
            app.trigger("due_starter")
        return told

    def test_that_of_a_scheduled_run_is_the_end_of_its_interval(self, told):
        run, now, logical_date = told("scheduled")
        assert (
            now.isoformat()
            == datetime.fromisoformat(run["data_interval_end"]).astimezone(now.tzinfo).isoformat()
        )
        assert (now.hour, now - datetime.fromisoformat(logical_date)) == (17, timedelta(days=1))

    def test_that_of_a_run_by_hand_is_its_logical_date(self, told):
        run, now, logical_date = told("manual")
        assert datetime.fromisoformat(run["data_interval_end"]) < self.DUE
        assert (now, logical_date) == (self.DUE, "2026-02-03T15:45:30+05:30")

    def test_so_is_that_of_a_run_that_another_dag_starts(self, started):
        _, now, logical_date = started("operator_triggered")
        assert (now.isoformat(), logical_date) == ("2026-02-01T15:45:00+05:30",) * 2

    def test_that_of_a_run_without_one_is_when_it_was_started(self, started):
        run, now, logical_date = started("asset_triggered", "due_by_asset")
        assert run["logical_date"] is None
        assert now == datetime.fromisoformat(run["run_after"]).replace(microsecond=0)
        assert datetime.fromisoformat(logical_date) == datetime.fromisoformat(run["run_after"])
