"""``airflow pyrunner ...``: the same command line. All of Airflow's commands load this, so it does little."""

from __future__ import annotations

import argparse

from airflow.cli.cli_config import ActionCommand, Arg


def get_commands() -> list[ActionCommand]:
    """Return what ``airflow`` adds to its own commands."""
    what = "check, fmt, show, run or init, and its arguments or --help"
    rest = Arg(("arguments",), nargs=argparse.REMAINDER, help=what)  # type: ignore[no-untyped-call]
    return [ActionCommand("pyrunner", "Check, format, show, run and start PyRunner task lists", _run, [rest])]


def _run(args: argparse.Namespace) -> None:
    from pyrunner_airflow.cli.main import main

    main(args.arguments, prog_name="airflow pyrunner")
