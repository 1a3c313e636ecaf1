"""
DAGs from the task lists in a dags folder, by way of Python files in it: on Airflow 3.3 the only way.

Good lists and bad ones are shown by two files, because Airflow marks every DAG of a file with an import error
as stale, and stops its runs: with one file a typo in one list would stop all the others.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_parsing_context

from pyrunner_airflow.dag.factory import PyRunnerDag, dag_id
from pyrunner_airflow.discovery.budget import affordable
from pyrunner_airflow.discovery.building import NoDag, build_dag, by_claim, duplicate, unknown_lists
from pyrunner_airflow.discovery.elsewhere import problem
from pyrunner_airflow.discovery.folder import find_list, find_lists, ignore_syntax
from pyrunner_airflow.tasklist import Diagnostic, LstError
from pyrunner_airflow.tasklist.files import ENDINGS
from pyrunner_airflow.tasklist.lst import option_files

_NO_TIME = (
    "the smaller ones are loaded: make this one smaller, raise [core] dagbag_import_timeout, or give folders "
    "a loader of their own"
)
log = logging.getLogger(__name__)


def load_lst_dags(module: dict[str, Any], folder: str | Path | None = None) -> None:
    """
    Put a DAG for each good task list into a module; bad lists are for :func:`show_lst_errors`.

    When Airflow starts a task, only the list of that task's DAG is read. Where Airflow has our importer read
    the lists of that folder, nothing is put there.

    :param module: the ``globals()`` of a file in the dags folder.
    :param folder: where the lists lie; by default the folder of that file.
    """
    top = _folder(module, folder)
    wanted = get_parsing_context().dag_id
    # A task's start is not left to the importer: the task may have been queued before there was one.
    if wanted is None and _leave_to_importer(module, top):
        return
    paths = _lists_to_read(top, wanted)
    for dag, _ in _build(paths, top, module["__file__"]):
        if dag is not None:
            module[f"pyrunner_airflow:{dag.dag_id}"] = dag


def show_lst_errors(module: dict[str, Any], folder: str | Path | None = None) -> None:
    """
    Show the errors of bad task lists, and options for lists that are not there, as a module's import error.

    :param module: the ``globals()`` of a file in the dags folder: not the one that loads the good lists.
    :param folder: where the lists lie; by default the folder of that file.
    """
    top = _folder(module, folder)
    if _leave_to_importer(module, top):
        return
    paths = _all_lists(top)
    # Once each: a bad pyrunner.toml is a problem of every list that it holds for.
    built = _build(paths, top, module["__file__"])
    diagnostics = dict.fromkeys(diagnostic for _, found in built for diagnostic in found)
    files = dict.fromkeys(file for path in paths for file in option_files(str(path), top))
    diagnostics.update(dict.fromkeys(unknown_lists(files, paths, top)))
    if diagnostics:
        module["pyrunner_airflow:errors"] = _BadLists(tuple(diagnostics))


class _BadLists(DAG):
    """No DAG at all: Airflow takes what ``validate`` raises for the import error of the file it is in."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("pyrunner_airflow_errors", schedule=None)
        self._diagnostics = diagnostics

    def validate(self) -> None:
        raise NoDag(self._diagnostics)


def _folder(module: dict[str, Any], folder: str | Path | None) -> Path:
    return Path(folder or Path(module["__file__"]).parent).absolute()


def _leave_to_importer(module: dict[str, Any], top: Path) -> bool:
    """Tell, also in the log, whether the importer reads the lists of the folder: both would take turns."""
    try:
        from pyrunner_airflow.discovery.importer import is_configured
    except ImportError:  # Airflow 3.3
        return False
    file = Path(module["__file__"])
    # Lists elsewhere may lie outside of every bundle, where the importer does not see them.
    if not top.is_relative_to(file.parent.absolute()) or not is_configured():
        return False
    log.info("%s does nothing: LstDagImporter reads the task lists. The file can be removed.", file)
    return True


def _lists_to_read(top: Path, wanted: str | None) -> list[Path]:
    """Return the one list whose DAG is wanted, or all of them if there is none."""
    if wanted is None:
        return _all_lists(top)
    named = (find_list(top, f"{wanted}{ending}", ignore_syntax()) for ending in ENDINGS)
    if found := next(filter(None, named), None):
        return [found]
    paths = _all_lists(top)
    return [path for path in paths if dag_id(path) == wanted][:1] or paths


def _all_lists(top: Path) -> list[Path]:
    return sorted(find_lists(top, ignore_syntax()), key=by_claim)


def _build(
    paths: list[Path], top: Path, dag_file: str
) -> Iterator[tuple[PyRunnerDag | None, tuple[Diagnostic, ...]]]:
    """Build the DAG of each list, or tell why there is none."""
    first: dict[str, Path] = {}
    for path in paths:
        same = first.setdefault(dag_id(path), path)
        if same != path:
            yield None, (duplicate(path, same),)
    left = set(first.values())
    for path in affordable(first.values(), top):
        left.remove(path)
        try:
            yield build_dag(path, top, dag_file), ()
        except LstError as error:
            yield None, error.diagnostics
    for path in sorted(left):
        message = f"the lists in {top} are too many or too large for the time that Airflow gives one file"
        yield None, (problem("no-time", path, message, _NO_TIME),)
