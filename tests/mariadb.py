"""A MariaDB server of its own for tests, from Debian's mariadb-server package."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pytest

USER, PASSWORD, DATABASE = "sample", "sample-password", "sample"
START_SECONDS = 60
# Debian puts the server where a user's PATH does not look.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


@pytest.fixture(scope="session")
def mariadb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the SQLAlchemy address of an empty database; skip where MariaDB is not installed."""
    if not (_program("mariadbd") and _program("mariadb-install-db")):
        pytest.skip("MariaDB is not installed (Debian: apt-get install mariadb-server)")
    with mariadb(tmp_path_factory.mktemp("mariadb")) as url:
        yield url


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """Run a MariaDB server whose files all lie in ``folder``, and yield its SQLAlchemy address."""
    data = folder / "data"
    log = folder / "mariadbd.log"
    port = _free_port()
    start_sql = folder / "start.sql"
    start_sql.write_text(
        f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4;\n"
        f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT ALL ON {DATABASE}.* TO {USER}@'127.0.0.1';\n"
    )
    # Whoever runs the test runs the server, also root, who must say so: the files are in their folder.
    common = ["--no-defaults", f"--datadir={data}", f"--user={os.geteuid()}"]
    with log.open("wb") as output:
        install = [_program("mariadb-install-db"), *common, "--skip-test-db"]
        subprocess.run(install, check=True, stdout=output, stderr=output, timeout=START_SECONDS)
        server = subprocess.Popen(
            [
                _program("mariadbd"),
                *common,
                "--bind-address=127.0.0.1",
                f"--port={port}",
                "--skip-name-resolve",
                "--socket=mysqld.sock",  # relative to the data folder: a socket's path must be short
                "--pid-file=mysqld.pid",
                f"--init-file={start_sql}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_ready(server, port, log)
        yield f"mysql+pymysql://{USER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}?charset=utf8mb4"
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _program(name: str) -> str | None:
    return shutil.which(name, path=SEARCH_PATH)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_ready(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            login = {"user": USER, "password": PASSWORD, "database": DATABASE}
            pymysql.connect(host="127.0.0.1", port=port, connect_timeout=5, **login).close()
            return
        except pymysql.err.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"MariaDB did not start:\n{log.read_text(errors='replace')}") from None
            time.sleep(0.1)
