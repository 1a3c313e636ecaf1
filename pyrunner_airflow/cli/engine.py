"""
The process that ``run`` runs a list in: ``python -m pyrunner_airflow.cli.engine FD``, its order on stdin.

What happens is told on the file descriptor FD, a JSON object a line. Whatever a worker prints, or does to its
process, does not reach the one that shows it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from airflow.sdk import conf
from airflow.sdk.log import configure_logging

from pyrunner_airflow.dag.errors import WorkerTraceback
from pyrunner_airflow.dag.masking import mask_secrets, masked
from pyrunner_airflow.dag.operator import WorkerOperator
from pyrunner_airflow.discovery.building import build_dag
from pyrunner_airflow.tasklist import LstError
from pyrunner_airflow.values import Allowed, Codec, Encoded
from pyrunner_airflow.worker.attempt import WorkerFailed

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
    with open(int(sys.argv[1]), "w", buffering=1) as events:
        os.register_at_fork(after_in_child=events.close)  # what a worker leaves running would hold it open
        tell = partial(_tell, events)
        try:
            return _run(order, tell)
        except Exception as error:
            _print("stderr", traceback.format_exc())
            text = str(error) if isinstance(error, LstError) else f"{type(error).__name__}: {error}"
            tell(error=masked(text))
            return 2


def _run(order: dict[str, Any], tell: Callable[..., None]) -> int:
    configure_logging()  # as for a task: what is masked for one is not in the log of Airflow's commands
    mask_secrets({**os.environ, **order["env"]})
    dag = build_dag(Path(order["list"]), Path(os.sep))
    tasks: Any = dag.tasks  # all of them ours
    _prepare(tasks, order, tell)
    _add_bundle(order["dags"])
    run = dag.test(run_conf=order["conf"])
    return 0 if run.state == "success" else 1


def _tell(events: TextIO, **event: Any) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    log_size = os.fstat(1).st_size
    events.write(json.dumps({**event, "time": time.time(), "log_size": log_size}) + "\n")


def _prepare(tasks: list[WorkerOperator], order: dict[str, Any], tell: Callable[..., None]) -> None:
    """Have each row start as the order says, and tell what becomes of it."""
    options = tasks[0].options  # the list's: all rows have them
    start = {**options.cvar, **order["cvar"]}
    for key, _, *encoded in order["writes"]:
        name = Codec(Allowed([], [])).decode(key)
        start.pop(name, None)
        if encoded:
            start[name] = Encoded(*encoded)
    options = options._replace(env={**options.env, **order["env"]}, cvar=start)
    for task in tasks:
        task.options = options
        task.take_writes = lambda writes: tell(writes=writes)
        task.take_printed = _print
        task.go_on = "go on by `pyrunner-airflow run -r`"
        for callback, state in _CALLBACKS.items():
            setattr(task, callback, [partial(_take_state, tell, state)])


def _take_state(tell: Callable[..., None], state: str, context: dict[str, Any]) -> None:
    task, ti = context["task"], context["ti"]
    if state in ("failed", "up_for_retry"):
        _print_error(context["exception"])
    tell(row=task.row.id, state=state, attempt=ti.try_number)


def _print_error(error: BaseException) -> None:
    """Print an error as its author would see it: from the worker's own code on, if it got there."""
    if isinstance(error, WorkerFailed):  # there is nothing but the code, which is in the log
        return
    cause: BaseException | None = error
    while cause and not isinstance(cause, WorkerTraceback):
        cause = cause.__cause__
    _print("stderr", cause.args[0] if cause else "".join(traceback.format_exception_only(error)))


def _print(stream: str, text: str) -> None:
    """Print to the log that a person is shown; what Airflow's own hides is hidden there too."""
    print(masked(text.rstrip("\n")), file=getattr(sys, stream), flush=True)


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
