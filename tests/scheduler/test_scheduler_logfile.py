"""LOGFILE on a scheduler: beside Airflow's own log, of two runs at once, and where it cannot be written."""

from __future__ import annotations

import re
import socket

import pytest

from tests.examples import sample_results
from tests.scheduler.apps import App, Job, Jobs, Json, Run

pytestmark = pytest.mark.slow

RULE = "#" * 76
LINES = [
    ("INFO - A line by info", "info", "A line by info"),
    ("SUCCESS - A line by success", "info", "A line by success"),
    ("WARN - A line by warn", "warning", "A line by warn"),
    ("ERROR - A line by error", "error", "A line by error"),
    ("Printed", "info", "Printed"),
    ("Printed to standard error", "error", "Printed to standard error"),
]
"""A line in LOGFILE, its times left out; its level and its text in Airflow's log."""
ROWS = """
1|-1|1|0|All Levels|workers|AllLevels||logs/made/on/the/way/levels.log
2|-1|1|0|Without Logfile|workers|AllLevels||
3|-1|3|0|Below A File|workers|Done||config/logfile.lst/x.log
4|-1|3|0|Is A Folder|workers|Done||$ENV{APP_CONFIG_DIR}
5|-1|3|0|Not Allowed|workers|Done||/proc/x.log
"""
WORKERS = """
import sys

class AllLevels(Worker):
    def run(self):
        for level in ("info", "success", "warn", "error"):
            getattr(self.logger, level)("A line by " + level)
        print("Printed")
        print("Printed to standard error", file=sys.stderr)

class Done(Worker):
    def run(self):
        note("done")
"""


JOB = Job("logfile", ROWS, WORKERS)


def seen_in_airflow(run: Run, task_id: str) -> list[tuple[str, str]]:
    """Return level and text of the worker's lines in a task's log."""
    texts = {text for _, _, text in LINES}
    lines: list[Json] = run.log_lines(task_id)
    return [(line["level"], line["event"]) for line in lines if line["event"] in texts]


class TestBesideAirflowsLog:
    def test_it_has_all_lines_with_pyrunners_levels(self, run, app):
        lines = sample_results.log_lines(app.path / "logs/made/on/the/way/levels.log")
        assert lines == ["# LOG START", *(line for line, *_ in LINES), "# LOG END"]

    @pytest.mark.parametrize("task_id", ["1_all_levels", "2_without_logfile"])
    def test_airflows_log_has_the_same_lines_with_its_own_levels(self, run, task_id):
        # Each once. What is logged and what is printed reach Airflow by two ways, the order is not kept.
        assert sorted(seen_in_airflow(run, task_id)) == sorted((level, text) for _, level, text in LINES)


class TestPath:
    def test_missing_folders_are_made(self, run, app):
        assert run.states()["1_all_levels"] == "success"
        assert (app.path / "logs/made/on/the/way/levels.log").is_file()

    @pytest.mark.parametrize(
        ("task_id", "row", "reason", "logfile"),
        [
            ("3_below_a_file", 'row 3 "Below A File"', "File exists", "{config}/logfile.lst/x.log"),
            ("4_is_a_folder", 'row 4 "Is A Folder"', "Is a directory", "{config}"),
            ("5_not_allowed", 'row 5 "Not Allowed"', "", "/proc/x.log"),
        ],
    )
    def test_one_that_cannot_be_written_fails_the_row_at_once_and_says_why(
        self, run, app, task_id, row, reason, logfile
    ):
        assert run.states()[task_id] == "failed"
        assert len(run.tries(task_id)) == 1
        path = re.escape(logfile.format(config=app.list.parent))
        assert re.search(
            rf"failed: AppError: LOGFILE cannot be written: \[Errno \d+\] .*{reason}.*; "
            rf"{row}, attempt 1 of 3; mend the cause .*; workers\.Done, "
            rf"LOGFILE {path} on {re.escape(socket.gethostname())}, {re.escape(str(app.list))}:\d",
            run.log(task_id),
        )

    def test_then_the_worker_does_not_run(self, run, app):
        assert app.notes() == []


HALF = 500
SIDE_BY_SIDE = """
#AIRFLOW max_active_runs = 2
1|-1|1|0|Write Much|workers|WriteMuch||logs/much.log
"""
WRITE_MUCH = f"""
import os
import sys
import time

class WriteMuch(Worker):
    def run(self):
        for half in range(2):
            self.wait_for_both(f"half_{{half}}")
            for number in range({HALF}):
                self.write(half * {HALF} + number)

    def wait_for_both(self, place):
        os.makedirs(place, exist_ok=True)
        open(os.path.join(place, os.environ["APP_RUN_ID"]), "w").close()
        while len(os.listdir(place)) < 2:
            time.sleep(0.01)

    def write(self, number):
        text = f"{{os.environ['APP_RUN_ID']}} {{number}} " + number * 7 % 1000 * "x" + "."
        if number % 3 == 0:
            self.logger.info(text)
        elif number % 3 == 1:
            print(text)
        else:
            for start in range(0, len(text), 100):
                sys.stderr.write(text[start:start + 100])
            sys.stderr.write("\\n")
"""


def written_by(run: Run) -> list[str]:
    """Return the lines that a run's worker writes."""
    texts = (f"{run.run_id} {number} " + number * 7 % 1000 * "x" + "." for number in range(2 * HALF))
    return [text if number % 3 else f"INFO - {text}" for number, text in enumerate(texts)]


class TestTwoRunsSideBySide:
    JOB = Job("side_by_side", SIDE_BY_SIDE, WRITE_MUCH, runs=False)

    @pytest.fixture(scope="class")
    @staticmethod
    def runs(jobs: Jobs) -> list[Run]:
        app = jobs.app(TestTwoRunsSideBySide.JOB)
        return [run.finish() for run in [app.trigger(), app.trigger()]]

    @pytest.fixture
    @staticmethod
    def text(app: App, runs: list[Run]) -> str:
        return (app.path / "logs/much.log").read_text()

    def test_each_runs_lines_are_whole_and_in_order(self, app, runs, text):
        lines = sample_results.log_lines(app.path / "logs/much.log")
        of_run = [[line for line in lines if run.run_id in line] for run in runs]
        # Not left to pytest, which would show the difference of hundreds of long lines.
        assert [lines == written_by(run) for lines, run in zip(of_run, runs, strict=True)] == [True, True]

    def test_their_banners_are_whole(self, runs, text):
        lines = text.splitlines()
        rest = "\n".join(line for line in lines if not any(run.run_id in line for run in runs))
        for which in ("START", "END"):
            rest, count = re.subn(f"{RULE}\n# LOG {which} - .*\n{RULE}\n", "", rest)
            assert count == 2
        assert rest.strip() == ""

    def test_they_did_write_at_the_same_time(self, runs, text):
        one, other = ((text.index(run.run_id), text.rindex(run.run_id)) for run in runs)
        assert one[0] < other[1]
        assert other[0] < one[1]
