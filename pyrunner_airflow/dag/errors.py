"""What a task of a row may raise, beside what its worker does."""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowFailException


class WorkerNotStarted(AirflowFailException):
    """There was no worker to run, so that another attempt would end the same way (PyRunner's code 905)."""


class WorkerTerminated(BaseException):
    """
    Airflow ended the task (SIGTERM): not an Exception, so that no worker swallows it by accident.

    :ivar seconds_to_end: how long the worker's hooks may take, before Airflow kills the task.
    """

    def __init__(self, text: str, seconds_to_end: float = 4.0) -> None:
        super().__init__(text)
        self.seconds_to_end = seconds_to_end


class TakenOver(WorkerTerminated):
    """Airflow has no such attempt any more: its row was cleared, or lost and started anew elsewhere."""


class WorkerRaised(Exception):
    """
    An exception of a worker that only the worker's own process can have.

    :ivar name: its type's name.
    :ivar text: its text.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}" if text else name)
        self.name = name
        self.text = text


class WorkerTraceback(Exception):
    """Where in its process a worker raised the exception that this is the cause of."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'
