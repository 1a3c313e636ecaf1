"""An executor that runs each task as the pods of KubernetesExecutor do."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from airflow.executors.base_executor import BaseExecutor
from airflow.executors.workloads import ExecuteTask
from airflow.sdk import conf

from scripts.local_airflow import HOME_VARIABLE

PODS = "pods"
"""The folder of the Airflow's home in which each pod has a folder of its own."""
PACKAGES = "PACKAGES_OF_PODS"
"""The variable that says where the package is that pods have."""
OPTIONS = "AIRFLOW__DAG_PROCESSOR__"
"""How the variables begin that pods have, as by their manifest: they say how lists are found."""


class PodExecutor(BaseExecutor):
    """
    Gives a task an environment in which there is nothing of Airflow's but what an image has.

    That is the installed packages; and, as its manifest would, where the API server and the bundles are.
    """

    is_local = True  # or `airflow standalone` takes another

    def start(self) -> None:
        """Begin with no pods."""
        self._running: dict[object, subprocess.Popen[bytes]] = {}

    def _process_workloads(self, workload_items: Sequence[ExecuteTask]) -> None:
        for workload in workload_items:
            key = workload.ti.key
            del self.queued_tasks[key]
            self.running.add(key)
            self._running[key] = self._pod(workload.model_dump_json())

    def _pod(self, workload: str) -> subprocess.Popen[bytes]:
        airflow_home = Path(conf.get("core", "dags_folder")).parent
        (airflow_home / PODS).mkdir(exist_ok=True)
        home = tempfile.mkdtemp(dir=airflow_home / PODS)
        with Path(home, "output").open("wb") as output:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "airflow.sdk.execution_time.execute_workload",
                    "--json-string",
                    workload,
                ],
                env={
                    **{name: value for name, value in os.environ.items() if name.startswith(OPTIONS)},
                    "PATH": "/usr/bin:/bin",
                    "PYTHONPATH": os.environ[PACKAGES],
                    "AIRFLOW_HOME": home,
                    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{conf.get('api', 'base_url')}/execution/",
                    f"{OPTIONS}DAG_BUNDLE_STORAGE_PATH": f"{home}/bundles",
                    HOME_VARIABLE: str(airflow_home),
                },
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def sync(self) -> None:
        """Tell of the pods that have ended."""
        for key, pod in list(self._running.items()):
            if pod.poll() is not None:
                del self._running[key]
                (self.fail if pod.returncode else self.success)(key)

    def end(self) -> None:
        """Leave what runs to whoever ends this Airflow."""

    terminate = end
