"""``pyrunner-airflow run``: a list here and now, in a real Airflow without a server."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Any

import click

from pyrunner_airflow.cli import drawing, lists
from pyrunner_airflow.cli.check import look_at
from pyrunner_airflow.cli.failure import Failure
from pyrunner_airflow.cli.row_options import RowOptions, pairs, row_options
from pyrunner_airflow.cli.run_folder import RunFolder, RunRecord
from pyrunner_airflow.tasklist import Severity
from pyrunner_airflow.tasklist.diagnostics import showable
from pyrunner_airflow.tasklist.graph import ranges
from pyrunner_airflow.tasklist.selection import kept_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pyrunner_airflow.tasklist import TaskList

    Process = subprocess.Popen[str]

_SECONDS_TO_END = 5.0
"""What Airflow gives a task after SIGTERM."""
_OPTIONS = {"exec_only": "-x", "norun": "-N", "from": "-D", "to": "-A"}


def _one_list(_context: click.Context, _argument: click.Parameter, path: str) -> str:
    found = list(lists.find([path]))
    if len(found) > 1:
        counted = lists.counted(len(found), "task list")
        text = f"{counted} are in {showable(path)}. Name one of them, such as {showable(found[0])}"
        raise click.BadParameter(text)
    return found[0]


@click.command(
    epilog="""
    \b
    Examples:
      pyrunner-airflow run load_orders
      pyrunner-airflow run config/my_sample_app.lst
      pyrunner-airflow run --cvar day=2026-01-31 -N 6 config/my_sample_app.lst
      pyrunner-airflow run -r config/my_sample_app.lst
    """
)
@click.argument("file", type=click.Path(exists=True), callback=_one_list)
@click.option(
    "-r", "--restart", is_flag=True, help="Go on where the last run failed: run what did not succeed."
)
@row_options
@click.option(
    "--env", metavar="NAME=VALUE", multiple=True, callback=pairs, help="Set this variable for the workers."
)
@click.option("--dryrun", is_flag=True, help="Only tell which rows would be run.")
@click.pass_context
def run(
    context: click.Context,
    file: str,
    restart: bool,
    options: RowOptions,
    env: dict[str, str],
    dryrun: bool,
) -> None:
    """Run a task list here and now, one row at a time.

    FILE may be a folder that has one list in or below it.

    It runs in Airflow, without a server: in a database of its own, or in that of the Airflow that
    AIRFLOW_HOME or AIRFLOW__DATABASE__SQL_ALCHEMY_CONN names. What the workers print stands in a log, which
    is shown where a row fails. First it looks at the list as check does: with an error nothing is run.

    The exit code is 0 if the run succeeded, 1 if a row failed, 2 if the list could not be run. -x, -N, -D
    and -A narrow each other down.
    """
    tasks = _checked(file, env, options.cvar)
    selection = options.selection({row.id: row.name for row in tasks.rows})
    folder = RunFolder(file)
    with folder.locked() as lock:
        record = folder.load() if restart else RunRecord()
        record.start_with(options.cvar)
        record.narrow(selection)
        conf = {
            **record.selection,
            "norun": [*record.selection["norun"], *record.done()],
            "cvar": options.cvar,
        }
        selected = _select(tasks, record, conf)
        if dryrun:
            for row in tasks.rows:
                click.echo(f"{row.id}  {row.name}: {'would run' if row.id in selected else 'skipped'}")
            return
        paths = {"list": os.path.abspath(file), "dags": str(folder.dags)}
        order = {**paths, "record": vars(record), "env": env, "conf": conf}
        with _engine(folder, order, lock) as (process, events):
            succeeded = _follow(process, events, folder, tasks, record)
    context.exit(0 if succeeded else 1)


def _checked(file: str, env: dict[str, str], cvar: dict[str, str]) -> TaskList:
    """Return a list; show its problems, and those of its workers."""
    look = look_at(file, {}, env, cvar)
    if look.problems:
        click.echo(drawing.as_text(look.problems), err=True)
    if look.tasks is None or any(problem.severity is Severity.ERROR for problem in look.problems):
        raise click.exceptions.Exit(Failure.exit_code)
    return look.tasks


def _select(tasks: TaskList, record: RunRecord, conf: Mapping[str, Any]) -> set[int]:
    """Return the rows that are to run; refuse options that leave none."""
    ids = {row.id for row in tasks.rows}
    kept = kept_by({row.id: row.parent_ids for row in tasks.rows}, ids, conf)
    selected = ids.intersection(*kept.values())
    if not selected:
        reasons = [_OPTIONS[name] for name in kept if name != "norun" or record.selection["norun"]]
        if record.done():
            reasons.append(f"done already: {ranges(set(record.done()))}")
        text = f"No row is left to run ({', '.join(reasons)}). IDs in this list: {ranges(ids)}."
        raise click.UsageError(text)
    return selected


@contextlib.contextmanager
def _engine(folder: RunFolder, order: dict[str, Any], lock: int) -> Iterator[tuple[Process, IO[str]]]:
    """Start the process that runs the list; what is left of it ends with the context."""
    folder.make_database(lambda text: click.echo(text, err=True))
    ours, its = os.pipe()
    with folder.open("run.log", "wb") as log, open(ours) as events:
        process = subprocess.Popen(
            [sys.executable, "-m", "pyrunner_airflow.cli.engine", str(its)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=folder.environment(),
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


def _read(events: IO[str], folder: RunFolder) -> Iterator[dict[str, Any]]:
    """Yield what the engine tells; raise Failure if it could not run the list."""
    for event in map(json.loads, events):
        if "error" in event:
            raise Failure(f"{event['error'].rstrip()}\nThe whole log: {folder.log}")
        yield event


def _follow(process: Process, events: IO[str], folder: RunFolder, tasks: TaskList, record: RunRecord) -> bool:
    """Show what happens; say whether the run succeeded."""
    from pyrunner_airflow.cli.progress import Progress  # takes long to load: meanwhile the engine starts

    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.default_int_handler)
    progress = Progress(tasks, record.done(), folder.log)
    interrupted = False

    def take(event: dict[str, Any]) -> bool:
        """Say whether a row ended."""
        if "writes" in event:
            return False
        if interrupted and event["state"] == "up_for_retry":  # by whom? Airflow ends too
            event["state"] = "failed"
        progress.show(event)
        return bool(event["state"] != "running")

    with progress:
        try:
            for event in _read(events, folder):
                take(event)
        except KeyboardInterrupt:
            interrupted = True
            _stop(process, lambda: any(map(take, _read(events, folder))))
    code = process.wait()
    if not (progress.states or code == 0 or interrupted):
        raise Failure(f"Airflow's process ended with {_end(code)}: see {folder.log}")
    ended = "interrupted" if interrupted else f"its process ended with {_end(code)}"
    progress.show_end(code == 0, ended, shlex.join(["pyrunner-airflow", "run", "-r", tasks.source]))
    return code == 0


def _stop(process: Process, wait_for_row: Callable[[], object]) -> None:
    """End the run once the hooks of the row's worker have run, and what it wrote has been told."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):  # time is up, or somebody asks once more
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_END)
        os.kill(process.pid, signal.SIGTERM)
        wait_for_row()
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    os.killpg(process.pid, signal.SIGKILL)  # its number is still its own: nobody has waited for it so far


def _end(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
