"""Follows docs/moving.md and docs/night.md: PyRunner's jobs move into Airflow, where one of them fails."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pyrunner_airflow import parse_lst
from tests.scheduler.apps import TIMEOUT, Run

if TYPE_CHECKING:
    from tests.test_readme import Reader

Step = Callable[["Reader", str], None]

PAGE = Path(__file__).parents[1] / "docs" / "moving.md"
NIGHT = "night"
BERLIN = ZoneInfo("Europe/Berlin")
BILLING_ROWS = """\
1|-1 |1|0|Find Day     |workers|FindDay|       |$ENV{APP_LOG_DIR}/find_day.log
2|1  |1|0|Load Orders  |workers|Load   |orders |$ENV{APP_LOG_DIR}/load_orders.log
3|1  |1|0|Load Refunds |workers|Load   |refunds|$ENV{APP_LOG_DIR}/load_refunds.log
4|2,3|1|0|Close Books  |workers|Close  |       |$ENV{APP_LOG_DIR}/close_books.log
5|4  |1|0|Send Report  |workers|Report |       |$ENV{APP_LOG_DIR}/send_report.log
"""
# What it is told by files in the app's folder, which is where it works.
BILLING_WORKERS = """\
import os
import time
from datetime import date
from pathlib import Path

from pyrunner import Worker


class FindDay(Worker):
    def run(self):
        self.context["day"] = Path("day").read_text()


class Load(Worker):
    def run(self):
        (what,) = self.argv
        while Path(f"{what} hang").exists():
            Path(f"{what} hangs").touch()
            time.sleep(0.1)
        if Path(f"{what} fail").exists():
            raise OSError(f"no {what}")

    def on_exit(self):
        print("cleaned up")


class Close(Worker):
    def run(self):
        print("books of", date.fromisoformat(self.context["day"]), self.context["currency"])


class Report(Worker):
    def run(self):
        print("the old report")
"""
OTHER_ROWS = """\
1|-1|1|0|Load  |workers|Load  ||$ENV{APP_LOG_DIR}/load.log
2|1 |1|0|Report|workers|Report||$ENV{APP_LOG_DIR}/report.log
"""
OTHER_WORKERS = """\
import os

from pyrunner import Worker


class Load(Worker):
    def run(self):
        print("region", os.environ.get("REGION"), "currency", self.context.get("currency"))


class Report(Worker):
    def run(self):
        pass
"""


# Asks PyRunner's own reading of its command line, without the job around it, about several command lines.
ASK_PYRUNNER = """
import contextlib, io, json, sys, types
from pyrunner.core.config import Config
from pyrunner.core.pyrunner import PyRunner
Config.source_config_file = lambda self, path: None

def takes(options):
    app = PyRunner.__new__(PyRunner)
    app.config = Config()
    app.config["config_file"] = "app_profile"
    app.engine = types.SimpleNamespace(context=types.SimpleNamespace())
    app.signal_handler = types.SimpleNamespace(emit=lambda signal: None)
    app.is_restartable = lambda: True
    sys.argv[1:] = options
    try:
        app.parse_args()
    except SystemExit as end:
        return not end.code
    except Exception:
        return False
    return True

lines = json.loads(sys.argv[1])
with contextlib.redirect_stdout(io.StringIO()):
    taken = [takes(options) for options in lines]
print(json.dumps(taken))
"""


def pyrunner_takes(lines: Sequence[Sequence[str]]) -> list[bool]:
    """Say of each command line's options whether PyRunner takes them."""
    done = subprocess.run(
        [sys.executable, "-c", ASK_PYRUNNER, json.dumps(lines)], check=True, capture_output=True, text=True
    )
    taken: list[bool] = json.loads(done.stdout)
    return taken


# Getting there


