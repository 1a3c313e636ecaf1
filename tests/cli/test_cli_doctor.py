"""`pyrunner-airflow doctor`: whether a host is ready, and what to do where it is not."""

import sys
import time
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from command import run

from tests.setups import SETUP, VERSION

ROWS = "1|-1|1|0|A|workers|A\n"


@contextmanager
def api_server(seconds_ahead):
    """Answer as an API server whose clock is ahead by so much."""

    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp=None):
            return formatdate(time.time() + seconds_ahead, usegmt=True)

        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/execution/"
        server.shutdown()


@pytest.fixture
def host(tmp_path):
    """Return a function that runs the doctor on a host with these files in its dags folder."""
    dags = tmp_path / "airflow" / "dags"
    dags.mkdir(parents=True)

    def doctor(*, seconds_ahead=0, lists=(), loaders=SETUP.loaders, **env):
        for loader in loaders:
            (dags / loader.name).write_text(loader.read_text())
        for name, text in dict(lists).items():
            (dags / name).write_text(text)
        with api_server(seconds_ahead) as url:
            env = {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": url, "AIRFLOW_HOME": str(dags.parent), **env}
            return run("doctor", **{**SETUP.variables, **env})

    doctor.dags = dags
    return doctor


def test_of_one_that_is_ready_each_line_is_ok(host):
    lists = {"a.lst": f'#AIRFLOW [pyrunner]\n#AIRFLOW python = "{sys.executable}"\n{ROWS}', "b.lst": ROWS}
    done = host(lists=lists)
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line for line in lines if not line.startswith("ok     ")] == []
    assert f"apache-airflow {VERSION}, Python {sys.version.split()[0]}, " in lines[0]
    assert "ok     1 interpreter of lists found" in lines


def test_what_is_wrong_says_what_to_do(host, tmp_path):
    (tmp_path / "file").touch()
    done = host(
        seconds_ahead=30,
        lists={
            "a.lst": f'#AIRFLOW [pyrunner]\n#AIRFLOW python = "/none/python"\n{ROWS}',
            "b.lst": "nonsense",
            "c.lst": f'#AIRFLOW [pyrunner]\n#AIRFLOW cwd = "gone"\n{ROWS}',
        },
        loaders=(),
        AIRFLOW__LOGGING__BASE_LOG_FOLDER=f"{tmp_path}/file/logs",
        AIRFLOW__CORE__XCOM_BACKEND="no_such_package.Backend",
        AIRFLOW__DAG_PROCESSOR__DAG_IMPORTER_CONFIGS="[]",
    )
    assert done.code == 1
    wrong = [line.removeprefix("WRONG  ") for line in done.out.splitlines() if line.startswith("WRONG  ")]
    begins = [
        f"nothing calls load_lst_dags in {host.dags}: put pyrunner_lst.py there",
        f"nothing calls show_lst_errors in {host.dags}: put pyrunner_lst_errors.py there",
        f"[logging] base_log_folder, {tmp_path}/file/logs, may not be written to: give Airflow's user ",
        f"{host.dags}/a.lst: [pyrunner] python: /none/python is not on ",
        f"{host.dags}/b.lst has errors: pyrunner-airflow check {host.dags}/b.lst",
        f"{host.dags}/c.lst: the working directory {host.dags}/gone is not on ",
        "[core] xcom_backend is no_such_package.Backend, and ",
        "the clock is ",
    ]
    assert [line[: len(begin)] for line, begin in zip(wrong, begins, strict=True)] == begins
    assert " s behind that of the API server: have all hosts keep the same time (NTP), " in wrong[-1]


def test_one_without_an_api_server_is_told_where_it_was_looked_for(host):
    done = host(AIRFLOW__CORE__EXECUTION_API_SERVER_URL="http://127.0.0.1:1/execution/")
    assert done.code == 1
    assert "WRONG  no API server answers at http://127.0.0.1:1/execution/ (" in done.out
