"""A MariaDB server of its own for tests, from Debian's mariadb-server package."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from tests.servers import free_port, program, running

USER, PASSWORD, DATABASE = "sample", "sample-password", "sample"


@pytest.fixture(scope="session")
def mariadb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the SQLAlchemy address of an empty database; skip where MariaDB is not installed."""
    if not (program("mariadbd") and program("mariadb-install-db")):
        pytest.skip("MariaDB is not installed (Debian: apt-get install mariadb-server)")
    folder = tmp_path_factory.mktemp("mariadb")
    port = free_port()
    # Whoever runs the test runs the server, also root, who must say so: the files are in their folder.
    common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={os.geteuid()}"]
    serve = [
        program("mariadbd"),
        *common,
        "--bind-address=127.0.0.1",
        f"--port={port}",
        "--skip-name-resolve",
        "--socket=mysqld.sock",  # relative to the data folder: a socket's path must be short
        "--pid-file=mysqld.pid",
        f"--init-file={_start_sql(folder)}",
    ]
    prepare = [program("mariadb-install-db"), *common, "--skip-test-db"]
    with running(folder, prepare, serve, lambda: _connects(port)):
        yield f"mysql+pymysql://{USER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}?charset=utf8mb4"


def _start_sql(folder: Path) -> Path:
    path = folder / "start.sql"
    path.write_text(
        f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4;\n"
        f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT ALL ON {DATABASE}.* TO {USER}@'127.0.0.1';\n"
    )
    return path


def _connects(port: int) -> bool:
    login = {"user": USER, "password": PASSWORD, "database": DATABASE}
    try:
        pymysql.connect(host="127.0.0.1", port=port, connect_timeout=5, **login).close()
    except pymysql.err.OperationalError:
        return False
    return True
