"""One task list, one DAG or the reasons why there is none."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

# Nothing in airflow.sdk tells which executors there are, or asks the cluster policies. Airflow's DagBag does
# both with these, after it has loaded a file: too late to spare the other DAGs of that file.
from airflow import settings
from airflow.exceptions import AirflowClusterPolicySkipDag
from airflow.executors.executor_loader import ExecutorLoader

from pyrunner_airflow.dag.factory import LstWarning, PyRunnerDag
from pyrunner_airflow.tasklist import Diagnostic, LstError, Severity
from pyrunner_airflow.tasklist.diagnostics import Place, did_you_mean, quote


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
    raise LstError(tuple(_without_texts_from_elsewhere(found, options_folder)))


def problem(code: str, path: Path, message: str, hint: str) -> Diagnostic:
    """Return an error that concerns a task list as a whole."""
    return Diagnostic(Severity.ERROR, code, str(path), *Place(), message, hint)


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


def _without_texts_from_elsewhere(problems: Iterable[Diagnostic], folder: Path) -> Iterator[Diagnostic]:
    """
    Yield problems, those of a file that a link leads to outside of a folder as one that shows nothing of it.

    Whoever may put a link into a dags folder, or look at Airflow's import errors, need not be one who may
    read what Airflow can.
    """
    top = os.path.realpath(folder)
    for source, group in groupby(problems, lambda found: found.source):
        found, real = list(group), os.path.realpath(source)
        if real.startswith(os.path.join(top, "")) or found[0].code == "unreadable-file":
            yield from found
            continue
        count = f"{len(found)} problem{'' if len(found) == 1 else 's'}"
        message = f"it is a link to {quote(real, 1000)}, outside of {quote(top, 1000)}, and has {count}"
        command = f"pyrunner-airflow check {shlex.quote(source)}"
        hint = f"{command} shows them to whoever may read that file"
        yield problem("problems-elsewhere", Path(source), message, hint)
