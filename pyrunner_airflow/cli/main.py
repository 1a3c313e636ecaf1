"""The entry point of the command line, which imports a command only when it is called."""

from __future__ import annotations

from importlib import import_module

import click

_COMMANDS = ("check", "fmt", "show", "init")


class _Commands(click.Group):
    """A group whose commands are functions of their own name in modules of that name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"pyrunner_airflow.cli.{cmd_name}"), cmd_name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pyrunner-airflow")
def main() -> None:
    """Check, format, show and start PyRunner task lists."""