def copy_jobs(reader: Reader, line: str) -> None:
    """Make the jobs as PyRunner's own setup does, where the page has them, and copy them."""
    jobs = reader.clone.with_name("srv") / "jobs"
    jobs.mkdir(parents=True)
    for name in ("billing", "feeds", "stock"):
        _set_up(jobs, name)
    files = {
        "billing/config/billing.lst": BILLING_ROWS,
        "billing/config/close_month.lst": BILLING_ROWS.splitlines()[0],
        "billing/workers/workers.py": BILLING_WORKERS,
        "billing/day": "2026-01-31",
    }
    for name in ("feeds", "stock"):
        files[f"{name}/config/{name}.lst"] = OTHER_ROWS
        files[f"{name}/workers/workers.py"] = OTHER_WORKERS
    for relative, text in files.items():
        (jobs / relative).write_text(text)
    reader.run(line.replace("/srv/jobs", str(jobs)))


def _set_up(jobs: Path, name: str) -> None:
    setup = "from pyrunner.cli import main; main()"
    subprocess.run(
        [sys.executable, "-c", setup, "--setup"], input=f"{name}\n{jobs}\n\n", text=True, check=True
    )


def read_crontab(reader: Reader, block: str) -> None:
    """See that it is one: its schedules are, PyRunner takes the options, and cron could start the drivers."""
    jobs = reader.clone.with_name("srv") / "jobs"
    for schedule, command in crontab(block):
        parse_lst(f'#AIRFLOW schedule = "{schedule}"\n1|-1|1|0|Load|workers|Load')
        words = shlex.split(command.partition(">>")[0])
        driver = Path(words[0].replace("/srv/jobs", str(jobs)))
        assert driver == Path("pyrunner") or os.access(driver, os.X_OK)
        assert pyrunner_takes([words[1:]]) == [True]


def crontab(block: str) -> list[tuple[str, str]]:
    """Return the schedule and the command of each line."""
    lines = [line for line in block.splitlines() if line and not re.match(r"\w+=", line)]
    return [(" ".join(parts[:5]), parts[5]) for parts in (line.split(None, 5) for line in lines)]


def migrate(reader: Reader, line: str) -> None:
    """Let it read the crontab of the page, though the apps do not lie where that says."""
    jobs = reader.clone.with_name("srv") / "jobs"
    (reader.clone / "crontab.txt").write_text(*_blocks("crontab"))
    printed = reader.run(line.replace("/srv/jobs", str(jobs)))
    for block in _blocks("python"):
        if "TriggerDagRunOperator" in block:
            assert f"stock_2.py, for the dags folder:\n\n{block}" in printed
    (report,) = (block for block in _blocks("") if block.startswith("crontab.txt:8: "))
    assert report in printed


def compare_with_migrate(reader: Reader, block: str) -> None:
    """What is quoted of the report stands in it: `migrate` and tests/cli/test_cli_migrate.py see to that."""


def write_options(reader: Reader, block: str) -> None:
    """Every line of the crontab has its counterpart, except the second one for a list."""
    assert (reader.airflow.dags_folder / "jobs" / "pyrunner.toml").read_text() == block
    schedules: dict[str, str] = {}
    for schedule, command in crontab(*_blocks("crontab")):
        (name,) = re.findall(r"(\w+)\.(?:py|lst)\b", command.rpartition("-l ")[2])
        schedules.setdefault(name, schedule)
    assert {name for name in tomllib.loads(block) if name != "pyrunner"} == {f"{n}.lst" for n in schedules}
    for name, schedule in schedules.items():
        dag = reader.airflow.wait_for_dag(
            name, lambda dag, expected=schedule: dag["timetable_summary"] == expected, TIMEOUT
        )
        assert dag["is_paused"]
    assert reader.airflow.dag("feeds")["max_active_tasks"] == 4
    due = datetime.fromisoformat(reader.airflow.dag("close_month")["next_dagrun_run_after"])
    assert f"{due.astimezone(BERLIN):%d %H:%M}" == "01 07:00"


def add_second_line(reader: Reader, block: str) -> None:
    """Unpausing makes up for one run that cron has done already: the list's own, and the Saturday's."""
    (reader.airflow.dags_folder / "stock_2.py").write_text(block)
    for dag_id in ("stock", "stock_2"):
        reader.airflow.wait_for_dag(dag_id, timeout=TIMEOUT)
        reader.airflow.unpause(dag_id)
    in_part = reader.airflow.wait(lambda: _runs(reader, "stock", "operator_triggered"), "its run", TIMEOUT)
    assert reader.airflow.wait_for_run("stock", in_part[0], TIMEOUT) == "success"
    assert reader.airflow.states("stock", in_part[0]) == {"1_load": "success", "2_report": "skipped"}
    assert len(_runs(reader, "stock", "scheduled")) == 1


