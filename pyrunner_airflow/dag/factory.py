"""The DAG, or the group of tasks, that a task list becomes."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, AssetAll, AssetAny, TaskGroup
from airflow.sdk.definitions.param import ParamsDict

from pyrunner_airflow.configuration import environment
from pyrunner_airflow.dag.operator import WorkerOperator
from pyrunner_airflow.dag.parameters import check_own, run_parameters
from pyrunner_airflow.tasklist import AssetSchedule, Options, TaskList, read_lst
from pyrunner_airflow.tasklist.diagnostics import MAX_SHOWN, showable
from pyrunner_airflow.tasklist.files import StrPath

TAG = "pyrunner"
"""The tag of a list's DAG, by which Airflow knows whose runs have a page of ours."""
_START_DATE = date(2020, 1, 1)
_IN_CELL = str.maketrans({"|": "&#124;", "\n": " ", "\r": " "})  # an argument in JSON may have several lines
_MAX_DAG_ID = 250
_MAX_GROUP_ID = 48  # with it a task ID has up to 249 characters, the most that Airflow takes
_NOT_IN_ID = re.compile("(?:[^\\w.-]|[\U00010000-\U0010ffff])+")  # beyond U+FFFF MySQL has no room in IDs


def dag_id(list_path: StrPath) -> str:
    """Return the DAG ID of a task list: its file's name, with ``_`` for characters that no ID may have."""
    return _NOT_IN_ID.sub("_", _stem(list_path))[:_MAX_DAG_ID]


def _stem(list_path: StrPath) -> str:
    return os.path.splitext(os.path.basename(list_path))[0]


class PyRunnerDag(DAG):
    """
    An Airflow DAG made from a task list.

    :param path: the list, ``.lst`` or ``.json``; a relative path starts at the file that makes the DAG.
    :param options_folder: the topmost folder whose ``pyrunner.toml`` counts; by default that of the file
        that makes the DAG.
    :param dag_kwargs: Airflow's own arguments of a DAG, which go before the list's options. Unless one of
        the two says otherwise the ID is the file's name, there is no schedule, no catch-up, and one run at a
        time, since PyRunner refuses a second instance of a job that is running. The list's tags have
        ``pyrunner`` before them, those that are given here have not.
    :raises LstError: if the task list or its options have errors; its text tells all of them.
    :raises RunParameterError: if `params` has one of the names of PyRunner's options for a run.
    """

    def __init__(self, path: StrPath, *, options_folder: StrPath | None = None, **dag_kwargs: Any) -> None:
        maker = _file_that_makes(self)
        task_list, list_path = _read(maker, path, options_folder)
        arguments = {**_defaults(task_list, list_path), **dag_kwargs}
        default_args = {**task_list.options.default_args, **(arguments.pop("default_args", None) or {})}
        own_params = {**(arguments.pop("params", None) or {}), **default_args.pop("params", {})}
        check_own(own_params)
        super().__init__(**arguments, default_args=default_args)
        self.fileloc = maker  # DAG takes it from the caller of its own constructor, which is this file
        _add_rows(task_list, list_path, dag=self)
        # Only now: each task would get a copy of all of them.
        self.params = ParamsDict({**own_params, **run_parameters(task_list.rows)})
        _warn(task_list)


class PyRunnerTaskGroup(TaskGroup):
    """
    A task group made from a task list, in a DAG of other tasks, and of other lists.

    What the list's options say of tasks and of the app holds here too. What they say of a DAG, such as its
    schedule or who is told of its end, is for the DAG around the group to say; so are parameters of a run.

    :param path: the list, ``.lst`` or ``.json``; a relative path starts at the file that makes the group.
    :param options_folder: the topmost folder whose ``pyrunner.toml`` counts; by default that of the file
        that makes the group.
    :param group_kwargs: Airflow's own arguments of a task group; its `default_args` go before the list's.
        Unless `group_id` says otherwise the ID is the file's name.
    :raises LstError: if the task list or its options have errors; its text tells all of them.
    :raises ValueError: if `prefix_group_id` is to be false: task IDs have the group's ID before them.
    """

    def __init__(self, path: StrPath, *, options_folder: StrPath | None = None, **group_kwargs: Any) -> None:
        if not group_kwargs.get("prefix_group_id", True):
            raise ValueError(
                "PyRunnerTaskGroup always has prefix_group_id: by the group in a task's ID the page of "
                "a run and `restart` tell the rows of one list from those of another"
            )
        task_list, list_path = _read(_file_that_makes(self), path, options_folder)
        # Whom the list would have told of the end of its run, the DAG around the group tells, or does not.
        task_list = task_list._replace(options=task_list.options._replace(notify_email=None, notify=()))
        arguments = {"group_id": dag_id(list_path).replace(".", "_")[:_MAX_GROUP_ID], **group_kwargs}
        options = task_list.options
        arguments["default_args"] = {**options.default_args, **(arguments.get("default_args") or {})}
        super().__init__(**arguments)
        _add_rows(task_list, list_path, dag=self.dag, task_group=self, params=options.dag.get("params"))
        _warn(task_list)


