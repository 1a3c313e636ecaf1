"""One task list, one DAG or the reasons why there is none."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from pyrunner_airflow.dag.factory import PyRunnerDag
from pyrunner_airflow.tasklist import Diagnostic, LstError, Severity
from pyrunner_airflow.tasklist.diagnostics import quote


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
    except LstError as error:
        raise LstError(tuple(_without_texts_from_elsewhere(error.diagnostics, options_folder))) from None
    except Exception as error:  # no list may ever keep the others from being loaded
        found = problem("no-dag", path, f"no DAG can be made of it: {error!r}", "mend the list")
        raise LstError((found,)) from error
    return dag


def problem(code: str, path: Path, message: str, hint: str) -> Diagnostic:
    """Return an error that concerns a task list as a whole."""
    return Diagnostic(Severity.ERROR, code, str(path), 0, 1, 0, None, "", message, hint)


def _without_texts_from_elsewhere(problems: Iterable[Diagnostic], folder: Path) -> Iterator[Diagnostic]:
    """
    Yield problems, those of a file that a link leads to outside of a folder as one that shows nothing of it.

    Whoever may put a link into a dags folder, or look at Airflow's import errors, need not be one who may
    read what Airflow can: ``/etc/shadow``, for one.
    """
    top = os.path.realpath(folder)
    for source, group in groupby(problems, lambda found: found.source):
        found, real = list(group), os.path.realpath(source)
        if real.startswith(os.path.join(top, "")) or found[0].code == "unreadable-file":
            yield from found
            continue
        count = f"{len(found)} problem{'' if len(found) == 1 else 's'}"
        message = f"it is a link to {quote(real, 1000)}, outside of {quote(top, 1000)}, and has {count}"
        hint = f"pyrunner-airflow check {shlex.quote(source)}, as a user who may read that file, shows what they are."
        yield problem("problems-elsewhere", Path(source), message, hint)
