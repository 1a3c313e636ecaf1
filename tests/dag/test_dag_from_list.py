"""What a task list becomes in Airflow, as far as it can be seen without running it."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
from airflow.providers.standard.operators.python import PythonOperator
from airflow.serialization.serialized_objects import DagSerialization

from pyrunner_airflow import LstError, PyRunnerDag, WorkerOperator
from pyrunner_airflow.worker.app import resolve_env

SAMPLE = Path(__file__).parents[2] / "example_lst/my_sample_app/config/my_sample_app.lst"


@pytest.fixture
def dag_of(tmp_path):
    def build(*rows, name="job.lst", **dag_kwargs):
        path = tmp_path / name
        path.write_text("\n".join(rows))
        return PyRunnerDag(path, **dag_kwargs)

    return build


SUBCLASSES = """\
from pyrunner_airflow import PyRunnerDag

class Team(PyRunnerDag):
    def __init__(self, list_path, **arguments):
        super().__init__(list_path, tags=["team"], **arguments)

class Nightly(Team):
    def __init__(self, name):
        super().__init__(name, schedule="@daily")
"""


@pytest.fixture
def task_of(dag_of):
    return lambda row: dag_of(row).tasks[0]


def test_the_sample_keeps_its_shape():
    dag = PyRunnerDag(SAMPLE)
    assert {task.task_id: task.upstream_task_ids for task in dag.tasks} == {
        "1_start_job_notification": set(),
        "2_download_file_1": {"1_start_job_notification"},
        "3_download_file_2": {"1_start_job_notification"},
        "4_load_mysql_table": {"2_download_file_1"},
        "5_write_parquet_file": {"3_download_file_2"},
        "6_end_job_notification": {"4_load_mysql_table", "5_write_parquet_file"},
    }


class TestTheRow:
    def test_is_shown_by_the_beginning_of_a_name_that_is_too_long_for_airflow(self, task_of):
        task = task_of(f"1|-1|1|0|{'n' * 2001}|workers|Work")
        shown = (f"{task.row.id} " + "n" * 2001)[:1997] + "..."
        assert (task.row.name, task.task_display_name) == ("n" * 2001, shown)

    def test_is_a_python_operator_that_shows_its_columns_as_templates(self, task_of):
        task = task_of("1|-1|1|0|A|pack.workers|Work|a, {{ ds }}|$ENV{APP_LOG_DIR}/a.log")
        assert isinstance(task, WorkerOperator) and isinstance(task, PythonOperator)
        assert {field: getattr(task, field) for field in task.template_fields} == {
            "module_name": "pack.workers",
            "worker_name": "Work",
            "op_args": ["a", "{{ ds }}"],
            "arguments_text": "a, {{ ds }}",
            "logfile": "$ENV{APP_LOG_DIR}/a.log",
        }

    @pytest.mark.parametrize(("attempts", "retries"), [("", 0), ("1", 0), ("3", 2)])
    def test_max_attempts_are_one_more_than_retries(self, task_of, attempts, retries):
        assert task_of(f"1|-1|{attempts}|0|A|workers|Work").retries == retries

    def test_retries_are_the_lists_even_where_airflow_has_a_default(self, dag_of):
        dag = dag_of("1|-1|1|0|A|workers|Work", default_args={"retries": 5})
        assert dag.tasks[0].retries == 0

    @pytest.mark.parametrize(("wait", "seconds"), [("", 0), ("0", 0), ("90", 90)])
    def test_retry_wait_time_is_the_retry_delay(self, task_of, wait, seconds):
        task = task_of(f"1|-1|2|{wait}|A|workers|Work")
        assert (task.retry_delay, task.retry_exponential_backoff) == (timedelta(seconds=seconds), 0)

    def test_a_skipped_parent_counts_as_done(self, task_of):
        assert task_of("1|-1|1|0|A|workers|Work").trigger_rule == "none_failed"

    @pytest.mark.parametrize(
        ("name", "task_id"),
        [
            ("Load MySQL Table", "7_load_mysql_table"),
            ("  a -- b / c  ", "7_a_b_c"),
            ("Größe", "7_grosse"),
            ("Déjà vu", "7_deja_vu"),
            ("株式", "7"),
            ("x" * 300, "7_" + "x" * 198),
            ("y" * 197 + " z", "7_" + "y" * 197),
        ],
    )
    def test_task_id_is_the_id_and_what_a_task_id_may_have_of_the_name(self, task_of, name, task_id):
        task = task_of(f"7|-1|1|0|{name}|workers|Work")
        assert (task.task_id, task.task_display_name) == (task_id, f"7 {name.strip()}")


class TestReferencesToVariables:
    """Only those that stand in the list are resolved: a parameter's text stays what it is."""

    ENVIRONMENT: ClassVar = {"A": "a", "PASSWORD": "secret"}
    WHO: ClassVar = {
        "params": {"who": "$ENV{PASSWORD}", "brace": "{PASSWORD}", "yes": True},
        "ds": "2026-01-02",
    }

    @pytest.fixture
    def rendered(self, dag_of):
        """Return a row's columns as they are shown, and as its worker gets them."""

        def render(row, *lines, **dag_kwargs):
            dag = dag_of(*lines, row, **dag_kwargs)
            task = dag.tasks[0].prepare_for_execution()
            for _ in range(2):  # as a callback may have it done once more
                context = {**self.WHO, "dag": dag, "dag_run": SimpleNamespace(conf={})}
                task.render_template_fields(context, dag.get_template_env())
            shown = {name: getattr(task, name) for name in task.template_fields}
            return shown, {name: self.resolved(value, task.mark) for name, value in task.marked.items()}

        return render

    def resolved(self, value, mark):
        if isinstance(value, list):
            return [self.resolved(text, mark) for text in value]
        return value and resolve_env(value, self.ENVIRONMENT, mark)

    @pytest.mark.parametrize(
        ("argument", "shown", "resolved"),
        [
            ("{{ params.who }}", "$ENV{PASSWORD}", "$ENV{PASSWORD}"),
            ("$ENV{A}-{{ params.who }}", "$ENV{A}-$ENV{PASSWORD}", "a-$ENV{PASSWORD}"),
            ("$ENV{PASSWORD}{{ params.who }}", "$ENV{PASSWORD}$ENV{PASSWORD}", "secret$ENV{PASSWORD}"),
            ("$ENV{% if 1 %}{{ params.brace }}{% endif %}", "$ENV{PASSWORD}", "$ENV{PASSWORD}"),
            ("{% if params.yes %}$ENV{A}{% endif %}", "$ENV{A}", "a"),
            ("{% if not params.yes %}$ENV{B}{% endif %}x", "x", "x"),
            ("{% filter upper %}$ENV{A}{% endfilter %}", "$ENV{A}", "a"),
            ("{% raw %}$ENV{A}{% endraw %}", "$ENV{A}", "a"),
            ("$ENV{A} {{ ds }}", "$ENV{A} 2026-01-02", "a 2026-01-02"),
        ],
    )
    def test_among_templates(self, rendered, argument, shown, resolved):
        row = f"1|-1|1|0|A|workers|Work|{argument}|{argument}"
        for native in (False, True):
            as_shown, as_resolved = rendered(row, render_template_as_native_obj=native)
            assert (as_shown["op_args"], as_shown["logfile"]) == ([shown], shown)
            assert (as_resolved["op_args"], as_resolved["logfile"]) == ([resolved], resolved)

    def test_in_the_text_of_a_command(self, rendered):
        row = "1|-1|1|0|A|pyrunner|ShellWorker|echo $ENV{A}, {{ params.who }}|"
        shown, resolved = rendered(row)
        assert shown["arguments_text"] == "echo $ENV{A}, $ENV{PASSWORD}"
        assert resolved["arguments_text"] == "echo a, $ENV{PASSWORD}"

    def test_in_the_names_of_module_and_worker(self, rendered):
        shown, resolved = rendered("1|-1|1|0|A|$ENV{A}.b|$ENV{A}||")
        assert (shown["module_name"], shown["worker_name"]) == ("$ENV{A}.b", "$ENV{A}")
        assert (resolved["module_name"], resolved["worker_name"]) == ("a.b", "a")

    def test_where_templates_are_left_as_they_are(self, rendered):
        options = "#AIRFLOW pyrunner.templates = false"
        shown, resolved = rendered("1|-1|1|0|A|workers|Work|$ENV{A} {{ ds }}|$ENV{A}{#1}.log", options)
        assert (shown["op_args"], shown["logfile"]) == (["$ENV{A} {{ ds }}"], "$ENV{A}{#1}.log")
        assert (resolved["op_args"], resolved["logfile"]) == (["a {{ ds }}"], "a{#1}.log")

    def test_arguments_are_texts_also_where_the_dag_renders_to_objects(self, rendered):
        shown, _ = rendered("1|-1|1|0|A|workers|Work|{{ 7 }},{{ [1] }}", render_template_as_native_obj=True)
        assert shown["op_args"] == ["7", "[1]"]


