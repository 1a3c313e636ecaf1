"""Large values in the context, in Airflow's database and in an object storage."""

from __future__ import annotations

import json

import pytest

from tests.examples import sample_results
from tests.scheduler.apps import TIMEOUT, App, Apps, Run
from tests.scheduler.test_scheduler_in_process import SAMPLE, expect_done

pytestmark = pytest.mark.slow

MEGABYTES = [1, 10, 50]
ROWS = "".join(
    f"{number}|-1|1|0|Write {megabytes}|workers|Write|{megabytes}|\n"
    f"{number + 1}|{number}|1|0|Read {megabytes}|workers|Read|{megabytes}|\n"
    for number, megabytes in zip(range(1, 10, 2), MEGABYTES, strict=False)
)
WORKERS = """
import hashlib
import time

def text(megabytes):
    return "".join("%015d\\n" % number for number in range(int(megabytes) * 2**16))

class Write(Worker):
    def run(self):
        self.context["large"] = text(self.argv[0])

class Read(Worker):
    def run(self):
        note(self.argv[0], self.context["large"] == text(self.argv[0]))

class WriteOften(Worker):
    def run(self):
        rows = [{"id": number, "name": "customer %d" % number, "city": "Bern"} for number in range(7000)]
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            self.context["rows"] = rows
            self.context["small"] = "written beside it"
"""


class TestInTheDatabase:
    @pytest.fixture(scope="class")
    @staticmethod
    def app(apps: Apps) -> App:
        return apps.add("large", f"{ROWS}99|-1|1|0|Write Often|workers|WriteOften||\n", WORKERS)

    @pytest.fixture(scope="class")
    @staticmethod
    def run(app: App) -> Run:
        run = app.trigger().finish()
        assert run.state == "success", run.states()
        return run

    @pytest.mark.parametrize("megabytes", MEGABYTES)
    def test_a_value_of_many_megabytes_comes_back(self, run, app, megabytes):
        assert [str(megabytes), True] in app.notes()

    def test_a_row_that_works_says_nothing_about_what_is_too_large_for_the_journal(self, run):
        levels = {line.get("level") for line in run.log_lines("99_write_often")}
        assert levels <= {None, "debug", "info"}
        assert len(json.dumps(run.xcoms("99_write_often")["rows"])) > 360_000


class TestInAnObjectStorage:
    def test_the_sample_runs_and_its_context_is_there(self, apps, airflow, sample_server, tmp_path):
        sample_server.forget()
        app = apps.copy(SAMPLE)
        airflow.wait_for_dag("my_sample_app", timeout=TIMEOUT)
        airflow.cli(
            "dags",
            "test",
            "my_sample_app",
            timeout=TIMEOUT,
            AIRFLOW__CORE__XCOM_BACKEND="airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
            AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH=f"file://{tmp_path}",
            AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD="0",
        )
        expect_done(app, sample_server)
        stored = [json.loads(path.read_text()) for path in tmp_path.rglob("*") if path.is_file()]
        day = sample_results.extract_file(app.path / "temp").stem.removeprefix("extract_")
        assert day in stored
