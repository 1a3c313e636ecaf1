"""How a command ends that cannot go on."""

from __future__ import annotations

import click


class Failure(click.ClickException):
    """What stops a command: one message, without a traceback, and exit code 2."""

    exit_code = 2
