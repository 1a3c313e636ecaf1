"""``airflow pyrunner restart``: PyRunner's ``-r`` for a run in a running Airflow."""

from __future__ import annotations

import click

from pyrunner_airflow.cli.failure import Failure
from pyrunner_airflow.cli.following import follow
from pyrunner_airflow.cli.remote_run import ENDED, RemoteRow, RemoteRun, find_run, latest_runs
from pyrunner_airflow.cli.rest import Airflow, api_url, connect
from pyrunner_airflow.restart import clear_request
from pyrunner_airflow.tasklist.diagnostics import showable
from pyrunner_airflow.tasklist.graph import id_hints

_LOOKED_AT = 25


@click.command(
    epilog="""
    \b
    Examples:
      pyrunner-airflow restart my_sample_app
      pyrunner-airflow restart --dry-run my_sample_app manual__2026-01-31T06:00:00+00:00
      pyrunner-airflow restart --from 3 --wait my_sample_app
    """
)
@click.argument("dag_id", metavar="DAG")
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--dry-run", is_flag=True, help="Only tell which rows would run again.")
@click.option(
    "--only", metavar="ID", type=int, help="Run this row again and no other, whatever became of it."
)
@click.option("--from", "first", metavar="ID", type=int, help="Run this row and all below it again.")
@click.option("--wait", is_flag=True, help="Show the rows as they end, and wait for the run's end.")
@api_url
@click.pass_context
def restart(
    context: click.Context,
    dag_id: str,
    run_id: str | None,
    dry_run: bool,
    only: int | None,
    first: int | None,
    wait: bool,
    api_url: str | None,
) -> None:
    """Run what did not succeed in a run, as PyRunner's -r does.

    That are the rows that failed, those that did not run because of it, and those that an abort kept from
    running. Rows that succeeded, or were marked so, keep what they did; those that failed find what they had
    written to the context. Without RUN it is the latest run of the DAG that has something to restart.

    It asks Airflow's REST API, as the user of AIRFLOW_CLI_TOKEN, or of AIRFLOW_USERNAME and AIRFLOW_PASSWORD.

    The exit code is 0 if the rows were started (with --wait: if the run succeeded), 1 if the run failed
    again, 2 if nothing was started, or Airflow does not let it look any more. Ctrl-C ends the waiting, with
    130, and leaves the run alone.
    """
    if only is not None and first is not None:
        raise click.UsageError("--only and --from exclude each other.")
    airflow = connect(api_url)
    run = find_run(airflow, dag_id, run_id) if run_id else _latest(airflow, dag_id, only or first)
    if run.state not in ENDED:
        raise Failure(
            f"run {run.run_id} of {dag_id} is {run.state}: wait for its end, or mark it failed first"
        )
    again = _chosen(run, only, first)
    _show(run, again, "would run again" if dry_run else "runs again")
    if dry_run:
        return
    body = clear_request(run.run_id, (row.task_id for row in again), airflow.get("version")["version"])
    airflow.send("POST", "dags", dag_id, "clearTaskInstances", body=body)
    follow(context, airflow, run, wait, kept=set(run.rows).difference(again))


def _latest(airflow: Airflow, dag_id: str, row_id: int | None) -> RemoteRun:
    """Return the latest run that has something to restart, or where a row is named the latest of all."""
    for run in latest_runs(airflow, dag_id, _LOOKED_AT):
        if row_id is not None or run.to_restart():
            return run
    raise Failure(
        f"there is nothing to restart: of the last {_LOOKED_AT} runs of {dag_id} none has rows left"
    )


def _chosen(run: RemoteRun, only: int | None, first: int | None) -> list[RemoteRow]:
    wanted = only if first is None else first
    if wanted is None:
        again = run.to_restart()
        if not again:
            raise Failure(f"there is nothing to restart: every row of run {run.run_id} is done")
        return again
    known = {row.id for row in run.rows if row.id is not None}
    if wanted not in known:
        (hint,) = id_hints([str(wanted)], known)
        raise click.UsageError(f"No row has the ID {wanted}. {hint}")
    return [row for row in run.rows if row.id == only] if first is None else run.from_row(first)


def _show(run: RemoteRun, again: list[RemoteRow], what: str) -> None:
    click.echo(showable(f"run {run.run_id} of {run.dag_id}"))
    width = max(len(row.name) for row in run.rows)
    chosen = set(again)
    for row in run.rows:
        fate = what if row in chosen else "kept"
        click.echo(showable(f"{row.name:<{width}}  {run.word(row):<8}  {fate}"))
