"""Run a database server for the tests: its files in one folder, on a port of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_SECONDS = 240
SHARED: dict[str, Callable[[], None]] = {}
"""How to stop an Airflow that several files share, by its fixture's name."""
# Debian puts servers where a user's PATH does not look, PostgreSQL's by their version.
FOLDERS = [
    *os.environ.get("PATH", os.defpath).split(os.pathsep),
    "/usr/sbin",
    *(str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)),
]


def program(name: str) -> str | None:
    """Return where the program is, or None where it is not installed."""
    return shutil.which(name, path=os.pathsep.join(FOLDERS))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(
    folder: Path,
    prepare: Sequence[str | Path],
    serve: Sequence[str | Path],
    connects: Callable[[], bool],
    **process: Any,
) -> Iterator[None]:
    """Run `prepare`, then `serve`, and go on as soon as it can be connected to."""
    log = folder / "server.log"
    with log.open("wb") as output:
        how: Mapping[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output, **process}
        try:
            subprocess.run(prepare, check=True, cwd=folder, timeout=START_SECONDS, **how)
            server = subprocess.Popen(serve, cwd=folder, **how)
        except (OSError, subprocess.SubprocessError) as error:
            raise RuntimeError(f"{error}:\n{log.read_text(errors='replace')}") from None
    try:
        deadline = time.monotonic() + START_SECONDS
        while not connects():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{serve[0]} did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.1)
        yield
    finally:
        # SIGINT: PostgreSQL waits, after SIGTERM, for all who are still connected. MariaDB ignores it.
        for sign in (signal.SIGINT, signal.SIGTERM):
            server.send_signal(sign)
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
