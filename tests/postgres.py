"""A PostgreSQL server of its own for tests, from Debian's postgresql package."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.servers import free_port, program, running

USER = "airflow"
# PostgreSQL refuses to run as root.
AS_USER: Mapping[str, Any] = (
    {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
)
# What it holds need not survive a crash of the machine.
SETTINGS = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300"]


class Postgres:
    """A running server."""

    def __init__(self, port: int) -> None:
        self._port = port

    def database(self, name: str) -> str:
        """Make an empty database and return its SQLAlchemy address."""
        with closing(self._connect("postgres")) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg2://{USER}@127.0.0.1:{self._port}/{name}"

    def connects(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def _connect(self, database: str) -> psycopg2.extensions.connection:
        return psycopg2.connect(host="127.0.0.1", port=self._port, user=USER, dbname=database)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Run a server; skip where PostgreSQL is not installed."""
    if not program("postgres"):
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    port = free_port()
    server = Postgres(port)
    # Not below pytest's own folder, which no other user may enter.
    with tempfile.TemporaryDirectory(prefix="postgres_") as folder:
        if AS_USER:
            shutil.chown(folder, AS_USER["user"], AS_USER["group"])
        data = Path(folder) / "data"
        prepare = [program("initdb"), "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"]
        serve = [program("postgres"), "-D", data]
        for setting in [
            *SETTINGS,
            "listen_addresses=127.0.0.1",
            f"port={port}",
            f"unix_socket_directories={folder}",
        ]:
            serve += ["-c", setting]
        with running(Path(folder), prepare, serve, server.connects, **AS_USER):
            yield server


def dump(url: str) -> str:
    """Return all that is in a database, as SQL."""
    command = [program("pg_dump"), "--inserts", url.replace("+psycopg2", "")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
