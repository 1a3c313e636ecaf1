"""What a task list becomes in a DAG of other tasks, and of other lists."""

import warnings

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, TaskGroup
from airflow.serialization.serialized_objects import DagSerialization

from pyrunner_airflow import LstError, PyRunnerDag, PyRunnerTaskGroup
from pyrunner_airflow.dag.factory import LstWarning
from pyrunner_airflow.dag.operator import _first_row
from pyrunner_airflow.dag.parameters import left_out_by

ROWS = "1|-1|2|5|A|workers|Work\n2|1|1|0|B|workers|Work\n3|1|1|0|C|workers|Work\n"


@pytest.fixture
def write(tmp_path):
    def write(name, text=ROWS):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def parents(dag):
    return {task.task_id: task.upstream_task_ids for task in dag.tasks}


def test_its_rows_are_tasks_in_a_group_named_after_the_file(write):
    with DAG("night") as dag:
        group = PyRunnerTaskGroup(write("load.lst"))
    assert group.group_id == "load"
    assert parents(dag) == {"load.1_a": set(), "load.2_b": {"load.1_a"}, "load.3_c": {"load.1_a"}}
    assert [task.task_display_name for task in dag.tasks] == ["1 A", "2 B", "3 C"]
    assert (dag.get_task("load.1_a").retries, dag.get_task("load.1_a").trigger_rule) == (1, "none_failed")


def test_several_lists_and_other_tasks_wait_for_each_other(write):
    with DAG("night") as dag:
        load, report = PyRunnerTaskGroup(write("load.lst")), PyRunnerTaskGroup(write("report.lst"))
        load >> EmptyOperator(task_id="between") >> report
    found = parents(dag)
    assert found["between"] == {"load.2_b", "load.3_c"}
    assert (found["report.1_a"], found["report.2_b"]) == ({"between"}, {"report.1_a"})
    dag.check_cycle()
    DagSerialization.from_dict(DagSerialization.to_dict(dag))


def test_its_rows_can_always_be_told_from_those_of_another_list(write):
    with DAG("night"), pytest.raises(ValueError, match="PyRunnerTaskGroup always has prefix_group_id"):
        PyRunnerTaskGroup(write("load.lst"), prefix_group_id=False)


def test_nothing_is_kept_for_a_mail_that_its_list_alone_would_send(write):
    front_matter = '#AIRFLOW [pyrunner]\n#AIRFLOW notify_email = "ops@example.com"\n'
    with DAG("night") as dag:
        PyRunnerTaskGroup(write("load.lst", front_matter + ROWS))
    assert {task.options.notify_email for task in dag.tasks} == {None}


def test_it_takes_airflows_own_arguments(write):
    dag = DAG("night")
    with TaskGroup("outer", dag=dag) as outer:
        pass
    PyRunnerTaskGroup(write("load.lst"), group_id="mine", parent_group=outer, default_args={"pool": "a"})
    assert [task.task_id for task in dag.tasks] == [f"outer.mine.{id_}" for id_ in ("1_a", "2_b", "3_c")]
    assert {task.pool for task in dag.tasks} == {"a"}


@pytest.mark.parametrize(
    ("file", "group_id"),
    [("my job.v2.lst", "my_job_v2"), ("größe.lst", "größe"), (f"{'x' * 100}.lst", "x" * 48)],
)
def test_its_id_is_as_airflow_takes_it(write, file, group_id):
    with DAG("night") as dag:
        PyRunnerTaskGroup(write(file, f"1|-1|1|0|{'n' * 300}|workers|Work"))
    assert next(iter(dag.task_group.children)) == group_id
    DagSerialization.to_dict(dag)


class TestOptions:
    OPTIONS = """\
#AIRFLOW schedule = "@daily"
#AIRFLOW params = { day = "x" }
#AIRFLOW [default_args]
#AIRFLOW pool = "list"
#AIRFLOW queue = "list"
#AIRFLOW [tasks.2]
#AIRFLOW pool = "row"
#AIRFLOW outlets = ["s3://a"]
"""

    def test_of_its_tasks_hold_and_those_of_a_dag_do_not(self, write):
        with DAG("night", schedule=None, default_args={"pool": "dag", "owner": "dag"}) as dag:
            PyRunnerTaskGroup(write("load.lst", self.OPTIONS + ROWS), default_args={"queue": "group"})
        one, two = dag.get_task("load.1_a"), dag.get_task("load.2_b")
        assert (one.pool, one.queue, one.owner) == ("list", "group", "dag")
        assert (two.pool, two.outlets) == ("row", [Asset("s3://a")])
        assert dag.schedule is None

    def test_parameters_of_the_list_are_its_tasks(self, write):
        with DAG("night", params={"mine": 1}) as dag:
            PyRunnerTaskGroup(write("load.lst", self.OPTIONS + ROWS))
        assert dict(dag.get_task("load.1_a").params) == {"mine": 1, "day": "x"}
        assert set(dag.params) == {"mine"}

    def test_files_around_the_list_hold_up_to_a_folder(self, write, tmp_path):
        write("pyrunner.toml", "[default_args]\npool = 'top'")
        path = write("app/load.lst")
        for folder, pool in ((None, "default_pool"), (tmp_path, "top")):
            with DAG("night") as dag:
                PyRunnerTaskGroup(path, options_folder=folder)
            assert dag.get_task("load.1_a").pool == pool


def test_a_relative_path_starts_at_the_file_that_makes_it(write, tmp_path, monkeypatch):
    write("app/load.lst")
    write(
        "our_group.py",
        "from airflow.sdk import DAG\nfrom pyrunner_airflow import PyRunnerTaskGroup\n"
        "with DAG('night') as dag:\n    PyRunnerTaskGroup('app/load.lst')\n",
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir("/")
    from our_group import dag

    assert dag.tasks[0].list_path == str(tmp_path / "app/load.lst")


def test_a_bad_list_raises_all_its_problems(write):
    with DAG("night"), pytest.raises(LstError) as caught:
        PyRunnerTaskGroup(write("load.lst", "1|9|x|0|A|workers|Work"))
    assert len(caught.value.diagnostics) == 2


def test_what_is_odd_is_a_warning_of_the_file_that_makes_it(write):
    with DAG("night"), warnings.catch_warnings(record=True) as caught:
        PyRunnerTaskGroup(write("load.lst", "1|-1|1|0|A|workers|Work\n2|-1|1|0|A|workers|Work"))
    assert [(warning.category, warning.filename) for warning in caught] == [(LstWarning, __file__)]


class TestParametersOfARun:
    """They are those of a DAG of one list."""

    def test_are_not_for_a_group(self, write):
        with DAG("night", params={"from": "2026-01-01"}) as dag:
            PyRunnerTaskGroup(write("load.lst"))
        assert [left_out_by(task, {"from": "2026-01-01", "exec_only": [9]}) for task in dag.tasks] == [[]] * 3

    def test_are_for_the_dags_own_list_beside_one(self, write):
        with PyRunnerDag(write("load.lst")) as dag:
            PyRunnerTaskGroup(write("report.lst"))
        params = {**dag.params.dump(), "to": 2}
        left_out = {task.task_id: left_out_by(task, params) for task in dag.tasks}
        assert {name for name, by in left_out.items() if by} == {"3_c"}


def test_each_list_has_a_first_row_of_its_own(write):
    with DAG("night") as dag:
        for name in ("a.lst", "b.lst"):
            PyRunnerTaskGroup(write(name))
    for task in dag.tasks:
        assert (task.row is _first_row(dag, task.list_path)) == task.task_id.endswith("1_a")
