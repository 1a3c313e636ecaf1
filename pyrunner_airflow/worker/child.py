"""
The worker's process: what it sets up, the attempt that it runs, and what it tells the task's process.

It is a fork of the task's process, or an interpreter of its own that took the fork's place (by exec) once the
app's environment was set.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import time
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Callable, Iterator, Mapping, MutableMapping, NamedTuple, NoReturn

from ..values import Allowed, Codec, ContextValueError
from .app import (
    App,
    AppError,
    Run,
    app_environment,
    env_names,
    find_app,
    find_interpreter,
    find_working_directory,
    resolve_env,
)
from .attempt import (
    FAILED,
    FINAL,
    SKIP,
    Job,
    Outcome,
    Surroundings,
    WorkerFailed,
    cause_of,
    is_any,
    not_started,
    run_attempt,
    text_of,
    traceback_of,
)
from .protocol import CUT_OFF, Host, HostGone, MessageTooLong
from .retention import remove_old_logs

# Any Python must understand this, to say that it is too old. The package gets into no sys.path: what lies
# beside it there is Airflow's.
_BOOT = """
import os, sys
if sys.version_info < (3, 8):
    os.write(int(sys.argv[2]), ("too old: %d.%d" % sys.version_info[:2]).encode())
    sys.exit()
sys.path[:] = [entry for entry in sys.path if entry]
folder, door, interruptions = sys.argv[1:]
sys.argv[1:] = []
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location(
    "pyrunner_airflow", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
)
sys.modules["pyrunner_airflow"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["pyrunner_airflow"])
from pyrunner_airflow.worker.child import run_in_interpreter
run_in_interpreter(int(door), int(interruptions))
"""
TOO_OLD = b"too old: "
"""What an interpreter sends over the door, before its version, that cannot run a worker."""
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_MAX_TEXT = 1 << 20
"""How much of an exception's text and traceback is told."""
_OF_OUR_PYTHON = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"})


class WorkerInterrupted(BaseException):
    """The attempt's time is up, or it was stopped: not an Exception, lest a worker swallow it by accident."""


class Interruptions:
    """
    Takes SIGTERM, by which the task's process says that there is an interruption to read from a pipe.

    It raises in the worker's own code (:meth:`allowed`), and only there: our own between two of the worker's
    methods sees it when the next one is to start.

    :param descriptor: of the pipe.
    :param types: what to raise, by the names under which it is told; others become a WorkerInterrupted.
    :ivar raised: what was raised.
    """

    def __init__(self, descriptor: int, types: Mapping[str, type[BaseException]]) -> None:
        self.raised: BaseException | None = None
        self._descriptor = descriptor
        self._types = types
        self._pending: BaseException | None = None
        self._is_allowed = False
        signal.signal(signal.SIGTERM, self._on_signal)
        self._take()  # what was told before there was a handler
        # A process that has just been forked would lose a SIGTERM that comes before it can take it.
        self._masks: list[Any] = []
        os.register_at_fork(before=self._hold, after_in_parent=self._release, after_in_child=self._leave)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let a signal interrupt what runs in this context."""
        self._is_allowed = True
        try:
            self._deliver()
            yield
        finally:
            self._is_allowed = False

    def _on_signal(self, signum: int, _: object) -> None:
        if not (self._take() or self.raised):  # it was not the task's process that sent it
            self._pending = self._pending or WorkerInterrupted("SIGTERM")
        self._deliver()

    def _take(self) -> bool:
        try:
            name, text = json.loads(os.read(self._descriptor, 1 << 16))
        except (OSError, ValueError):  # there is nothing; or one of its ends was closed
            return False
        cls = self._types.get(name) or type(name, (WorkerInterrupted,), {"__module__": __name__})
        self._pending = cls(text)
        return True

    def _deliver(self) -> None:
        if self._pending and self._is_allowed:
            self.raised, self._pending = self._pending, None
            raise self.raised

    def _hold(self) -> None:
        self._masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}))

    def _release(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._masks.pop())

    def _leave(self) -> None:
        """Let SIGTERM end a process that the worker forks, as if we had never been here."""
        if signal.getsignal(signal.SIGTERM) == self._on_signal:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._release()


class InAirflow(NamedTuple):
    """What a fork of the task's process has of Airflow."""

    context: Any
    """Airflow's task context."""
    interruptions: Mapping[str, type[BaseException]]
    """The exceptions that interrupt a task, by name."""
    exceptions: Mapping[str, type[BaseException]]
    """Airflow's exceptions for what a worker asks of it: to be skipped (``skip``), or not to be tried again
    (``final``)."""
    connect: Callable[[Host], object]
    """Has the worker's own calls to Airflow go through the task's process."""
    mask: Callable[[Mapping[str, str]], set[str]]
    """Told environment variables, keeps secrets among them out of the log, and returns these."""
    dump: Callable[[BaseException], Any]
    """Makes of an exception what the task's process can raise; None if it cannot."""
    events: Callable[[], list[list[Any]]]
    """Returns what the worker has added to the events of assets."""


