"""What follows once a command has started rows of a run in a running Airflow: it may wait for the end."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from contextlib import suppress

import click

from pyrunner_airflow.cli.failure import Failure
from pyrunner_airflow.cli.remote_run import ENDED, RemoteRow, RemoteRun
from pyrunner_airflow.cli.rest import Airflow, NoAnswer
from pyrunner_airflow.tasklist.diagnostics import showable

INTERRUPTED = 130
"""The exit code of one that waited, and was told not to: what a shell makes of Ctrl-C."""
_SECONDS_BETWEEN_LOOKS = 2
_TOLD = frozenset({"success", "failed", "skipped", "upstream_failed", "removed", "up_for_retry"})


def follow(
    context: click.Context, airflow: Airflow, run: RemoteRun, wait: bool, kept: Iterable[RemoteRow] = ()
) -> None:
    """
    Tell if the run can't go on, as its DAG is paused; wait for its end, if that is wanted, and exit.

    The exit code is 0 if the run succeeded, else 1. Ctrl-C leaves the run alone.

    :param kept: the rows that are not run.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(*([NoAnswer] if wait else [])):  # that waits for the next answer
            if airflow.get("dags", run.dag_id)["is_paused"]:
                what = f"nothing runs until `airflow dags unpause {run.dag_id}`"
                click.echo(f"{run.dag_id} is paused: {what}", err=True)
        if not wait:
            return
        _show_rows(run, {row.place for row in kept})
    except Failure as error:
        raise Failure(f"{error.message}\nThe run was started, and is left alone: {run.page}") from error
    except KeyboardInterrupt:
        click.echo(f"the run goes on; to end it, mark it failed on its page: {run.page}", err=True)
        context.exit(INTERRUPTED)
    click.echo(f"the run ended: {run.state}")
    context.exit(0 if run.state == "success" else 1)


def _show_rows(run: RemoteRun, kept: set[tuple[str, int]]) -> None:
    """Show each attempt as it ends; wait for as long as it takes, also while Airflow is being restarted."""
    shown: dict[tuple[str, int], tuple[str | None, int]] = {}
    is_told = False
    while True:
        try:
            run.look_again()
            _show_news(run, kept, shown)
        except NoAnswer as error:
            if not is_told:
                click.echo(f"{error.message}\nIt is asked again until it answers.", err=True)
            is_told = True
        else:
            if run.state in ENDED:
                return
            is_told = False
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _show_news(
    run: RemoteRun, kept: set[tuple[str, int]], shown: dict[tuple[str, int], tuple[str | None, int]]
) -> None:
    """Show the rows that have ended, and at the run's end also those that have not run."""
    for row in run.rows:
        now = row.state, row.attempt
        has_ended = row.state in _TOLD or (run.state in ENDED and row.place not in shown)
        if has_ended and row.place not in kept and shown.get(row.place) != now:
            click.echo(_told(run, row))
            shown[row.place] = now


def _told(run: RemoteRun, row: RemoteRow) -> str:
    text = f"{row.name:<{max(len(row.name) for row in run.rows)}}  {run.word(row):<12}"
    if row.seconds is not None:
        text += f"{row.seconds:7.1f} s"
        text += f"  attempt {row.attempt} of {row.max_attempts}" if row.max_attempts > 1 else ""
    line = run.failure(row) if row.state in ("failed", "up_for_retry") else None
    return "\n    ".join(map(showable, filter(None, (text.rstrip(), line))))
