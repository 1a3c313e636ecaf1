"""Runs the sample job in a real Airflow: a download fails, the run is restarted, and what is missing runs.

Everything that is promised is looked at, and the exit code says whether all of it was seen.
"""

import sqlite3
import sys
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from shlex import join
from typing import Any

import pyarrow.parquet
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from scripts.airflow_api import FINISHED, LocalAirflowError
from scripts.local_airflow import LocalAirflow
from scripts.sample_data_server import SampleDataServer

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".airflow" / "demo"
APP = ROOT / "example_lst" / "my_sample_app"
OUTPUT = HOME / "output"
DATABASE = OUTPUT / "orders.sqlite"
DAG, RUN = "my_sample_app", "demo"

# By row ID. A row below the failed one does not run; the one beside it does.
AFTER_FAILURE = {
    1: "success",
    2: "success",
    3: "failed",
    4: "success",
    5: "upstream_failed",
    6: "upstream_failed",
}
RAN_AGAIN = {3, 5, 6}
COLOURS = {"success": "green", "failed": "red", "upstream_failed": "yellow", "running": "cyan"}

Row = dict[str, Any]
Rows = dict[int, Row]


class Demo:
    """One run of the demo: what it prints, and what it has seen of what it promised."""

    def __init__(self, airflow: LocalAirflow, server: SampleDataServer, console: Console) -> None:
        self.airflow = airflow
        self.server = server
        self.console = console
        self.broken: list[str] = []

    def play(self) -> None:
        """Trigger, fail, restart, succeed, and look at all of it."""
        self.airflow.wait_for_dag(DAG)
        self.type("dags", "unpause", "-y", DAG)
        self.type("dags", "trigger", "--run-id", RUN, DAG)
        self.expect(self.watch() == "failed", "The run fails: the server answers one download with 500")
        first = self.rows()
        self.expect(
            {row: ti["state"] for row, ti in first.items()} == AFTER_FAILURE,
            "Row 3 failed, rows 5 and 6 below it did not run, row 4 beside it did",
        )
        self.type("pyrunner", "restart", DAG, RUN)
        self.expect(self.watch(first) == "success", "Restarted, the run succeeds")
        second = self.rows()
        again = {row for row in second if second[row]["start_date"] != first.get(row, {}).get("start_date")}
        self.expect(again == RAN_AGAIN, "Only rows 3, 5, and 6 ran again")
        self.expect(
            all(ti["state"] == "success" for ti in second.values()) and len(second) == len(AFTER_FAILURE),
            "All six rows succeeded",
        )
        self.show_rows(second, again)
        self.check_results(self.show_context(second))

    def type(self, *args: str) -> None:
        """Show an airflow command and run it."""
        self.console.print()
        show_command(self.console, f"airflow {join(args)}")
        with self.console.status("..."):
            self.airflow.cli(*args)

    def expect(self, seen: bool, promise: str) -> None:
        """Say whether a promise was seen to hold."""
        self.console.print(f"[green]seen[/green]    {promise}" if seen else f"[red]NOT SEEN[/red] {promise}")
        if not seen:
            self.broken.append(promise)

    def rows(self) -> Rows:
        """Return the run's task instances by the ID of their row in the list."""
        instances = self.airflow.task_instances(DAG, RUN)
        return dict(sorted((int(task.partition("_")[0]), ti) for task, ti in instances.items()))

    def watch(self, known: Rows | None = None) -> str:
        """Print each change of a row's state until the run is finished, and return its state."""
        shown = {row: ti["state"] for row, ti in (known or {}).items()}

        def finished() -> str | None:
            for row, ti in self.rows().items():
                state = ti["state"]
                if state in COLOURS and shown.get(row) != state:
                    line = f"{ti['task_display_name']:26} [{COLOURS[state]}]{state}[/]"
                    self.console.print(line, highlight=False)
                shown[row] = state
            run = str(self.airflow.run(DAG, RUN)["state"])
            return run if run in FINISHED else None

        with self.console.status("The run is going"):
            return self.airflow.wait(finished, "the run to finish", 300)

    def show_rows(self, rows: Rows, again: set[int]) -> None:
        """Print a table of the rows as they ended."""
        table = new_table("The run", "Row", "State", "Tries", "Start", "Secs", "Restart")
        for row, ti in rows.items():
            tries = self.airflow.tries(DAG, RUN, ti["task_id"])
            table.add_row(
                ti["task_display_name"],
                f"[{COLOURS.get(ti['state'], 'red')}]{ti['state']}[/]",
                str(sum(attempt["state"] in FINISHED for attempt in tries)),
                local_time(ti["start_date"]),
                f"{ti['duration'] or 0:.1f}",
                "ran" if row in again else "kept",
            )
        self.console.print()
        self.console.print(table)

    def show_context(self, rows: Rows) -> Row:
        """Print and return what the rows left in self.context: XComs, whose internal ones are left out."""
        table = new_table("The context (XComs)", "Written by", "Key", "Value")
        context: Row = {}
        for ti in rows.values():
            for key, value in self.airflow.xcoms(DAG, RUN, ti["task_id"]).items():
                if not key.startswith("pyrunner."):
                    table.add_row(ti["task_id"], key, repr(value))
                    context[key] = value
        self.console.print(table)
        return context

    def check_results(self, context: Row) -> None:
        """Look at what the job was for, and say where it is."""
        extracts = sorted((OUTPUT / "data").glob("extract_*.parquet"))
        records = sum(pyarrow.parquet.read_metadata(path).num_rows for path in extracts)
        self.expect(len(extracts) == 1 and records > 0, f"The Parquet file has {records} records")
        self.expect(
            [path.name for path in extracts] == [f"extract_{context.get('run_date_str')}.parquet"],
            "Row 5 named it by what row 1 left in the context",
        )
        loaded = count_orders()
        self.expect(loaded > 0, f"The database table has {loaded} rows")
        downloads = [(path, status) for method, path, status in self.server.requests if method == "GET"]
        self.expect(
            sorted(downloads) == [("/data1.csv", 200), ("/data2.csv", 200), ("/data2.csv", 500)],
            "File 1 was downloaded once, file 2 again after it failed",
        )
        starts = [message.split()[0] for message in self.server.messages]
        self.expect(starts == ["Starting", "Successfully"], "One message at the start, one at the end")
        logfiles = sorted((self.airflow.dags_folder / APP.name / "logs").glob("*/*.log"))
        self.expect(
            len(logfiles) == len(AFTER_FAILURE) and all(path.stat().st_size for path in logfiles),
            "Each row wrote its LOGFILE",
        )
        places: dict[str, list[Path | str]] = {
            "Parquet file": [*extracts],
            "Database": [f"{DATABASE} (SQLite, table orders)"],
            "LOGFILEs": sorted({path.parent for path in logfiles}),
            "Airflow's logs": [HOME / "logs" / f"dag_id={DAG}" / f"run_id={RUN}"],
        }
        self.console.print()
        for name, paths in places.items():
            for path in paths:
                self.console.print(f"{name:15} {relative(path)}", highlight=False, soft_wrap=True)


