"""Takes the pictures of docs/images, from a real Airflow and a terminal, and writes down what they show."""

import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import FloatRect, Locator, Page
from rich.console import Console
from rich.text import Text

from scripts.chromium import MISSING, chromium, find_chromium
from scripts.local_airflow import BIN, LocalAirflow
from scripts.sample_data_server import SampleDataServer

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
SHOWN = IMAGES / "shown.json"
"""What each picture shows, line by line: tests compare it with what is to be seen today."""
DAG = "my_sample_app"
SAMPLE = ROOT / "example_lst" / DAG
HOME = Path("/tmp/airflow")
"""Where this Airflow is: one of the pictures shows it."""
FAILED, DONE = "monday", "tuesday"
"""The runs in the pictures: in the first, row 3 fails."""

TIMEOUT = 240
"""Seconds that a run may take."""

NAME = "load_orders"
LIST = """\
#ID|PARENT_IDS|MAX_ATTEMPTS|RETRY_WAIT_TIME|PROCESS_NAME|MODULE_NAME|WORKER_NAME|ARGUMENTS
1|-1|1|0|Make Folders|pyrunner|ShellWorker|mkdir -p landing reports
2|1|1|0|Count Orders|pyrunner|ShellWorker|wc -l landing/orders.csv
3|1|1|0|Clean Up|pyrunner|ShellWorker|rm -f reports/*.tmp
4|2,3|1|0|Report|pyrunner|ShellWorker|date > reports/done
"""
BAD_LIST = LIST.replace("2|1|1|0|", "2|1|one|0|").replace("2,3", "2,5")
TERMINALS = {
    "check": (BAD_LIST, ["pyrunner-airflow check load_orders"]),
    "run": (
        LIST,
        [
            "pyrunner-airflow run load_orders",
            "touch load_orders/landing/orders.csv",
            "pyrunner-airflow run -r load_orders",
        ],
    ),
}
"""Of each picture of a terminal the task list, and what is typed."""

CHANGES = re.compile(
    r"\d{4}-\d\d-\d\d|[A-Z][a-z]{2} \d+, \d{4} \d\d:\d\d|\d\d:\d\d:\d\d([.,]\d+)*|\d+\.\d s"
    r"|\d{16,}|-[0-9a-f]{12}"
)
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
# All rows and the lines between them are drawn, and nothing has moved for half a second.
DRAWN = """
rows => {
  const nodes = [...document.querySelectorAll('.react-flow__node')];
  const edges = document.querySelectorAll('.react-flow__edge');
  const view = document.querySelector('.react-flow__viewport')?.style.transform;
  const seen = JSON.stringify([view, nodes.map(node => node.style.transform), edges.length]);
  if (seen !== window.lastSeen) { window.lastSeen = seen; window.since = Date.now(); }
  return nodes.length >= rows && edges.length > 0 && Date.now() - window.since > 500;
}
"""


class View(NamedTuple):
    """What is to be seen."""

    text: Locator
    """Whose text says what the picture shows."""
    place: FloatRect | None = None
    """What is in the picture; without it, what has the text."""


def graph(page: Page) -> View:
    """Open a run's graph: each row in the colour of its state."""
    page.add_init_script("localStorage.setItem('default_dag_view', '\"graph\"')")
    page.set_viewport_size({"width": 1600, "height": 520})
    page.goto(f"/dags/{DAG}/runs/{FAILED}")
    page.wait_for_function(DRAWN, arg=6)
    return View(page.locator(".react-flow"), {"x": 0, "y": 0, "width": 1600, "height": 520})


def grid(page: Page) -> View:
    """Open the grid: the rows, and beside each its state in the latest runs."""
    page.set_viewport_size({"width": 1300, "height": 770})
    page.goto(f"/dags/{DAG}/runs/{FAILED}")
    page.get_by_text("6 Task Instances").wait_for()
    return View(page.get_by_role("table").last, {"x": 0, "y": 0, "width": 1300, "height": 770})


def trigger_form(page: Page) -> View:
    """Open the form that starts a run, and choose two rows."""
    page.set_viewport_size({"width": 1000, "height": 1300})
    page.goto(f"/dags/{DAG}")
    page.get_by_role("button", name="Trigger").click()
    form = page.locator("[role=dialog][data-state=open]")
    for row in ("2 Download File 1", "3 Download File 2"):
        form.locator("#element_exec_only").get_by_role("combobox").click()
        page.get_by_role("option", name=row).click()
    form.locator("#element_norun").get_by_role("combobox").click()
    form.locator("#element_cvar .view-lines").wait_for()
    return View(form)


def import_error(page: Page) -> View:
    """Open what Airflow says of a list that is no good."""
    page.set_viewport_size({"width": 1300, "height": 800})
    page.goto("/")
    page.get_by_role("button", name="Dag Import Error").click()
    form = page.locator("[role=dialog][data-state=open]")
    form.get_by_text("pyrunner_lst_errors.py").click()
    form.get_by_text("unknown-parent").wait_for()
    return View(form)