class TestTheDag:
    @pytest.mark.parametrize(
        ("file", "dag_id", "display_name"),
        [
            ("a\N{MATHEMATICAL BOLD CAPITAL A}.lst", "a_", "a\N{MATHEMATICAL BOLD CAPITAL A}"),
            (os.fsdecode(b"a\xff.lst"), "a_", "a\N{REPLACEMENT CHARACTER}"),
            ("job.lst", "job", "job"),
            ("my-job.v2.lst", "my-job.v2", "my-job.v2"),
            ("my job (new).lst", "my_job_new_", "my job (new)"),
            ("größe.lst", "größe", "größe"),
        ],
    )
    def test_is_named_after_the_file(self, dag_of, file, dag_id, display_name):
        dag = dag_of("1|-1|1|0|A|workers|Work", name=file)
        assert (dag.dag_id, dag.dag_display_name) == (dag_id, display_name)

    def test_runs_one_at_a_time_when_it_is_triggered(self, dag_of):
        dag = dag_of("1|-1|1|0|A|workers|Work")
        assert (dag.schedule, dag.catchup, dag.max_active_runs) == (None, False, 1)
        assert dag.start_date == datetime(2020, 1, 1, tzinfo=UTC)

    def test_takes_airflows_own_arguments(self, dag_of):
        dag = dag_of("1|-1|1|0|A|workers|Work", dag_id="other", schedule="@daily", tags=["etl"])
        assert (dag.dag_id, dag.schedule, dag.tags) == ("other", "@daily", {"etl"})

    def test_without_tags_the_dag_has_the_one_that_shows_its_runs_page(self, dag_of):
        assert dag_of("1|-1|1|0|A|workers|Work").tags == {"pyrunner"}

    def test_documents_the_list_as_a_table(self, dag_of):
        dag = dag_of("1|-1|1|0|A|workers|Work|'a|b'|x.log", "2|1|3|5|B|workers|Work")
        assert dag.doc_md.splitlines()[2:] == [
            "|1| |1|0|A|workers.Work|'a&#124;b'|x.log|",
            "|2|1|3|5|B|workers.Work| | |",
        ]

    def test_each_row_of_that_is_a_line(self, dag_of):
        task = '{"module": "workers", "worker": "Work", "arguments": ["a\\r\\nb|c"]}'
        dag = dag_of(f'{{"tasks": {{"A": {task}}}}}', name="job.json")
        assert dag.doc_md.splitlines()[2:] == ["|1| |1|0|A|workers.Work|a  b&#124;c| |"]

    def test_a_bad_list_raises_all_its_problems(self, dag_of):
        with pytest.raises(LstError) as caught:
            dag_of("1|9|1|0|A|workers|Work", "2|-1|x|0|B|workers|Work")
        assert [problem.code for problem in caught.value.diagnostics] == ["unknown-parent", "invalid-integer"]

    def test_a_relative_path_starts_at_the_file_that_makes_the_dag(self, tmp_path, monkeypatch):
        (tmp_path / "config").mkdir()
        (tmp_path / "config/job.lst").write_text("1|-1|1|0|A|workers|Work")
        (tmp_path / "my_dags.py").write_text(
            "from pyrunner_airflow import PyRunnerDag\ndag = PyRunnerDag('config/job.lst')\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.chdir("/")
        from my_dags import dag

        assert dag.fileloc == str(tmp_path / "my_dags.py")
        assert dag.tasks[0].list_path == str(tmp_path / "config/job.lst")

    def test_also_where_a_library_has_a_subclass_of_a_subclass(self, tmp_path, monkeypatch):
        (tmp_path / "lib").mkdir()
        (tmp_path / "dags").mkdir()
        (tmp_path / "dags/job.lst").write_text("1|-1|1|0|A|workers|Work")
        (tmp_path / "lib/team_dags.py").write_text(SUBCLASSES)
        text = "from team_dags import Nightly\ndag = Nightly('job.lst')\n"
        (tmp_path / "dags/our_dags.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path / "lib")
        monkeypatch.syspath_prepend(tmp_path / "dags")
        from our_dags import dag

        assert dag.fileloc == str(tmp_path / "dags/our_dags.py")
        assert dag.tasks[0].list_path == str(tmp_path / "dags/job.lst")
        assert (dag.schedule, dag.tags) == ("@daily", {"team"})


def test_the_same_file_gives_the_same_serialized_dag_everywhere(tmp_path):
    script = (
        "import json, sys; from pyrunner_airflow import PyRunnerDag;"
        "from airflow.serialization.serialized_objects import DagSerialization;"
        f"print(json.dumps(DagSerialization.to_dict(PyRunnerDag({str(SAMPLE)!r})), sort_keys=True))"
    )
    environments = [
        {"PYTHONHASHSEED": "1", "TZ": "UTC", "cwd": "/"},
        {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "cwd": str(tmp_path), "APP_LOG_DIR": "/other"},
    ]
    printed = [
        subprocess.check_output([sys.executable, "-c", script], env=os.environ | env, cwd=env.pop("cwd"))
        for env in environments
    ]
    texts = {text.splitlines()[-1] for text in printed}  # what Airflow logs before it has the time in it
    assert len(texts) == 1


def test_no_path_of_this_machine_is_serialized_with_a_task():
    tasks = DagSerialization.to_dict(PyRunnerDag(SAMPLE))["dag"]["tasks"]
    assert str(SAMPLE.parent) not in str(tasks)
