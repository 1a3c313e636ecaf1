"""The plugin that shows the page of a run, as each process of Airflow loads it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from pyrunner_airflow.ui.plugin import PyRunnerPlugin


def test_airflow_finds_it_by_an_entry_point():
    entries = entry_points(group="airflow.plugins", name="pyrunner")
    assert {entry.load() for entry in entries} == {PyRunnerPlugin}


def test_a_task_loads_no_web_server_for_it_and_finds_what_it_needs_itself():
    script = (
        "import sys; from pyrunner_airflow.ui.plugin import PyRunnerPlugin; PyRunnerPlugin().react_apps;"
        "print(*sys.modules)"
    )
    loaded = set(subprocess.check_output([sys.executable, "-c", script], text=True).split())
    assert loaded.isdisjoint({"fastapi", "starlette", "uvicorn"})
    assert {"pyrunner_airflow.dag.operator", "pyrunner_airflow.discovery.loader"} <= loaded


def test_the_address_of_the_bundle_is_relative_and_another_one_for_each_version():
    (app,) = PyRunnerPlugin.react_apps
    assert re.fullmatch(r"pyrunner/pyrunner\.js\?v=[0-9a-f]{8}", app["bundle_url"])


def test_the_bundle_is_served_below_that_address():
    (served,) = PyRunnerPlugin().fastapi_apps
    assert served["url_prefix"] == "/pyrunner"
    path, _ = served["app"].lookup_path("pyrunner.js")
    assert Path(path).read_text().startswith("/*\n * The page of a run:")
