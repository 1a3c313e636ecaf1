"""Where ``run`` keeps what it needs: a folder for each list, with an Airflow of its own in it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from pyrunner_airflow.cli.failure import Failure
from pyrunner_airflow.restart import rows_to_run

_CONFIGURED_BY = ("AIRFLOW_HOME", "AIRFLOW_CONFIG", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
_DAG_FILE = """\
from pyrunner_airflow import PyRunnerDag

dag = PyRunnerDag({path!r}, options_folder={top!r})
"""
_MAX_STEM = 200  # of the 255 bytes that a file's name may have
_QUIET = "airflow=WARNING airflow.task=INFO task=CRITICAL"
"""What is logged: what the workers log; the engine shows their errors itself, without Airflow's frames."""


@dataclass
class RunRecord:
    """
    How far a run has come: what ``run -r`` goes on with.

    :ivar states: the last state of each row that was started, by its ID, in Airflow's words.
    :ivar cvar: what the context started with.
    :ivar selection: the run parameters that say which rows take part.
    :ivar writes: the last write to each key of the context: a list of the key and more.
    """

    states: dict[int, str] = field(default_factory=dict)
    cvar: dict[str, str] = field(default_factory=dict)
    selection: dict[str, Any] = field(default_factory=dict)
    writes: list[list[Any]] = field(default_factory=list)

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> RunRecord:
        """Return a record that was JSON."""
        return cls(**{**saved, "states": {int(id_): state for id_, state in saved["states"].items()}})

    def take(self, event: Mapping[str, Any]) -> None:
        """Take the state of a row, or what it wrote to the context."""
        if "writes" in event:
            self._forget_writes([write[0] for write in event["writes"]])
            self.writes += event["writes"]
        elif event["row"] not in self.done() or event["state"] != "skipped":
            self.states[event["row"]] = event["state"]

    def start_with(self, cvar: Mapping[str, str]) -> None:
        """Let these keys of the context have new values."""
        self.cvar |= cvar
        self._forget_writes(list(cvar))

    def _forget_writes(self, keys: list[Any]) -> None:
        self.writes = [write for write in self.writes if write[0] not in keys]

    def narrow(self, selection: Mapping[str, Any]) -> None:
        """Leave out, of the rows that took part so far, those that this selection leaves out."""
        for name, value in selection.items():
            before = self.selection.get(name)
            if name == "norun":
                self.selection[name] = [*(before or ()), *(value or ())]
            elif name == "exec_only" and value is not None and before is not None:
                self.selection[name] = [row_id for row_id in before if row_id in value]
            elif value is not None:
                self.selection[name] = value

    def done(self) -> list[int]:
        """Return the rows that need not run again; the selection leaves out those that it left out before."""
        again = rows_to_run(self.states.items(), ())
        return [row_id for row_id in self.states if row_id not in again]


