"""
What a person is told of a failed attempt.

The log of its task has one line, the cause first, the place last. Who does not see that log, such as the DAG
processor when it sends the mail about a run, finds the same in an XCom, and for a mail the log's end with it.
"""

from __future__ import annotations

import socket
from typing import NamedTuple

from pyrunner_airflow.dag.masking import masked
from pyrunner_airflow.dag.task_log import LogEnd
from pyrunner_airflow.tasklist.diagnostics import showable
from pyrunner_airflow.worker.attempt import Job, Outcome, another_follows

_RESTART = "restart this run"
_MARKED = {
    "failed": "it was marked failed: to go on, restart this run",
    "success": "it was marked success, and what stands below it goes on",
    "running": "",  # by nobody: it was the host, a deployment or Airflow itself that ended it
}


class NextStep(NamedTuple):
    """What follows an attempt that failed."""

    text: str
    is_attempt: bool = False


UNDATED = NextStep(
    "this run has no logical date, and so neither `ds`, `ts` nor a data interval: start one that has, by "
    "`airflow dags trigger --logical-date` or in the form, or write {{ dag_run.run_after.date() }}"
)
"""What to do where a template asked for what a run without a logical date does not have."""
TAKEN_OVER = NextStep("Airflow has begun it anew, or its run is gone")


def next_step(job: Job, outcome: Outcome, state: str | None = "running", go_on: str = "") -> NextStep:
    """
    Return what follows an attempt that failed, or what a person has to do.

    :param state: the task's state at Airflow, which an attempt that was ended (SIGTERM) may have lost.
    :param go_on: what goes on with the run, if restarting it does not.
    """
    marked = _MARKED.get(state or "", "it was cleared, and runs again")
    if marked:
        return NextStep(marked)
    if another_follows(job, outcome):
        return NextStep(f"the next attempt follows in {job.retry_wait_time} s", is_attempt=True)
    return NextStep(f"mend the cause and {go_on or _RESTART}")


def report(job: Job, cause: str, step: NextStep) -> str:
    """Return the line."""
    text = (
        f'failed: {cause}; row {job.id} "{job.name}", attempt {job.attempt} of {job.max_attempts}; '
        f"{step.text}; {job.module}.{job.worker}, LOGFILE {job.logfile or 'none'} "
        f"on {socket.gethostname()}, {job.list_path}:{job.line}"
    )
    return text.replace(job.mark, "")


def last_words(job: Job, outcome: Outcome, line: str, end: LogEnd | None) -> dict[str, str | None]:
    """
    Return what the XCom holds.

    :param line: what :func:`report` has made of it.
    :param end: None where no mail is to have it: who may read XComs need not be one who may read logs.
    """

    def shown(text: str) -> str:
        return showable(masked(text.replace(job.mark, "")))

    return {
        "cause": shown(outcome.cause),
        "line": shown(line),
        "logfile": job.logfile and shown(job.logfile),
        "host": socket.gethostname(),
        "log": end.text(outcome.error) if end else None,
    }