def count_orders() -> int:
    """Return how many rows the job loaded."""
    with closing(sqlite3.connect(DATABASE)) as connection:
        tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'orders'")
        if not tables.fetchone()[0]:
            return 0
        return int(connection.execute("SELECT count(*) FROM orders").fetchone()[0])


def show_command(console: Console, command: str) -> None:
    """Print a command as a user would type it, on one line that can be copied."""
    console.print(f"$ {command}", style="bold", markup=False, highlight=False, soft_wrap=True)


def new_table(title: str, *headers: str) -> Table:
    """Make a table that a narrow terminal wraps in its names and values alone."""
    table = Table(title=title, box=SIMPLE_HEAD, show_edge=False, collapse_padding=True, pad_edge=False)
    for header in headers:
        table.add_column(
            header, no_wrap=header in ("Row", "State", "Tries", "Start", "Secs"), overflow="fold"
        )
    return table


def local_time(moment: str | None) -> str:
    """Return the time of day, on the user's clock, of a moment as the REST API tells it."""
    return datetime.fromisoformat(moment).astimezone().strftime("%H:%M:%S") if moment else "-"


def relative(path: Path | str) -> str:
    """Shorten a path below the clone to what a user there would type."""
    return str(path).removeprefix(f"{ROOT}/")


def play(console: Console) -> list[str]:
    """Run the demo in an Airflow that is gone afterwards, and return the promises that were not kept."""
    with SampleDataServer(APP / "data", fail_once=["/data2.csv"]) as server:
        environment = {
            "SAMPLE_DATA_URL": server.url,
            "SAMPLE_SLACK_WEBHOOK_URL": f"{server.url}/slack",
            "SAMPLE_OUTPUT_DIR": str(OUTPUT),
            "SAMPLE_DATABASE_URL": f"sqlite:///{DATABASE}",
        }
        airflow = LocalAirflow(HOME, env=environment)
        airflow.empty()
        OUTPUT.mkdir(parents=True)
        paths = [ROOT / "dags" / "pyrunner_lst.py", ROOT / "dags" / "pyrunner_lst_errors.py", APP]
        for path in paths:
            airflow.add(path)
        sources = join(relative(path) for path in paths)
        show_command(console, f"export AIRFLOW_HOME={relative(HOME)}")
        show_command(console, f"cp -r {sources} $AIRFLOW_HOME/dags/")
        show_command(console, "airflow standalone")
        with console.status("Airflow is starting"):
            airflow.start()
        demo = Demo(airflow, server, console)
        try:
            console.print(f"Airflow is running at {airflow.url}")
            demo.play()
        finally:
            airflow.stop()
        demo.expect(not airflow.processes(), "Airflow has ended, no process is left")
        return demo.broken


def main() -> int:
    """Return 0 where everything promised was seen."""
    console = Console()
    began = time.monotonic()
    try:
        broken = play(console)
    except LocalAirflowError as error:
        console.print(f"The demo broke off: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted. Airflow has been stopped.")
        return 130
    for promise in broken:
        console.print(f"[red]Not seen:[/red] {promise}")
    if not broken:
        seconds = time.monotonic() - began
        console.print(
            f"[green]All of it was seen, in {seconds:.0f} seconds.[/green] Look around: make airflow"
        )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
