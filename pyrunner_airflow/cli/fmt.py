"""``pyrunner-airflow fmt``: the columns of task lists, one below the other."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import click

from pyrunner_airflow.cli import lists
from pyrunner_airflow.tasklist import LstError
from pyrunner_airflow.tasklist.diagnostics import showable
from pyrunner_airflow.tasklist.json_tasks import is_json
from pyrunner_airflow.tasklist.layout import align

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command(
    epilog="""
    Exit codes: 0 done; 1 with --check or --diff, a list would change; 2 a list has errors, or can't be
    read or written.

    \b
    Examples:
      pyrunner-airflow fmt config/my_sample_app.lst
      pyrunner-airflow fmt --check dags/
      pyrunner-airflow fmt - < old.lst > new.lst
    """
)
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("--check", is_flag=True, help="Write nothing; tell which lists would change.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
@click.pass_context
def fmt(ctx: click.Context, paths: tuple[str, ...], check: bool, diff: bool) -> None:
    """Align the columns of task lists, and change nothing else.

    PATHS are lists, folders of them, or - for standard input, which goes to standard output. A list with
    errors is left as it is.
    """
    found = list(lists.find(paths))
    done = Counter(_format(path, check, diff) for path in found)
    dry = check or diff
    counts = {
        "would change" if dry else "reformatted": done["changed"],
        "would stay as they are" if dry else "left as they were": done["kept"],
        "not formatted": done["failed"],
    }
    told = [f"{count} {what}" for what, count in counts.items() if count]
    click.echo(f"Lists: {', '.join(told)}", err=True)
    ctx.exit(2 if done["failed"] else int(dry and done["changed"] > 0))


def _format(path: str, check: bool, diff: bool) -> str:
    """Format a list, or tell how it would change; return what became of it."""
    try:
        text, _ = lists.read(path)
    except LstError as error:
        click.echo(error, err=True)
        return "failed"
    aligned = text if is_json(text) else align(text)
    if diff:
        _show_diff(path, text, aligned)
    elif path == lists.STDIN and not check:
        click.echo(aligned.encode(), nl=False)
    elif text != aligned and not check:
        try:
            _replace(path, aligned.encode())
        except OSError as error:
            click.echo(f"{showable(path)}: error: it can't be written: {error.strerror}", err=True)
            return "failed"
    if text == aligned:
        return "kept"
    if check:
        click.echo(f"would change: {showable(path)}", err=True)
    return "changed"


def _replace(path: str, data: bytes) -> None:
    """Put new content in a file's place at once, keeping its mode and, where this user may, its owner."""
    target = Path(path).resolve()
    target.open("r+b").close()  # what this user must not write is not replaced either
    before = target.stat()
    descriptor, draft = tempfile.mkstemp(prefix=".", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, before.st_uid, before.st_gid)
            os.fchmod(descriptor, before.st_mode & 0o7777)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(draft, target)
    except BaseException:
        os.unlink(draft)
        raise


def _show_diff(path: str, before: str, after: str) -> None:
    """Print what changes: for people on a terminal, else as `patch` takes it."""
    for_people = sys.stdout.isatty()
    for line in _diff(path, before, after):
        if for_people:
            click.secho(showable(line.rstrip("\r\n")), fg=_COLOURS.get(line[0]))
        else:
            click.echo(line.encode(errors="surrogateescape"), nl=False)  # the path may be any bytes


def _diff(path: str, before: str, after: str) -> Iterator[str]:
    """Yield the lines of a unified diff, each with a line end; `patch` knows no line ends but LF."""
    old, new = (re.findall(r"[^\n]*\n|[^\n]+", text) for text in (before, after))
    for line in unified_diff(old, new, path, path):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
