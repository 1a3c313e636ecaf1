"""Runs the sample job and takes pictures of Airflow's UI: the job's graph, and the form that starts a run."""

import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page

from scripts.chromium import MISSING, chromium, find_chromium
from scripts.local_airflow import LocalAirflow

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
DAG = "my_sample_app"
# The UI's own settings: graph instead of grid.
SET_UP = """
localStorage.setItem('default_dag_view', '"graph"');
localStorage.setItem('theme', 'light');
"""
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


def run_sample(airflow: LocalAirflow) -> str:
    """Run the sample job to its end and return the run's ID."""
    airflow.wait_for_dag(DAG)
    airflow.unpause(DAG)
    run = airflow.trigger(DAG)
    state = airflow.wait_for_run(DAG, run)
    if state != "success":
        raise RuntimeError(f"The run of the sample ended with {state}: {airflow.states(DAG, run)}")
    return run


def take_graph(page: Page, run: str, rows: int) -> Path:
    """Take the picture of a run's graph."""
    page.set_viewport_size({"width": 1600, "height": 557})
    page.goto(f"/dags/{DAG}/runs/{quote(run, safe='')}")
    page.wait_for_function(DRAWN, arg=rows)
    path = IMAGES / f"{DAG}_graph.png"
    page.screenshot(path=path)
    return path


def take_trigger_form(page: Page) -> Path:
    """Take the picture of the form that starts a run, with two rows chosen."""
    page.set_viewport_size({"width": 1000, "height": 1300})
    page.goto(f"/dags/{DAG}")
    page.get_by_role("button", name="Trigger").click()
    form = page.locator("[role=dialog][data-state=open]")
    for row in ("2 Download File 1", "3 Download File 2"):
        form.locator("#element_exec_only").get_by_role("combobox").click()
        page.get_by_role("option", name=row).click()
    form.locator("#element_norun").get_by_role("combobox").click()
    form.locator("#element_cvar .view-lines").wait_for()
    path = IMAGES / f"{DAG}_trigger_form.png"
    form.screenshot(path=path)
    return path


def main() -> int:
    """Write the pictures; 1 where there is no Chromium."""
    command = find_chromium()
    if command is None:
        print(MISSING, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        airflow = LocalAirflow(Path(home))
        for path in (*sorted((ROOT / "dags").glob("*.py")), ROOT / "example_lst" / DAG):
            airflow.add(path)
        with airflow, chromium(command) as browser:
            run = run_sample(airflow)
            page = browser.new_page(base_url=airflow.url)
            page.add_init_script(SET_UP)
            for image in (take_graph(page, run, len(airflow.tasks(DAG))), take_trigger_form(page)):
                print(image.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
