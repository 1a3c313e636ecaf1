"""
One attempt of a row: its worker is loaded, its methods run, and what PyRunner makes of their codes.

It runs in a process of its own, which is never put back as it was: ``sys.path``, modules and streams are set
for good.
"""

from __future__ import annotations

import os
import sys
import traceback
from functools import partial
from typing import Any, Callable, ContextManager, Dict, Iterable, List, MutableMapping, NamedTuple

from .app import App, AppError, find_folder, resolve_env, worker_folders
from .base import ReturnCode
from .context import Context
from .loading import find_imports, load_worker
from .logger import LogFile, Logger, Sink, take_output

FAILED = 901
"""PyRunner's code for an exception in ``run``."""
NOT_STARTED = 905
"""PyRunner's code for a worker that could not be made; such a row is not tried again."""
SKIP = ("AirflowSkipException",)
"""The exceptions by which a worker asks for its row to be skipped."""
NEITHER = (*SKIP, "AirflowRescheduleException", "TaskDeferred")
"""Those by which it asks for neither success nor failure."""
FINAL = ("AirflowFailException",)
"""The exceptions after which no further attempt is made."""
_MAX_TEXT = 1000
_FAILURE_CODES = {
    "on_start": FAILED,
    "run": FAILED,
    "on_success": 902,
    "on_fail": 903,
    "on_exit": 904,
    "on_destroy": 904,
}


class WorkerFailed(Exception):
    """
    A worker returned a code other than 0.

    :ivar retcode: the code.
    """

    def __init__(self, message: str, retcode: int) -> None:
        super().__init__(message)
        self.retcode = retcode


class Job(NamedTuple):
    """One attempt of one row as its list states it, in values that JSON carries."""

    list_path: str
    app_root: str | None
    cwd: str | None
    python: str | None
    """The interpreter of its own that the worker is to have."""
    timezone: str | None
    """What TZ is for the profile and the worker; None for what it is anyway."""
    env: Dict[str, str]
    """Variables that are set after the profile."""
    run_id: str
    logical_date: str
    run_time: float
    """When the run was due, in seconds since 1970."""
    writable_folder: str
    """Where logs and temporary files of an app without a profile go."""
    line: int
    id: int
    name: str
    module: str
    worker: str
    arguments: List[str]
    arguments_text: str | None
    logfile: str | None
    mark: str
    """Stands in each ``$ENV{NAME}`` of the five texts above that is to be resolved."""
    attempt: int
    max_attempts: int
    retry_wait_time: int
    """Seconds."""
    removes_old_logs: bool = False
    """Whether it is this attempt that does so for the run."""


class Surroundings(NamedTuple):
    """What an attempt has around it."""

    context: MutableMapping[str, Any]
    """Answers get, set, delete and iteration of the context's keys."""
    airflow: Any
    """Becomes ``Worker.airflow``."""
    log: Sink
    """Takes a line that the worker logged."""
    printed: Callable[[str, bytes], object] | None
    """Takes what the worker printed to a stream of this name; None where that goes its own way."""
    interruptible: Callable[[], ContextManager[None]]
    """Surrounds the worker's own code: the only place where an interruption may raise."""
    begin: Callable[[Job], None]
    """Told the job with its ``$ENV{}`` resolved, before anything of the worker's runs."""


class Outcome(NamedTuple):
    """How an attempt ended."""

    code: int
    """0 is success; PyRunner's codes for an exception are 901 to 905."""
    error: BaseException | None = None
    """What to raise: the worker's own exception where there was one. With code 0: the wish to be skipped."""
    cause: str = ""
    """What failed, in one line."""
    started: bool = True
    """False if there was no worker to run; PyRunner does not try such a row again."""


def run_attempt(job: Job, app: App, around: Surroundings) -> Outcome:
    """
    Run one attempt of a row as PyRunner 5.2.1 does, in a process whose environment is the app's.

    :raises BaseException: what interrupts the attempt before there is a worker; later it comes back as the
        outcome's error, after the worker's hooks have run.
    """
    folders = worker_folders(app, os.environ)
    try:
        job = _resolve(job, folders)
        around.begin(job)
        logfile = _open_logfile(job.logfile, around) if job.logfile else None
    except (AppError, OSError) as error:
        return not_started(error)
    stop_waiting = take_output(around.printed, logfile)
    try:
        return _load_and_run(job, app, folders, around, logfile)
    finally:
        stop_waiting()


def _open_logfile(path: str, around: Surroundings) -> LogFile:
    try:
        with around.interruptible():  # a FIFO waits for its reader
            logfile = LogFile(path)
            logfile.start()
    except OSError as error:
        raise AppError(f"LOGFILE cannot be written: {error}") from error
    logfile.on_error = lambda error: around.log("WARN", f"LOGFILE ends here, the log goes on: {error}")
    return logfile


def _load_and_run(
    job: Job, app: App, folders: List[str], around: Surroundings, logfile: LogFile | None
) -> Outcome:
    try:
        with around.interruptible():
            find_imports(app, find_folder(folders, job.module))
            worker_class = load_worker(job.module, job.worker, folders)
            worker = worker_class(Context(around.context), job.logfile, job.arguments)
    except (Exception, SystemExit) as error:
        if logfile:
            logfile.line("ERROR", text_of(error))
        return not_started(error)
    worker._retcode = ReturnCode(getattr(worker, "retcode", 0))  # in place of PyRunner's, which wraps
    worker.logger = Logger(_sink(around.log, logfile))
    worker.airflow = around.airflow
    worker.arguments_text = job.arguments_text
    attempt = _Attempt(worker, around, logfile)
    attempt.run()
    if is_any(attempt.error, NEITHER):
        return Outcome(0, attempt.error)
    if not attempt.code:
        return Outcome(0)
    cause = f"return code {attempt.code}" if attempt.error is None else cause_of(attempt.error)
    return Outcome(attempt.code, attempt.error or WorkerFailed(cause, attempt.code), cause)


