"""How problems look in a terminal, and in the forms that programs read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from pyrunner_airflow.tasklist import LstError
from pyrunner_airflow.tasklist.diagnostics import showable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyrunner_airflow.tasklist import Diagnostic

_HEAD = re.compile(r"^(\S.*?): (error|warning)(\[[a-z0-9-]+\]): ", re.MULTILINE)
_CARETS = re.compile(r"^(\s+)(\^+)$", re.MULTILINE)
_HINT = re.compile(r"^    hint:", re.MULTILINE)
_IN_TEXT = "%\r\n"
_IN_PROPERTIES = f"{_IN_TEXT}:,"
_COLOURS = {"error": "red", "warning": "yellow"}


def as_text(problems: Sequence[Diagnostic]) -> str:
    """Draw problems with colours, which ``click.echo`` takes out where nobody can see them."""
    text = str(LstError(tuple(problems)))
    text = _HEAD.sub(_head, text)
    text = _CARETS.sub(lambda match: match[1] + click.style(match[2], fg="red", bold=True), text)
    return _HINT.sub("    " + click.style("hint:", fg="cyan"), text)


def _head(match: re.Match[str]) -> str:
    severity = click.style(match[2] + match[3], fg=_COLOURS[match[2]], bold=True)
    return f"{click.style(match[1], bold=True)}: {severity}: "


def as_json(problems: Sequence[Diagnostic]) -> str:
    """Return an array with one object for each problem; `line` 0 is the file as a whole."""
    import json  # only whoever asks for it pays for it

    names = ("line", "column", "length", "column_name", "severity", "code", "message", "hint")
    told = [{"file": each.source, **{name: getattr(each, name) for name in names}} for each in problems]
    return json.dumps(told, indent=2)


def as_github(problems: Sequence[Diagnostic]) -> str:
    """Return the commands by which GitHub's runners write problems beside the lines of a pull request."""
    return "\n".join(map(_command, problems))


def _command(problem: Diagnostic) -> str:
    properties = {"file": problem.source, "title": problem.code}
    if problem.line:
        end = problem.column + max(problem.length, 1)
        properties |= {"line": str(problem.line), "col": str(problem.column), "endColumn": str(end)}
    shown = ",".join(
        f"{name}={_escape(showable(value), _IN_PROPERTIES)}" for name, value in properties.items()
    )
    text = "\n".join(map(showable, [problem.message, *problem.hint.split("\n")]))
    return f"::{problem.severity} {shown}::{_escape(text, _IN_TEXT)}"


def _escape(text: str, characters: str) -> str:
    return "".join(f"%{ord(char):02X}" if char in characters else char for char in text)