def _runs(reader: Reader, dag_id: str, kind: str = "") -> list[str]:
    runs = reader.airflow.api("GET", "dags", dag_id, "dagRuns")["dag_runs"]
    return [run["dag_run_id"] for run in runs if kind in run["run_type"]]


def run_driver(reader: Reader, block: str) -> None:
    """Run it under PyRunner, where it came from."""
    app = reader.clone.with_name("srv") / "jobs" / "billing"
    (app / "billing.py").write_text(block)
    # A second would pass between one look at the workers and the next.
    printed = reader.run(f"cd {app} && {sys.executable} billing.py", APP_TICKRATE="100")
    assert "Final Status: SUCCESS" in printed
    assert "billing failed" not in printed


def write_values(reader: Reader, block: str) -> None:
    options = reader.airflow.dags_folder / "jobs" / "pyrunner.toml"
    before = options.read_text()
    table = block.partition("max_active_tasks")[0]
    assert table in before
    options.write_text(before.replace(table, f"{block}\n"))


def write_driver_dag(reader: Reader, block: str) -> None:
    (reader.airflow.dags_folder / "billing_dag.py").write_text(block)


def leave_list_to_driver_dag(reader: Reader, line: str) -> None:
    reader.run(line)
    dag = reader.airflow.wait_for_dag(
        "billing", lambda dag: dag["relative_fileloc"] == "billing_dag.py", TIMEOUT
    )
    assert (dag["max_active_tasks"], dag["timetable_summary"]) == (2, "30 2 * * *")
    assert list(reader.airflow.tasks("billing"))[-1] == "archive"


def parse_row(reader: Reader, block: str) -> None:
    assert parse_lst(f"3|-1|1|0|Load|workers|Load\n{block}").warnings == ()


def read_password(reader: Reader, block: str) -> None:
    """Ask PyRunner's worker for it; Airflow's has no Connection yet."""
    workers = reader.airflow.dags_folder / "jobs" / "stock" / "workers"
    (workers / "workers.py").write_text(f"{block}\n\nclass Report(Load):\n    pass\n")
    ask = "from workers import *; print(password(Load({}, None, [])))"
    assert reader.run(f"cd {workers} && {sys.executable} -c {ask!r}", BILLING_DB_PASSWORD="old") == "old\n"


def make_pool(reader: Reader, line: str) -> None:
    reader.run_airflow(line)
    assert reader.airflow.api("GET", "pools", "mysql")["slots"] == 1


def add_mail(reader: Reader, line: str) -> None:
    reader.run_airflow(line.replace("$SMTP_PASSWORD", "8-secret"))
    mail = reader.airflow.api("GET", "connections", "smtp_default")
    assert (mail["host"], mail["port"], mail["login"]) == ("mail.example.com", 465, "airflow")


def add_connection(reader: Reader, line: str) -> None:
    reader.run_airflow(line.replace("$NEW_PASSWORD", "7-secret"))
    run = Run(reader.airflow, "stock", reader.airflow.trigger("stock")).finish()
    assert run.state == "success"
    assert "the password has 8 characters" in run.log("1_load")


# Switching over


def try_out(reader: Reader, line: str) -> None:
    reader.run_airflow(line)
    assert reader.airflow.dag("billing")["is_paused"]
    (run_id,) = _runs(reader, "billing")
    assert set(reader.airflow.states("billing", run_id).values()) == {"success"}


def hand_over(reader: Reader, block: str) -> None:
    """Take this moment for the one that is written there."""
    now = datetime.now(BERLIN)
    options = reader.airflow.dags_folder / "jobs" / "pyrunner.toml"
    table = block.partition("start_date")[0]
    assert table in options.read_text()
    moved = re.sub(r"(?m)^start_date = .*", f"start_date = {now:%Y-%m-%dT%H:%M:%S}", block)
    options.write_text(options.read_text().replace(table, moved))
    reader.airflow.wait_for_dag("billing", lambda dag: dag["start_date"] >= f"{now.year}", TIMEOUT)