def is_any(error: BaseException | None, names: Iterable[str]) -> bool:
    """
    Say whether an exception is of one of the classes of these names.

    Airflow's own exceptions cannot be imported in an interpreter of its own: there a class of that name does.
    """
    return any(base.__name__ in names for base in type(error).__mro__)


class _Attempt:
    """The phases of one attempt, and what PyRunner makes of their codes and exceptions."""

    def __init__(self, worker: Any, around: Surroundings, logfile: LogFile | None) -> None:
        self.code = 0
        self.error: BaseException | None = None
        self._final = False
        self._pid = os.getpid()
        self._worker = worker
        self._around = around
        self._logfile = logfile

    def run(self) -> None:
        self._phase("on_start")
        if not self.code:
            self._phase("run")
        if not is_any(self.error, NEITHER):
            self._phase("on_fail" if self.code else "on_success")
        self._phase("on_exit")
        self._phase("on_destroy")

    def _phase(self, name: str) -> None:
        if not hasattr(self._worker, name):
            return
        try:
            with self._around.interruptible():
                result = getattr(self._worker, name)()
            self._end_forked_child(0)
            self._take_code(name, result)
        except NotImplementedError as error:
            if name == "run":
                self._fail(name, error)
            elif name != "on_start":  # not overridden, or it called super() after setting the code
                self._take_code(name, None)  # (a code of the constructor's does not keep `run` from running)
        except SystemExit as error:
            self._exit(name, error.code)
        except BaseException as error:
            self._fail(name, error)

    def _take_code(self, name: str, result: Any) -> None:
        # A phase's value counts if it is true, and on_fail's never does; else the code is as it was left.
        if result and name != "on_fail":
            self._worker.retcode = result
        code = self._worker.retcode
        if self._final:
            return
        self.code = code
        if self.error and not code:
            self._around.log(
                "WARN", f"{name} set the return code to 0, in spite of: {traceback_of(self.error)}"
            )
            self.error = None

    def _exit(self, name: str, code: Any) -> None:
        """Take ``sys.exit``'s argument for the phase's code; PyRunner loses it."""
        if not (code is None or isinstance(code, int)):
            _sink(self._around.log, self._logfile)("ERROR", str(code))
            code = 1
        self._end_forked_child(code or 0)
        try:
            self._take_code(name, code)
        except ValueError as error:
            self._fail(name, error)

    def _fail(self, name: str, error: BaseException) -> None:
        if self._logfile:
            heading = f"Uncaught Exception from Worker Thread ({name.upper()})"
            for line in (heading, text_of(error), traceback_of(error)):
                self._logfile.line("ERROR", line)
        self._end_forked_child(1, traceback_of(error))
        if self.error:  # the one that is raised in the end is shown by whoever catches it
            self._around.log("ERROR", f"{name} raised: {traceback_of(error)}")
        if self._final:
            return
        self.code = self._worker.retcode = _FAILURE_CODES[name]
        self.error = self.error or error
        # No hook turns an interruption into a success, nor a row that asked to be skipped into anything else.
        self._final = not isinstance(error, Exception) or is_any(error, NEITHER)

    def _end_forked_child(self, code: int, message: str = "") -> None:
        """End here in a process that the worker forked: all that follows is for its parent."""
        if os.getpid() == self._pid:
            return
        sys.stderr.write(message)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code & 0xFF)


def cause_of(error: BaseException) -> str:
    """Return an exception as one line, not too long."""
    text = " ".join(text_of(error).split())
    if len(text) > _MAX_TEXT:  # cut between words: no mask would know half a secret
        text = f"{text[:_MAX_TEXT].rpartition(' ')[0] or text[:_MAX_TEXT]}..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def text_of(error: BaseException) -> str:
    """Return an exception's text, whatever its class makes of ``str``."""
    try:
        return str(error)
    except Exception:
        return "(its text cannot be shown)"


def traceback_of(error: BaseException) -> str:
    """Return an exception's traceback as Python prints it, from the worker's own code on."""
    trace = error.__traceback__
    while trace and trace.tb_next and trace.tb_frame.f_globals.get("__package__") == __package__:
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def not_started(error: BaseException) -> Outcome:
    """Return the outcome of a row whose worker could not be made."""
    return Outcome(NOT_STARTED, error, cause_of(error), started=False)


def another_follows(job: Job, outcome: Outcome) -> bool:
    """Say whether an attempt that ended so is tried again, as far as that is the row's own affair."""
    may_be = outcome.code and outcome.started and not is_any(outcome.error, FINAL)
    return bool(may_be and job.attempt < job.max_attempts)


def _resolve(job: Job, folders: List[str]) -> Job:
    """Return the job with its ``$ENV{}`` references replaced; APP_WORKER_DIR tells where its module lies."""
    text = partial(resolve_env, environment=os.environ, mark=job.mark)
    module = text(job.module)
    if not os.environ.get("APP_WORKER_DIR"):
        os.environ["APP_WORKER_DIR"] = find_folder(folders, module)
    return job._replace(
        module=module,
        worker=text(job.worker),
        arguments=[text(argument) for argument in job.arguments],
        arguments_text=None if job.arguments_text is None else text(job.arguments_text),
        logfile=os.path.abspath(text(job.logfile)) if job.logfile else None,
    )


def _sink(log: Sink, logfile: LogFile | None) -> Sink:
    if logfile is None:
        return log
    line = logfile.line

    def both(level: str, text: str) -> None:
        line(level, text)
        log(level, text)

    return both
