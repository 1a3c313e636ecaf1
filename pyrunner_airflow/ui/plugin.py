"""
The plugin that shows the page of a run; Airflow finds it by the entry point ``airflow.plugins``.

Airflow loads it in all its processes. A task has no use for the libraries of a web server, so that only what
serves the page imports them. But what tasks need is imported here: LocalExecutor's tasks are forks of forks
of the scheduler, which has loaded its plugins by then, and need not import it once more each.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

import pyrunner_airflow.discovery.loader  # noqa: F401
from pyrunner_airflow.dag.factory import TAG

_STATIC = Path(__file__).with_name("static")
_BUNDLE = "pyrunner.js"


class PyRunnerPlugin(AirflowPlugin):
    """A tab on the page of each run of a DAG that has the tag; Airflow 3.3 shows it for all DAGs."""

    name = "pyrunner"
    react_apps = [  # noqa: RUF012
        {
            "name": "PyRunner",
            # Relative, for an Airflow below a path; another one for each version, since browsers keep files.
            "bundle_url": f"pyrunner/{_BUNDLE}?v={zlib.crc32((_STATIC / _BUNDLE).read_bytes()):08x}",
            "destination": "dag_run",
            "url_route": "pyrunner",
            "applies_to": {"dag.tags.name": [TAG]},
        }
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The page's files, for Airflow's API server."""
        from starlette.staticfiles import StaticFiles

        return [{"app": StaticFiles(directory=_STATIC), "url_prefix": "/pyrunner", "name": "PyRunner"}]
