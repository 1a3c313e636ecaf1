"""
Running one worker: the boundary between a worker and whoever runs it.

A :class:`Job` is plain data that could cross a pipe. A :class:`Host` answers for the context and takes the
log lines. What comes back is an :class:`Outcome`.
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import ExitStack, contextmanager
from functools import partial
from types import ModuleType
from typing import Any, Callable, ContextManager, Iterator, MutableMapping, NamedTuple, Protocol

from .app import App, AppError, find_folder, resolve_env, worker_folders
from .base import ReturnCode
from .context import Context
from .leftovers import Leftovers
from .loading import app_imports, import_root, load_worker
from .logger import LogFile, Logger, Sink, copy_output

FAILED = 901
"""PyRunner's code for an exception in ``run``."""
NOT_STARTED = 905
"""PyRunner's code for a worker that could not be made; such a row is not tried again."""
_MAX_TEXT = 1000
_FAILURE_CODES = {
    "on_start": FAILED,
    "run": FAILED,
    "on_success": 902,
    "on_fail": 903,
    "on_exit": 904,
    "on_destroy": 904,
    "leftovers": 904,
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
    """One attempt of one row, as the list states it: ``$ENV{}`` not yet resolved."""

    app: App
    environment: dict[str, str]
    """The ``APP_*`` variables, and what else the job wants to be set."""
    line: int
    id: int
    name: str
    module: str
    worker: str
    arguments: list[str]
    arguments_text: str | None
    logfile: str | None
    attempt: int
    max_attempts: int
    retry_wait_time: int
    """Seconds."""


class Host(Protocol):
    """Whoever runs a worker."""

    @property
    def context(self) -> MutableMapping[str, Any]:
        """Answer get, set, delete and iteration of the context's keys."""

    @property
    def airflow(self) -> Any:
        """Become ``Worker.airflow``."""

    @property
    def skip_exceptions(self) -> tuple[type[BaseException], ...]:
        """Name the exceptions by which a worker asks for neither success nor failure."""

    @property
    def final_exceptions(self) -> tuple[type[BaseException], ...]:
        """Name the exceptions after which no further attempt is made."""

    def log(self, level: str, text: str) -> None:
        """Take a line that the worker logged."""

    def interruptible(self) -> ContextManager[None]:
        """Surround the worker's own code: the only place where a signal may raise."""


class Outcome(NamedTuple):
    """How an attempt ended."""

    code: int
    """0 is success; PyRunner's codes for an exception are 901 to 905."""
    error: BaseException | None = None
    """What to raise: the worker's own exception where there was one. With code 0: the wish to be skipped."""
    report: str = ""
    """One line that says what failed, where, and what to do next."""
    started: bool = True
    """False if there was no worker to run; PyRunner does not try such a row again."""


def run_worker(job: Job, host: Host) -> Outcome:
    """
    Run one attempt of a row as PyRunner 5.2.1 does, and leave the process as it was.

    :raises BaseException: what interrupts the attempt (a timeout, SIGTERM) before there is a worker; later
        it comes back as the outcome's error, after the worker's hooks have run.
    """
    with ExitStack() as stack:
        stack.enter_context(_environment(job))
        try:
            stack.enter_context(_working_directory(job.app.working_directory))
            stack.enter_context(_main_module())
            job = _resolve(job)
            logfile = _open_logfile(job.logfile, host) if job.logfile else None
        except (AppError, OSError) as error:
            return not_started(job, error)
        if logfile:
            stack.callback(logfile.close)
        try:
            with copy_output(logfile), ExitStack() as imports:
                outcome = _load_and_run(job, host, logfile, imports)
        finally:
            if logfile:
                logfile.end()
        if logfile and outcome.code and outcome.started and not _is_last(job, host, outcome.error):
            logfile.restart(job.attempt, job.retry_wait_time)
    return outcome


def _open_logfile(path: str, host: Host) -> LogFile:
    try:
        with host.interruptible():  # a FIFO waits for its reader
            logfile = LogFile(path)
            logfile.start()
    except OSError as error:
        raise AppError(f"LOGFILE cannot be written: {error}") from error
    logfile.on_error = lambda error: host.log("WARN", f"LOGFILE ends here, the log goes on: {error}")
    return logfile


def _load_and_run(job: Job, host: Host, logfile: LogFile | None, stack: ExitStack) -> Outcome:
    folders = worker_folders(job.app, job.environment)
    folder = find_folder(folders, job.module)
    logger = Logger(_sink(host, logfile))
    try:
        stack.enter_context(app_imports(import_root(job.app, folder), folder, job.module))
        with host.interruptible():
            worker_class = load_worker(job.module, job.worker, folders)
            worker = worker_class(Context(host.context), job.logfile, job.arguments)
    except (Exception, SystemExit) as error:
        if logfile:
            logfile.line("ERROR", text_of(error))
        return not_started(job, error)
    worker._retcode = ReturnCode(getattr(worker, "retcode", 0))  # in place of PyRunner's, which wraps
    worker.logger = logger
    worker.airflow = host.airflow
    worker.arguments_text = job.arguments_text
    attempt = _Attempt(worker, host, logfile)
    attempt.run()
    if isinstance(attempt.error, host.skip_exceptions):
        return Outcome(0, attempt.error)
    if not attempt.code:
        return Outcome(0)
    cause = f"return code {attempt.code}" if attempt.error is None else _one_line(attempt.error)
    report = failure(job, host, cause, attempt.error)
    return Outcome(attempt.code, attempt.error or WorkerFailed(report, attempt.code), report)


class _Attempt:
    """The phases of one attempt, and what PyRunner makes of their codes and exceptions."""

    def __init__(self, worker: Any, host: Host, logfile: LogFile | None) -> None:
        self.code = 0
        self.error: BaseException | None = None
        self._final = False
        self._pid = os.getpid()
        self._leftovers = Leftovers()
        self._worker = worker
        self._host = host
        self._logfile = logfile

    def run(self) -> None:
        self._phase("on_start")
        if not self.code:
            self._phase("run")
        if not isinstance(self.error, self._host.skip_exceptions):
            self._phase("on_fail" if self.code else "on_success")
        self._phase("on_exit")
        self._phase("on_destroy")
        if not self._final:  # an interruption means now
            self._call("leftovers", self._leftovers.wait)

    def _phase(self, name: str) -> None:
        if hasattr(self._worker, name):
            self._call(name, getattr(self._worker, name))

    def _call(self, name: str, function: Callable[[], Any]) -> None:
        try:
            with self._host.interruptible():
                result = function()
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
            self._host.log(
                "WARN", f"{name} set the return code to 0, in spite of: {traceback_of(self.error)}"
            )
            self.error = None

    def _exit(self, name: str, code: Any) -> None:
        """Take ``sys.exit``'s argument for the phase's code; PyRunner loses it."""
        if not (code is None or isinstance(code, int)):
            _sink(self._host, self._logfile)("ERROR", str(code))
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
            self._host.log("ERROR", f"{name} raised: {traceback_of(error)}")
        if self._final:
            return
        self.code = self._worker.retcode = _FAILURE_CODES[name]
        self.error = self.error or error
        # No hook turns an interruption into a success, nor a row that asked to be skipped into anything else.
        self._final = not isinstance(error, Exception) or isinstance(error, self._host.skip_exceptions)

    def _end_forked_child(self, code: int, message: str = "") -> None:
        """End here in a process that the worker forked: all that follows is for its parent."""
        if os.getpid() == self._pid:
            return
        sys.stderr.write(message)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code & 0xFF)


