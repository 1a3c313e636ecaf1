"""What a person is told of a failed attempt: one line of the task's log, the cause first, the place last."""

from __future__ import annotations

import socket
from typing import NamedTuple

from pyrunner_airflow.worker.attempt import Job, Outcome, another_follows

FAILURE_KEY = "pyrunner.failure"
"""The XCom by which a failed task tells its line to the mail about the run."""

_CLEAR = "clear the failed tasks of this run"
_MARKED = {
    "failed": "it was marked failed: to go on, clear it together with what stands below it",
    "success": "it was marked success, and what stands below it goes on",
    "running": "",  # by nobody: it was the host, a deployment or Airflow itself that ended it
}


class NextStep(NamedTuple):
    """What follows an attempt that failed."""

    text: str
    is_attempt: bool = False


def next_step(job: Job, outcome: Outcome, state: str | None = "running", go_on: str = "") -> NextStep:
    """
    Return what follows an attempt that failed, or what a person has to do.

    :param state: the task's state at Airflow, which an attempt that was ended (SIGTERM) may have lost.
    :param go_on: what goes on with the run, if clearing it does not.
    """
    marked = _MARKED.get(state or "", "it was cleared, and runs again")
    if marked:
        return NextStep(marked)
    if another_follows(job, outcome):
        return NextStep(f"the next attempt follows in {job.retry_wait_time} s", is_attempt=True)
    return NextStep(f"mend the cause and {go_on or _CLEAR}")


def report(job: Job, cause: str, step: NextStep) -> str:
    """Return the line."""
    text = (
        f'failed: {cause}; row {job.id} "{job.name}", attempt {job.attempt} of {job.max_attempts}; '
        f"{step.text}; {job.module}.{job.worker}, LOGFILE {job.logfile or 'none'} "
        f"on {socket.gethostname()}, {job.list_path}:{job.line}"
    )
    return text.replace(job.mark, "")
