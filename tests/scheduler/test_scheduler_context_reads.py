"""Who reads what from the context: small groups of rows, and what their readers see in a real run.

A row's arguments say what its worker does, step by step:

    x=1        writes a key                      x=#        writes how often the row has run by now
    -x         deletes a key                     x?         notes `context.get("x", "absent")`
    x!         notes `context["x"]`, or KeyError x~         does so again until there is no KeyError
    after:12   waits for the row of that ID      skip       skips the row
"""

from __future__ import annotations

import pytest

from tests.scheduler.apps import App, Apps, Job, Run

pytestmark = pytest.mark.slow

WORKERS = """
import os
import time

from airflow.sdk.exceptions import AirflowSkipException


class Do(Worker):
    def run(self):
        row = int(self.airflow["ti"].task_id.split("_")[0])
        times = 1 + sum(said == [row, "ran"] for said in notes())
        note(row, "ran")
        for step in self.argv:
            what, how = step[:-1], step[-1:]
            if step.startswith("after:"):
                while [int(step[6:]), "done"] not in notes():
                    time.sleep(0.05)
            elif step.startswith("-"):
                del self.context[step[1:]]
            elif step == "skip":
                raise AirflowSkipException("as it was told to")
            elif "=" in step:
                key, value = step.split("=")
                self.context[key] = times if value == "#" else value
            elif how == "?":
                note(row, what, self.context.get(what, "absent"))
            else:
                note(row, what, self.read(what, patiently=how == "~"))
        note(row, "done")

    def read(self, key, patiently):
        while True:
            try:
                return self.context[key]
            except KeyError:
                if not patiently:
                    return "KeyError"
                time.sleep(0.2)


def notes():
    import json

    path = os.path.join(os.environ["APP_ROOT_DIR"], "notes.jsonl")
    return [json.loads(line) for line in open(path)] if os.path.exists(path) else []
"""

# What is to be seen, in words; rows: ID, parents, steps; what its readers note, by row.
CASES: list[tuple[str, list[tuple[int, str, str]], dict[int, object]]] = [
    (
        "a write is seen below rows that never touch the context",
        [(1, "-1", "x=1"), (2, "1", ""), (3, "2", ""), (4, "3", "x?")],
        {4: "1"},
    ),
    (
        "a write further down replaces the one above",
        [(1, "-1", "x=1"), (2, "1", "x=2"), (3, "1,2", "x?")],
        {3: "2"},
    ),
    (
        "of two side by side the later wins",
        [(1, "-1", "after:2,x=1"), (2, "-1", "x=2"), (3, "1,2", "x?")],
        {3: "1"},
    ),
    (
        "whichever stands first",
        [(1, "-1", "x=1"), (2, "-1", "after:1,x=2"), (3, "1,2", "x?")],
        {3: "2"},
    ),
    (
        "a deleted key is gone for those below, also for context[key]",
        [(1, "-1", "x=1"), (2, "1", "-x"), (3, "2", ""), (4, "3", "x!")],
        {4: "KeyError"},
    ),
    (
        "a key that was deleted and written again is there",
        [(1, "-1", "x=1"), (2, "1", "-x"), (3, "2", "x=3"), (4, "3", "x?")],
        {4: "3"},
    ),
    (
        "what is not upstream is not seen by get",
        [(1, "-1", "x=1"), (2, "-1", "after:1,x?")],
        {2: "absent"},
    ),
    (
        "but is by context[key], as soon as its writer has finished",
        [(1, "-1", "lucky=1"), (2, "-1", "lucky~")],
        {2: "1"},
    ),
    (
        "what a row wrote before it was skipped is seen",
        [(1, "-1", "x=1"), (2, "1", "x=2,skip"), (3, "2", "x?")],
        {3: "2"},
    ),
]


def as_list(rows: list[tuple[int, str, str]], first: int = 0) -> str:
    """Write the rows as a task list, with all IDs so many higher."""
    lines = []
    for row, parents, steps in rows:
        above = parents if parents == "-1" else ",".join(str(first + int(p)) for p in parents.split(","))
        what = ",".join(
            f"after:{first + int(step[6:])}" if step.startswith("after:") else step
            for step in steps.split(",")
        )
        lines.append(f"{first + row}|{above}|1|0|Do|workers|Do|{what}|\n")
    return "".join(lines)