def pause(reader: Reader, line: str) -> None:
    reader.run_airflow(line)
    assert reader.airflow.dag("billing")["is_paused"]


# At three in the morning


def see_failure(reader: Reader, line: str) -> None:
    """Let both downloads fail, after the first row has given them a day that is none."""
    _tell(reader, "day", "31.01.2026")
    _tell(reader, "orders fail")
    _tell(reader, "refunds fail")
    reader.airflow.unpause("billing")
    night = {"dag_run_id": NIGHT, "logical_date": None}
    reader.airflow.api("POST", "dags", "billing", "dagRuns", json=night)
    assert reader.airflow.wait_for_run("billing", NIGHT, TIMEOUT) == "failed"
    assert NIGHT in reader.run_airflow(line)
    assert _runs(reader, "billing", "scheduled") == []  # nothing is made up for after the handover


def _tell(reader: Reader, name: str, text: str = "") -> None:
    (_app(reader) / name).write_text(text)


def _mend(reader: Reader, *names: str) -> None:
    for name in names:
        (_app(reader) / name).unlink(missing_ok=True)


def _app(reader: Reader) -> Path:
    return reader.airflow.dags_folder / "jobs" / "billing"


def see_states(reader: Reader, line: str) -> None:
    printed = reader.run_airflow(line)
    states = {task: state for task, state in re.findall(r"(\w+) +\| (\w+) ", printed)}
    assert (states["2_load_orders"], states["5_send_report"]) == ("failed", "upstream_failed")


def restart(reader: Reader, line: str) -> None:
    """What succeeded is left alone; all else runs, or would if its parents were well."""
    _mend(reader, "orders fail")
    before = reader.airflow.task_instances("billing", NIGHT)
    reader.run_airflow(line)
    _finish(reader)
    after = reader.airflow.task_instances("billing", NIGHT)
    kept = {task for task in before if before[task]["start_date"] == after[task]["start_date"]}
    done = {task for task, ti in before.items() if ti["state"] in ("success", "skipped")}
    assert done <= kept
    assert after["2_load_orders"]["state"] == "success"
    assert {task for task, ti in before.items() if ti["state"] == "failed"}.isdisjoint(kept)


def _finish(reader: Reader) -> str:
    return reader.airflow.wait_for_run("billing", NIGHT, TIMEOUT)


def _states(reader: Reader) -> dict[str, str | None]:
    return {task[0]: state for task, state in reader.airflow.states("billing", NIGHT).items()}


def repair_value(reader: Reader, line: str) -> None:
    _mark(reader, "3_load_refunds", "success")
    reader.run_airflow(line)
    assert reader.airflow.xcoms("billing", NIGHT, "1_find_day")["day"] == "2026-01-31"


def _mark(reader: Reader, task: str, state: str) -> None:
    """Go on without a row, as the page says for the UI."""
    reader.airflow.set_task_state("billing", NIGHT, task, state)
    assert _finish(reader) == "failed"
    assert _states(reader) == {
        "1": "success",
        "2": "success",
        "3": "success",
        "4": "failed",  # it has been run: the day is wrong
        "5": "upstream_failed",
        "a": "upstream_failed",
    }


def run_rest_elsewhere(reader: Reader, line: str) -> None:
    assert _finish(reader) == "success"  # the value was right when the failed row was cleared
    assert "books of 2026-01-31 EUR" in Run(reader.airflow, "billing", NIGHT).log("4_close_books", 2)
    reader.run_airflow(line)
    assert reader.airflow.wait_for_run("billing", "night-2", TIMEOUT) == "success"
    states = reader.airflow.states("billing", "night-2")
    assert sorted(task[0] for task, state in states.items() if state == "skipped") == ["1", "2", "3"]


def run_new_code(reader: Reader, line: str) -> None:
    workers = _app(reader) / "workers" / "workers.py"
    workers.write_text(workers.read_text().replace("the old report", "the new report"))
    reader.run_airflow(line)
    assert _finish(reader) == "success"
    run = Run(reader.airflow, "billing", NIGHT)
    assert "the new report" in run.log("5_send_report", run.attempts()["5_send_report"])


