"""The classes that a job's author extends or names in a task list."""

from __future__ import annotations

import mmap
import signal
from abc import ABC, abstractmethod
from typing import Any

from .context import Context
from .groups import LEFT_RUNNING, end_group, guarded, hang_up
from .logger import Logger, print_line

_SHELL = 'read -r go && exec /bin/sh -c "$1" </dev/null'
"""Runs a command once it is told that there is a guard, which ends it if the worker dies."""
_SECONDS_TO_END = 2.0
"""How long a command may take to end after SIGTERM; Airflow gives the whole task 5 s."""
MAX_CODE = 2**63 - 1
"""The largest return code: a larger one is no less a failure."""


class ReturnCode:
    """A worker's code: shared with the processes that it forks, as PyRunner's is, but of 64 bits, not 32."""

    def __init__(self, value: int = 0) -> None:
        self._memory = mmap.mmap(-1, 8)
        self.value = value

    @property
    def value(self) -> int:
        """The code; assigning takes a number from 0."""
        return int.from_bytes(self._memory[:], "little")

    @value.setter
    def value(self, value: int) -> None:
        self._memory[:] = min(value, MAX_CODE).to_bytes(8, "little")


class Worker(ABC):
    """
    Base class of a job's workers, in the terms of python-batch-runner 5.2.1.

    Override :meth:`run`, and the hooks that the job needs. A phase's return value is its code: nothing, 0
    and False are success, a positive number is failure.

    :param context: the dictionary shared by the job; any mapping will do in a unit test.
    :param logfile: the path that the row's LOGFILE names, or None.
    :param argv: the row's ARGUMENTS.
    """

    airflow: Any = None
    """Airflow's task context (``logical_date``, ``params``, ``ti``, ...) in a task; None elsewhere."""

    arguments_text: str | None = None
    """The row's ARGUMENTS before they were split; None where the worker is made by hand."""

    def __init__(self, context: Any, logfile: str | None = None, argv: list[str] | None = None) -> None:
        self._retcode = ReturnCode()
        self.context = context if isinstance(context, Context) else Context(context)
        self.logfile = logfile
        self.argv = [] if argv is None else argv
        self.logger = Logger(print_line)

    @property
    def retcode(self) -> int:
        """The worker's code so far; assigning takes what ``int`` takes, and nothing negative."""
        return self._retcode.value

    @retcode.setter
    def retcode(self, value: Any) -> None:
        code = int(value)
        if code < 0:
            raise ValueError(f"retcode must be 0 or greater - received: {value}")
        self._retcode.value = code

    @abstractmethod
    def run(self) -> Any:
        """Do the work. An exception, or a code other than 0, fails the attempt."""

    # As in PyRunner a hook that is not overridden raises, and the runner takes no notice: a job's own hook
    # may call super() and must see the same.
    def on_start(self) -> Any:
        """Run before :meth:`run`; failing, it fails the attempt in its stead (PyRunner 5.3.0)."""
        raise NotImplementedError

    def on_success(self) -> Any:
        """Run after :meth:`run` succeeded; its return value is the code."""
        raise NotImplementedError

    def on_fail(self) -> Any:
        """Run after :meth:`run` failed, in each attempt; may set ``self.retcode = 0``."""
        raise NotImplementedError

    def on_exit(self) -> Any:
        """Run last, in each attempt; its return value, or ``self.retcode``, has the last word."""
        raise NotImplementedError

    def on_destroy(self) -> Any:
        """Run last too: the name that PyRunner 5.3.0 gives to :meth:`on_exit`."""
        raise NotImplementedError


class ShellWorker(Worker):
    """
    Runs the row's ARGUMENTS as one shell command and logs what it prints.

    A single argument is the command, without the double quotes around it, as in PyRunner. Of several PyRunner
    runs only the first; here the command is the whole text, commas and all.

    The command's standard input is empty. It ends when its worker does, by whatever means that happens. So
    does what it leaves running in the background, except, after a success, what ignores SIGHUP (``nohup``).
    """

    def run(self) -> int:
        """Return the command's exit status, 128 + n for a command that signal n ended."""
        if not self.argv:
            raise ValueError("ShellWorker has no command: the ARGUMENTS column of its row is empty")
        import subprocess  # which a worker's start is not to wait for

        command = self.argv[0] if len(self.argv) == 1 else self.arguments_text or ",".join(self.argv)
        process = subprocess.Popen(
            ["/bin/sh", "-c", _SHELL, "sh", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with process, guarded(process.pid):
            assert process.stdin and process.stdout
            try:
                process.stdin.write(b"go\n")
                process.stdin.close()
                for line in process.stdout:
                    self.logger.info(line.decode("utf-8", "replace").rstrip("\n"))
                status = process.wait()
                if status == 0 and hang_up(process.pid):
                    self.logger.warn(LEFT_RUNNING)
            except BaseException:
                status = -1
                raise
            finally:
                if status:
                    end_group(process.pid, signal.SIGTERM, _SECONDS_TO_END, signal.SIGKILL)
        return status if status >= 0 else 128 - status
