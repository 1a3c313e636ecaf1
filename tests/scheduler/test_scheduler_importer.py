"""What only Airflow 3.4 has: a task list is a DAG file, and there is no Python file in the dags folder."""

from __future__ import annotations

import pytest

from scripts.local_airflow import LocalAirflow
from tests.scheduler.apps import TIMEOUT, App, Apps, Job, Run
from tests.scheduler.test_scheduler_lists import ROW, WORKERS

pytestmark = pytest.mark.slow


class TestFile:
    def test_the_list_is_the_source_that_the_code_tab_shows(self, apps: Apps, airflow: LocalAirflow):
        app = apps.add("shown", ROW, WORKERS)
        dag = airflow.wait_for_dag("shown", timeout=TIMEOUT)
        source = airflow.api("GET", "dagSources", "shown", headers={"Accept": "application/json"})
        assert dag["relative_fileloc"] == "shown/config/shown.lst"
        assert (source["content"], source["language"]) == (app.list.read_text(), "plaintext")

    def test_a_changed_options_file_changes_its_dag(self, apps: Apps, airflow: LocalAirflow):
        app = apps.add("optional", ROW, WORKERS)
        airflow.wait_for_dag("optional", timeout=TIMEOUT)
        app.write("config/pyrunner.toml", 'description = "from the options"')
        airflow.reparse("optional")
        airflow.wait_for_dag(
            "optional", lambda dag: dag["description"] == "from the options", timeout=TIMEOUT
        )


class TestClearedTask:
    """An attempt has written to the context and failed; how it is cleared says what the next one finds."""

    ROWS = "1|-1|1|0|Count|workers|Count||\n2|-1|1|0|Fail|workers|Fail||\n"
    JOB = Job(
        "counting",
        ROWS,
        """
        class Count(Worker):
            def run(self):
                self.context["count"] = self.context.get("count", 0) + 1
                note("count", self.context["count"])
                return 1

        class Fail(Worker):
            def run(self):
                return 1
        """,
    )
    FORGOTTEN = "nothing is kept of what its earlier attempts may have written to the context"

    def clear(self, run: Run, **options: bool) -> None:
        run.clear(**options)
        run.finish()

    def test_it_begins_anew_and_says_why_unless_its_state_is_kept(self, run: Run, app: App):
        self.clear(run, keep_task_state=True)
        assert app.notes() == [["count", 1], ["count", 2]]
        assert self.FORGOTTEN not in run.log("1_count", 2)
        self.clear(run, keep_task_state=False)
        assert app.notes()[2:] == [["count", 1]]
        assert self.FORGOTTEN in run.log("1_count", 3)

    def test_a_task_that_does_not_touch_the_context_says_nothing(self, run: Run):
        assert self.FORGOTTEN not in run.log("2_fail", run.attempts()["2_fail"])
