"""``pyrunner-airflow show``: which rows of a task list wait for which, in the terminal or as a diagram."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pyrunner_airflow.cli import lists
from pyrunner_airflow.tasklist import AssetSchedule
from pyrunner_airflow.tasklist.diagnostics import quote, showable
from pyrunner_airflow.tasklist.documents import to_key, to_toml
from pyrunner_airflow.tasklist.graph import layers, ranges
from pyrunner_airflow.tasklist.lst import split_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyrunner_airflow.check import Flow
    from pyrunner_airflow.tasklist import TaskList, TaskRow

# All else may mean something to Mermaid: quotes, its own entities, HTML, Markdown, directives, icons.
_NOT_PLAIN = re.compile(r"[^\w ,.()/+-]")

# So many parents are named one by one.
_FEW = 3


class _StyledLine:
    """A line of text in parts, each with its style; what is wrapped goes on at the indent."""

    def __init__(self, indent: int, *parts: tuple[str, str]) -> None:
        self.indent = indent
        self.parts = [(showable(text), style) for text, style in parts]


@click.command(
    epilog="""
    \b
    Examples:
      pyrunner-airflow show config/my_sample_app.lst
      pyrunner-airflow show --format mermaid config/my_sample_app.lst > graph.mmd
      pyrunner-airflow show --options config/my_sample_app.lst
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
@click.option("--options", is_flag=True, help="Show the options that hold for the list, not its rows.")
def show(file: str, form: str, options: bool) -> None:
    """Show which rows of a task list wait for which.

    The rows of each layer wait only for rows of the layers above it. FILE is a list, or - for standard
    input. What --options shows is TOML: each option's value, and the file and line that it comes from.
    """
    if options:
        _show_options(file, form)
        return
    text, tasks = lists.read(file)
    if form == "mermaid":
        click.echo("\n".join(_mermaid(tasks)))
    else:
        from pyrunner_airflow.check import Check  # a diagram does without

        check = Check(tasks, split_lines(text), os.path.abspath(tasks.source), {})
        _print(_lines(tasks, check.flows))


def _show_options(file: str, form: str) -> None:
    if form != "text":
        raise click.UsageError(f"--options can't be shown as {form}")
    found = lists.read_options(file)
    if not found:
        click.echo("# no options")
    for path, (value, source, line) in found:
        click.echo(showable(f"{to_key(path)} = {to_toml(value)}  # {source}:{line}"))


def _mermaid(tasks: TaskList) -> Iterator[str]:
    yield "flowchart TD"
    for row in tasks.rows:
        yield f'    {row.id}["{row.id} {_plain(row.name)}"]'
    for row in tasks.rows:
        if row.parent_ids:
            yield f"    {' & '.join(map(str, row.parent_ids))} --> {row.id}"
    schedule = tasks.options.dag.get("schedule")
    waited_for = schedule.assets if isinstance(schedule, AssetSchedule) else []
    updated = {row.id: _outlets(tasks, row) for row in tasks.rows}
    names = {uri: f"asset{n}" for n, uri in enumerate(dict.fromkeys(chain(waited_for, *updated.values())), 1)}
    for uri, name in names.items():
        yield f'    {name}[("{_plain(uri)}")]'
    for row in tasks.rows:
        for uri in () if row.parent_ids else waited_for:
            yield f"    {names[uri]} -.-> {row.id}"
        for uri in updated[row.id]:
            yield f"    {row.id} -.-> {names[uri]}"


def _plain(text: str) -> str:
    return _NOT_PLAIN.sub(lambda match: f"#{ord(match[0])};", text)


def _outlets(tasks: TaskList, row: TaskRow) -> list[str]:
    """Return the URIs of the assets that a row updates."""
    uris: list[str] = tasks.options.tasks.get(row.id, {}).get("outlets", [])
    return uris


def _lines(tasks: TaskList, flows: Mapping[int, Flow | None]) -> Iterator[_StyledLine]:
    found = layers(tasks.rows)
    name = tasks.source if tasks.source == lists.STDIN_NAME else Path(tasks.source).stem
    summary = f": {lists.counted(len(tasks.rows), 'row')} in {lists.counted(len(found), 'layer')}"
    if schedule := tasks.options.dag.get("schedule"):
        summary += f", schedule {schedule}"
    yield _StyledLine(0, (name, "bold"), (summary, ""))
    indent = max(len(str(row.id)) for row in tasks.rows) + 2
    for number, layer in enumerate(found, 1):
        yield _StyledLine(0, ("", ""))
        yield _StyledLine(0, (f"Layer {number}", "bold cyan"))
        for row in layer:
            parents = f"  after {_parents(row)}" if row.parent_ids else ""
            yield _StyledLine(indent, (f"{row.id:>{indent - 2}}  {row.name}", ""), (parents, "dim"))
            details = _details(row, flows.get(row.id)), _keys("updates", _outlets(tasks, row), False)
            for detail in chain(*details):
                yield _StyledLine(indent, (" " * indent + detail, "dim"))


def _parents(row: TaskRow) -> str:
    ids = row.parent_ids
    return ranges(set(ids)) if len(ids) > _FEW else ", ".join(map(str, ids))


def _details(row: TaskRow, flow: Flow | None) -> Iterator[str]:
    """Yield what there is to say of a row, one line each."""
    arguments = f"({row.arguments_text})" if row.arguments_text else ""
    yield f"{row.module}.{row.worker}{arguments}"
    if row.max_attempts > 1:
        wait = f", {row.retry_wait_time} s apart" if row.retry_wait_time else ""
        yield f"{row.max_attempts} attempts{wait}"
    if flow:
        yield from _keys("reads", flow.reads, flow.may_read_more)
        yield from _keys("writes", flow.writes, flow.may_write_more)


def _keys(verb: str, keys: Iterable[str], may_be_more: bool) -> Iterator[str]:
    known = [quote(key) for key in sorted(keys)]
    if may_be_more:
        known.append("keys that can't be told")
    if known:
        yield f"{verb} {', '.join(known)}"


def _print(lines: Iterable[_StyledLine]) -> None:
    """Print lines; on a terminal what is too long for one goes on below, indented."""
    if not sys.stdout.isatty():
        click.echo("\n".join("".join(text for text, _ in line.parts) for line in lines))
        return
    from rich.console import Console  # takes longer to load than all else
    from rich.text import Text

    width, height = shutil.get_terminal_size()  # rich takes 80 columns for granted where there are no colours
    console = Console(highlight=False, width=width, height=height)
    for line in lines:
        text = Text.assemble(*line.parts)
        if text.cell_len > console.width:
            first, rest = text.divide([line.indent])
            wrapped = rest.wrap(console, max(1, console.width - line.indent))
            text = first + Text("\n" + " " * line.indent).join(wrapped)
        console.print(text, soft_wrap=True)
