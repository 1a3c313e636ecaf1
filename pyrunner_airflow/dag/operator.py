"""The operator that runs one row of a task list."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import conf, literal
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.sdk.log import mask_secret

from pyrunner_airflow.dag.context import XComContext
from pyrunner_airflow.dag.kinds import KINDS, allowed_classes
from pyrunner_airflow.dag.parameters import check_names, is_selected
from pyrunner_airflow.dag.supervisor import Interrupts, empty_stdin
from pyrunner_airflow.tasklist import Options, TaskRow
from pyrunner_airflow.worker.app import AppError, Run, app_environment, find_app, resolve_env
from pyrunner_airflow.worker.interpreter import Interpreter, run_worker_in
from pyrunner_airflow.worker.running import Job, Outcome, run_worker

_LEVELS = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "SUCCESS": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
}
_JOURNAL_SECONDS = 1.0
_MAX_SLUG = 200
# Airflow's own list of sensitive field names, as whole words: TOKENIZERS_PARALLELISM is none.
_SECRET_NAME = re.compile(
    "(^|_)(api_?key|authorization|passphrase|passwd|password|private_?key|secret|token)s?(_|$)", re.IGNORECASE
)


class WorkerNotStarted(AirflowFailException):
    """There was no worker to run, so that another attempt would end the same way (PyRunner's code 905)."""


def task_id(row: TaskRow) -> str:
    """Return the task ID of a row: its ID, and its name in lower-case letters, digits and ``_``."""
    slug = re.sub("[^a-z0-9]+", "_", row.name.lower()).strip("_")
    return f"{row.id}_{slug}"[:_MAX_SLUG].rstrip("_")


class WorkerOperator(PythonOperator):
    """
    Runs the worker of one row of a task list; :meth:`of_row` makes it.

    :ivar row: the row; its ARGUMENTS are ``op_args``.
    :ivar list_path: the task list's absolute path, from which the worker's app is found.
    :ivar options: the task list's options.
    :ivar take_writes: told at the end of each attempt what it wrote to the context, as
        :meth:`~pyrunner_airflow.dag.context.XComContext.writes` has it; for who runs the DAG himself.
    """

    template_fields = ("module_name", "worker_name", "op_args", "arguments_text", "logfile")
    template_fields_renderers: ClassVar[dict[str, str]] = {}
    ui_color = "#fff"  # Airflow's own default, which a serialized DAG does not repeat for each task

    take_writes: Callable[[list[list[Any]]], None] | None = None
    row: TaskRow
    list_path: str
    options: Options
    module_name: str
    worker_name: str
    arguments_text: Any
    logfile: Any

    @classmethod
    def of_row(cls, row: TaskRow, list_path: str, options: Options, **kwargs: Any) -> WorkerOperator:
        """
        Return the task of a row.

        Not a constructor: Airflow looks for default arguments around each one that it finds.

        :param kwargs: Airflow's own arguments of a task.
        """
        text = _as_is if options.templates else literal
        task = cls(
            task_id=task_id(row),
            task_display_name=row.name,
            python_callable=run_row,
            op_args=[text(argument) for argument in row.arguments],
            show_return_value_in_logs=False,
            retries=row.max_attempts - 1,
            retry_delay=timedelta(seconds=row.retry_wait_time),
            trigger_rule="none_failed",  # PyRunner: a parent that is not to run counts as done
            **kwargs,
        )
        # Past __setattr__, which looks for a converter and for other tasks' XComs in each value: a tenth of
        # the time that many small lists take to load.
        vars(task).update(
            row=row,
            list_path=list_path,
            options=options,
            module_name=row.module,
            worker_name=row.worker,
            logfile=row.logfile and text(row.logfile),
            # Only what the arguments do not tell: a DAG of many rows is smaller without it.
            arguments_text=(
                None if row.arguments_text == ",".join(row.arguments) else text(row.arguments_text)
            ),
        )
        return task


def run_row(*argv: str, **context: Any) -> None:
    """
    Run the row of the current task: the ``python_callable`` of :class:`WorkerOperator`.

    :param argv: the row's ARGUMENTS, rendered.
    :param context: Airflow's task context.
    :raises WorkerFailed: if the worker returned a code other than 0.
    :raises WorkerNotStarted: if there was no worker to run.
    :raises RunParameterError: if the run was started with a mistyped parameter.
    :raises AirflowSkipException: if the run's parameters leave the row out.
    :raises Exception: whatever the worker raised; WorkerRaised, if that was in an interpreter of its own.
    """
    task, params = context["task"], context["params"]
    check_names(context["dag_run"].conf or {}, context["dag"].params)
    if not is_selected(task, params):
        raise AirflowSkipException("left out by this run's parameters")
    with Interrupts() as interrupts, empty_stdin():
        host = _AirflowHost(context, interrupts)
        try:
            with host.interruptible():
                job = _job(argv, context, host)
        except AppError as error:
            raise WorkerNotStarted(str(error)) from error
        if host.python is None:
            outcome = run_worker(job, host)
        else:
            outcome = run_worker_in(Interpreter(host.python, KINDS, allowed_classes()), job, host)
        host.finish(outcome)
    if outcome.error is None:
        return
    if not outcome.started:
        raise WorkerNotStarted(outcome.report) from outcome.error
    raise outcome.error


class _AirflowHost:
    """Airflow's side of the boundary to a worker, wherever that runs."""

    skip_exceptions = (AirflowSkipException,)
    final_exceptions = (AirflowFailException,)

    def __init__(self, context: dict[str, Any], interrupts: Interrupts) -> None:
        self.airflow = context
        options = context["task"].options
        self.python = options.python_of(context["task"].row)
        start = {**options.cvar, **(context["params"].get("cvar") or {})}
        self.context = XComContext(
            context["ti"],
            context["task_state_store"],
            start,
            self._journal_soon,
            partial(self.log, "WARN"),
            is_handed_on=self.python is not None,
        )
        self.interruptible = interrupts.allowed
        self._interrupts = interrupts
        self._log = context["task"].log

    def log(self, level: str, text: str) -> None:
        self._log.log(_LEVELS[level], "%s", text)

    def finish(self, outcome: Outcome) -> None:
        """Publish the context, and keep what another attempt needs."""
        if outcome.report:
            self.log("ERROR", outcome.report)
        take_writes = self.airflow["task"].take_writes
        if take_writes:
            take_writes(self.context.writes())
        if outcome.error is None:
            self.context.publish()
            self.context.drop_journal()
            return
        try:
            self.context.journal(whole=True)
            self.context.publish()
        except Exception as error:  # the attempt's own error is what must be seen in the end
            self.log("WARN", f"what this attempt wrote to the context could not be kept: {error!r}")

    def _journal_soon(self) -> None:
        self._interrupts.call_in(_JOURNAL_SECONDS, self._journal)

    def _journal(self) -> None:
        try:
            self.context.journal()
        except Exception as error:  # as when the task was cleared meanwhile: its worker goes on
            self.log("WARN", f"what this attempt wrote to the context could not be kept so far: {error!r}")


def _as_is(text: str) -> str:
    return text


def _job(argv: tuple[str, ...], context: dict[str, Any], host: _AirflowHost) -> Job:
    task, ti, dag_run = context["task"], context["ti"], context["dag_run"]
    options = task.options
    app = find_app(task.list_path, options.app_root, options.cwd)
    run = Run(dag_run.run_id, (dag_run.logical_date or dag_run.run_after).isoformat(), dag_run.run_after)
    writable_folder = os.path.join(conf.get("logging", "base_log_folder"), "pyrunner")
    environment = app_environment(app, run, writable_folder, lambda text: host.log("WARN", text))
    for name, value in options.env.items():
        environment[name] = resolve_env(value, {**os.environ, **environment})
    _mask_secrets({**os.environ, **environment})
    row = task.row
    return Job(
        app=app,
        environment=environment,
        line=row.line,
        id=row.id,
        name=row.name,
        module=task.module_name,
        worker=task.worker_name,
        arguments=list(argv),
        arguments_text=",".join(argv) if task.arguments_text is None else task.arguments_text,
        logfile=task.logfile,
        attempt=ti.try_number,
        max_attempts=ti.max_tries + 1,
        retry_wait_time=row.retry_wait_time,
    )


def _mask_secrets(environment: dict[str, str]) -> None:
    """Keep values out of the task's log whose variables are named like secrets; Airflow sees to its own."""
    for name, value in environment.items():
        if _SECRET_NAME.search(name) and not name.startswith("AIRFLOW"):
            mask_secret(value)
