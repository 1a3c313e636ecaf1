"""
The process that ``run`` runs a list in: ``python -m pyrunner_airflow.cli.engine FD``, its order on stdin.

What happens is told on the file descriptor FD, a JSON object a line. Whatever a worker prints, or does to its
process, does not reach the one that shows it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from airflow.sdk import conf
from airflow.sdk.log import configure_logging

from pyrunner_airflow.cli.failure import Failure
from pyrunner_airflow.cli.run_folder import RunFolder, RunRecord
from pyrunner_airflow.dag.errors import WorkerTraceback
from pyrunner_airflow.dag.masking import mask_secrets, masked
from pyrunner_airflow.dag.operator import WorkerOperator
from pyrunner_airflow.discovery.building import build_dag
from pyrunner_airflow.tasklist import LstError
from pyrunner_airflow.values import Allowed, Codec, Encoded
from pyrunner_airflow.worker.attempt import WorkerFailed

_PIECE = 1 << 20
_BUNDLE = "pyrunner_airflow_run"
_CALLBACKS = {
    "on_execute_callback": "running",
    "on_success_callback": "success",
    "on_skipped_callback": "skipped",
    "on_retry_callback": "up_for_retry",
    "on_failure_callback": "failed",
}
"""What Airflow calls, and the state that a row is in then."""


def main() -> int:
    """Run a list, and return 0 if it succeeded, 1 if a row failed, 2 if it could not be run."""
    order = json.load(sys.stdin)
    folder = RunFolder(order["list"])
    # Without the pipe's other end, closing it would fail.
    with suppress(BrokenPipeError), open(int(sys.argv[1]), "w", buffering=1) as events, _Output() as output:
        os.register_at_fork(after_in_child=events.close)  # what a worker leaves running would hold it open
        tell = partial(_tell, events, output, folder, RunRecord.of(order["record"]))
        try:
            code = _run(order, output, tell)
        except Exception as error:
            output.print("stderr", traceback.format_exc())
            text = str(error) if isinstance(error, LstError) else f"{type(error).__name__}: {error}"
            tell(error=masked(text))
            return 2
    if code == 0:
        folder.forget()
    return code


class _Output:
    """
    What this process prints, and all that it starts, on its way to the log, where secrets are hidden.

    A command that a worker starts writes past all of Python's: into a file without a name, whose lines are
    moved to the log from time to time.
    """

    def __enter__(self) -> _Output:
        self._log = os.dup(1)
        self._unmasked = tempfile.TemporaryFile()
        self._moved = 0
        self._lead_to(self._unmasked.fileno())
        return self

    def __exit__(self, *_: object) -> None:
        self.move()
        self._lead_to(self._log)

    def _lead_to(self, descriptor: int) -> None:
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)

    def print(self, stream: str, text: str) -> None:
        """Print lines for a worker."""
        print(text.rstrip("\n"), file=getattr(sys, stream))
        self.move(only_lines=True)

    def move(self, only_lines: bool = False) -> int:
        """Move what was printed so far, or only its whole lines; return the log's size."""
        sys.stdout.flush()
        sys.stderr.flush()
        while piece := os.pread(self._unmasked.fileno(), _PIECE, self._moved):
            end = piece.rfind(b"\n") + 1
            if not end and only_lines:
                break
            piece = piece[: end or None]
            self._moved += len(piece)
            text = masked(piece.decode(errors="surrogateescape")).encode(errors="surrogateescape")
            while text:
                text = text[os.write(self._log, text) :]
        return os.fstat(self._log).st_size


def _run(order: dict[str, Any], output: _Output, tell: Callable[..., None]) -> int:
    configure_logging()  # as for a task: what is masked for one is not in the log of Airflow's commands
    mask_secrets({**os.environ, **order["env"]})
    dag = build_dag(Path(order["list"]), Path(os.sep))
    tasks: Any = dag.tasks  # all of them ours
    _prepare(tasks, order, output, tell)
    _add_bundle(order["dags"])
    run = dag.test(run_conf=order["conf"])
    return 0 if run.state == "success" else 1


def _tell(events: TextIO, output: _Output, folder: RunFolder, record: RunRecord, **event: Any) -> None:
    """Keep what happened, and tell it."""
    log_size = output.move()
    if "error" not in event:
        record.take(event)
        try:
            folder.save(record)
        except (OSError, Failure) as error:  # which Airflow would only log
            event = {"error": str(error)}
    try:
        events.write(json.dumps({**event, "time": time.time(), "log_size": log_size}) + "\n")
    except BrokenPipeError:  # `run` was killed: a row that runs comes to its end, and no other begins
        if event.get("state") == "running":
            os._exit(1)


def _prepare(
    tasks: list[WorkerOperator], order: dict[str, Any], output: _Output, tell: Callable[..., None]
) -> None:
    """Have each row start as the order says, and tell what becomes of it."""
    options = tasks[0].options  # the list's: all rows have them
    start = {**options.cvar, **order["record"]["cvar"]}
    for key, _, *encoded in order["record"]["writes"]:
        name = Codec(Allowed([], [])).decode(key)
        start.pop(name, None)
        if encoded:
            start[name] = Encoded(*encoded)
    options = options._replace(env={**options.env, **order["env"]}, cvar=start)
    for task in tasks:
        task.options = options
        task.take_writes = lambda writes: tell(writes=writes)
        task.take_printed = output.print
        task.go_on = "go on by `pyrunner-airflow run -r`"
        for callback, state in _CALLBACKS.items():
            setattr(task, callback, [partial(_take_state, output, tell, state)])


def _take_state(output: _Output, tell: Callable[..., None], state: str, context: dict[str, Any]) -> None:
    task, ti = context["task"], context["ti"]
    if state in ("failed", "up_for_retry"):
        _print_error(output, context["exception"])
    tell(row=task.row.id, state=state, attempt=ti.try_number)


def _print_error(output: _Output, error: BaseException) -> None:
    """Print an error as its author would see it: from the worker's own code on, if it got there."""
    if isinstance(error, WorkerFailed):  # there is nothing but the code, which is in the log
        return
    cause: BaseException | None = error
    while cause and not isinstance(cause, WorkerTraceback):
        cause = cause.__cause__
    output.print("stderr", cause.args[0] if cause else "".join(traceback.format_exception_only(error)))


def _add_bundle(dags: str) -> None:
    """Put the list's folder before Airflow's own bundles, of which the first with the DAG is looked at."""
    if Path(conf.get("core", "dags_folder")) == Path(dags):
        return
    bundle = {
        "name": _BUNDLE,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": dags},
    }
    known: Any = conf.getjson("dag_processor", "dag_bundle_config_list")
    os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps([bundle, *known])


if __name__ == "__main__":
    sys.exit(main())
