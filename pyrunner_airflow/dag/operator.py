"""The operator that runs one row of a task list."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar
from unicodedata import combining, normalize
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, AirflowTaskTimeout
from jinja2 import UndefinedError

from pyrunner_airflow.dag import relay
from pyrunner_airflow.dag.asset_events import added_to_events
from pyrunner_airflow.dag.context import XComContext
from pyrunner_airflow.dag.errors import TakenOver, WorkerNotStarted, WorkerTerminated
from pyrunner_airflow.dag.host import Host
from pyrunner_airflow.dag.masking import mask_secrets
from pyrunner_airflow.dag.parameters import are_for, check_conf, left_out_by
from pyrunner_airflow.dag.raised import dump_error
from pyrunner_airflow.dag.report import (
    TAKEN_OVER,
    UNDATED,
    NextStep,
    last_words,
    next_step,
    report,
)
from pyrunner_airflow.dag.task_log import LogEnd, log_line, print_lines, stdout_is_supervised
from pyrunner_airflow.dag.versions import HERE, seconds_after_sigterm
from pyrunner_airflow.dag.xcom_settings import allowed_classes
from pyrunner_airflow.tasklist import FAILURE_KEY, Options, TaskRow
from pyrunner_airflow.values import Codec
from pyrunner_airflow.worker.app import mark_env
from pyrunner_airflow.worker.attempt import FAILED, Job, Outcome, cause_of
from pyrunner_airflow.worker.child import InAirflow

_INTERRUPTIONS = {
    cls.__name__: cls for cls in (AirflowTaskTimeout, TakenOver, WorkerTerminated, KeyboardInterrupt)
}
_MAX_SLUG = 200
_WRITES = "what this attempt wrote to the context"
_FORGOTTEN = (
    "this task was cleared, and nothing is kept of what its earlier attempts may have written to the "
    "context: Airflow drops it, unless the run is cleared, or the task with keep_task_state (in the UI: Keep "
    "task state and resume)"
)
_MAX_NAME = 2000  # Airflow's databases have no room for more


def task_id(row: TaskRow) -> str:
    """Return the task ID of a row: its ID, and its name in lower-case letters, digits and ``_``."""
    name = row.name.lower()
    if not name.isascii():  # Größe becomes grosse: other letters are none to StatsD and Kubernetes
        name = "".join(char for char in normalize("NFKD", name.casefold()) if not combining(char))
    slug = re.sub("[^a-z0-9]+", "_", name).strip("_")
    return f"{row.id}_{slug}"[:_MAX_SLUG].rstrip("_")


def _display_name(row: TaskRow) -> str:
    name = f"{row.id} {row.name}"
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 3]}..."


class WorkerOperator(PythonOperator):
    """
    Runs the worker of one row of a task list; :meth:`of_row` makes it.

    :ivar row: the row; its ARGUMENTS are ``op_args``.
    :ivar list_path: the task list's absolute path, from which the worker's app is found.
    :ivar options: the task list's options.
    :ivar mark: stands in each ``$ENV{NAME}`` of :attr:`marked` that is the list's own.
    :ivar marked: the template fields once they are rendered, by name.
    :ivar take_writes: told at the end of each attempt what it wrote to the context, as
        :meth:`~pyrunner_airflow.dag.context.XComContext.writes` has it; for who runs the DAG himself.
    :ivar go_on: what goes on with a run that failed or was interrupted, where Airflow does not.
    :ivar take_printed: takes, in place of Airflow's log, what the worker prints: a stream's name, and lines.
    """

    template_fields = ("module_name", "worker_name", "op_args", "arguments_text", "logfile")
    template_fields_renderers: ClassVar[dict[str, str]] = {}
    ui_color = "#fff"  # Airflow's own default, which a serialized DAG does not repeat for each task

    take_writes: Callable[[list[list[Any]]], None] | None = None
    take_printed: Callable[[str, str], None] | None = None
    go_on = ""
    host: Host | None = None
    mark = ""
    marked: dict[str, Any]
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
        if row.timeout is not None:
            kwargs = {"execution_timeout": timedelta(seconds=row.timeout), **kwargs}
        task = cls(
            task_id=task_id(row),
            task_display_name=_display_name(row),
            python_callable=run_row,
            op_args=list(row.arguments),
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
            logfile=row.logfile,
            # Only what the arguments do not tell: a DAG of many rows is smaller without it.
            arguments_text=None if row.arguments_text == ",".join(row.arguments) else row.arguments_text,
        )
        return task

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """
        Render the columns to texts, once.

        A value that a template brings along, such as a run's parameter, may look like a reference to a
        variable: those that stand in the list get a mark that nobody else knows.
        """
        if self.mark:
            return
        self.mark = str(secrets.randbits(128))  # digits: a filter such as `upper` leaves them as they are
        self.render_template_as_native_obj = False  # whatever the DAG does: a worker's arguments are texts
        self.marked = {name: getattr(self, name) for name in self.template_fields}
        try:
            if are_for(self):
                check_conf(context["dag_run"].conf or {}, context["dag"].params)
            if not left_out_by(self, context["params"]):  # as run_row will say
                super().render_template_fields(context)
        except Exception as error:  # Airflow does not run a row of which one fails
            job, outcome = _job(context), Outcome(FAILED, error, cause_of(error))
            step = next_step(job, outcome, go_on=self.go_on)
            if isinstance(error, UndefinedError) and context["dag_run"].logical_date is None:
                step = UNDATED
            mask_secrets(os.environ)
            line = report(job, outcome.cause, step)
            self.log.error("%s", line)
            _leave_word(context, job, outcome, line, LogEnd())
            raise
        self.marked = {name: getattr(self, name) for name in self.template_fields}
        for name, value in self.marked.items():
            setattr(self, name, _without(self.mark, value))

    def render_template(self, content: Any, context: Any, *arguments: Any, **options: Any) -> Any:
        """Render a text, or what is in a list, after marking the references in it."""
        if isinstance(content, str):
            content = mark_env(content, self.mark)
            if not self.options.templates:
                return content
        return super().render_template(content, context, *arguments, **options)

    def on_kill(self) -> None:
        """Have the worker end: Airflow calls this in its handler of SIGTERM."""
        if self.host:
            self.host.terminate(
                WorkerTerminated("Airflow ended this task (SIGTERM)", seconds_after_sigterm())
            )


def run_row(*argv: str, **context: Any) -> None:
    """
    Run the row of the current task: the ``python_callable`` of :class:`WorkerOperator`.

    :param argv: the row's ARGUMENTS, as they are shown.
    :param context: Airflow's task context.
    :raises WorkerFailed: if the worker returned a code other than 0.
    :raises WorkerNotStarted: if there was no worker to run.
    :raises AirflowSkipException: if the run's parameters leave the row out.
    :raises TakenOver: if Airflow has begun the row anew meanwhile.
    :raises Exception: whatever the worker raised; WorkerRaised, if only its own process has the exception.
    """
    task = context["task"]
    names = left_out_by(task, context["params"])
    if names:
        raise AirflowSkipException(f"left out by this run's {' and '.join(names)}")
    mask_secrets(os.environ)
    allowed = allowed_classes()
    end = LogEnd()
    log = end.of(partial(log_line, task.log))
    codec = Codec(allowed)
    kept = _context(context, codec, log)
    plain = _plain(context)
    is_reachable = relay.is_possible()
    if not is_reachable:
        log("WARN", relay.NOT_POSSIBLE)
    shown = context if is_reachable else plain
    airflow = InAirflow(
        shown,
        _INTERRUPTIONS,
        {"skip": AirflowSkipException, "final": AirflowFailException},
        relay.connect,
        mask_secrets,
        partial(dump_error, codec=codec),
        partial(added_to_events, shown),
    )
    printed = task.take_printed or (print_lines if stdout_is_supervised() else None)
    task.host = Host(_job(context), kept, log, printed and end.of(printed), allowed, airflow, plain)
    outcome = task.host.run()
    step = _next_step(task, outcome, context["ti"], kept)
    task.host.close_logfile(step.is_attempt)
    if outcome.cause:
        line = report(task.host.job, outcome.cause, step)
        log_line(task.log, "ERROR", line)
    if outcome.cause or kept.is_used:
        kept.check_is_current()
    if outcome.cause:
        _leave_word(context, task.host.job, outcome, line, end)
    _keep(outcome, kept, task, log)
    if outcome.error is None:
        return
    if not outcome.started:
        raise WorkerNotStarted(outcome.cause) from outcome.error
    raise outcome.error


def _leave_word(context: dict[str, Any], job: Job, outcome: Outcome, line: str, end: LogEnd) -> None:
    """Keep, where others can read it, what the log tells of a failure."""
    task, mail = context["task"], context["task"].options.notify_email
    words = last_words(job, outcome, line, end if mail and mail.on_fail else None)
    keep = partial(context["ti"].xcom_push, FAILURE_KEY, words)
    _try("the line above, for the page of this run and the mail about it,", keep, partial(log_line, task.log))


def _next_step(task: WorkerOperator, outcome: Outcome, ti: Any, kept: XComContext) -> NextStep:
    """Return what follows: Airflow knows whether somebody marked or cleared a task that was ended."""
    job = task.host.job  # type: ignore[union-attr]  # there is one: it has run
    if not isinstance(outcome.error, WorkerTerminated):
        return next_step(job, outcome, go_on=task.go_on)
    if task.go_on:
        return NextStep(task.go_on)
    try:
        kept.check_is_current()
        states = ti.get_task_states(ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id])
    except TakenOver:
        return TAKEN_OVER
    except Exception as error:
        return NextStep(f"what follows is not known, since Airflow does not answer ({error!r:.200})")
    return next_step(job, outcome, states[ti.run_id][ti.task_id])


def _context(context: dict[str, Any], codec: Codec, log: Callable[[str, str], None]) -> XComContext:
    ti = context["ti"]
    # Clearing raises max_tries. More is not to be known: Airflow tells a task neither how its attempts ended
    # nor that something was dropped, and their XComs are gone before the next one starts.
    may_be_forgotten = HERE.clear_forgets and ti.max_tries > context["task"].retries
    return XComContext(
        ti,
        context["task_state_store"],
        codec,
        {**context["task"].options.cvar, **(context["params"].get("cvar") or {})},
        partial(log, "WARN"),
        if_nothing_is_kept=partial(log, "INFO", _FORGOTTEN) if may_be_forgotten else None,
        # A row that asked to be rescheduled, or to be deferred, goes on in the same attempt.
        has_journal=ti.try_number > 1 or bool(context.get("task_reschedule_count")),
    )


def _keep(
    outcome: Outcome, context: XComContext, task: WorkerOperator, log: Callable[[str, str], None]
) -> None:
    """Publish the context, and keep what another attempt needs."""
    if task.take_writes:
        task.take_writes(context.writes())
    if outcome.error is None:
        try:
            context.publish()
        except BaseException:
            _try(_WRITES, partial(context.journal, whole=True), log)
            raise
        context.drop_journal()
        return
    # Each of the two by itself; and the attempt's own error is what must be seen in the end.
    _try(_WRITES, partial(context.journal, whole=True), log)
    _try(_WRITES, context.publish, log)


def _try(what: str, keep: Callable[[], None], log: Callable[[str, str], None]) -> None:
    try:
        keep()
    except Exception as error:
        log("WARN", f"{what} could not be kept: {error!r}")


def _without(mark: str, value: Any) -> Any:
    if isinstance(value, list):
        return [text.replace(mark, "") for text in value]
    return value and value.replace(mark, "")


def _job(context: dict[str, Any]) -> Job:
    task, ti, dag_run = context["task"], context["ti"], context["dag_run"]
    row, options, texts = task.row, task.options, task.marked
    arguments, arguments_text = texts["op_args"], texts["arguments_text"]
    run_time = _run_time(dag_run)
    logical_date = dag_run.logical_date or run_time
    if options.timezone:
        logical_date = logical_date.astimezone(ZoneInfo(options.timezone))
    return Job(
        list_path=task.list_path,
        app_root=options.app_root,
        cwd=options.cwd,
        python=options.python_of(row),
        timezone=options.timezone,
        env=options.env,
        run_id=dag_run.run_id,
        logical_date=logical_date.isoformat(),
        run_time=run_time.timestamp(),
        writable_folder=os.path.join(conf.get("logging", "base_log_folder"), "pyrunner"),
        line=row.line,
        id=row.id,
        name=row.name,
        module=texts["module_name"],
        worker=texts["worker_name"],
        arguments=arguments,
        arguments_text=",".join(arguments) if arguments_text is None else arguments_text,
        logfile=texts["logfile"],
        mark=task.mark,
        attempt=ti.try_number,
        max_attempts=ti.max_tries + 1,
        retry_wait_time=row.retry_wait_time,
        removes_old_logs=ti.try_number == 1 and row is _first_row(context["dag"], task.list_path),
    )


def _first_row(dag: Any, list_path: str) -> TaskRow:
    """Return the first row of a list without parents: every run has it, and has it once."""
    tasks = (task for task in dag.tasks if isinstance(task, WorkerOperator) and task.list_path == list_path)
    rows: Iterator[TaskRow] = (task.row for task in tasks)
    return next(row for row in rows if not row.parent_ids)


def _run_time(dag_run: Any) -> datetime:
    """
    Return a run's time: when cron would have run the job.

    A scheduled or a backfilled run is due when its data interval ends. Any other has the logical date that it
    was started for (not the interval that Airflow infers from it, which ends when the schedule was last due);
    without one, its time is when it was started (``run_after``).
    """
    is_scheduled = dag_run.run_type in ("scheduled", "backfill")
    end = dag_run.data_interval_end if is_scheduled else None
    moment: datetime = end or dag_run.logical_date or dag_run.run_after
    return moment


def _plain(context: dict[str, Any]) -> dict[str, Any]:
    """Return what an interpreter of its own has of Airflow's task context: plain values."""
    ti = context["ti"]
    moments = ("logical_date", "data_interval_start", "data_interval_end")
    return {
        "dag_id": ti.dag_id,
        "task_id": ti.task_id,
        "run_id": ti.run_id,
        "try_number": ti.try_number,
        "params": dict(context["params"]),
        **{name: context[name] for name in ("ds", "ts") if name in context},
        **{name: _standard(context[name]) for name in moments if context.get(name)},
    }


def _standard(moment: datetime) -> datetime:
    """Return a moment as Python's own datetime: pendulum may not be installed where it goes."""
    return datetime.fromtimestamp(moment.timestamp(), UTC)