def _abort(reader: Reader) -> None:
    """Mark the run failed, as the page says for the UI."""
    _mend(reader, "refunds fail")
    for what in ("orders", "refunds"):
        _tell(reader, f"{what} hang")
    loads = ["2_load_orders", "3_load_refunds"]
    reader.airflow.clear("billing", NIGHT, loads, only_failed=False, include_downstream=True)
    run = Run(reader.airflow, "billing", NIGHT)
    for what in ("orders", "refunds"):
        started = _app(reader) / f"{what} hangs"
        reader.airflow.wait(started.exists, f"{started} to be there", TIMEOUT)
    reader.airflow.api("PATCH", "dags", "billing", "dagRuns", NIGHT, json={"state": "failed"})
    for task in loads:
        attempt = run.attempts()[task]
        reader.airflow.wait(
            lambda task=task, attempt=attempt: "cleaned up" in run.log(task, attempt), "on_exit", TIMEOUT
        )
    states = _states(reader)
    assert [states[row] for row in "12345a"] == ["success", *["failed"] * 2, *["skipped"] * 3]


def go_on_after_abort(reader: Reader, line: str) -> None:
    _abort(reader)
    _mend(reader, "orders hang", "refunds hang")
    reader.run_airflow(line)
    assert _finish(reader) == "success"
    assert set(_states(reader).values()) == {"success"}


def start_over(reader: Reader, line: str) -> None:
    _tell(reader, "day", "2026-01-31")
    before = reader.airflow.task_instances("billing", NIGHT)
    reader.run_airflow(line)
    assert _finish(reader) == "success"
    after = reader.airflow.task_instances("billing", NIGHT)
    assert [task for task in after if after[task]["start_date"] == before[task]["start_date"]] == []


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


# A block's language, how its text (of a console, each line) begins, and who takes care of it; without Airflow
QUICK: list[tuple[str, str, Step]] = [
    ("console", r"\$ cp -r /srv/jobs ", copy_jobs),
    ("crontab", r"", read_crontab),
    ("console", r"\$ pyrunner-airflow migrate ", migrate),
    ("", r"(crontab\.txt:8: |billing/billing\.py\n)", compare_with_migrate),
    ("lst", r"", parse_row),
]
IN_AIRFLOW: list[tuple[str, str, Step]] = [
    ("toml", r"\[pyrunner\]", write_options),
    ("python", r"(?s).*\bTriggerDagRunOperator\(", add_second_line),
    ("python", r"(?s).*\bPyRunner\(", run_driver),
    ("toml", r"(?s)\[\"billing.lst\"\].*\ncvar = ", write_values),
    ("python", r"(?s).*\bon_failure_callback=", write_driver_dag),
    ("console", r"\$ echo \S+\.lst >> ", leave_list_to_driver_dag),
    ("python", r"(?s).*\"billing_db\"", read_password),
    ("console", r"\$ airflow connections add billing_db ", add_connection),
    ("console", r"\$ airflow pools set mysql 1 ", make_pool),
    ("console", r"\$ airflow connections add smtp_default ", add_mail),
    ("console", r"\$ airflow dags test billing$", try_out),
    ("toml", r"\[\"billing.lst\"\]", hand_over),
    ("console", r"\$ airflow dags pause -y billing$", pause),
    ("console", r"\$ airflow dags list-runs --state failed billing$", see_failure),
    ("console", r"\$ airflow tasks states-for-dag-run billing night$", see_states),
    ("console", r"\$ airflow pyrunner restart billing night$", restart),
    ("console", r"\$ airflow dags clear --run-id night --only-failed -y billing$", restart),
    ("console", r"\$ airflow pyrunner context --set day=", repair_value),
    ("console", r"\$ airflow dags trigger --run-id night-2 ", run_rest_elsewhere),
    ("console", r"\$ airflow pyrunner restart --from 5 billing night$", run_new_code),
    ("console", r"\$ airflow pyrunner restart --wait billing night$", go_on_after_abort),
    ("console", r"\$ airflow dags clear --run-id night -y billing$", start_over),
]
