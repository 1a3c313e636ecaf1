"""Task lists that come, change, break, are mended, and go, while Airflow runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scripts.local_airflow import LocalAirflow
from tests.scheduler.apps import TIMEOUT, App, Apps, Run
from tests.setups import SETUP

ROW = "1|-1|1|0|Only Row|workers|Done||\n"
WORKERS = """
import os
import time

class Done(Worker):
    def run(self):
        note("done")

class WaitForFile(Worker):
    def run(self):
        note("waiting", self.argv[0])
        while not os.path.exists(os.path.join(os.environ["APP_ROOT_DIR"], self.argv[0])):
            time.sleep(0.05)
"""


def shown_errors(airflow: LocalAirflow) -> str:
    """Return what the UI shows of bad lists."""
    return "\n".join(error["stack_trace"] for error in airflow.import_errors())


def wait_for_error(airflow: LocalAirflow, *texts: str) -> str:
    """Wait until the UI shows errors that contain the texts, and return them."""

    def shown() -> str | None:
        errors = shown_errors(airflow)
        return errors if all(text in errors for text in texts) else None

    return airflow.wait(shown, f"an import error with {texts}", TIMEOUT)


def wait_for_no_error(airflow: LocalAirflow, text: str) -> None:
    airflow.wait(lambda: text not in shown_errors(airflow), f"the error with {text} to go", TIMEOUT)


class TestOneList:
    def test_dropped_in_it_appears_and_runs(self, apps: Apps):
        app = apps.add("dropped", ROW, WORKERS)
        assert app.trigger().finish().state == "success"
        assert app.notes() == [["done"]]

    def test_edited_its_dag_changes(self, apps: Apps, airflow: LocalAirflow):
        app = apps.add("edited", ROW, WORKERS)
        airflow.wait_for_dag("edited", timeout=TIMEOUT)
        app.write("config/edited.lst", ROW + "2|1|5|0|New Row|workers|Done||\n")
        airflow.wait(lambda: "2_new_row" in airflow.tasks("edited"), "the new row", TIMEOUT)
        assert airflow.tasks("edited")["1_only_row"]["downstream_task_ids"] == ["2_new_row"]
        assert airflow.tasks("edited")["2_new_row"]["retries"] == 4

    def test_removed_its_dag_goes(self, apps: Apps, airflow: LocalAirflow):
        app = apps.add("removed", ROW, WORKERS)
        airflow.wait_for_dag("removed", timeout=TIMEOUT)
        apps.remove(app.path)
        airflow.wait_for_dag_gone("removed", timeout=TIMEOUT)

    def test_it_may_have_been_written_on_windows(self, apps: Apps, airflow: LocalAirflow):
        text = "#PYTHON\n1|-1|1|0|First|workers|Done||\n2|1|1|0|Second|workers|Done||"
        apps.add("windows", text.replace("\n", "\r\n"), WORKERS)
        airflow.wait_for_dag("windows", timeout=TIMEOUT)
        assert list(airflow.tasks("windows")) == ["1_first", "2_second"]


@pytest.mark.slow
class TestLargeList:
    def test_two_thousand_rows_are_no_problem(self, apps: Apps, airflow: LocalAirflow):
        rows = "".join(
            f"{number}|{number // 2 or -1}|1|0|Row|workers|Done|a,b|x.log\n" for number in range(1, 2001)
        )
        app = apps.add("large", rows)
        airflow.wait_for_dag("large", timeout=TIMEOUT)
        tasks = airflow.tasks("large")
        assert len(tasks) == 2000
        assert tasks["1000_row"]["downstream_task_ids"] == ["2000_row"]
        apps.remove(app.path)


class TestBadLists:
    """Two lists break while a run of a good one beside them is under way, and are mended."""

    STEADY = """
    1|-1|1|0|First|workers|WaitForFile|first|
    2|1|1|0|Second|workers|WaitForFile|second|
    3|2|1|0|Third|workers|Done||
    """
    BAD = """
    1|-1|1|0|First|workers|Done||
    2|7|1|0|Unknown Parent|workers|Done||
    3|1|none|0|No Number|workers|Done||
    """
    WORSE = "1|-1|1|0|Cannot Import|my workers|Done||\n"

    @pytest.fixture(scope="class")
    @staticmethod
    def steady(apps: Apps) -> App:
        return apps.add("steady", TestBadLists.STEADY, WORKERS)

    @pytest.fixture(scope="class")
    @staticmethod
    def bad(apps: Apps) -> list[App]:
        return [apps.add(name, ROW, WORKERS) for name in ("breaks", "breaks_too")]

    @pytest.fixture(scope="class")
    @staticmethod
    def run(steady: App, bad: list[App], airflow: LocalAirflow) -> Run:
        """Start the run that is under way while the lists break."""
        for app in bad:
            airflow.wait_for_dag(app.name, timeout=TIMEOUT)
        run = steady.trigger()
        steady.wait_for_note("waiting", "first")
        return run

    @pytest.fixture(scope="class")
    @staticmethod
    def error(run: Run, bad: list[App], airflow: LocalAirflow) -> str:
        """Break the lists; return what the UI shows then, once Airflow has had the time to act upon it."""
        bad[0].write("config/breaks.lst", TestBadLists.BAD)
        bad[1].write("config/breaks_too.lst", TestBadLists.WORSE)
        error = wait_for_error(airflow, "breaks.lst", "breaks_too.lst")
        for app in bad:
            airflow.wait_for_dag_gone(app.name, timeout=TIMEOUT)
        later = datetime.now(UTC) + timedelta(seconds=5)
        airflow.wait_for_dag(
            "steady", lambda dag: datetime.fromisoformat(dag["last_parsed_time"]) > later, TIMEOUT
        )
        return error

    def test_each_problem_of_each_list_shows_with_its_place(self, error, bad):
        for place, code in [
            (f"{bad[0].list}:2:3", "unknown-parent"),
            (f"{bad[0].list}:3:5", "invalid-integer"),
            (f"{bad[1].list}:1:24", "invalid-name"),
        ]:
            assert f"{place}: error[{code}]: " in error

    def test_they_show_as_import_errors_of_files_that_have_no_dags(self, error, airflow):
        assert sorted(error["filename"] for error in airflow.import_errors()) == sorted(SETUP.broken)

    def test_another_list_stays_active(self, error, airflow):
        assert airflow.dag("steady")["is_stale"] is False

    def test_another_list_can_be_dropped_in_and_run(self, error, apps):
        app = apps.add("beside", ROW, WORKERS)
        assert app.trigger().finish().state == "success"

    def test_a_run_under_way_goes_on_while_they_are_broken(self, error, run, steady):
        steady.write("first", "")
        steady.wait_for_note("waiting", "second")
        assert run.states() == {"1_first": "success", "2_second": "running", "3_third": None}

    def test_mended_their_errors_go_and_their_dags_come_back(self, error, bad, airflow):
        for app in bad:
            app.write(f"config/{app.name}.lst", ROW)
        for app in bad:
            wait_for_no_error(airflow, str(app.list))
            airflow.wait_for_dag(app.name, timeout=TIMEOUT)

    def test_the_run_under_way_ends_in_success(self, run, steady):
        steady.write("second", "")
        assert run.finish().state == "success"
        assert set(run.attempts().values()) == {1}


@pytest.mark.slow
class TestFilesThatAreNoLists:
    @pytest.mark.parametrize(
        ("name", "data", "code"),
        [
            ("empty", b"", "no-rows"),
            ("comments", b"#PYTHON\n# nothing to do\n", "no-rows"),
            ("latin1", "1|-1|1|0|Übung|workers|Done||\n".encode("latin-1"), "not-utf8"),
        ],
    )
    def test_it_is_an_error_that_hides_no_other(self, apps, airflow, name, data, code):
        app = apps.add(f"beside_{name}", ROW, WORKERS)
        path = app.path / f"{name}.lst"
        path.write_bytes(data)
        error = wait_for_error(airflow, str(path))
        airflow.wait_for_dag(app.name, timeout=TIMEOUT)
        path.unlink()
        wait_for_no_error(airflow, str(path))
        assert [line for line in error.splitlines() if str(path) in line and f"error[{code}]: " in line]


@pytest.mark.slow
class TestTwoListsOfOneName:
    def test_the_first_by_path_loads_and_the_other_is_an_error(self, apps: Apps, airflow: LocalAirflow):
        parts = {"first/twin.lst": ROW, "second/twin.lst": ROW.replace("Only", "Other")}
        app = apps.add_folder("twins", parts)
        airflow.wait_for_dag("twin", timeout=TIMEOUT)
        assert list(airflow.tasks("twin")) == ["1_only_row"]
        error = wait_for_error(airflow, f"{app.path}/second/twin.lst")
        assert f"{app.path}/first/twin.lst has the same DAG ID 'twin'" in error
        apps.remove(app.path / "second")
        wait_for_no_error(airflow, f"{app.path}/second/twin.lst")


@pytest.mark.slow
class TestOptionsForAListThatIsNotThere:
    def test_they_are_shown_until_there_is_one(self, apps: Apps, airflow: LocalAirflow):
        app = apps.add_folder("named", {"one.lst": ROW, "pyrunner.toml": '["two.lst"]\ntags = ["etl"]\n'})
        error = wait_for_error(airflow, f"{app.path}/pyrunner.toml")
        assert f"{app.path}/pyrunner.toml:1:1: warning[unknown-list]: " in error
        assert "Did you mean 'one.lst'? " in error
        airflow.wait_for_dag("one", timeout=TIMEOUT)
        app.write("two.lst", ROW)
        wait_for_no_error(airflow, f"{app.path}/pyrunner.toml")


@pytest.mark.slow
class TestAirflowignore:
    def test_it_leaves_lists_out_also_nested_and_takes_some_back_in(self, apps: Apps, airflow: LocalAirflow):
        parts = {
            ".airflowignore": "*.lst\n!kept.lst\nwhole/\n",
            "kept.lst": ROW,
            "left_out.lst": ROW,
            "deep/.airflowignore": "!kept_again.lst\n",
            "deep/kept_again.lst": ROW,
            "deep/left_out_too.lst": ROW,
            "whole/kept_nowhere.lst": ROW,
            "whole/.airflowignore": "!*.lst\n",
        }
        # One parse finds the whole folder: when the ones that are kept are there, no other will come.
        apps.add_folder("ignoring", parts)
        for dag_id in ("kept", "kept_again"):
            airflow.wait_for_dag(dag_id, timeout=TIMEOUT)
        for dag_id in ("left_out", "left_out_too", "kept_nowhere"):
            assert airflow.dag(dag_id) is None
