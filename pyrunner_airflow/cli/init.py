"""``pyrunner-airflow init``: the files of a new job."""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

import click

from pyrunner_airflow.cli import new_job
from pyrunner_airflow.tasklist import LstError, parse_lst

# Airflow's rule for the ID of a DAG, less the dot: a file's extension would become part of it.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,199}")


def _path(text: str) -> Path:
    path = Path(text)
    if not _NAME.fullmatch(path.name):
        what = "up to 200 letters, digits, _ and -, such as load_orders"
        raise click.BadParameter(f"A job's name consists of {what}.")
    if os.path.lexists(path):
        raise click.BadParameter(f"{path} exists already, and nothing is overwritten: choose another name.")
    if not path.parent.is_dir():
        raise click.BadParameter(f"There is no folder {path.parent}: make it first.")
    return path


def _schedule(text: str) -> str:
    try:
        parse_lst(new_job.task_list("job", text))
    except LstError as error:
        raise click.BadParameter(error.diagnostics[0].hint) from error
    return text


@click.command(
    epilog="""
    \b
    Examples:
      pyrunner-airflow init load_orders
      pyrunner-airflow init --schedule "0 6 * * *" dags/load_orders
    """
)
@click.argument("name", required=False, callback=lambda ctx, param, text: text and _path(text))
@click.option(
    "--schedule",
    metavar="CRON",
    callback=lambda ctx, param, text: text and _schedule(text),
    help="When Airflow runs the job, such as '0 6 * * *' or '@daily'; without it, when it is triggered.",
)
def init(name: Path | None, schedule: str | None) -> None:
    """Start a new job.

    It is a folder NAME with a task list, its profile, a worker, and a test of the worker. NAME may be a
    path, whose last part is the job's name. On a terminal, what is not given is asked for. Nothing is ever
    overwritten.
    """
    asks = sys.stdin.isatty()
    if name is None:
        if not asks:
            raise click.UsageError("Missing argument 'NAME'.")
        name = click.prompt("Name of the job", value_proc=_path)
    if schedule is None and asks:
        question = "Schedule, such as 0 6 * * * or @daily (empty: none)"
        schedule = click.prompt(question, default="", show_default=False, value_proc=_schedule)
    files = new_job.files(name.name, schedule)
    _write(name, files)
    _tell(name, files)


def _write(folder: Path, files: dict[str, str]) -> None:
    """Make the folder in one step: Airflow may be looking."""
    with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as draft:
        made = Path(draft, folder.name)
        for path, content in files.items():
            file = made / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        made.rename(folder)


def _tell(folder: Path, files: dict[str, str]) -> None:
    for path in files:
        click.echo(f"made {folder / path}")
    job = shlex.quote(str(folder))
    following = {
        f"pyrunner-airflow run {job}": "run it here and now",
        f"python -m pytest {job}": "test its worker (pip install pytest)",
        f"pyrunner-airflow check {job}": "look for mistakes, after a change",
    }
    width = max(map(len, following))
    click.echo("\nNext:")
    for command, what in following.items():
        click.echo(f"  {command:<{width}}  {what}")
    click.echo("In Airflow it runs as it is: copy the folder into the dags folder.")
