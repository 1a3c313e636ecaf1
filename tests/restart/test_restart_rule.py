"""Which rows `-r` runs: one table for the rule in Python and the one of the page in JavaScript."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pyrunner_airflow import ui
from pyrunner_airflow.restart import clear_request, rows_to_run
from pyrunner_airflow.tasklist.selection import left_out_of

CASES = json.loads(Path(__file__).with_name("cases.json").read_text())
SCRIPT = """
const {leftOutOf, rowsToRun} = await import(process.argv[1]);
const rowsOf = one => one.rows.map(([id, parents, state]) => ({id, parents, state}));
console.log(JSON.stringify(JSON.parse(process.argv[2]).map(one =>
    rowsToRun(rowsOf(one), leftOutOf(rowsOf(one), one.conf || {})).map(row => row.id))));
"""


@pytest.fixture(scope="module")
def in_javascript():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed (Debian: apt-get install nodejs)")
    bundle = Path(ui.__file__).with_name("static") / "pyrunner.js"
    command = [node, "--input-type=module", "-e", SCRIPT, str(bundle), json.dumps(CASES)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(zip((case["name"] for case in CASES), json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
class TestTheRule:
    def test_in_python(self, case):
        graph = {row: parents for row, parents, _ in case["rows"]}
        left_out = left_out_of(graph, graph, case.get("conf", {}))
        assert rows_to_run([(row, state) for row, _, state in case["rows"]], left_out) == case["again"]

    def test_in_javascript(self, case, in_javascript):
        assert in_javascript[case["name"]] == case["again"]


@pytest.mark.parametrize(
    ("version", "more"),
    [
        ("3.3.2", {}),
        ("3.4.0b2", {"keep_task_state": True}),
        ("3.10.0", {"keep_task_state": True}),
        ("4.0.0", {"keep_task_state": True}),
    ],
)
def test_the_request_clears_these_tasks_alone_and_keeps_what_they_wrote(version, more):
    assert clear_request("night", ["2_load", "4_close"], version) == {
        "dag_run_id": "night",
        "task_ids": ["2_load", "4_close"],
        "dry_run": False,
        "only_failed": False,
        "prevent_running_task": True,
        **more,
    }