def reads(app: App, row: int) -> list[object]:
    """Return what a row's reads have shown, the first one first."""
    return [said[2] for said in app.notes() if said[0] == row and len(said) == 3]


class TestTable:
    LISTS = (as_list(rows, 10 * number) for number, (_, rows, _) in enumerate(CASES))
    JOB = Job("reads", "".join(LISTS), WORKERS)

    def test_the_run_succeeds(self, run):
        assert run.state == "success", run.states()

    @pytest.mark.parametrize("number", range(len(CASES)), ids=[case[0] for case in CASES])
    def test_a_reader_sees(self, app, run, number):
        expected = CASES[number][2]
        assert {row: reads(app, 10 * number + row) for row in expected} == {
            row: [value] for row, value in expected.items()
        }

    def test_who_reads_what_is_not_upstream_is_warned(self, run):
        (number,) = (number for number, case in enumerate(CASES) if "as soon as" in case[0])
        reader, writer = 10 * number + 2, 10 * number + 1
        assert (
            f"context['lucky'] was written by {writer}_do, which is not upstream of {reader}_do and may come "
            f"later another time: add {writer} to its PARENT_IDS"
        ) in run.log(f"{reader}_do")


class TestStart:
    """What the context holds before any row writes to it."""

    ROWS = as_list([(1, "-1", "x?,y?,z?"), (2, "1", "x=row,-y"), (3, "2", "x?,y?,y!,z?")])
    OPTIONS = '[pyrunner]\ncvar = {x = "list", y = "list"}\n'
    JOB = Job(
        "starts",
        ROWS,
        WORKERS,
        {"pyrunner.toml": OPTIONS},
        conf={"cvar": {"y": "run", "z": "run"}},
    )

    def test_a_row_beats_the_runs_parameter_and_that_beats_the_lists_option(self, run, app):
        assert run.state == "success"
        assert reads(app, 1) == ["list", "run", "run"]
        assert reads(app, 3) == ["row", "absent", "KeyError", "run"]


class TestByHand:
    """What somebody does in the UI, while the run goes on or after it."""

    ROWS = as_list([(1, "-1", "x=#"), (2, "1", "y=#"), (3, "2", "x?,y?")])

    @pytest.fixture
    @staticmethod
    def app(request: pytest.FixtureRequest, apps: Apps) -> App:
        return apps.add(request.node.name[5:], TestByHand.ROWS, WORKERS)

    def again(self, run: Run, *task_ids: str, **options: bool) -> None:
        for task_id in task_ids:
            run.clear(task_id, only_failed=False, **options)
            assert run.finish().state == "success"

    def test_a_row_that_is_left_out_leaves_nothing(self, app):
        assert app.trigger(conf={"norun": [2]}).finish().state == "success"
        assert reads(app, 3) == [1, "absent"]

    def test_a_row_that_is_marked_success_leaves_nothing(self, apps, airflow):
        rows = as_list([(1, "-1", "x=1"), (2, "-1", "after:9"), (3, "1,2", "x=3"), (4, "3", "x?")])
        app = apps.add("marked", rows, WORKERS)
        run = app.trigger()
        run.wait_for_task("1_do", "success")
        airflow.set_task_state(run.dag_id, run.run_id, "3_do", "success")
        run.wait_for_task("4_do", "success")
        assert reads(app, 4) == ["1"]
        with (app.path / "notes.jsonl").open("a") as notes:
            notes.write('[9, "done"]\n')
        assert run.finish().state == "success"

    def test_a_row_that_is_cleared_alone_is_read_anew(self, app):
        run = app.trigger().finish()
        self.again(run, "1_do", "3_do")
        assert reads(app, 3) == [1, 1, 2, 1]
        self.again(run, "2_do", "3_do")
        assert reads(app, 3)[4:] == [2, 2]

    def test_a_row_that_is_cleared_twice_in_a_row_is_read_anew(self, app):
        run = app.trigger().finish()
        self.again(run, "1_do", "1_do", "3_do")
        assert reads(app, 3)[2:] == [3, 1]

    def test_cleared_with_what_stands_below_all_is_new(self, app):
        run = app.trigger().finish()
        self.again(run, "1_do", include_downstream=True)
        assert reads(app, 3)[2:] == [2, 2]
