"""
What a fork of a task's process says to Airflow, relayed by the task's process, which alone has the channel.

This is the one place that uses a name of Airflow's that is not public: ``task_runner.SUPERVISOR_COMMS``, by
which Connections, Variables, XComs and all else are asked for. Airflow has no other way to offer them to a
forked process. Where the name is gone, :func:`is_possible` says so: a worker's own calls to Airflow are not
to be had then, and all else works.

Messages are pickled, since both ends are the same program. Nothing of that kind is taken from an interpreter
of its own.
"""

from __future__ import annotations

import asyncio
import base64
import io
import pickle
import sys
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import MaskSecret
from airflow.sdk.log import mask_secret

from pyrunner_airflow.worker.protocol import Host as WorkersHost

NOT_POSSIBLE = (
    "this Airflow has no task_runner.SUPERVISOR_COMMS, by which workers reach it: self.airflow has plain "
    "values alone, and Connections, Variables and XComs are not to be had; a newer pyrunner-airflow may help"
)


class RelayError(RuntimeError):
    """A worker called Airflow, which cannot be reached from its process."""


def is_possible() -> bool:
    """Say whether this process, a task's, has a channel to Airflow that calls can be relayed to."""
    return getattr(task_runner, "SUPERVISOR_COMMS", None) is not None


class _Channel:
    """Stands, in a fork, in the place of the channel to Airflow."""

    socket = None  # of which Airflow makes sure at a process's end that it is closed

    def __init__(self, host: WorkersHost, replaced: Any) -> None:
        self._host = host
        self._replaced = replaced  # else its socket would be closed, and with it descriptor 0

    def send(self, msg: Any) -> Any:
        """Send a request of Airflow's, and return its answer."""
        kind, answer = _load(self._host.ask("airflow", _dump(msg)))
        if kind == "error":
            raise AirflowRuntimeError(answer)
        if kind == "failed":
            raise RelayError(answer)
        return answer

    async def asend(self, msg: Any) -> Any:
        """Do the same without holding up the event loop."""
        return await asyncio.to_thread(self.send, msg)


def connect(host: WorkersHost) -> None:
    """Have this process, a fork, reach Airflow through the task's process."""
    if is_possible():
        task_runner.SUPERVISOR_COMMS = _Channel(host, task_runner.SUPERVISOR_COMMS)  # type: ignore[assignment]


def forward(message: str) -> str:
    """Send Airflow a request that a fork has made, and return what to answer."""
    try:
        request = _load(message)
        if isinstance(request, MaskSecret):  # this process's own log lines must not have it either
            mask_secret(request.value, request.name)
            return _dump(("answer", None))
        return _dump(("answer", task_runner.SUPERVISOR_COMMS.send(request)))
    except AirflowRuntimeError as error:
        return _dump(("error", error.error))
    except Exception as error:
        return _dump(("failed", f"{type(error).__name__}: {error}"))


def dump_error(error: BaseException) -> str | None:
    """Return an exception as it goes to the task's process, or None if it cannot go there."""
    cls = type(error)
    try:
        # Constructors of their own take other arguments than `args` as often as not.
        args, state = error.args, vars(error)
        if cls.__module__ == "builtins":
            reduced: Any = error.__reduce__()  # which has what is not in vars, such as an ImportError's name
            _, args, *attributes = reduced
            state = dict(*attributes)
        text = _dump((cls, args, state))
        return text if str(load_error(text)) == str(error) else None
    except Exception:  # whatever a class or its attributes make of it
        return None


def load_error(text: str | None) -> BaseException | None:
    """Return the exception, or None if this process does not have its class: no app is imported for it."""
    if text is None:
        return None
    try:
        cls, args, state = _Unpickler(io.BytesIO(base64.b64decode(text))).load()
        if cls.__module__ == "builtins":
            error: BaseException = cls(*args)
            error.__setstate__(state)
        else:
            error = cls.__new__(cls, *args)
            vars(error).update(state)
    except Exception:
        return None
    return error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module not in sys.modules and not module.startswith("airflow."):  # such as a deferral's trigger
            raise pickle.UnpicklingError(f"{module} is an app's")
        return super().find_class(module, name)


def _dump(value: Any) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()


def _load(text: str) -> Any:
    return pickle.loads(base64.b64decode(text))
