"""Options of a list, and of the folders around it, reach the DAG and its tasks."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import ClassVar
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.sdk import Asset, AssetAll, AssetAny
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DataInterval, TimeRestriction

from pyrunner_airflow import PyRunnerDag
from pyrunner_airflow.tasklist import LstError

ROWS = "1|-1|2|0|A|workers|Work|x, {{ ds }}|a.log\n4|1|1|0|B|workers|Work\n"


@pytest.fixture
def dag_of(tmp_path):
    """Build the DAG of a list with this front matter, in a folder with these pyrunner.toml files."""

    def build(*front_matter, files=None, **dag_kwargs):
        folder = tmp_path / "team" / "config"
        folder.mkdir(parents=True)
        for name, text in (files or {}).items():
            (tmp_path / name / "pyrunner.toml").write_text(text)
        (folder / "job.lst").write_text("".join(f"#AIRFLOW {line}\n" for line in front_matter) + ROWS)
        return PyRunnerDag(folder / "job.lst", options_folder=tmp_path, **dag_kwargs)

    return build


@pytest.mark.parametrize(
    ("line", "attribute", "value"),
    [
        ('description = "Loads"', "description", "Loads"),
        ('schedule = "0 6 * * *"', "schedule", "0 6 * * *"),
        ("start_date = 2026-01-02", "start_date", datetime(2026, 1, 2, tzinfo=UTC)),
        ("end_date = 2026-02-01T12:00:00Z", "end_date", datetime(2026, 2, 1, 12, tzinfo=UTC)),
        ("catchup = true", "catchup", True),
        ("max_active_runs = 3", "max_active_runs", 3),
        ("max_active_tasks = 2", "max_active_tasks", 2),
        ('dagrun_timeout = "PT1H"', "dagrun_timeout", timedelta(hours=1)),
        ('tags = ["etl"]', "tags", {"etl", "pyrunner"}),
        ("is_paused_upon_creation = false", "is_paused_upon_creation", False),
        ("rerun_with_latest_version = true", "rerun_with_latest_version", True),
    ],
)
def test_each_option_of_the_dag_reaches_it(dag_of, line, attribute, value):
    assert getattr(dag_of(line), attribute) == value


@pytest.mark.parametrize(("any_of_them", "kind"), [("", AssetAll), (", any = true", AssetAny)])
def test_a_schedule_by_assets_is_airflows(dag_of, any_of_them, kind):
    dag = dag_of(f'schedule = {{ assets = ["x://a", "x://b"]{any_of_them} }}')
    assert type(dag.schedule) is kind
    assert dag.schedule == kind(Asset("x://a"), Asset("x://b"))


def test_roles_reach_the_dag_as_airflow_has_them(dag_of):
    dag = dag_of("[access_control]", 'Ops = ["can_read"]', 'Dev."DAG Runs" = ["can_create"]')
    assert dag.access_control == {"Ops": {"DAGs": {"can_read"}}, "Dev": {"DAG Runs": {"can_create"}}}
    again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert again.access_control == dag.access_control


class TestEnvironment:
    FILES: ClassVar = {"": 'tags = ["all"]\n[env.prod]\ntags = ["prod"]'}

    def test_is_that_of_airflows_configuration(self, dag_of, monkeypatch):
        monkeypatch.setenv("AIRFLOW__PYRUNNER_AIRFLOW__ENVIRONMENT", " prod ")
        assert dag_of(files=self.FILES).tags == {"prod", "pyrunner"}

    def test_without_one_what_is_for_none_holds(self, dag_of):
        assert dag_of(files=self.FILES).tags == {"all", "pyrunner"}

    def test_is_read_from_airflow_cfg_too(self, tmp_path):
        (tmp_path / "airflow.cfg").write_text("[pyrunner_airflow]\nenvironment = prod\n")
        script = "from pyrunner_airflow.configuration import environment; print(environment())"
        env = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW_CONFIG": str(tmp_path / "airflow.cfg")}
        done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
        assert done.stdout == "prod\n", done.stderr


def test_parameters_of_the_list_stand_beside_pyrunners(dag_of):
    dag = dag_of("params = { day = 5 }")
    assert set(dag.params) == {"day", "exec_only", "norun", "from", "to", "cvar"}
    assert dag.params["day"] == 5


@pytest.mark.parametrize(
    ("option", "attribute", "value"),
    [
        ('owner = "me"', "owner", "me"),
        ('pool = "mysql"', "pool", "mysql"),
        ("pool_slots = 2", "pool_slots", 2),
        ('queue = "big"', "queue", "big"),
        ("priority_weight = 7", "priority_weight", 7),
        ('executor = "LocalExecutor"', "executor", "LocalExecutor"),
        ("execution_timeout = 90", "execution_timeout", timedelta(seconds=90)),
        ("retry_exponential_backoff = 2.0", "retry_exponential_backoff", 2.0),
        ("max_retry_delay = 60", "max_retry_delay", timedelta(seconds=60)),
        ("depends_on_past = true", "depends_on_past", True),
        ('run_as_user = "etl"', "run_as_user", "etl"),
        ("max_active_tis_per_dag = 1", "max_active_tis_per_dag", 1),
    ],
)
class TestEachOptionOfATask:
    def test_reaches_all_tasks_from_default_args(self, dag_of, option, attribute, value):
        dag = dag_of("[default_args]", option)
        assert [getattr(task, attribute) for task in dag.tasks] == [value, value]

    def test_reaches_the_row_that_it_is_for(self, dag_of, option, attribute, value):
        one, four = dag_of("[tasks.4]", option).tasks
        assert getattr(four, attribute) == value != getattr(one, attribute)


def test_the_assets_of_a_row_reach_it_alone(dag_of):
    one, four = dag_of("[tasks.4]", 'outlets = ["s3://lake/orders"]').tasks
    assert (one.outlets, four.outlets) == ([], [Asset("s3://lake/orders")])


class TestNotify:
    SMTP = 'notifier = "airflow.providers.smtp.notifications.smtp.SmtpNotifier", to = "a@b"'

    def test_airflows_notifiers_stand_beside_the_mail(self, dag_of):
        told = f'notify = [{{ {self.SMTP}, on = "failed" }}, {{ {self.SMTP}, subject = "both" }}]'
        dag = dag_of("[pyrunner]", 'notify_email = "ops@b"', told)
        assert [notifier.to for notifier in dag.on_failure_callback] == [["ops@b"], "a@b", "a@b"]
        assert [notifier.to for notifier in dag.on_success_callback] == [["ops@b"], "a@b"]
        assert dag.on_success_callback[1].subject == "both"

    def test_the_other_end_is_not_told(self, dag_of):
        dag = dag_of("[pyrunner]", f'notify = [{{ {self.SMTP}, on = "succeeded" }}]')
        assert dag.on_failure_callback is None
        assert len(dag.on_success_callback) == 1

    @pytest.mark.parametrize(
        ("notifier", "fault"),
        [
            (
                'notifier = "no_such_module.Post"',
                "no_such_module.Post is not to be had here: ModuleNotFoundError(",
            ),
            ('notifier = "datetime.Post"', "datetime.Post is not to be had here: AttributeError("),
            ('notifier = "datetime.date"', "datetime.date is not to be had here: TypeError('no subclass of "),
            (f"{SMTP}, colour = 1", "notifications.smtp.SmtpNotifier is not to be had here: TypeError("),
        ],
    )
    def test_one_that_is_not_to_be_had_is_an_error_of_the_list_with_its_place(self, dag_of, notifier, fault):
        with pytest.raises(LstError) as caught:
            dag_of("[pyrunner]", f"notify = [{{ {notifier} }}]")
        (found,) = caught.value.diagnostics
        assert (found.line, found.column, found.code) == (2, 10, "invalid-option")
        assert fault in found.hint


class TestTimeZone:
    def test_is_that_of_the_schedule(self, dag_of):
        dag = dag_of('schedule = "0 6 * * *"', "[pyrunner]", 'timezone = "Europe/Berlin"')
        assert dag.timezone.name == "Europe/Berlin"

    def test_six_o_clock_stays_six_o_clock_when_summer_time_begins(self, dag_of):
        dag = dag_of('schedule = "0 6 * * *"', "[pyrunner]", 'timezone = "Europe/Berlin"')
        timetable = DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable  # the scheduler's
        last = DataInterval.exact(pendulum.datetime(2026, 3, 28, 5, tz="UTC"))
        always = TimeRestriction(earliest=None, latest=None, catchup=True)
        following = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=always)
        assert following.run_after == datetime(2026, 3, 29, 4, tzinfo=UTC)

    def test_is_that_of_dates_without_one(self, dag_of):
        dag = dag_of("start_date = 2026-07-01", "[pyrunner]", 'timezone = "Europe/Berlin"')
        assert dag.start_date == datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Berlin"))


FILES = {
    "": 'description = "top"\ntags = ["top"]\n[pyrunner.env]\nA = "top"\nB = "top"',
    "team": 'description = "team"\n[pyrunner.env]\nB = "team"\n["job.lst"]\nschedule = "@daily"',
}


class TestNearestWins:
    def test_of_two_files_the_nearer_one(self, dag_of):
        dag = dag_of(files=FILES)
        assert (dag.description, dag.tags, dag.schedule) == ("team", {"top", "pyrunner"}, "@daily")

    def test_tables_are_put_together(self, dag_of):
        assert dag_of(files=FILES).tasks[0].options.env == {"A": "top", "B": "team"}

    def test_before_a_file_the_list_itself(self, dag_of):
        assert dag_of('schedule = "@weekly"', files=FILES).schedule == "@weekly"

    def test_before_the_list_the_arguments_of_the_dag(self, dag_of):
        dag = dag_of('schedule = "@weekly"', files=FILES, schedule="@hourly", description="mine")
        assert (dag.schedule, dag.description) == ("@hourly", "mine")


def test_arguments_are_handed_on_as_they_stand_without_templates(dag_of):
    dag = dag_of("[pyrunner]", "templates = false")
    task = dag.tasks[0]
    run = SimpleNamespace(conf={})
    task.render_template_fields({"ds": "2026-01-01", "params": {}, "dag": dag, "dag_run": run})
    assert list(task.op_args) == ["x", "{{ ds }}"]
