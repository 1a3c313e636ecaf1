"""Options of a list, and of the folders around it, reach the DAG and its tasks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DataInterval, TimeRestriction

from pyrunner_airflow import PyRunnerDag

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
        ('tags = ["etl"]', "tags", {"etl"}),
        ("is_paused_upon_creation = false", "is_paused_upon_creation", False),
        ("rerun_with_latest_version = true", "rerun_with_latest_version", True),
    ],
)
def test_each_option_of_the_dag_reaches_it(dag_of, line, attribute, value):
    assert getattr(dag_of(line), attribute) == value


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
        assert (dag.description, dag.tags, dag.schedule) == ("team", {"top"}, "@daily")

    def test_tables_are_put_together(self, dag_of):
        assert dag_of(files=FILES).tasks[0].options.env == {"A": "top", "B": "team"}

    def test_before_a_file_the_list_itself(self, dag_of):
        assert dag_of('schedule = "@weekly"', files=FILES).schedule == "@weekly"

    def test_before_the_list_the_arguments_of_the_dag(self, dag_of):
        dag = dag_of('schedule = "@weekly"', files=FILES, schedule="@hourly", description="mine")
        assert (dag.schedule, dag.description) == ("@hourly", "mine")


def test_arguments_are_handed_on_as_they_stand_without_templates(dag_of):
    task = dag_of("[pyrunner]", "templates = false").tasks[0]
    task.render_template_fields({"ds": "2026-01-01"})
    assert list(task.op_args) == ["x", "{{ ds }}"]
