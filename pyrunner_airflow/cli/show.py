"""``pyrunner-airflow show``: which rows of a task list wait for which, in the terminal or as a diagram."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pyrunner_airflow.cli import lists
from pyrunner_airflow.tasklist.diagnostics import showable
from pyrunner_airflow.tasklist.graph import id_ranges, layers

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from pyrunner_airflow.tasklist import TaskList, TaskRow

# All else may mean something to Mermaid: quotes, its own entities, HTML, Markdown, directives, icons.
_NOT_PLAIN = re.compile(r"[^\w ,.()/+-]")

# So many parents are named one by one.
_FEW = 3


@click.command(
    epilog="""
    \b
    Examples:
      pyrunner-airflow show config/my_sample_app.lst
      pyrunner-airflow show --format mermaid config/my_sample_app.lst > graph.mmd
    """
)
@click.argument("file", type=click.Path())
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "mermaid"]),
    default="text",
    show_default=True,
    help="For the terminal, or as a Mermaid flowchart for documents.",
)
def show(file: str, form: str) -> None:
    """Show the rows of a task list in layers: each waits only for rows of the layers above it.

    FILE is a list, or - for standard input.
    """
    _, tasks = lists.read(file)
    if form == "mermaid":
        click.echo("\n".join(_mermaid(tasks)))
    else:
        _print(tasks)


def _mermaid(tasks: TaskList) -> Iterator[str]:
    yield "flowchart TD"
    for row in tasks.rows:
        name = _NOT_PLAIN.sub(lambda match: f"#{ord(match[0])};", row.name)
        yield f'    {row.id}["{row.id} {name}"]'
    for row in tasks.rows:
        if row.parent_ids:
            yield f"    {' & '.join(map(str, row.parent_ids))} --> {row.id}"


def _print(tasks: TaskList) -> None:
    from rich.console import Console  # a diagram, and completion, do without
    from rich.text import Text

    console = Console(highlight=False)
    found = layers(tasks.rows)
    indent = max(len(str(row.id)) for row in tasks.rows) + 2
    name = "<stdin>" if tasks.source == "<stdin>" else Path(tasks.source).stem
    head = Text.assemble((showable(name), "bold"), f": {_count(len(tasks.rows), 'row')}")
    head.append(f" in {_count(len(found), 'layer')}")
    if schedule := tasks.options.dag.get("schedule"):
        head.append(f", schedule {schedule}")
    _write(console, head)
    for number, layer in enumerate(found, 1):
        _write(console, Text(f"\nLayer {number}", "bold cyan"))
        for row in layer:
            title = Text(f"{row.id:>{indent - 2}}  {showable(row.name)}")
            if parents := row.parent_ids:
                ids = id_ranges(parents) if len(parents) > _FEW else ", ".join(map(str, parents))
                title.append(f"  after {ids}", "dim")
            _write(console, title, indent)
            for detail in _details(row):
                _write(console, Text(" " * indent + showable(detail), "dim"), indent)


def _details(row: TaskRow) -> Iterator[str]:
    """Yield what there is to say of a row, one line each."""
    arguments = f"({row.arguments_text})" if row.arguments_text else ""
    yield f"{row.module}.{row.worker}{arguments}"
    if row.max_attempts > 1:
        wait = f", {row.retry_wait_time} s apart" if row.retry_wait_time else ""
        yield f"{row.max_attempts} attempts{wait}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _write(console: Console, line: Text, indent: int = 0) -> None:
    """Print a line; on a terminal what is too long for it goes on below, indented."""
    if not console.is_terminal or line.cell_len <= console.width:
        console.print(line, soft_wrap=True)
        return
    first, rest = line.divide([indent])
    for part in rest.wrap(console, max(1, console.width - indent)):
        console.print(first + part, soft_wrap=True)
        first.plain = " " * indent