def xcoms(page: Page) -> View:
    """Open a task's XCom tab: what it wrote to the context."""
    page.set_viewport_size({"width": 1300, "height": 720})
    page.goto(f"/dags/{DAG}/runs/{FAILED}/tasks/1_start_job_notification/xcom")
    page.get_by_role("cell", name="pyrunner.context", exact=True).wait_for()
    page.get_by_role("button", name="Expand all").click()
    page.get_by_text('"value"').wait_for()
    return View(page.get_by_role("table"), {"x": 332, "y": 56, "width": 968, "height": 650})


def run_page(page: Page) -> View:
    """Open the page of a run that failed."""
    page.set_viewport_size({"width": 1500, "height": 690})
    page.goto(f"/dags/{DAG}/runs/{FAILED}/plugin/pyrunner")
    page.locator(".pyr").get_by_role("table", name="Context").wait_for()
    return View(page.locator(".pyr"), {"x": 0, "y": 0, "width": 1500, "height": 690})


PAGES: Mapping[str, Callable[[Page], View]] = {
    view.__name__: view for view in (graph, grid, trigger_form, import_error, xcoms, run_page)
}


def shown(text: str, home: Path) -> list[str]:
    """Return the lines of what a person sees, less what is different each time."""
    text = text.replace("\xa0", " ").replace(str(home), "~").replace(socket.gethostname(), "HOST")
    return [line.strip() for line in CHANGES.sub("_", text).splitlines() if line.strip()]


def typed(folder: Path, task_list: str, commands: list[str]) -> str:
    """Type commands in a terminal, in an empty folder with a job in it; return all that stands there then."""
    (folder / NAME).mkdir()
    (folder / NAME / f"{NAME}.lst").write_text(task_list)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    env = {
        **ours,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "XDG_STATE_HOME": str(folder / ".local/state"),
        "TERM": "xterm-256color",
        "TTY_INTERACTIVE": "0",  # what moves is left out
    }
    lines = []
    for command in commands:
        # It is a terminal for what it runs.
        shell = ["script", "--quiet", "--command", command, "/dev/null"]
        printed = subprocess.run(shell, cwd=folder, env=env, stdout=subprocess.PIPE, text=True, check=False)
        lines += [f"\x1b[1m$ {command}\x1b[0m", *printed.stdout.splitlines(), ""]
    return "\n".join(lines[:-1]).replace(str(folder), "/home/me")


def plain(text: str) -> str:
    """Return what a terminal shows, without its colours."""
    return Text.from_ansi(text).plain


def draw(name: str, text: str) -> None:
    """Draw what a terminal shows."""
    console = Console(record=True, width=96, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text))
    svg = console.export_svg(title="", unique_id=name)
    (IMAGES / f"{name}.svg").write_text(FONTS.sub("", svg))  # nothing is loaded from elsewhere


def add_jobs(airflow: LocalAirflow) -> None:
    """Put the sample job into the dags folder, and a list that is no good."""
    airflow.add(SAMPLE)
    with tempfile.TemporaryDirectory() as folder:
        bad = Path(folder, NAME)
        bad.mkdir()
        (bad / f"{NAME}.lst").write_text(BAD_LIST)
        airflow.add(bad)


def make_runs(airflow: LocalAirflow) -> None:
    """Run the sample job twice."""
    airflow.wait_for_dag(DAG, timeout=TIMEOUT)
    airflow.unpause(DAG)
    for run in (FAILED, DONE):
        airflow.api("POST", "dags", DAG, "dagRuns", json={"dag_run_id": run, "logical_date": None})
        airflow.wait_for_run(DAG, run, TIMEOUT)


def take_pages(command: str) -> dict[str, list[str]]:
    """Take the pictures of Airflow, and return what each shows."""
    seen = {}
    with SampleDataServer(SAMPLE / "data", fail_once=["/data2.csv"]) as server:
        airflow = LocalAirflow(HOME, env={"SAMPLE_DATA_URL": server.url})
        airflow.empty()
        for loader in (ROOT / "dags").glob("*.py"):
            airflow.add(loader)
        add_jobs(airflow)
        with airflow, chromium(command) as browser:
            make_runs(airflow)
            for name, view in PAGES.items():
                page = browser.new_page(base_url=airflow.url)
                text, place = view(page)
                seen[name] = shown(text.inner_text(), HOME)
                path = IMAGES / f"{name}.png"
                page.screenshot(path=path, clip=place) if place else text.screenshot(path=path)
                page.close()
    return seen


def main() -> int:
    """Write the pictures; 1 where there is no Chromium."""
    command = find_chromium()
    if command is None:
        print(MISSING, file=sys.stderr)
        return 1
    seen = {}
    for name, (task_list, commands) in TERMINALS.items():
        with tempfile.TemporaryDirectory() as folder:
            text = typed(Path(folder), task_list, commands)
        draw(name, text)
        seen[name] = shown(plain(text), HOME)
    seen |= take_pages(command)
    SHOWN.write_text(json.dumps(seen, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
