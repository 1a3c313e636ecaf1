"""``airflow pyrunner ...``: the same command line. All of Airflow's commands load this, so it does little."""

from __future__ import annotations

import argparse

from airflow.cli.cli_config import ActionCommand, Arg

from pyrunner_airflow.cli import COMMANDS


def get_commands() -> list[ActionCommand]:
    """Return what ``airflow`` adds to its own commands."""
    what = f"{', '.join(COMMANDS[:-1])} or {COMMANDS[-1]}, and its arguments"
    rest = Arg(("arguments",), nargs=argparse.REMAINDER, help=what)  # type: ignore[no-untyped-call]
    return [
        ActionCommand(
            "pyrunner", "Check, format, show, run, start and restart PyRunner task lists", _run, [rest]
        )
    ]


def _run(args: argparse.Namespace) -> None:
    from pyrunner_airflow.cli.main import main

    main(args.arguments, prog_name="airflow pyrunner")
