"""``doctor``: what is wrong with a host that is to parse or run task lists, before a run finds out."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

import click

from pyrunner_airflow.cli import lists
from pyrunner_airflow.cli.lists import counted
from pyrunner_airflow.discovery.folder import find_lists, ignore_syntax
from pyrunner_airflow.tasklist import LstError
from pyrunner_airflow.tasklist.diagnostics import showable
from pyrunner_airflow.worker.app import AppError, find_app, find_interpreter, find_working_directory

_IMPORTER = "pyrunner_airflow.discovery.importer.LstDagImporter"
_LOADERS = {"pyrunner_lst.py": b"load_lst_dags", "pyrunner_lst_errors.py": b"show_lst_errors"}
_SECONDS = 10.0
_MOST_SECONDS_APART = 2.0


class Finding(NamedTuple):
    """One line that is told."""

    text: str
    to_do: str = ""
    """What mends it; nothing where all is well."""


@click.command(
    epilog="""
    \b
    Examples:
      pyrunner-airflow doctor
      AIRFLOW_HOME=/opt/airflow pyrunner-airflow doctor
    """
)
@click.pass_context
def doctor(context: click.Context) -> None:
    """Check whether this host is ready to parse and run task lists.

    To be run on each host, as the user and in the environment that Airflow runs in there. It changes nothing.
    Each line is ok, or says what to do.

    The exit code is 0 if all is ok, else 1.
    """
    is_well = True
    for check in (_versions, _reader, _folders, _apps, _xcoms, _clock):
        for finding in check():
            is_well = is_well and not finding.to_do
            text = f"{finding.text}: {finding.to_do}" if finding.to_do else finding.text
            click.echo(f"{'WRONG' if finding.to_do else 'ok   '}  {showable(text)}")
    context.exit(0 if is_well else 1)


def _versions() -> Iterator[Finding]:
    names = {name: version(name.lower()) for name in ("pyrunner-airflow", "apache-airflow")}
    versions = ", ".join(f"{name} {number}" for name, number in names.items())
    yield Finding(f"{versions}, Python {platform.python_version()}, which should be the same on all hosts")


def _reader() -> Iterator[Finding]:
    """Tell what makes DAGs of task lists."""
    try:
        from pyrunner_airflow.discovery.importer import is_configured
    except Exception:  # Airflow 3.3 has none, and on 3.4 a bad XCom backend raises, which is told below
        importer = ""
    else:
        if is_configured():
            yield Finding("the importer reads task lists ([dag_processor] dag_importer_configs)")
            return
        importer = f', or set [dag_processor] dag_importer_configs = ["{_IMPORTER}"]'
    folders = _dags_folders()
    for folder in [each for each in folders if any(find_lists(each, ignore_syntax()))] or folders[:1]:
        texts = [path.read_bytes() for path in folder.rglob("*.py") if path.is_file()]
        for name, call in _LOADERS.items():
            if any(call in text for text in texts):
                yield Finding(f"{call.decode()} is called in {folder}")
            else:
                yield Finding(f"nothing calls {call.decode()} in {folder}", f"put {name} there{importer}")


def _folders() -> Iterator[Finding]:
    from airflow.sdk import conf  # takes long to load

    folders = {
        "[logging] base_log_folder": conf.get("logging", "base_log_folder"),
        "the folder for temporary files (TMPDIR)": tempfile.gettempdir(),
    }
    for what, text in folders.items():
        folder = Path(text)
        nearest = next(each for each in (folder, *folder.parents) if each.exists())
        if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
            yield Finding(f"{what}, {folder}, may be written to")
        else:
            yield Finding(f"{what}, {folder}, may not be written to", "give Airflow's user the right to")


def _apps() -> Iterator[Finding]:
    """Tell whether the folders and interpreters are there that lists name."""
    found = set()
    for folder in _dags_folders():
        for path in sorted(map(str, find_lists(folder, ignore_syntax()))):
            try:
                tasks = lists.read(path)[1]
            except LstError:
                yield Finding(f"{path} has errors", f"pyrunner-airflow check {path}")
                continue
            app = find_app(path, tasks.options.app_root, tasks.options.cwd)
            try:
                find_working_directory(app)
            except AppError as error:
                yield Finding(path, str(error))
            for name in sorted({name for row in tasks.rows if (name := tasks.options.python_of(row))}):
                try:
                    found.add(find_interpreter(name, app))
                except AppError as error:
                    yield Finding(path, str(error))
    yield Finding(f"{counted(len(found), 'interpreter')} of lists found")


def _xcoms() -> Iterator[Finding]:
    from airflow.sdk import conf

    backend = conf.get("core", "xcom_backend")
    try:
        conf.getimport("core", "xcom_backend")
    except Exception as error:  # whatever it raises while it is imported
        yield Finding(f"[core] xcom_backend is {backend}, and {error}", "install what it needs here, too")
    else:
        yield Finding(f"[core] xcom_backend is {backend}")


def _clock() -> Iterator[Finding]:
    """Tell how far this host's clock is from that of the API server."""
    from airflow.sdk import conf

    base = conf.get("api", "base_url", fallback=None) or "http://localhost:8080"
    url = conf.get("core", "execution_api_server_url", fallback=None) or f"{base.rstrip('/')}/execution/"
    begin = time.time()
    try:
        try:
            headers = urlopen(url, timeout=_SECONDS).headers
        except HTTPError as error:  # an answer, too
            headers = error.headers
        there = parsedate_to_datetime(headers["Date"]).timestamp() + 0.5  # it tells whole seconds
    except (OSError, TypeError, ValueError) as error:
        todo = "start it, or set [core] execution_api_server_url to where it is"
        yield Finding(f"no API server answers at {url} ({error}), without which no task runs", todo)
        return
    ahead = (begin + time.time()) / 2 - there
    if abs(ahead) <= _MOST_SECONDS_APART:
        yield Finding(f"the clock is that of the API server at {url}")
        return
    text = f"the clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} that of the API server"
    yield Finding(text, "have all hosts keep the same time (NTP), which decides who wrote a key last")


def _dags_folders() -> list[Path]:
    """Return the folders of the bundles that lie on this host: not those that are fetched, as from git."""
    from airflow.sdk import conf

    configs: Any = conf.getjson("dag_processor", "dag_bundle_config_list") or []
    paths = [
        config.get("kwargs", {}).get("path") or conf.get("core", "dags_folder")
        for config in configs
        if config["classpath"].endswith(".LocalDagBundle")
    ]
    return [Path(path) for path in paths]
