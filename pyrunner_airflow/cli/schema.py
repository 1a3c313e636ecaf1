"""``pyrunner-airflow schema``: what an editor is told of ``pyrunner.toml``."""

from __future__ import annotations

from importlib.resources import files

import click


@click.command(
    epilog="""
    \b
    Examples:
      pyrunner-airflow schema > pyrunner.schema.json
    """
)
def schema() -> None:
    """Print the JSON Schema of pyrunner.toml, by which editors complete and check it."""
    text = files("pyrunner_airflow.tasklist").joinpath("pyrunner.schema.json").read_text("utf-8")
    click.echo(text, nl=False)
