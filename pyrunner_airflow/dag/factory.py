"""The DAG that a task list becomes."""

from __future__ import annotations

import os
import re
import sys
import warnings
from datetime import date, datetime
from typing import Any

import pendulum
from airflow.sdk import DAG
from airflow.sdk.definitions.param import ParamsDict

from pyrunner_airflow.dag.operator import WorkerOperator
from pyrunner_airflow.dag.parameters import check_own, run_parameters
from pyrunner_airflow.tasklist import NotifyEmail, TaskList, read_lst
from pyrunner_airflow.tasklist.diagnostics import showable
from pyrunner_airflow.tasklist.files import StrPath

_START_DATE = date(2020, 1, 1)
_MAX_DAG_ID = 250
_NOT_IN_ID = re.compile("(?:[^\\w.-]|[\U00010000-\U0010ffff])+")  # beyond U+FFFF MySQL has no room in IDs


def dag_id(list_path: StrPath) -> str:
    """Return the DAG ID of a task list: its file's name, with ``_`` for characters that no ID may have."""
    return _NOT_IN_ID.sub("_", _stem(list_path))[:_MAX_DAG_ID]


def _stem(list_path: StrPath) -> str:
    return os.path.splitext(os.path.basename(list_path))[0]


class PyRunnerDag(DAG):
    """
    An Airflow DAG made from a task list.

    :param path: the ``.lst`` file; a relative path starts at the file that makes the DAG.
    :param options_folder: the topmost folder whose ``pyrunner.toml`` counts; by default that of the file
        that makes the DAG.
    :param dag_kwargs: Airflow's own arguments of a DAG, which go before the list's options. Unless one of
        the two says otherwise the ID is the file's name, there is no schedule, no catch-up, and one run at a
        time, since PyRunner refuses a second instance of a job that is running.
    :raises LstError: if the task list or its options have errors; its text tells all of them.
    :raises RunParameterError: if `params` has one of the names of PyRunner's options for a run.
    """

    def __init__(self, path: StrPath, *, options_folder: StrPath | None = None, **dag_kwargs: Any) -> None:
        maker = _file_that_makes(self)
        home = os.path.dirname(maker)
        list_path = os.path.abspath(os.path.join(home, path))
        task_list = read_lst(list_path, options_folder or home)
        arguments = {**_defaults(task_list, list_path), **dag_kwargs}
        default_args = {**task_list.options.default_args, **(arguments.pop("default_args", None) or {})}
        own_params = {**(arguments.pop("params", None) or {}), **default_args.pop("params", {})}
        check_own(own_params)
        super().__init__(**arguments, default_args=default_args)
        self.fileloc = maker  # DAG takes it from the caller of its own constructor, which is this file
        self._add_rows(task_list, list_path)
        # Only now: each task would get a copy of all of them.
        self.params = ParamsDict({**own_params, **run_parameters(task_list.rows)})
        for warning in task_list.warnings:
            warnings.warn(str(warning), LstWarning, stacklevel=2)

    def _add_rows(self, task_list: TaskList, list_path: str) -> None:
        options = task_list.options
        tasks = {
            row.id: WorkerOperator.of_row(row, list_path, options, dag=self, **options.tasks.get(row.id, {}))
            for row in task_list.rows
        }
        # What set_upstream does; but that reads all task IDs of the DAG for each row and parent: a third of
        # the time that a list of 1,000 rows takes to load.
        for row in task_list.rows:
            task = tasks[row.id]
            for parent in map(tasks.__getitem__, row.parent_ids):
                task.upstream_task_ids.add(parent.task_id)
                parent.downstream_task_ids.add(task.task_id)


class LstWarning(UserWarning):
    """Something odd about a task list that does not keep it from running."""


def _file_that_makes(dag: DAG) -> str:
    """Return the file that calls the constructor of a DAG, which may be that of a subclass."""
    frame = sys._getframe().f_back
    while frame and frame.f_locals.get("self") is dag:
        frame = frame.f_back
    return frame.f_code.co_filename if frame else ""


def _defaults(task_list: TaskList, list_path: str) -> dict[str, Any]:
    """Return the DAG's arguments as the list has them."""
    options = task_list.options
    name = _stem(list_path)
    arguments = {
        "dag_id": dag_id(list_path),
        "schedule": None,
        "start_date": _START_DATE,
        "catchup": False,
        "max_active_runs": 1,
        "doc_md": _documentation(task_list),
        **_callbacks(options.notify_email),
        **options.dag,
    }
    if arguments["dag_id"] != name:
        arguments["dag_display_name"] = showable(name)  # as databases take it: a file's name may be any bytes
    for moment in ("start_date", "end_date"):
        if moment in arguments:
            arguments[moment] = _in_timezone(arguments[moment], options.timezone)
    return arguments


def _callbacks(notify: NotifyEmail | None) -> dict[str, Any]:
    if notify is None:
        return {}
    from pyrunner_airflow.dag.notifications import RunEmail  # only lists with notify_email pay for it

    callbacks = {}
    if notify.on_success:
        callbacks["on_success_callback"] = RunEmail(notify.to, "succeeded")
    if notify.on_fail:
        callbacks["on_failure_callback"] = RunEmail(notify.to, "failed")
    return callbacks


def _in_timezone(moment: date, timezone: str | None) -> datetime:
    """Return a moment in the list's time zone; without one, what has none is in Airflow's own."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    if timezone is None:
        return moment
    return pendulum.instance(moment, tz=timezone).in_timezone(timezone)


def _documentation(task_list: TaskList) -> str:
    """Return the list as a Markdown table."""
    # Blanks only in empty cells: each stands in the serialized DAG.
    lines = [
        "|ID|PARENT_IDS|MAX_ATTEMPTS|RETRY_WAIT_TIME|PROCESS_NAME|WORKER|ARGUMENTS|LOGFILE|",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in task_list.rows:
        parents = ",".join(map(str, row.parent_ids))
        texts = (row.name, f"{row.module}.{row.worker}", row.arguments_text, row.logfile)
        cells = "|".join([text.replace("|", "&#124;") if text else " " for text in texts])
        lines.append(f"|{row.id}|{parents or ' '}|{row.max_attempts}|{row.retry_wait_time}|{cells}|")
    return "\n".join(lines)
