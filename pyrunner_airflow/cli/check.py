"""``pyrunner-airflow check``: everything that can be told of task lists without running them."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, NamedTuple

import click

from pyrunner_airflow.check import Check
from pyrunner_airflow.cli import drawing, lists
from pyrunner_airflow.cli.app_profile import check_profile
from pyrunner_airflow.cli.codes import CODES
from pyrunner_airflow.discovery.elsewhere import without_texts_from_elsewhere
from pyrunner_airflow.tasklist import LstError, Severity
from pyrunner_airflow.tasklist.diagnostics import did_you_mean, showable
from pyrunner_airflow.tasklist.lst import find_unknown_lists, option_files, split_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyrunner_airflow.check.checker import ReadModules
    from pyrunner_airflow.tasklist import Diagnostic, TaskList

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

    The exit code is 0 if there are no problems, or none but those that --select and --ignore leave out; 1 if
    there are, or if errors of a list itself are left out, which can't be used; 2 if a file can't be read.
    """
    gc.disable()  # a short life with many objects, of which hardly one dies before its end
    found_lists = list(lists.find(paths))
    found: dict[Diagnostic, None] = {}  # once each, notes too: several lists may share a file
    noted: dict[str, None] = {}
    modules: ReadModules = {}
    are_usable = True
    for path in found_lists:
        looked = look_at(path, modules)
        found.update(dict.fromkeys(looked.problems))
        noted.update(dict.fromkeys(looked.notes))
        are_usable = are_usable and looked.tasks is not None
    found.update(dict.fromkeys(_unknown_lists(found_lists)))
    shown = [problem for problem in found if problem.code in (select or CODES) - ignore]
    if len(shown) < len(found):
        count = lists.counted(len(found) - len(shown), "problem")
        noted[f"{count} not shown, as --select and --ignore say"] = None
    for note in noted:
        click.echo(f"note: {showable(note)}", err=True)
    if form == "text":
        _show(shown, len(found_lists), "No problems" if len(shown) == len(found) else "No other problems")
    elif form == "json":
        click.echo(drawing.as_json(shown))
    elif shown:
        # What is shown there is for all who see the repository, in which this runs.
        click.echo(drawing.as_github(tuple(without_texts_from_elsewhere(shown, os.curdir))))
    gc.freeze()  # nor does the interpreter have to look through them when it ends
    if any(problem.code == "unreadable-file" for problem in found):
        context.exit(_UNREADABLE)
    context.exit(_PROBLEMS if shown or not are_usable else 0)


class Look(NamedTuple):
    """What can be told of a list without running it.

    problems: of the list, and of what goes with it.
    notes: what could not be found out.
    tasks: the list; None if it has errors of its own.
    """

    problems: tuple[Diagnostic, ...]
    notes: list[str]
    tasks: TaskList | None


def look_at(
    path: str, modules: ReadModules, env: Mapping[str, str] = {}, cvar: Mapping[str, str] = {}
) -> Look:
    """Look at a list and at what goes with it.

    modules: those that have been read; lists may share them.
    env, cvar: what a run adds to the list's own.
    """
    try:
        text, tasks, error = lists.read_as_far_as_possible(path)
    except LstError as unreadable:
        return Look(unreadable.diagnostics, [], None)
    options = tasks.options
    options = options._replace(env={**options.env, **env}, cvar={**options.cvar, **cvar})
    errors = error.diagnostics if error else ()
    place = lists.place(path)
    found = Check(tasks._replace(options=options), split_lines(text), place, modules, errors)
    problems = *tasks.warnings, *check_profile(place, options), *found.diagnostics
    return Look(problems, found.notes, None if error else tasks)


def _unknown_lists(paths: list[str]) -> Iterator[Diagnostic]:
    """Yield a warning for each table of the options files that hold for lists, if it is for none."""
    files = dict.fromkeys(file for path in paths for file in option_files(lists.place(path), os.sep))
    for file in files:
        yield from find_unknown_lists(file, map(lists.place, paths), lists.find_all_in)


def _show(problems: list[Diagnostic], count: int, none: str) -> None:
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    kinds = {"error": errors, "warning": len(problems) - errors}
    counts = [lists.counted(number, kind) for kind, number in kinds.items() if number]
    where = lists.counted(count, "list")
    if problems:
        click.echo(drawing.as_text(problems))
        click.echo(f"\n{' and '.join(counts)} in {where}.")
    else:
        click.echo(f"{none} in {where}.")
