"""The syntax of ARGUMENTS and LOGFILE, which Airflow renders with Jinja."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from pyrunner_airflow.tasklist.diagnostics import quote
from pyrunner_airflow.tasklist.fields import Column, clean_argument

if TYPE_CHECKING:
    from jinja2 import Environment

    from pyrunner_airflow.tasklist.diagnostics import Place, Problems
    from pyrunner_airflow.tasklist.fields import Row

_OPENING = re.compile(r"\{[{%#]")
_CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}"}
_SEPARATOR = re.compile(r"[,|]|$")
# How far behind a separator the rest of a template is looked for.
_REACH = 200


def check_templates(row: Row, problems: Problems) -> None:
    """Report each argument, and the LOGFILE, that Airflow could not render."""
    if not _OPENING.search(row.text):
        return
    for offset, item in row.items(Column.ARGUMENTS):
        _check(row, Column.ARGUMENTS, offset, item, clean_argument(item), problems)
    logfile = row.fields[Column.LOGFILE]
    _check(row, Column.LOGFILE, 0, logfile, logfile, problems)


def _check(row: Row, column: Column, offset: int, item: str, template: str, problems: Problems) -> None:
    opening = _OPENING.search(template)
    if not opening or not (reason := _syntax_error(template)):
        return
    unclosed = _unclosed(template)
    place = row.place(column, offset, len(item))
    message = f"{row.called(column)}: {quote(template)} is no valid Jinja template: {reason}"
    hint = unclosed and column is Column.ARGUMENTS and _cut_hint(item, place, _CLOSING[unclosed])
    hint = hint or _literal_hint(column, unclosed or opening[0])
    problems.error("invalid-template", place, message, hint)


def _unclosed(template: str) -> str | None:
    """Return the first opening that nothing closes."""
    last = {opening: template.rfind(closing) for opening, closing in _CLOSING.items()}
    openings = _OPENING.finditer(template)
    return next((opening[0] for opening in openings if last[opening[0]] < opening.end()), None)


def _cut_hint(item: str, place: Place, closing: str) -> str | None:
    """Return what to write where a comma or ``|`` cuts a template in two; None where none does."""
    start = place.column - 1
    cut = start + len(item)
    closed = place.text.find(closing, cut, cut + _REACH)
    if closed < 0:
        return None
    separator = _SEPARATOR.search(place.text, closed, closed + _REACH)
    whole = place.text[start : separator.start() if separator else None].strip()
    mended = '"' + whole.replace('"', "'") + '"'
    if _syntax_error(mended):
        return None
    knife = "comma" if place.text[cut : cut + _REACH].lstrip().startswith(",") else "|"
    return f"The {knife} cuts the template in two. Put double quotes around the whole argument: {mended}"


def _literal_hint(column: Column, opening: str) -> str:
    hint = f"""For text that is meant literally write {{{{ "{opening}" }}}} in place of {opening}"""
    hint += ", or templates = false below [pyrunner]"
    if column is Column.LOGFILE:
        return f"{hint}; a template ends with {_CLOSING[opening]}."
    return f"{hint}; a template that contains a comma or | needs double quotes around the whole argument."


@lru_cache(maxsize=256)
def _syntax_error(template: str) -> str | None:
    """Return why Jinja refuses a text, None if it does not."""
    try:
        _environment().parse(template)
    except RecursionError:
        return "it is nested too deeply"
    # Not only TemplateSyntaxError: a number of 5,000 digits is a bare ValueError, for one.
    except Exception as error:
        return quote(str(error).rstrip("."), 200)[1:-1]
    return None


@cache
def _environment() -> Environment:
    """Return an environment that knows the tags Airflow's own knows."""
    from jinja2 import Environment  # only lists with templates pay for it

    return Environment(extensions=["jinja2.ext.do"])