def _one_line(error: BaseException) -> str:
    text = " ".join(text_of(error).split())
    if len(text) > _MAX_TEXT:
        text = f"{text[:_MAX_TEXT]}..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def text_of(error: BaseException) -> str:
    """Return an exception's text, whatever its class makes of ``str``."""
    try:
        return str(error)
    except Exception:
        return "(its text cannot be shown)"


def traceback_of(error: BaseException) -> str:
    """Return an exception's traceback as Python prints it."""
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def not_started(job: Job, error: BaseException) -> Outcome:
    """Return the outcome of a row whose worker could not be made."""
    return Outcome(NOT_STARTED, error, _report(job, _one_line(error), is_last=True), started=False)


def failure(job: Job, host: Host, cause: str, error: BaseException | None = None) -> str:
    """Return the report of an attempt that failed."""
    return _report(job, cause, is_last=_is_last(job, host, error))


def _is_last(job: Job, host: Host, error: BaseException | None) -> bool:
    return job.attempt >= job.max_attempts or isinstance(error, host.final_exceptions)


def _report(job: Job, cause: str, is_last: bool) -> str:
    import socket  # which costs more than all else that a worker which succeeds needs

    if is_last:
        advice = "mend the cause and clear the failed tasks of this run"
    else:
        advice = f"the next attempt follows in {job.retry_wait_time} s"
    return (
        f'{job.app.list_path}:{job.line}: row {job.id} "{job.name}" ({job.module}.{job.worker}) '
        f"failed: {cause}; "
        f"attempt {job.attempt} of {job.max_attempts}; "
        f"LOGFILE {job.logfile or 'none'} on {socket.gethostname()}; {advice}"
    )


def _resolve(job: Job) -> Job:
    """Return the job with its ``$ENV{}`` references replaced; APP_WORKER_DIR tells where its module lies."""
    text = partial(resolve_env, environment=os.environ)
    module = text(job.module)
    if not job.environment.get("APP_WORKER_DIR"):
        os.environ["APP_WORKER_DIR"] = find_folder(worker_folders(job.app, job.environment), module)
    return job._replace(
        module=module,
        worker=text(job.worker),
        arguments=[text(argument) for argument in job.arguments],
        arguments_text=None if job.arguments_text is None else text(job.arguments_text),
        logfile=os.path.abspath(text(job.logfile)) if job.logfile else None,
    )


def _sink(host: Host, logfile: LogFile | None) -> Sink:
    if logfile is None:
        return host.log
    uncopied, line = logfile.uncopied, logfile.line

    def both(level: str, text: str) -> None:
        line(level, text)
        with uncopied():
            host.log(level, text)

    return both


@contextmanager
def _environment(job: Job) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(job.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _main_module() -> Iterator[None]:
    """Hide the runner's ``__main__``, which multiprocessing would have a spawned child import again."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before


@contextmanager
def _working_directory(folder: str) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
