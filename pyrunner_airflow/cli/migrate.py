"""``pyrunner-airflow migrate``: the options file that a crontab comes to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from pyrunner_airflow.cli import lists
from pyrunner_airflow.cli.failure import Failure
from pyrunner_airflow.migrate import Move
from pyrunner_airflow.migrate.apps import Apps
from pyrunner_airflow.migrate.crontab import read_crontab
from pyrunner_airflow.tasklist.diagnostics import Problems, showable
from pyrunner_airflow.tasklist.documents import OPTIONS_FILE
from pyrunner_airflow.tasklist.lst import split_lines
from pyrunner_airflow.tasklist.secret_names import SECRET_NAME, URL_PASSWORD

_SETTING = re.compile(r"\b(\w+)=('[^']*'|\"[^\"]*\"|\S+)")
_FOLDER = click.Path(exists=True, file_okay=False)


@click.command(
    epilog="""
    \b
    Examples:
      crontab -l | pyrunner-airflow migrate - /srv/jobs/* --into dags/jobs
      pyrunner-airflow migrate --print /etc/cron.d/etl jobs/billing --into .
    """
)
@click.argument("crontab", type=click.Path())
@click.argument("apps", nargs=-1, required=True, type=_FOLDER)
@click.option(
    "--into", required=True, type=_FOLDER, help="The folder in the dags folder that the apps are in."
)
@click.option(
    "--print", "only_print", is_flag=True, help="Write nothing: print the file, and the report as errors are."
)
def migrate(crontab: str, apps: tuple[str, ...], into: str, only_print: bool) -> None:
    """Move a crontab: write the pyrunner.toml of a folder.

    CRONTAB is the text of one, as crontab -l prints it, a file of /etc/cron.d, or - for standard input. APPS
    are the folders of the apps that it starts, wherever they lie, and of scripts that start them. Nothing is
    run, and nothing overwritten.

    A report says what became of each line of the crontab and of each driver; what it marks with "by hand" is
    left to you.
    """
    source = lists.place(crontab)
    problems = Problems(source)
    found = read_crontab(split_lines(lists.read_text(crontab)), problems)
    if problems.has_errors:
        raise problems.as_error()
    move = Move(found, source, Apps({app: list(map(str, lists.find_in(app))) for app in apps}), into)
    text = move.toml()
    if only_print:
        click.echo(text, nl=False)
    elif text:
        _write(Path(into, OPTIONS_FILE), text.encode(errors="replace"))  # the name of a list may be any bytes
    for report in _report(move):
        click.echo(report, err=only_print)
    if not only_print:
        click.echo(f"made {showable(into)}/{OPTIONS_FILE}" if text else "made no file: no list is started")


def _write(file: Path, data: bytes) -> None:
    """Write a file that is not there yet, whole or not at all."""
    try:
        with file.open("xb", buffering=0) as opened:
            try:
                opened.write(data)
            except OSError:
                file.unlink()
                raise
    except FileExistsError:
        raise Failure(f"{file}: it is there already, and nothing is overwritten: see --print") from None


def _report(move: Move) -> Iterator[str]:
    for place, line, notes in move.told:
        yield showable(f"{place}: {_without_secrets(line)}".rstrip(": "))
        for text, is_open, number in notes:
            where = f"line {number}: " if number else ""
            mark = click.style("by hand: ", fg="yellow") if is_open else ""
            yield f"    {mark}{showable(where + _without_secrets(text))}"
    for name, text in move.dags.items():
        yield f"\n{name}, for the dags folder:\n\n{text}"
    count = sum(note.is_open for _, _, notes in move.told for note in notes)
    yield f"\n{lists.counted(count, 'thing')} to be done by hand"


def _without_secrets(text: str) -> str:
    """Return a text without the values of what is named like a secret, and without passwords in URLs."""
    text = _SETTING.sub(lambda match: f"{match[1]}=***" if SECRET_NAME.search(match[1]) else match[0], text)
    return URL_PASSWORD.sub(lambda match: match[0].replace(match[1], "***"), text)
