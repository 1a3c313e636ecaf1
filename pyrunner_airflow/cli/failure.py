"""How a command ends that cannot go on."""

from __future__ import annotations

import click

from pyrunner_airflow.tasklist.diagnostics import showable


class Failure(click.ClickException):
    """What stops a command: one message, without a traceback, and exit code 2."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__("\n".join(map(showable, message.split("\n"))))