class RunFolder:
    """
    The folder in which ``run`` keeps what belongs to one list: an Airflow, a log, the last run's record.

    :ivar log: what Airflow and the workers of the last run have told.
    :ivar dags: Airflow's dags folder, with the list's DAG alone.
    """

    def __init__(self, list_path: str) -> None:
        self._list_path = os.path.abspath(list_path)
        name = hashlib.sha256(os.fsencode(self._list_path)).hexdigest()[:12]
        stem = re.sub(r"[^\w.-]", "_", Path(list_path).stem)  # it becomes part of a database's address
        stem = stem.encode()[:_MAX_STEM].decode(errors="ignore")
        self._folder = _state_folder() / f"{stem}-{name}"
        self._state = self._folder / "last.json"
        self.log = self._folder / "run.log"
        self.dags = self._folder / "dags"

    @contextlib.contextmanager
    def locked(self) -> Iterator[int]:
        """
        Keep other runs of the list out, as PyRunner does; yield the lock, to be handed to the run's process.

        :raises Failure: if the list runs already.
        """
        _own(_state_folder())
        _own(self._folder)
        with self.open("lock", "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Failure(f"{self._list_path} is running already: wait for its end") from None
            yield lock.fileno()

    def open(self, name: str, mode: str) -> IO[bytes]:
        """Open a file of the folder, in a binary mode. Raises Failure if it is a link."""
        return _open(self._folder / name, mode)

    def load(self) -> RunRecord:
        """
        Return the record of the last run.

        :raises Failure: if there is nothing to go on with.
        """
        try:
            with self.open("last.json", "rb") as file:
                return RunRecord.of(json.load(file))
        except FileNotFoundError:
            why = f"the last run of {self._list_path} succeeded, or there was none"
        except (ValueError, TypeError, LookupError, AttributeError):
            why = f"{self._state} is damaged. Run the whole list, or the rest of it, by -x"
        raise Failure(f"there is nothing to go on with: {why}")

    def save(self, record: RunRecord) -> None:
        """Keep the record of a run, in one step: the machine may fail at any time."""
        with self.open("last.draft", "wb") as draft:
            draft.write(json.dumps(vars(record)).encode())
        self._state.with_suffix(".draft").replace(self._state)

    def forget(self) -> None:
        """Drop the record: the run succeeded."""
        self._state.unlink(missing_ok=True)

    def make_database(self, tell: Callable[[str], None]) -> None:
        """
        Make the database of a run, unless an Airflow is configured.

        :param tell: called with a message where this takes long.
        """
        if not _is_configured():
            with _open(_empty_database(tell), "rb") as empty, self.open("airflow.db", "wb") as database:
                shutil.copyfileobj(empty, database)

    def environment(self) -> dict[str, str]:
        """Return the environment of a run: with an Airflow of the list's own, unless one is configured."""
        _own(self.dags)
        with self.open("dags/job.py", "wb") as file:
            file.write(_DAG_FILE.format(path=self._list_path, top=os.sep).encode())
        environment = {
            **os.environ,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
            "AIRFLOW__LOGGING__LOG_FORMAT": "%(levelname)s - %(asctime)s - %(message)s",  # PyRunner's
            "AIRFLOW__LOGGING__NAMESPACE_LEVELS": _QUIET,
        }
        if not _is_configured():
            environment["AIRFLOW_HOME"] = str(self._folder)
        return environment


def _is_configured() -> bool:
    """Say whether somebody has set up an Airflow: ``airflow pyrunner`` has loaded it already."""
    return "airflow.configuration" in sys.modules or any(map(os.environ.get, _CONFIGURED_BY))


def _state_folder() -> Path:
    """Return where the XDG Base Directory Specification wants what is neither data nor settings."""
    given = os.environ.get("XDG_STATE_HOME", "")
    return Path(given if os.path.isabs(given) else Path.home() / ".local/state") / "pyrunner-airflow"


def _own(folder: Path) -> None:
    """
    Make a folder and those above it, unless they are there.

    :raises Failure: if somebody else could have put something into it, or what is there is no folder.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True, mode=0o700)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022:
        folder.chmod(0o700)
        return
    fault = "is not a folder of this user's alone, so that what is in it may be somebody else's doing"
    raise Failure(f"{folder} {fault}: look at it and remove it, or set XDG_STATE_HOME to another folder")


def _open(path: Path, mode: str) -> IO[bytes]:
    """Open a file that this program made, in a binary mode: secrets may be in it, and it is no link."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    try:
        return open(path, mode, opener=opener)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        fault = "is a link, which this program has not made"
        raise Failure(f"{path} {fault}: look at it and remove it") from None


def _empty_database(tell: Callable[[str], None]) -> Path:
    """Return a database that Airflow of this version has just made: copying it is faster by seconds."""
    database = _state_folder() / f"airflow-{version('apache-airflow-core')}.db"
    if database.exists():
        return database
    tell("making an empty database for Airflow, this once ...")
    with tempfile.TemporaryDirectory(dir=_state_folder()) as folder:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env={**os.environ, "AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failure(f"Airflow could not make its database:\n{done.stdout}{done.stderr}")
        Path(folder, "airflow.db").replace(database)
    return database
