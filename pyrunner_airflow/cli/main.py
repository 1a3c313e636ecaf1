"""The entry point of the command line, which imports a command only when it is called."""

from __future__ import annotations

import errno
import io
import os
import sys
from importlib import import_module

import click

from pyrunner_airflow.cli import COMMANDS
from pyrunner_airflow.cli.failure import Failure
from pyrunner_airflow.tasklist import LstError


class _ListFailure(Failure):
    """The problems of a list, whose text says of each that it is an error."""

    def show(self, file: object = None) -> None:
        click.echo(self.message, err=True)


class _Commands(click.Group):
    """A group whose commands are functions of their own name in modules of that name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"pyrunner_airflow.cli.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; what is wrong with its input is told without a traceback."""
        try:
            return super().invoke(ctx)
        except LstError as error:
            raise _ListFailure(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # who reads has had enough, as in `... | head`
                raise
            raise Failure(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""
    \b
    Examples:
      pyrunner-airflow check dags/
      pyrunner-airflow fmt config/my_sample_app.lst
      pyrunner-airflow run config/my_sample_app.lst
      pyrunner-airflow init my_job
      pyrunner-airflow trigger --wait my_sample_app
      pyrunner-airflow restart my_sample_app
      pyrunner-airflow migrate crontab.txt /srv/jobs/* --into dags/jobs
      pyrunner-airflow doctor

    Completion of commands, options and files, for bash (or zsh, fish):

    \b
      eval "$(_PYRUNNER_AIRFLOW_COMPLETE=bash_source pyrunner-airflow)"
    """,
)
@click.version_option(package_name="pyrunner-airflow")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Check, format, show, run and move PyRunner task lists; start and restart their runs in Airflow."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not know all of Unicode
