"""One task list, one DAG or the reasons why there is none."""

from __future__ import annotations

from pathlib import Path

from pyrunner_airflow.dag.factory import PyRunnerDag
from pyrunner_airflow.tasklist import Diagnostic, LstError, Severity


def build_dag(path: Path, options_folder: Path) -> PyRunnerDag:
    """
    Return the DAG of a task list.

    :param options_folder: the topmost folder whose ``pyrunner.toml`` counts.
    :raises LstError: if no DAG can be made of it, for whatever reason.
    """
    try:
        dag = PyRunnerDag(path, options_folder=options_folder)
        # As Airflow will, for which one bad DAG spoils the whole file.
        dag.validate()  # type: ignore[no-untyped-call]
    except LstError:
        raise
    except Exception as error:  # no list may ever keep the others from being loaded
        found = problem("no-dag", path, f"no DAG can be made of it: {error!r}", "mend the list")
        raise LstError((found,)) from error
    return dag


def problem(code: str, path: Path, message: str, hint: str) -> Diagnostic:
    """Return an error that concerns a task list as a whole."""
    return Diagnostic(Severity.ERROR, code, str(path), 0, 1, 0, None, "", message, hint)