class HostContext(MutableMapping[str, Any]):
    """The context, which the task's process keeps: encoded, since it has not all that a value may need."""

    def __init__(self, host: Host, codec: Codec) -> None:
        self._host = host
        self._codec = codec

    def __getitem__(self, key: str) -> Any:
        if not isinstance(key, str):
            raise KeyError(key)
        data, orders, source = self._host.ask("get", key)
        try:
            return self._codec.decode(data, orders)
        except ContextValueError as error:
            raise ContextValueError(f"context[{key!r}]: {source}{error}") from error

    def __setitem__(self, key: str, value: Any) -> None:
        try:
            data, orders = self._codec.encode(value)
        except ContextValueError as error:
            raise ContextValueError(f"context[{key!r}]: {error}") from error
        try:
            self._host.ask("set", key, data, orders)
        except MessageTooLong as error:
            hint = "keep it in a file, and its path in the context"
            raise ContextValueError(f"context[{key!r}]: {error}: {hint}") from None

    def __delitem__(self, key: str) -> None:
        if not isinstance(key, str):
            raise KeyError(key)
        self._host.ask("delete", key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and bool(self._host.ask("has", key))

    def __iter__(self) -> Iterator[str]:
        return iter(self._host.ask("keys"))

    def __len__(self) -> int:
        return len(self._host.ask("keys"))


def run_in_fork(
    door: socket.socket,
    interruptions: int,
    job: Job,
    allowed: Allowed,
    takes_output: bool,
    airflow: InAirflow,
) -> None:
    """
    Run a job's worker in this fork of the task's process, or have an interpreter of its own do it.

    :param door: the socket over which the task's process is asked.
    :param interruptions: the descriptor of the pipe that is to be read at a SIGTERM.
    :param allowed: the classes whose objects a context value may be.
    :param takes_output: the task's process takes what the worker prints.
    """
    # What was garbage at the fork is never collected here: what an object does at its end would reach what
    # both processes have. Airflow's connection to PostgreSQL (asyncpg) takes its socket out of the epoll that
    # they share, and `airflow dags test` waits for ever for an answer (3.4).
    gc.freeze()
    os.setsid()  # a process group that can be killed as a whole
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)  # which is Airflow's channel
    os.close(null)
    for signum in (signal.SIGALRM, signal.SIGSEGV):  # Airflow's, of which one has a crash repeated for ever
        if callable(signal.getsignal(signum)):
            signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which Airflow may ignore, as under nohup
    host = Host(door)
    airflow.connect(host)
    process = _Process(
        host, Interruptions(interruptions, airflow.interruptions), allowed, airflow.context, takes_output
    )

    def run() -> Outcome:
        before = dict(os.environ)
        with process.interruptions.allowed():
            app, environment = _prepare(job, host, airflow.mask)
            _check_logfile(job, environment, airflow.mask)
            if job.removes_old_logs:
                remove_old_logs(app, os.environ, host.log)
            if job.python is not None:
                python = find_interpreter(job.python, app)
                _become(python, before, environment, host, door.fileno(), interruptions)
        outcome = run_attempt(job, app, process.around)
        added = [] if outcome.code else airflow.events()
        if added:
            host.ask("events", added)
        return outcome

    process.tell(run, airflow.dump)


def run_in_interpreter(door: int, interruptions: int) -> None:
    """Run the worker that the task's process tells, in an interpreter of its own."""
    try:
        host = Host(socket.socket(fileno=door))
        start = host.ask("start")
    except (OSError, HostGone):  # as under sudo
        sys.exit(CUT_OFF)
    job = Job(**start["job"])
    allowed = Allowed(*start["allowed"])
    airflow = Codec(allowed).decode(*start["airflow"])
    around = Interruptions(interruptions, {}), allowed, MappingProxyType(airflow), start["takes_output"]
    process = _Process(host, *around)
    process.tell(
        lambda: run_attempt(job, find_app(job.list_path, job.app_root, job.cwd), process.around),
        lambda _: None,
    )


