"""Runs the sample job and takes a picture of its graph in Airflow's UI, with Chromium."""

import base64
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from websockets.sync.client import ClientConnection, connect

from scripts.local_airflow import LocalAirflow

ROOT = Path(__file__).resolve().parents[1]
IMAGE = ROOT / "docs" / "images" / "my_sample_app_graph.png"
DAG = "my_sample_app"
WIDTH, HEIGHT = 1600, 700
FLAGS = (
    "--headless",
    "--no-sandbox",  # Chromium refuses to run as root with it
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    f"--window-size={WIDTH},{HEIGHT}",
)
# The UI's own settings: graph instead of grid.
SET_UP = """
localStorage.setItem('default_dag_view', '"graph"');
localStorage.setItem('theme', 'light');
"""
# All rows and the lines between them are drawn, and nothing has moved for half a second.
DRAWN = """
(() => {
  const nodes = [...document.querySelectorAll('.react-flow__node')];
  const edges = document.querySelectorAll('.react-flow__edge');
  const view = document.querySelector('.react-flow__viewport')?.style.transform;
  const seen = JSON.stringify([view, nodes.map(node => node.style.transform), edges.length]);
  if (seen !== window.lastSeen) { window.lastSeen = seen; window.since = Date.now(); }
  return nodes.length >= %d && edges.length > 0 && Date.now() - window.since > 500;
})()
"""


class Page:
    """A page of a headless Chromium, driven over its DevTools protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._calls = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a DevTools method and return its answer; what comes in between are events."""
        self._calls += 1
        self._socket.send(json.dumps({"id": self._calls, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv(timeout=30))).get("id") != self._calls:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def wait(self, expression: str, timeout: float = 60) -> None:
        """Wait until the JavaScript expression is true."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.call("Runtime.evaluate", expression=expression)["result"].get("value"):
                return
            time.sleep(0.1)
        raise RuntimeError(f"After {timeout:.0f} s the page still is not ready: {expression}")

    def picture(self) -> bytes:
        """Return what the page shows, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextmanager
def chromium(command: str) -> Iterator[Page]:
    """Start a Chromium with a profile of its own and yield its page."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [command, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(page_address(Path(profile), process), max_size=None, proxy=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()
            process.wait(timeout=30)


def page_address(profile: Path, process: subprocess.Popen[bytes], timeout: float = 30) -> str:
    """Return the WebSocket address of the first page, as soon as Chromium has written its port down."""
    deadline = time.monotonic() + timeout
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(FileNotFoundError, IndexError, StopIteration, httpx.TransportError):
            port = (profile / "DevToolsActivePort").read_text().splitlines()[0]
            targets = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
            return next(str(target["webSocketDebuggerUrl"]) for target in targets if target["type"] == "page")
        time.sleep(0.1)
    raise RuntimeError("Chromium did not start")


def run_sample(airflow: LocalAirflow) -> str:
    """Run the sample job to its end and return the address of the run's page."""
    airflow.wait_for_dag(DAG)
    airflow.unpause(DAG)
    run = airflow.trigger(DAG)
    state = airflow.wait_for_run(DAG, run)
    if state != "success":
        raise RuntimeError(f"The run of the sample ended with {state}: {airflow.states(DAG, run)}")
    return f"{airflow.url}/dags/{DAG}/runs/{quote(run, safe='')}"


def main() -> int:
    """Write the picture; 1 where there is no Chromium."""
    command = shutil.which("chromium")
    if command is None:
        print("This needs Debian's package chromium: scripts/install_debian_packages", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        airflow = LocalAirflow(Path(home))
        for path in (*sorted((ROOT / "dags").glob("*.py")), ROOT / "example_lst" / DAG):
            airflow.add(path)
        with airflow:
            address = run_sample(airflow)
            with chromium(command) as page:
                page.call("Page.enable")
                page.call("Page.addScriptToEvaluateOnNewDocument", source=SET_UP)
                page.call("Page.navigate", url=address)
                page.wait(DRAWN % len(airflow.tasks(DAG)))
                IMAGE.parent.mkdir(parents=True, exist_ok=True)
                IMAGE.write_bytes(page.picture())
    print(IMAGE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
