"""``airflow pyrunner trigger``: a run of a list in a running Airflow, for a scheduler outside of it."""

from __future__ import annotations

import click

from pyrunner_airflow.cli.failure import Failure
from pyrunner_airflow.cli.following import follow
from pyrunner_airflow.cli.remote_run import names_of_rows, start_run
from pyrunner_airflow.cli.rest import api_url, connect
from pyrunner_airflow.cli.row_options import RowOptions, row_options
from pyrunner_airflow.tasklist.diagnostics import showable


@click.command(
    epilog="""
    \b
    Examples:
      pyrunner-airflow trigger my_sample_app
      pyrunner-airflow trigger --cvar day=2026-01-31 -N 6 --wait my_sample_app
    """
)
@click.argument("dag_id", metavar="DAG")
@row_options
@click.option("--wait", is_flag=True, help="Show the rows as they end, and wait for the run's end.")
@api_url
@click.pass_context
def trigger(
    context: click.Context, dag_id: str, options: RowOptions, wait: bool, api_url: str | None
) -> None:
    """Start a run of a list in a running Airflow.

    It asks Airflow's REST API, as the user of AIRFLOW_CLI_TOKEN, or of AIRFLOW_USERNAME and AIRFLOW_PASSWORD,
    and needs no Airflow here if it is told where that is.

    The exit code is 0 if the run was started (with --wait: if it succeeded), 1 if it failed, 2 if nothing
    was started, or that is not known, or Airflow does not let it look any more. Ctrl-C ends the waiting, with
    130, and leaves the run alone.
    """
    airflow = connect(api_url)
    names = names_of_rows(airflow, dag_id)
    if not names:
        raise Failure(f"{dag_id} is not made from a task list: start it by `airflow dags trigger {dag_id}`")
    chosen = {**options.selection(names), "cvar": options.cvar or None}
    run = start_run(airflow, dag_id, {name: value for name, value in chosen.items() if value is not None})
    click.echo(showable(f"run {run.run_id} of {dag_id}: {run.page}"))
    follow(context, airflow, run, wait)