class _Process:
    """This process, once it can be interrupted."""

    def __init__(
        self, host: Host, interruptions: Interruptions, allowed: Allowed, airflow: Any, takes_output: bool
    ) -> None:
        self.interruptions = interruptions
        self._host = host
        self.around = Surroundings(
            HostContext(host, Codec(allowed)),
            airflow,
            host.log,
            host.print if takes_output else None,
            interruptions.allowed,
            lambda job: host.ask("begin", job.module, job.worker, job.logfile),
        )

    def tell(self, run: Callable[[], Outcome], dump: Callable[[BaseException], Any]) -> None:
        """Tell the task's process how an attempt ended, or why there was none."""
        try:
            outcome = run()
        except (AppError, OSError) as error:
            outcome = not_started(error)
        except BaseException as error:  # an interruption of before there was a worker
            outcome = Outcome(FAILED, error, cause_of(error))
        raised = outcome.error
        told = None
        if raised is not None:
            texts = type(raised).__name__, text_of(raised)[:_MAX_TEXT], traceback_of(raised)[-_MAX_TEXT:]
            dumped = dump(raised)
            told = [self._role(raised), *texts, dumped if len(dumped or "") < _MAX_TEXT else None]
        try:
            self._host.ask("end", outcome.code, outcome.cause, outcome.started, told)
        except HostGone:
            sys.exit(CUT_OFF)
        _end_process_pools()

    def _role(self, error: BaseException) -> str:
        if error is self.interruptions.raised:
            return "interrupted"
        if isinstance(error, WorkerFailed):
            return "code"
        return "skip" if is_any(error, SKIP) else "final" if is_any(error, FINAL) else "raised"


def _end_process_pools() -> None:
    """
    Let process pools end that the worker has left open, when they have nothing left to do.

    So does Python at its end; but multiprocessing first waits for a fork's children, here and under PyRunner,
    and theirs would never end.
    """
    pools: Any = sys.modules.get("concurrent.futures.process")
    if pools:
        for value in gc.get_objects():
            if issubclass(type(value), pools.ProcessPoolExecutor):
                value.shutdown()


def _prepare(job: Job, host: Host, mask: Callable[[Mapping[str, str]], object]) -> tuple[App, dict[str, str]]:
    """Set the app's environment and working directory."""
    app = find_app(job.list_path, job.app_root, job.cwd)
    run = Run(job.run_id, job.logical_date, job.run_time)
    environment = {"TZ": job.timezone} if job.timezone else {}
    _set_time_zone(environment)

    def tell(variables: Mapping[str, str], text: str) -> None:
        mask(variables)
        host.log("WARN", text)

    environment.update(app_environment(app, run, job.writable_folder, tell))
    for name, value in job.env.items():
        environment[name] = resolve_env(value, {**os.environ, **environment})
    os.environ.pop("APP_WORKER_DIR", None)  # another app's, if this one has none
    _set_time_zone(environment)
    os.environ.update(environment)
    os.chdir(find_working_directory(app))
    return app, environment


def _set_time_zone(environment: Mapping[str, str]) -> None:
    """Let the time zone be what an environment says, if it does: a name that is unknown would be UTC."""
    name = environment.get("TZ")
    if name is None:
        return
    os.environ["TZ"] = name
    time.tzset()
    area, separator, _ = name.partition("/")
    if separator and area == time.tzname[0]:
        raise AppError(f"time zone {name}: {os.uname().nodename} does not know it: install tzdata there")


def _check_logfile(
    job: Job, environment: Mapping[str, str], mask: Callable[[Mapping[str, str]], set[str]]
) -> None:
    """Mask what the app's environment adds to the task's, and keep secrets out of LOGFILE's name."""
    named = {name: os.environ.get(name, "") for name in env_names(job.logfile or "", job.mark)}
    secrets = mask({**environment, **named})
    for name, value in named.items():
        if value in secrets:
            text = f"LOGFILE: $ENV{{{name}}} is a secret, which the file's name would show to everybody"
            raise AppError(f"{text}: name the file without it")


def _become(
    python: str, before: dict[str, str], environment: dict[str, str], host: Host, *descriptors: int
) -> NoReturn:
    """
    Let an interpreter take this process's place.

    Its environment lacks what is meant for the Python that Airflow runs in, and Airflow's own settings, which
    hold its secrets; ``AIRFLOW_CTX_*``, which tells of the run, stays.
    """
    kept = {
        name: value
        for name, value in before.items()
        if name.startswith("AIRFLOW_CTX_")
        or not (name in _OF_OUR_PYTHON or name.startswith(("AIRFLOW_", "_AIRFLOW_")))
    }
    host.ask("become")
    command = [python, "-c", _BOOT, _PACKAGE, *map(str, descriptors)]
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    try:
        os.execve(python, command, {**kept, **environment})
    except OSError as error:
        raise AppError(f"[pyrunner] python: {python} cannot be run: {error}") from error
