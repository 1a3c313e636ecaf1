"""``pyrunner-airflow run``: a list here and now, in a real Airflow without a server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

from pyrunner_airflow.cli import lists
from pyrunner_airflow.cli.failure import Failure
from pyrunner_airflow.cli.home import Home, Left
from pyrunner_airflow.tasklist.diagnostics import did_you_mean
from pyrunner_airflow.tasklist.graph import id_hints

if TYPE_CHECKING:
    from pyrunner_airflow.tasklist import TaskList

_SECONDS_TO_END = 5.0
"""What Airflow gives a task after SIGTERM."""


def _ids(_context: click.Context, _option: click.Parameter, text: str | None) -> list[int] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{text!r} is not a list of row IDs, such as 2,3")
    return [int(part) for part in parts]


def _pairs(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    for text in texts:
        if not text.partition("=")[0] or "=" not in text:
            raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE")
    return dict(text.split("=", 1) for text in texts)


@click.command(
    epilog="""
    \b
    Examples:
      pyrunner-airflow run config/my_sample_app.lst
      pyrunner-airflow run --cvar day=2026-01-31 -N 6 config/my_sample_app.lst
      pyrunner-airflow run -r config/my_sample_app.lst
    """
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "-r", "--restart", is_flag=True, help="Go on where the last run failed: run what did not succeed."
)
@click.option("-x", "--exec-only", metavar="IDS", callback=_ids, help="Run only these rows, such as 2,3.")
@click.option("--exec-proc-name", metavar="NAME", help="Run only the row with this PROCESS_NAME.")
@click.option("-N", "--norun", metavar="IDS", callback=_ids, help="Leave these rows out; they count as done.")
@click.option(
    "-D", "--descendents", "--from", "below", metavar="ID", type=int, help="Run a row and all below it."
)
@click.option(
    "-A", "--ancestors", "--to", "above", metavar="ID", type=int, help="Run a row and all above it."
)
@click.option(
    "--cvar", metavar="NAME=VALUE", multiple=True, callback=_pairs, help="Start with this in the context."
)
@click.option(
    "--env", metavar="NAME=VALUE", multiple=True, callback=_pairs, help="Set this variable for the workers."
)
@click.option("--dryrun", is_flag=True, help="Only tell which rows would be run.")
@click.pass_context
def run(
    context: click.Context,
    file: str,
    restart: bool,
    exec_only: list[int] | None,
    exec_proc_name: str | None,
    norun: list[int] | None,
    below: int | None,
    above: int | None,
    cvar: dict[str, str],
    env: dict[str, str],
    dryrun: bool,
) -> None:
    """Run a task list here and now, one row at a time.

    It runs in Airflow, without a server: in a database of its own, or in that of the Airflow that
    AIRFLOW_HOME or AIRFLOW__DATABASE__SQL_ALCHEMY_CONN names. What the workers print stands in a log, which
    is shown where a row fails.

    The exit code is 0 if the run succeeded, 1 if a row failed, 2 if the list could not be run. -x, -N, -D
    and -A narrow each other down.
    """
    _, tasks = lists.read(file)
    if exec_proc_name is not None:
        exec_only = _both(exec_only, _named(tasks, exec_proc_name))
    _check_ids(
        tasks, [*(exec_only or ()), *(norun or ()), *(id_ for id_ in (below, above) if id_ is not None)]
    )
    home = Home(file)
    with home.locked() as lock:
        left = home.load() if restart else Left()
        left.start_with(cvar)
        conf = {"exec_only": exec_only, "norun": [*(norun or ()), *left.done()], "from": below, "to": above}
        order = {
            **left.as_json(),
            "list": os.path.abspath(file),
            "dags": str(home.dags),
            "dryrun": dryrun,
            "env": env,
            "conf": {**{name: value for name, value in conf.items() if value}, "cvar": cvar},
        }
        with _engine(home, order, lock) as (process, events):
            if dryrun:
                _tell_plan(tasks, events)
            else:
                _follow(process, events, home, tasks, left)
            code = process.wait()
    if code not in (0, 1):
        what = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise Failure(f"the process that ran the list ended with {what}; its log is {home.log}")
    context.exit(code)


def _both(some: list[int] | None, others: list[int]) -> list[int]:
    return others if some is None else [id_ for id_ in others if id_ in some]


def _named(tasks: TaskList, name: str) -> list[int]:
    found = [row.id for row in tasks.rows if row.name == name]
    if not found:
        hint = did_you_mean(name, {row.name for row in tasks.rows})
        raise click.UsageError(f"No row has the PROCESS_NAME {name!r}. {hint}".rstrip())
    return found


def _check_ids(tasks: TaskList, given: Iterable[int]) -> None:
    """Refuse IDs that no row has, which PyRunner ignores: it may be that nothing is run then."""
    known = {row.id for row in tasks.rows}
    unknown = sorted({str(id_) for id_ in given if id_ not in known})
    if unknown:
        raise click.UsageError(
            "\n".join(
                f"No row has the ID {id_}. {hint}"
                for id_, hint in zip(unknown, id_hints(unknown, known), strict=True)
            )
        )


@contextmanager
def _engine(home: Home, order: dict[str, Any], lock: int) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Start the process that runs the list; what is left of it ends with the context."""
    environment = home.environment(lambda text: click.echo(text, err=True))
    ours, its = os.pipe()
    with home.log.open("wb") as log, open(ours) as events:
        process = subprocess.Popen(
            [sys.executable, "-m", "pyrunner_airflow.cli.engine", str(its)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            pass_fds=(its, lock),
            start_new_session=True,
            text=True,
        )
        os.close(its)
        try:
            assert process.stdin is not None
            json.dump(order, process.stdin)
            process.stdin.close()
            yield process, events
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _tell_plan(tasks: TaskList, events: IO[str]) -> None:
    for event in map(json.loads, events):
        for row in tasks.rows:
            what = "would run" if row.id in event["selected"] else "skipped"
            click.echo(f"{row.id}  {row.name}: {what}")


def _follow(process: subprocess.Popen[str], events: IO[str], home: Home, tasks: TaskList, left: Left) -> None:
    """Show what happens, and keep what is left after each row, until the list ends."""
    from pyrunner_airflow.cli.progress import Progress  # takes long to load: meanwhile the engine starts

    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.default_int_handler)
    with Progress(tasks, home.log) as progress:

        def take(event: dict[str, Any]) -> bool:
            """Say whether a row ended."""
            if "writes" in event:
                left.take_writes(event["writes"])
                return False
            progress.show(event)
            left.states[event["row"]] = event["state"]
            home.save(left)
            return bool(event["state"] != "running")

        try:
            for line in events:
                take(json.loads(line))
        except KeyboardInterrupt:
            process.terminate()  # the worker's hooks still run, and what it wrote is kept
            timer = threading.Timer(_SECONDS_TO_END, os.killpg, (process.pid, signal.SIGKILL))
            timer.start()
            any(take(json.loads(line)) for line in events)
            timer.cancel()
            raise
    code = process.wait()
    if code == 0:
        home.forget()
    progress.show_end(code == 0)
