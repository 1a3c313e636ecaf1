"""
One measurement in a process of its own: ``python -m benchmarks.measure NAME ARGUMENT...``.

Prints what it measured as a JSON object: seconds, and what else there is to compare.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, patch

_STARTS = 5
FORK = "fork"
"""In the place of an interpreter: the worker runs in a fork."""


def load_dags(path: str, dag_id: str = "") -> dict[str, float]:
    """
    Load a dags folder as the DAG processor does, or one file as the start of a task does for its DAG.

    Then serialize the DAGs, and tell their size, and that of their tasks alone.
    """
    from airflow.dag_processing.dagbag import DagBag
    from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401 - not to be measured
    from airflow.sdk.definitions.context import get_parsing_context  # noqa: F401
    from airflow.serialization.serialized_objects import DagSerialization

    import pyrunner_airflow.discovery.loader  # noqa: F401

    if dag_id:
        os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag_id  # what the start of a task sets
    with _watch() as watched:
        bag = DagBag(path)
    if bag.import_errors or not bag.dags:
        raise RuntimeError(bag.import_errors or f"no DAG in {path}")
    sizes: Counter[str] = Counter()
    start = time.process_time()
    for dag in bag.dags.values():
        serialized = DagSerialization.to_dict(dag)
        sizes["size"] += len(json.dumps(serialized))
        sizes["of it tasks"] += len(json.dumps(serialized["dag"]["tasks"]))
    return {**watched, "serializing": time.process_time() - start, **sizes}


def parse(path: str) -> dict[str, float]:
    """Parse one task list."""
    from pyrunner_airflow.tasklist import read_lst

    with _watch() as watched:
        read_lst(path)
    return watched


def parse_with_pyrunner(path: str) -> dict[str, float]:
    """Parse one task list with python-batch-runner's own parser."""
    from pyrunner.serde.list import ListSerDe

    os.environ["APP_LOG_DIR"] = "/"
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), _watch() as watched:  # it prints
        ListSerDe().deserialize(path)
    return watched


def _xcom_context() -> Any:
    from pyrunner_airflow.dag.context import XComContext
    from pyrunner_airflow.dag.xcom_settings import allowed_classes
    from pyrunner_airflow.values import Codec

    ti = Mock(try_number=1, task_id="1_a", task=SimpleNamespace(upstream_task_ids=set()))
    return XComContext(ti, Mock(), Codec(allowed_classes()), {}, print, has_journal=False)


def start_python(python: str) -> dict[str, float]:
    """Start an interpreter that does nothing; the least of several times."""
    return {"time": min(_seconds([python, "-c", "pass"]) for _ in range(_STARTS))}


def start_worker(python: str) -> dict[str, float]:
    """Run a worker that does nothing, in another interpreter or in a fork; the least of several times."""
    return {"time": min(_run_worker(python, "pass") for _ in range(_STARTS))}


def write_context(python: str, writes: str) -> dict[str, float]:
    """Write one context key in a loop."""
    line = f"for n in range({writes}): self.context['key'] = {{'number': n, 'text': 'x' * 100}}"
    return {"time": _run_worker(python, line)}


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - start


def _run_worker(python: str, line: str) -> float:
    """Run a line as a worker's ``run``, and tell how long that takes, with the start of its process."""
    from pyrunner_airflow.dag.host import Host
    from pyrunner_airflow.dag.xcom_settings import allowed_classes
    from pyrunner_airflow.worker.attempt import Job
    from pyrunner_airflow.worker.child import InAirflow

    allowed = allowed_classes()
    with tempfile.TemporaryDirectory() as folder:
        source = f"from pyrunner import Worker\nclass W(Worker):\n    def run(self):\n        {line}\n"
        Path(folder, "workers.py").write_text(source)
        row: Any = (1, 1, "Row", "workers", "W", [], None, None, "", 1, 1, 0)
        own_python = None if python == FORK else python
        job = Job(
            f"{folder}/job.lst", None, None, own_python, None, {}, "run", "2026-01-01", 0.0, folder, *row
        )
        airflow = InAirflow(None, {}, {}, lambda _: None, lambda _: set(), lambda _: None, lambda: [])
        start = time.perf_counter()
        outcome = Host(job, _xcom_context(), print, None, allowed, airflow, {}).run()
        seconds = time.perf_counter() - start
    if outcome.error:
        raise outcome.error
    return seconds


def run_dag(path: str, dag_id: str) -> dict[str, float]:
    """Tell the most that a task of a DAG asked of Airflow, and how long all tasks but the first took."""
    tasks, calls = _run_dag(path, dag_id)
    durations = [task.duration for task in sorted(tasks, key=lambda task: task.start_date)]
    return {"calls": max(calls[str(task.id)].total() for task in tasks), "time": sum(durations[1:])}


def count_calls(path: str, dag_id: str) -> dict[str, Counter[str]]:
    """Tell what each task of a DAG asked of Airflow: how often, by the type of the request."""
    tasks, calls = _run_dag(path, dag_id)
    return {task.task_id: calls[str(task.id)] for task in tasks}


def _run_dag(path: str, dag_id: str) -> tuple[list[Any], dict[str, Counter[str]]]:
    """Run a DAG in this process, as ``airflow dags test`` does; return its tasks, and the calls of each."""
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = path
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk.execution_time.supervisor import InProcessSupervisorComms

    calls: dict[str, Counter[str]] = defaultdict(Counter)
    send = InProcessSupervisorComms.send

    def count_and_send(comms: Any, msg: Any) -> Any:
        if type(msg).__name__ != "MaskSecret":  # it goes no further than Airflow's supervisor
            calls[str(comms.supervisor.id)][type(msg).__name__] += 1
        return send(comms, msg)

    with patch.object(InProcessSupervisorComms, "send", count_and_send):
        run = DagBag(path).dags[dag_id].test()
    if run.state != "success":
        raise RuntimeError(f"{dag_id}: {run.state}")
    return run.get_task_instances(), calls


@contextmanager
def _watch() -> Iterator[dict[str, float]]:
    """
    Tell how long what is done meanwhile takes, and how much memory the process has had at most.

    Processor time, since that does not depend on what else the machine is busy with.
    """
    watched: dict[str, float] = {}
    start = time.process_time()
    yield watched
    watched["time"] = time.process_time() - start
    peak = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    watched["memory"] = int(peak[1]) * 1024 if peak else 0


MEASURES: dict[str, Callable[..., dict[str, Any]]] = {
    measure.__name__: measure
    for measure in (
        load_dags,
        parse,
        parse_with_pyrunner,
        write_context,
        start_python,
        start_worker,
        run_dag,
        count_calls,
    )
}

if __name__ == "__main__":
    print(json.dumps(MEASURES[sys.argv[1]](*sys.argv[2:])), flush=True)
    os._exit(0)  # this line is to be the last: at the end Airflow 3.4 may have something to say, too
