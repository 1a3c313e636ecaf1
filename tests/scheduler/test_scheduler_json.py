"""A list in JSON, PyRunner's other format, on a real Airflow."""

from __future__ import annotations

import pytest

from tests.scheduler.apps import IMPORTS, NOTES, Apps

pytestmark = pytest.mark.slow

TASKS = """
{
  "tasks": {
    "Start": {"module": "workers", "worker": "Start", "logfile": "$ENV{APP_ROOT_DIR}/start.log"},
    "Load Table": {
      "dependencies": ["Start"],
      "module": "workers",
      "worker": "Load",
      "arguments": ["a,b", "{{ run_id }}", 7],
      "max_attempts": 2
    },
    "Count": {
      "dependencies": ["Load Table"],
      "module": "pyrunner",
      "worker": "ShellWorker",
      "arguments": ["echo a, b"]
    },
    "Sleep": {"module": "workers", "worker": "Sleep", "timeout": 1}
  }
}
"""
WORKERS = """
import threading

class Start(Worker):
    def run(self):
        self.context["day"] = "monday"

class Load(Worker):
    def run(self):
        note(self.context["day"], self.argv)
        return self.airflow["ti"].try_number % 2

class Sleep(Worker):
    def run(self):
        threading.Event().wait()
"""


def test_its_tasks_run_as_rows_do(apps: Apps):
    parts = {"config/of_json.json": TASKS, "workers/workers.py": IMPORTS + WORKERS, "workers/notes.py": NOTES}
    app = apps.add_folder("of_json", parts)
    app.write("package.json", '{"tasks": {"build": {}}}')
    run = app.trigger().finish()
    assert run.states() == {
        "1_start": "success",
        "2_load_table": "success",
        "3_count": "success",
        "4_sleep": "failed",
    }
    assert app.notes() == [["monday", ["a,b", run.run_id, "7"]]] * 2
    assert (app.path / "start.log").exists()
    assert "a, b" in run.log("3_count")
