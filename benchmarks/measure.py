"""
One measurement in a process of its own: ``python -m benchmarks.measure NAME ARGUMENT...``.

Prints what it measured as a JSON object: seconds, and what else there is to compare.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, patch


def load_dags(path: str, dag_id: str = "") -> dict[str, float]:
    """Load a dags folder as the DAG processor does, or one file as the start of a task does for its DAG."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401 - not to be measured
    from airflow.sdk.definitions.context import get_parsing_context  # noqa: F401
    from airflow.serialization.serialized_objects import DagSerialization

    import pyrunner_airflow.discovery.loader  # noqa: F401

    if dag_id:
        os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag_id  # what the start of a task sets
    start = time.perf_counter()
    bag = DagBag(path)
    seconds = time.perf_counter() - start
    if bag.import_errors:
        raise RuntimeError(bag.import_errors)
    size = sum(len(json.dumps(DagSerialization.to_dict(dag))) for dag in bag.dags.values())
    return {"seconds": seconds, "bytes": size, "dags": len(bag.dags)}


def parse(path: str) -> dict[str, float]:
    """Parse one task list."""
    from pyrunner_airflow.tasklist import read_lst

    start = time.perf_counter()
    rows = len(read_lst(path).rows)
    return {"seconds": time.perf_counter() - start, "rows": rows}


def parse_with_pyrunner(path: str) -> dict[str, float]:
    """Parse one task list with python-batch-runner's own parser."""
    from pyrunner.serde.list import ListSerDe

    text = Path(path).read_text()
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - it prints
    start = time.perf_counter()
    os.environ["APP_LOG_DIR"] = "/"
    ListSerDe().deserialize(path)
    seconds = time.perf_counter() - start
    sys.stdout = sys.__stdout__
    return {"seconds": seconds, "rows": text.count("\n") - 1}


def write_context(writes: str) -> dict[str, float]:
    """Write one context key in a loop."""
    from pyrunner_airflow.dag.context import XComContext

    task = SimpleNamespace(upstream_task_ids=set())
    context: Any = XComContext(Mock(try_number=1, task_id="1_a", task=task), Mock(), {}, lambda: None, print)
    start = time.perf_counter()
    for number in range(int(writes)):
        context["key"] = {"number": number, "text": "x" * 100}
    return {"seconds": time.perf_counter() - start}


def count_calls(path: str, dag_id: str) -> dict[str, Any]:
    """Run a DAG in this process, and count what its tasks ask of Airflow's supervisor."""
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = path
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk.execution_time.supervisor import InProcessSupervisorComms

    calls: dict[str, Counter[str]] = defaultdict(Counter)
    send = InProcessSupervisorComms.send

    def count_and_send(comms: Any, msg: Any) -> Any:
        calls[str(comms.supervisor.id)][type(msg).__name__] += 1
        return send(comms, msg)

    with patch.object(InProcessSupervisorComms, "send", count_and_send):
        run = DagBag(path).dags[dag_id].test()
    tasks = {task.task_id: calls[str(task.id)] for task in run.get_task_instances()}
    return {"calls": max(task.total() for task in tasks.values()), "tasks": tasks, "state": run.state}


MEASURES: dict[str, Callable[..., dict[str, Any]]] = {
    measure.__name__: measure
    for measure in (load_dags, parse, parse_with_pyrunner, write_context, count_calls)
}

if __name__ == "__main__":
    print(json.dumps(MEASURES[sys.argv[1]](*sys.argv[2:])))