class LstWarning(UserWarning):
    """Something odd about a task list that does not keep it from running."""


def _file_that_makes(node: DAG | TaskGroup) -> str:
    """Return the file that calls the constructor of a DAG or a group, which may be that of a subclass."""
    frame = sys._getframe().f_back
    while frame and frame.f_locals.get("self") is node:
        frame = frame.f_back
    return frame.f_code.co_filename if frame else ""


def _read(maker: str, path: StrPath, options_folder: StrPath | None) -> tuple[TaskList, str]:
    """Return a task list, as the file has it that makes something of it, and its absolute path."""
    home = os.path.dirname(maker)
    list_path = os.path.abspath(os.path.join(home, path))
    return read_lst(list_path, options_folder or home, environment()), list_path


def _add_rows(task_list: TaskList, list_path: str, **place: Any) -> None:
    """Make the tasks of a list; `place` is arguments of all, which say where."""
    options = task_list.options
    arguments = {id_: _with_assets(of_row) for id_, of_row in options.tasks.items()}
    tasks = {
        row.id: WorkerOperator.of_row(row, list_path, options, **place, **arguments.get(row.id, {}))
        for row in task_list.rows
    }
    # What set_upstream does; but that reads all task IDs of the DAG for each row and parent: a third of
    # the time that a list of 1,000 rows takes to load.
    for row in task_list.rows:
        task = tasks[row.id]
        for parent in map(tasks.__getitem__, row.parent_ids):
            task.upstream_task_ids.add(parent.task_id)
            parent.downstream_task_ids.add(task.task_id)


def _warn(task_list: TaskList) -> None:
    for warning in task_list.warnings[:MAX_SHOWN]:  # each is a line of Airflow's log
        warnings.warn(str(warning), LstWarning, stacklevel=3)


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
        **_callbacks(options),
        **options.dag,
        "tags": [TAG, *options.dag.get("tags", ())],
    }
    if arguments["dag_id"] != name:
        arguments["dag_display_name"] = showable(name)  # as databases take it: a file's name may be any bytes
    if isinstance(by := arguments["schedule"], AssetSchedule):
        arguments["schedule"] = (AssetAny if by.any else AssetAll)(*map(Asset, by.assets))
    for moment in ("start_date", "end_date"):
        if moment in arguments:
            arguments[moment] = _in_timezone(arguments[moment], options.timezone)
    return arguments


def _with_assets(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of tasks, as the list has them, with Airflow's assets in place of their URIs."""
    outlets = {"outlets": list(map(Asset, arguments["outlets"]))} if "outlets" in arguments else {}
    return {**arguments, **outlets}


def _callbacks(options: Options) -> dict[str, Any]:
    """Return the callbacks of a DAG; raises LstError for a notifier that is not to be had."""
    mail = options.notify_email
    if not (mail or options.notify):
        return {}
    from pyrunner_airflow.dag.notifications import RunEmail, notifier  # only lists with these pay for it

    found: dict[str, Any] = {}
    for callback, ended, is_mailed in (
        ("on_failure_callback", "failed", mail and mail.on_fail),
        ("on_success_callback", "succeeded", mail and mail.on_success),
    ):
        notifiers: list[Any] = [RunEmail(mail.to, ended)] if mail and is_mailed else []
        notifiers += [notifier(wanted) for wanted in options.notify if wanted.on in (None, ended)]
        found |= {callback: notifiers} if notifiers else {}
    return found


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
        cells = "|".join([text.translate(_IN_CELL) if text else " " for text in texts])
        lines.append(f"|{row.id}|{parents or ' '}|{row.max_attempts}|{row.retry_wait_time}|{cells}|")
    return "\n".join(lines)
