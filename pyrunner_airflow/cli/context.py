"""``airflow pyrunner context``: what the rows of a run have left in the context, and a value put right."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from pyrunner_airflow.cli.failure import Failure
from pyrunner_airflow.cli.remote_run import RemoteRun, find_run
from pyrunner_airflow.cli.rest import Airflow, api_url, connect
from pyrunner_airflow.tasklist.diagnostics import did_you_mean, showable

if TYPE_CHECKING:
    from pyrunner_airflow.dag.writes import Entry

_SHOWN = 60
_NOTE = 1000
"""How much of a note Airflow keeps."""
_HEAD = ("key", "type", "value", "written by", "at", "read by")


class KeyView(NamedTuple):
    """A key of a run's context, with the last write to it and the tasks that read it."""

    key: str
    entry: Entry
    is_stored: bool
    """False for what was deleted, and for what a row wrote that is running again."""
    value: Any
    """As the database has it: None if it is not stored."""
    readers: list[str]


@click.command(
    epilog="""
    \b
    Examples:
      pyrunner-airflow context my_sample_app manual__2026-01-31T06:00:00+00:00
      pyrunner-airflow context --set run_date_str=2026-01-31 my_sample_app my_run
    """
)
@click.argument("dag_id", metavar="DAG")
@click.argument("run_id", metavar="RUN")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--set", "change", metavar="KEY=VALUE", help="Give a key another value: JSON, or else a text.")
@api_url
def context(dag_id: str, run_id: str, form: str, change: str | None, api_url: str | None) -> None:
    """Show the context of a run: each key with its value, who wrote it when, and who read it.

    With --set it first writes a value where the rows find it that run next, and tells so in the run's note,
    with the old value. It lasts until the row that wrote the key runs again.

    It asks Airflow's REST API, as the user of AIRFLOW_CLI_TOKEN, or of AIRFLOW_USERNAME and AIRFLOW_PASSWORD.
    The exit code is 0, or 2 if Airflow refuses or there is no such key.
    """
    airflow = connect(api_url)
    run = find_run(airflow, dag_id, run_id)
    views = _views(airflow, run)
    if change is not None:
        key, equals, text = change.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"{change!r} is not of the form KEY=VALUE", param_hint="--set")
        _set(airflow, run, views, key, _value(text))
        views = _views(airflow, run)
    if form == "json":
        click.echo(json.dumps([_as_json(view) for view in views], indent=2))
    else:
        _show(run, views)


def _views(airflow: Airflow, run: RemoteRun) -> list[KeyView]:
    """Return the keys of a run, in alphabetical order."""
    from pyrunner_airflow.dag.writes import (
        INDEX_KEY,
        UNREADABLE,
        OtherVersionError,
        as_written,
        keys_read,
        last_writes,
        read_index,
        xcom_key,
    )  # take long to load

    stored = {
        (xcom["task_id"], xcom["key"])
        for xcom in airflow.get_all("xcom_entries", *run.path, "taskInstances", "~", "xcomEntries")
    }
    indexes: dict[str, dict[str, Entry]] = {}
    readers: dict[str, list[str]] = {}
    for task_id in sorted(task_id for task_id, key in stored if key == INDEX_KEY):
        index = airflow.get(*_xcom(run, task_id, INDEX_KEY))["value"]
        try:
            indexes[task_id] = read_index(index)
        except OtherVersionError as error:
            raise Failure(f"the XCom {INDEX_KEY!r} of {task_id} {error}") from None
        except UNREADABLE as error:
            raise Failure(
                f"the XCom {INDEX_KEY!r} of {task_id} is not as it wrote it: {error!s:.200}"
            ) from None
        for key in keys_read(index):
            readers.setdefault(key, []).append(task_id)
    views = []
    for key, entry in sorted(last_writes(indexes).items()):
        is_stored = (entry.task_id, xcom_key(key)) in stored
        value = airflow.get(*_xcom(run, entry.task_id, xcom_key(key)))["value"] if is_stored else None
        value = as_written(value, entry)
        views.append(KeyView(key, entry, is_stored, value, readers.get(key, [])))
    return views


def _xcom(run: RemoteRun, task_id: str, key: str) -> tuple[str, ...]:
    return *run.path, "taskInstances", task_id, "xcomEntries", key


def _set(airflow: Airflow, run: RemoteRun, views: list[KeyView], key: str, value: Any) -> None:
    """Write a value to where the next reader looks, and tell so in the run's note."""
    from pyrunner_airflow.dag.writes import xcom_key

    view = next((view for view in views if view.key == key and view.is_stored), None)
    if view is None:
        hint = did_you_mean(key, [view.key for view in views if view.is_stored], shown=repr)
        why = f"no row of run {run.run_id} has left {key!r} in the context. {hint}".rstrip()
        raise Failure(
            f"{why}\nA run that starts with a value of it: airflow dags trigger -c '{{\"cvar\": ...}}'"
        )
    airflow.send("PATCH", *_xcom(run, view.entry.task_id, xcom_key(key)), body={"value": value})
    old = _described(view)[1]
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    line = f"{when}, {getpass.getuser()}: context[{key!r}] was {old} ({view.entry.task_id})"
    note = f"{run.note}\n{line}".lstrip("\n")[-_NOTE:]
    airflow.send("PATCH", *run.path, body={"note": note})


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _show(run: RemoteRun, views: list[KeyView]) -> None:
    if not views:
        click.echo(f"no row of run {run.run_id} has left anything in the context", err=True)
        return
    names = {row.task_id: row.name for row in run.rows}
    lines = [_HEAD]
    for view in views:
        kind, text = _described(view)
        readers = ", ".join(reader.partition("_")[0] for reader in view.readers)
        writer = names.get(view.entry.task_id, view.entry.task_id)
        lines.append((view.key, kind, text, writer, f"{_moment(view):%Y-%m-%d %H:%M:%S}", readers))
    shown = [tuple(map(showable, line)) for line in lines]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for line in shown:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def _as_json(view: KeyView) -> dict[str, Any]:
    return {
        "key": view.key,
        "type": _described(view)[0],
        "value": view.value,
        "state": view.entry.state if view.is_stored or view.entry.state != "value" else "gone",
        "written_by": view.entry.task_id,
        "at": _moment(view).isoformat(),
        "read_by": view.readers,
    }


def _moment(view: KeyView) -> datetime:
    return datetime.fromtimestamp(view.entry.stamp / 1_000_000, UTC)


def _described(view: KeyView) -> tuple[str, str]:
    """Return the type of a value and its text, in short."""
    if view.entry.state == "deleted":
        return "", "(deleted)"
    if not view.is_stored and view.entry.state == "value":
        return "", "(gone: the row that wrote it runs again)"
    kind, value = type(view.value).__name__, view.value
    if isinstance(value, dict):
        for tag, content in (("__pyrunner__", "value"), ("__classname__", "__data__")):
            if isinstance(value.get(tag), str):
                kind, value = value[tag].rpartition(".")[2], value.get(content)
                break
    if kind == "int" and isinstance(value, str):
        value = int(value, 16)  # one that JSON does not hold
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return kind, text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."
