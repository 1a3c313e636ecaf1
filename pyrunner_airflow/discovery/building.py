"""One task list, one DAG or the reasons why there is none."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

# Nothing in airflow.sdk tells which executors there are, or asks the cluster policies. Airflow's DagBag does
# both with these, after it has loaded a file: too late to spare the other DAGs of that file.
from airflow import settings
from airflow.exceptions import AirflowClusterPolicySkipDag
from airflow.executors.executor_loader import ExecutorLoader
from airflow.sdk import conf

from pyrunner_airflow.dag.factory import LstWarning, PyRunnerDag, dag_id
from pyrunner_airflow.discovery.elsewhere import problem, without_texts_from_elsewhere
from pyrunner_airflow.discovery.folder import find_lists
from pyrunner_airflow.tasklist import Diagnostic, LstError
from pyrunner_airflow.tasklist.diagnostics import did_you_mean, quote
from pyrunner_airflow.tasklist.files import ENDINGS
from pyrunner_airflow.tasklist.lst import find_unknown_lists


class NoDag(LstError):
    """What keeps lists from being DAGs, as Airflow shows it."""

    def __str__(self) -> str:
        """Draw the problems, and say what becomes of runs."""
        effect = "runs of it that are under way wait until it is mended, and then go on by themselves"
        return f"{super().__str__()}\n\nA list with an error is no DAG: {effect}."


def build_dag(path: Path, options_folder: Path, dag_file: str | None = None) -> PyRunnerDag:
    """
    Return the DAG of a task list.

    :param options_folder: the topmost folder whose ``pyrunner.toml`` counts.
    :param dag_file: the file in which Airflow finds the DAG among others; by default the list is that file.
    :raises LstError: if no DAG can be made of it, for whatever reason; where there is a `dag_file`, also if
        Airflow would refuse it later, and with it all others of that file.
    """
    try:
        dag = PyRunnerDag(path, options_folder=options_folder)
        _check_queues(dag, path)
        if dag_file is not None:
            dag.fileloc = dag_file
            dag.validate()  # type: ignore[no-untyped-call]
            _check_executors(dag, path)
            _ask_policies(path, options_folder, dag_file)
    except LstError as error:
        found = error.diagnostics
    except Exception as error:  # no list may ever keep the others from being loaded
        found = (problem("no-dag", path, f"no DAG can be made of it: {error!r}", "mend the list"),)
    else:
        return dag
    raise LstError(tuple(without_texts_from_elsewhere(found, options_folder)))


def unknown_lists(
    files: Iterable[str], known: Collection[Path], options_folder: Path
) -> Iterator[Diagnostic]:
    """
    Yield a warning for each table of the options files that is named after a list which is not there.

    :param known: lists that are there; one that is left out, for a DAG file to name, is looked for too.
    """
    paths = list(map(str, known))
    for file in files:
        below = os.path.join(os.path.dirname(file), "")
        near = (path for path in paths if path.startswith(below))
        found = find_unknown_lists(file, near, lambda folder: find_lists(Path(folder), None))
        yield from without_texts_from_elsewhere(found, options_folder)


def by_claim(path: Path) -> tuple[int, bool, int, str]:
    """Sort lists in the order in which they claim a DAG ID: the topmost first, then those named so."""
    return len(path.parts), path.stem != dag_id(path), ENDINGS.index(path.suffix), path.as_posix()


def duplicate(path: Path, first: Path) -> Diagnostic:
    """Return the error of a list whose DAG ID another has claimed."""
    message = f"{first} has the same DAG ID {dag_id(path)!r}"
    return problem("duplicate-dag-id", path, message, "rename one of the two files")


def _check_queues(dag: PyRunnerDag, path: Path) -> None:
    """Refuse queues whose tasks this Airflow has something else than Python run."""
    others: Any = conf.getjson("sdk", "queue_to_coordinator", fallback=None) or {}
    hint = "take a queue that [sdk] queue_to_coordinator in its configuration does not name"
    found = tuple(
        problem(
            "queue-not-for-python",
            path,
            f"this Airflow's coordinator {quote(others[queue])} runs what is in the queue {quote(queue)}",
            hint,
        )
        for queue in sorted({task.queue for task in dag.tasks} & others.keys())
    )
    if found:
        raise LstError(found)


def _check_executors(dag: PyRunnerDag, path: Path) -> None:
    """Refuse executors that this Airflow has for no team: which team the file is of is not known here."""
    used = {task.executor for task in dag.tasks if task.executor}
    if not used:
        return
    known = {
        name
        for executor in ExecutorLoader.get_executor_names(validate_teams=False)
        for name in (executor.alias, executor.module_path, executor.module_path.rsplit(".")[-1])
        if name
    }
    configured = f"Its configuration, [core] executor, has: {', '.join(sorted(known))}."
    unknown = tuple(
        problem(
            "unknown-executor",
            path,
            f"this Airflow has no executor {quote(name)}",
            did_you_mean(name, known) + configured,
        )
        for name in sorted(used - known)
    )
    if unknown:
        raise LstError(unknown)


def _ask_policies(path: Path, options_folder: Path, dag_file: str) -> None:
    """Refuse a DAG that a cluster policy refuses: a copy, as policies may change what they are given."""
    hook = settings.get_policy_plugin_manager().hook
    if not (hook.dag_policy.get_hookimpls() or hook.task_policy.get_hookimpls()):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LstWarning)  # that of the first is heard already
        dag = PyRunnerDag(path, options_folder=options_folder)
    dag.fileloc, dag.relative_fileloc = dag_file, os.path.basename(dag_file)
    try:
        settings.dag_policy(dag)  # type: ignore[no-untyped-call]
        for task in dag.tasks:
            settings.task_policy(task)  # type: ignore[no-untyped-call]
    except AirflowClusterPolicySkipDag:
        pass  # Airflow leaves the DAG out without an error
    except Exception as error:
        message = f"a cluster policy of this Airflow refuses it: {error!r}"
        hint = "do what it asks for; whoever runs this Airflow can tell more"
        raise LstError((problem("refused-by-policy", path, message, hint),)) from error
