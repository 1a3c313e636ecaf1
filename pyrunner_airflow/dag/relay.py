"""
What a fork of a task's process says to Airflow, relayed by the task's process, which alone has the channel.

This is the one place that uses a name of Airflow's that is not public: ``task_runner.SUPERVISOR_COMMS``, by
which Connections, Variables, XComs and all else are asked for. Airflow has no other way to offer them to a
forked process. Where the name is gone, :func:`is_possible` says so: a worker's own calls to Airflow are not
to be had then, and all else works.

Requests are JSON, read as Airflow's supervisor reads them: nothing that a worker's process may have written
is unpickled here. Answers are pickled, since the fork is the same program.
"""

from __future__ import annotations

import asyncio
import base64
import pickle
import threading
from functools import cache
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import MaskSecret, ToSupervisor
from pydantic import ConfigDict, TypeAdapter

from pyrunner_airflow.dag.masking import mask_alone
from pyrunner_airflow.worker.protocol import Host as WorkersHost

NOT_POSSIBLE = (
    "this Airflow has no task_runner.SUPERVISOR_COMMS, by which workers reach it: self.airflow has plain "
    "values alone, and Connections, Variables and XComs are not to be had; a newer pyrunner-airflow may help"
)

CHANNEL = threading.Lock()
"""Held during a request of a task's process: under ``dag.test()`` two threads spoil each other's."""


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
        if isinstance(msg, MaskSecret) and isinstance(msg.value, (dict, list)):  # see forward()
            parts = (
                msg.value.items() if isinstance(msg.value, dict) else ((msg.name, one) for one in msg.value)
            )
            for name, value in parts:
                self.send(MaskSecret(value=value, name=name))
            return None
        request = _values().dump_json(msg.model_dump()).decode()
        kind, answer = pickle.loads(base64.b64decode(self._host.ask("airflow", request)))
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
        request = _requests().validate_json(message)
        if isinstance(request, MaskSecret):  # this process's own log lines must not have it either
            if isinstance(request.value, (dict, list)):  # thousands would hold this process for minutes
                raise ValueError("one secret at a time")
            if request.value is not None:
                with CHANNEL:
                    mask_alone(str(request.value), request.name)
            return _dump(("answer", None))
        with CHANNEL:
            return _dump(("answer", task_runner.SUPERVISOR_COMMS.send(request)))
    except AirflowRuntimeError as error:
        return _dump(("error", error.error))
    except Exception as error:
        return _dump(("failed", f"{type(error).__name__}: {error}"))


@cache
def _values() -> TypeAdapter[Any]:
    return TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="constants"))


@cache
def _requests() -> TypeAdapter[Any]:
    return TypeAdapter(ToSupervisor)


def _dump(value: Any) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()
