"""``pyrunner-airflow check``: everything that can be told of task lists without running them."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import click

from pyrunner_airflow.check import Check
from pyrunner_airflow.cli import drawing, lists
from pyrunner_airflow.cli.codes import CODES
from pyrunner_airflow.tasklist import LstError, Severity
from pyrunner_airflow.tasklist.diagnostics import did_you_mean, showable
from pyrunner_airflow.tasklist.lst import split_lines

if TYPE_CHECKING:
    from pyrunner_airflow.check.checker import ReadModules
    from pyrunner_airflow.tasklist import Diagnostic

_PROBLEMS = 1
_UNREADABLE = 2
_EXAMPLES = """
\b
Examples:
  pyrunner-airflow check dags
  pyrunner-airflow check --ignore duplicate-name dags/my_app/config/my_app.lst
  git show HEAD:my.lst | pyrunner-airflow check -
"""


def _codes(_context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> frozenset[str]:
    codes = frozenset(code.strip() for value in values for code in value.split(","))
    for code in sorted(codes - CODES):
        hint = f"there is no code {code!r}. {did_you_mean(code, CODES)}"
        raise click.BadParameter(hint.rstrip(), param=option)
    return codes


@click.command(epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    help="For people, for programs, or for the lines of a pull request on GitHub.",
)
@click.option("--select", multiple=True, metavar="CODE", callback=_codes, help="Show these problems alone.")
@click.option("--ignore", multiple=True, metavar="CODE", callback=_codes, help="Show all but these problems.")
@click.pass_context
def check(
    context: click.Context, paths: tuple[str, ...], form: str, select: frozenset[str], ignore: frozenset[str]
) -> None:
    """Check task lists, their options, their workers, and what these leave each other in the context.

    PATH is a list, a folder (all lists in it and below, except those that .airflowignore leaves out), or -
    for the standard input, which is taken for a list in the current folder. Workers are read, never
    imported.

    The exit code is 0 if there are no problems, 1 if there are, 2 if a file can't be read.
    """
    gc.disable()  # a short life with many objects, of which hardly one dies before its end
    found_lists = list(lists.find(paths))
    found: dict[Diagnostic, None] = {}  # once each, notes too: several lists may share a file
    noted: dict[str, None] = {}
    modules: ReadModules = {}
    for path in found_lists:
        problems, notes = _check(path, modules)
        found.update(dict.fromkeys(problems))
        noted.update(dict.fromkeys(notes))
    for note in noted:
        click.echo(f"note: {showable(note)}", err=True)
    shown = [problem for problem in found if problem.code in (select or CODES) - ignore]
    if form == "text":
        _show(shown, len(found_lists))
    elif form == "json":
        click.echo(drawing.as_json(shown))
    elif shown:
        click.echo(drawing.as_github(shown))
    gc.freeze()  # nor does the interpreter have to look through them when it ends
    if any(problem.code == "unreadable-file" for problem in found):
        context.exit(_UNREADABLE)
    context.exit(_PROBLEMS if shown else 0)


def _check(path: str, modules: ReadModules) -> tuple[tuple[Diagnostic, ...], list[str]]:
    """Return the problems of a list and of what goes with it, and what could not be found out."""
    try:
        text, task_list = lists.read(path)
    except LstError as error:
        return error.diagnostics, []
    place = lists.STDIN_NAME if path == lists.STDIN else path
    found = Check(task_list, split_lines(text), place, modules)
    return (*task_list.warnings, *found.diagnostics), found.notes


def _show(problems: list[Diagnostic], count: int) -> None:
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    kinds = {"error": errors, "warning": len(problems) - errors}
    counts = [lists.counted(number, kind) for kind, number in kinds.items() if number]
    where = lists.counted(count, "list")
    if problems:
        click.echo(drawing.as_text(problems))
        click.echo(f"\n{' and '.join(counts)} in {where}.")
    else:
        click.echo(f"No problems in {where}.")
