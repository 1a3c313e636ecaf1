"""The DAG that a task list becomes."""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG

from pyrunner_airflow.dag.operator import WorkerOperator
from pyrunner_airflow.tasklist import TaskList, read_lst

_START_DATE = pendulum.datetime(2020, 1, 1, tz="UTC")
_MAX_DAG_ID = 250


def dag_id(list_path: str | os.PathLike[str]) -> str:
    """Return the DAG ID of a task list: its file's name, with ``_`` for characters that no ID may have."""
    return re.sub(r"[^\w.-]+", "_", Path(list_path).stem)[:_MAX_DAG_ID]


class PyRunnerDag(DAG):
    """
    An Airflow DAG made from a task list.

    :param path: the ``.lst`` file; a relative path starts at the file that makes the DAG.
    :param dag_kwargs: Airflow's own arguments of a DAG. Unless they say otherwise the ID is the file's name,
        there is no schedule, no catch-up, and one run at a time, since PyRunner refuses a second instance of
        a job that is running.
    :raises LstError: if the task list has errors; its text tells all of them.
    """

    def __init__(self, path: str | os.PathLike[str], **dag_kwargs: Any) -> None:
        frame = inspect.currentframe()
        caller = frame.f_back.f_code.co_filename if frame and frame.f_back else ""
        list_path = os.path.abspath(os.path.join(os.path.dirname(caller), path))
        task_list = read_lst(list_path)
        name = Path(list_path).stem
        defaults: dict[str, Any] = {
            "dag_id": dag_id(list_path),
            "schedule": None,
            "start_date": _START_DATE,
            "catchup": False,
            "max_active_runs": 1,
            "doc_md": _documentation(task_list),
        }
        if defaults["dag_id"] != name:
            defaults["dag_display_name"] = name
        super().__init__(**{**defaults, **dag_kwargs})
        self.fileloc = caller  # DAG takes it from its caller, which is this file
        self._add_rows(task_list, list_path)

    def _add_rows(self, task_list: TaskList, list_path: str) -> None:
        tasks = {row.id: WorkerOperator(row=row, list_path=list_path, dag=self) for row in task_list.rows}
        for row in task_list.rows:
            tasks[row.id].set_upstream([tasks[parent] for parent in row.parent_ids])


def _documentation(task_list: TaskList) -> str:
    """Return the list as a Markdown table."""
    lines = [
        "| ID | PARENT_IDS | MAX_ATTEMPTS | RETRY_WAIT_TIME | PROCESS_NAME | WORKER | ARGUMENTS | LOGFILE |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in task_list.rows:
        parents = ", ".join(map(str, row.parent_ids))
        cells = (row.id, parents, row.max_attempts, row.retry_wait_time, row.name)
        texts = (*cells, f"{row.module}.{row.worker}", row.arguments_text, row.logfile or "")
        lines.append(f"| {' | '.join(str(text).replace('|', '&#124;') for text in texts)} |")
    return "\n".join(lines)
