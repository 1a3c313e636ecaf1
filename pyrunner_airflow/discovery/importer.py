"""
Task lists as DAG files of their own, on Airflow 3.4: all that is different there from Airflow 3.3.

In ``airflow.cfg``::

    [dag_processor]
    dag_importer_configs = ["pyrunner_airflow.discovery.importer.LstDagImporter"]
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

try:
    from airflow.sdk.importers import (
        AbstractDagImporter,
        DagDefinition,
        DagImportError,
        DagImportResult,
        DagImportWarning,
        DagSourceCode,
        FilesystemDagDefinition,
        find_file_dag_definitions,
        get_file_suffix,
        get_importer_registry,
    )
except ModuleNotFoundError as error:
    raise ImportError(
        "This Airflow has no DAG importers (airflow.sdk.importers), which came with Airflow 3.4. Before that "
        "a loader finds the task lists: put pyrunner_lst.py, which calls pyrunner_airflow.load_lst_dags, and "
        "pyrunner_lst_errors.py, which calls show_lst_errors, into the dags folder, and take LstDagImporter "
        "out of the configuration."
    ) from error

from pyrunner_airflow.dag.factory import LstWarning, dag_id
from pyrunner_airflow.discovery.building import NoDag, build_dag, by_claim, duplicate, unknown_lists
from pyrunner_airflow.discovery.folder import is_list
from pyrunner_airflow.tasklist import LstError, parse_lst
from pyrunner_airflow.tasklist.diagnostics import showable
from pyrunner_airflow.tasklist.documents import OPTIONS_FILE
from pyrunner_airflow.tasklist.files import ENDINGS, JSON_ENDING, read_beginning, read_file

if TYPE_CHECKING:
    from airflow.dag_processing.bundles.base import BaseDagBundle

_TEXT = re.compile(rb"^[ \t]*[^\s#]", re.MULTILINE)
_ROW = re.compile(rb"^[^\w\n]*\d|\|", re.MULTILINE)
_BEGINNING = 65_536
_MAX_PATH = 1000
# Airflow's DAG processor would end, and read no DAGs at all any more.
_UNSTORABLE = re.compile(rf"[\ud800-\udfff]|.{{{_MAX_PATH + 1}}}", re.DOTALL)


class LstDagImporter(AbstractDagImporter[FilesystemDagDefinition]):  # type: ignore[misc]  # checked on 3.3, without it
    """Lists the task lists of a bundle for Airflow, and makes a DAG of each."""

    supported_extensions = (".lst",)  # not .json, which would then be no other importer's any more

    def __init__(self) -> None:
        self._first: dict[str, dict[str, Path]] = {}
        """The list of each DAG ID, by bundle: Airflow lists a bundle, and parses each file in a fork."""

    def can_handle(self, definition: DagDefinition | str | Path) -> bool:
        """Tell whether this is a task list, by the ending of its name; of JSON by what is in it."""
        if get_file_suffix(definition) in self.supported_extensions:
            return True
        path = definition.path if isinstance(definition, FilesystemDagDefinition) else Path(str(definition))
        return path.suffix == JSON_ENDING and is_list(path)

    def list_dag_definitions(
        self, bundle: BaseDagBundle, *, safe_mode: bool = True
    ) -> Iterator[FilesystemDagDefinition | DagImportError]:
        """
        Yield the task lists of a bundle that no ``.airflowignore`` leaves out.

        Options for lists that are not there are an error of their file: no DAG could have it as a warning.
        """
        found = list(find_file_dag_definitions(bundle.path, (*ENDINGS, ".toml")))
        lists = [definition for definition in found if self.can_handle(definition)]
        files = [definition.path for definition in found if definition.path.name == OPTIONS_FILE]
        paths = [definition.path for definition in lists]
        for file in files:
            top = file.parent if file == bundle.path else Path(bundle.path)  # that Airflow has parsed alone
            if problems := tuple(unknown_lists([str(file)], paths, top)):
                yield DagImportError(str(file), str(LstError(problems)), error_type="parse")
        lists = [definition for definition in lists if self.might_contain_dag(definition, safe_mode)]
        if bundle.path.is_dir():  # or it is one file, to be parsed
            by_first = sorted((definition.path for definition in lists), key=by_claim, reverse=True)
            self._first[bundle.name] = {dag_id(path): path for path in by_first}
        for definition in lists:
            if _UNSTORABLE.search(str(definition.path)):
                name = showable(definition.get_relative_loc(bundle.path))[:_MAX_PATH]
                message = f"{name} has a path that Airflow can't store: give it a short one, in UTF-8"
                yield DagImportError(name, message, error_type="parse")
            else:
                yield definition

    def might_contain_dag(self, definition: FilesystemDagDefinition, safe_mode: bool) -> bool:
        """
        Tell whether a file may be a task list.

        In safe mode one is left alone that begins with text, but no line that begins with a number or has a
        ``|``: other programs have files called ``.lst`` too. Without text it is a list that lacks its rows.
        """
        if not safe_mode or definition.suffix == JSON_ENDING:  # of which the shape is known
            return True
        try:
            # Of all files, in the loop that all of Airflow's parsing waits for.
            data = read_beginning(definition.path, _BEGINNING)
        except OSError:  # to be told when it is imported
            return True
        return not _TEXT.search(data) or bool(_ROW.search(data))

    def import_definition(
        self, definition: FilesystemDagDefinition, bundle: BaseDagBundle
    ) -> DagImportResult:
        """Return the DAG of a task list, or all its problems as one error: Airflow shows one a file."""
        result = DagImportResult(definition=definition)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", LstWarning)
                self._refuse_second(definition.path, bundle.name)
                result.dags.append(build_dag(definition.path.absolute(), Path(bundle.path)))
        except LstError as error:
            text = str(NoDag(error.diagnostics))
            result.errors.append(DagImportError(repr(definition), text, error_type="parse"))
        # One for all: Airflow keeps one warning of a type for each DAG.
        if odd := [str(warning.message) for warning in caught if issubclass(warning.category, LstWarning)]:
            result.warnings.append(DagImportWarning(repr(definition), "\n".join(odd), "pyrunner:list"))
        return result

    def _refuse_second(self, path: Path, bundle_name: str) -> None:
        """Raise LstError if another list of the bundle has the same DAG ID, and comes first."""
        first = self._first.get(bundle_name, {}).get(dag_id(path), path)
        if first != path and first.is_file():  # it may be gone since
            raise LstError((duplicate(path, first),))

    def get_source_code(
        self, definition: FilesystemDagDefinition, dag_id: str | None = None
    ) -> DagSourceCode:
        """Return the text of a task list; of what a link leads to only if that is a good list by itself."""
        try:
            text = read_file(definition.path).decode("utf-8-sig")
            if definition.path.resolve() != definition.path:
                parse_lst(text, path=definition.path, options_folder=definition.path.root)
        except (OSError, ValueError):  # without the reason: Airflow would log it, or read the file by itself
            text = f"{definition.path} is no task list any more.\n"
        return DagSourceCode(text, language="plaintext")


def is_configured() -> bool:
    """Tell whether Airflow's configuration gives the task lists of all bundles to the importer."""
    return isinstance(get_importer_registry().get_importer("a.lst"), LstDagImporter)
