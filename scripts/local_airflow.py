"""Start a real Airflow, run its commands, and leave no process behind."""

import base64
import configparser
import contextlib
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

import psutil

from scripts.airflow_api import AirflowApi, Json, LocalAirflowError

__all__ = ["BIN", "Json", "LocalAirflow", "LocalAirflowError"]

Settings = Mapping[str, Mapping[str, object]]

HOME_VARIABLE = "LOCAL_AIRFLOW_HOME"  # marks every process of one Airflow, whatever session it moves to
BIN = Path(sys.executable).parent
# Section -> key, and how to make it; kept when a home is used again.
KEYS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "core": ("fernet_key", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()),
    "api": ("secret_key", lambda: secrets.token_hex(32)),
    "api_auth": ("jwt_secret", lambda: secrets.token_hex(32)),
}
SETTINGS: Settings = {
    "core": {
        "executor": "LocalExecutor",
        "load_examples": False,
        "parallelism": 8,  # LocalExecutor keeps so many processes
        "hostname_callable": "socket.gethostname",  # the default asks the name servers
        "min_serialized_dag_update_interval": 0,
    },
    "api": {"maximum_page_limit": 1000},
    "scheduler": {
        "scheduler_heartbeat_sec": 1,
        "scheduler_idle_sleep_time": 0.2,
        "parsing_cleanup_interval": 2,
    },
    "dag_processor": {
        "refresh_interval": 2,
        "bundle_refresh_check_interval": 1,
        "min_file_process_interval": 2,
        "stale_dag_threshold": 2,
    },
    # The API server's answer to the first task of all takes 5 s, the default, and longer on a busy machine.
    "workers": {"execution_api_timeout": 60},
}


def environment(home: Path, bin: Path) -> dict[str, str]:
    """Return the environment in which the commands of a folder belong to the Airflow of a home."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return inherited | {
        "PATH": f"{bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "AIRFLOW_HOME": str(home),
        "SPT_NOENV": "1",  # or setproctitle overwrites the environment that /proc shows, a mark with it
        "NO_PROXY": "*",
        "no_proxy": "*",
        "PYTHONUNBUFFERED": "1",
    }


def write_config(path: Path, *parts: Settings) -> None:
    """Write an airflow.cfg; a later part goes before an earlier one."""
    config = configparser.RawConfigParser()
    for settings in parts:
        for section, options in settings.items():
            config.read_dict({section: {key: str(v).replace("%", "%%") for key, v in options.items()}})
    path.touch(mode=0o600)  # there are keys in it
    with path.open("w") as file:
        config.write(file)


class LocalAirflow(AirflowApi):
    """An Airflow with a home, ports, and a database of its own: several can run side by side.

    `settings` are sections of airflow.cfg, `env` goes to every process, tasks included. Without `login`
    everybody is admin. `port` 0 takes any free one; `path` is below which its pages are. `database` is the
    SQLAlchemy address of an empty one; without it, that is a file of SQLite's in the home. `bin` is where its
    commands are, that of another environment for another version of Airflow.
    """

    def __init__(
        self,
        home: Path,
        *,
        env: Mapping[str, str] | None = None,
        settings: Settings | None = None,
        login: bool = False,
        port: int = 0,
        path: str = "",
        database: str = "",
        bin: Path = BIN,
    ) -> None:
        self.bin = bin
        self.home = home.resolve()
        self.dags_folder = self.home / "dags"
        self.log_file = self.home / "airflow.log"
        self.login = login
        self.database = database or f"sqlite:///{self.home / 'airflow.db'}?timeout=60"
        self.env = self._environment(env or {})
        self._settings = settings or {}
        self._port = port
        self._path = path
        self._spawned: list[subprocess.Popen[bytes]] = []  # the first one is `airflow standalone`

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        return {**environment(self.home, self.bin), HOME_VARIABLE: str(self.home), **extra}

    # Starting and stopping

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, timeout: float = 240) -> None:
        """Start and wait until the API server, the scheduler, and the DAG processor are healthy."""
        self._refuse_a_second()
        self.dags_folder.mkdir(parents=True, exist_ok=True)
        port = self._write_config()
        if self.database.startswith("sqlite"):
            # WAL lets readers and the writer work at once; the mode stays with the file.
            with contextlib.closing(sqlite3.connect(self.home / "airflow.db")) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
        _interrupt_on_termination()
        try:
            self.connect(f"http://127.0.0.1:{port}{self._path}")
            self.spawn("standalone")
            self.wait(self.is_healthy, "Airflow to be healthy", timeout)
            self.log_in(*(self.credentials() if self.login else ()))
        except BaseException:
            self.stop()
            raise

    def empty(self) -> None:
        """Remove what an earlier Airflow left in the home."""
        self._refuse_a_second()
        shutil.rmtree(self.home, ignore_errors=True)

    def _refuse_a_second(self) -> None:
        if pids := [str(process.pid) for process in self.processes()]:
            raise LocalAirflowError(
                f"An Airflow is running in {self.home}. End it first: kill {' '.join(pids)}"
            )

    def add(self, path: Path) -> Path:
        """Copy a file or a whole app's folder into the dags folder, before or after the start."""
        target = self.dags_folder / path.name
        self.dags_folder.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            shutil.copy(path, target)
        return target

    def spawn(self, *args: str) -> subprocess.Popen[bytes]:
        """Start an `airflow` command that ends with this Airflow; its output goes to `log_file`."""
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                [self.bin / "airflow", *args],
                env=self.env,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._spawned.append(process)
        return process

    def join(self) -> None:
        """Block until Airflow ends; that it did so by itself is an error."""
        self._spawned[0].wait()
        raise LocalAirflowError(f"Airflow ended by itself:\n{self.log_tail()}")

    def stop(self) -> None:
        """End every process of this Airflow, and check that none is left."""
        with _uninterrupted():
            for sign, patience in ((signal.SIGTERM, 8), (signal.SIGKILL, 10)):
                deadline = time.monotonic() + patience
                asked: set[psutil.Process] = set()
                while (left := self.processes()) and time.monotonic() < deadline:
                    _signal(set(left) - asked, sign)  # once: a second SIGTERM would cut the shutdown short
                    asked.update(left)
                    time.sleep(0.1)
            if left := self.processes():
                raise LocalAirflowError(f"These processes of {self.home} outlived SIGKILL: {left}")
            for process in self._spawned:
                process.wait()
            self._spawned.clear()
            self.disconnect()

    def processes(self) -> list[psutil.Process]:
        """Return all living processes of this Airflow, by session and by the mark in their environment."""
        return [process for process in psutil.process_iter() if self._owns(process)]

    def _owns(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if process.environ().get(HOME_VARIABLE) == self.env[HOME_VARIABLE]:
                return True
            return os.getsid(process.pid) in [spawned.pid for spawned in self._spawned]
        except (psutil.Error, OSError):
            return False

    def exit_code(self) -> int | None:
        """Return what Airflow ended with, None while it runs."""
        return self._spawned[0].poll()

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines that Airflow's components wrote."""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    def credentials(self) -> tuple[str, str]:
        """Return the user and the password that Airflow made for itself."""
        passwords = json.loads((self.home / "simple_auth_manager_passwords.json.generated").read_text())
        return "admin", passwords["admin"]

    def _write_config(self) -> int:
        """Write airflow.cfg, by which a user's own `airflow` finds this Airflow; return the port in it."""
        path = self.home / "airflow.cfg"
        old = configparser.RawConfigParser()
        old.read(path)
        keys = {
            section: {key: old.get(section, key, fallback=make())} for section, (key, make) in KEYS.items()
        }
        port, log_port, trigger_log_port = _free_ports(self._port, 0, 0)
        own: Settings = {
            "core": {"dags_folder": self.dags_folder, "simple_auth_manager_all_admins": not self.login},
            "database": {"sql_alchemy_conn": self.database},
            "api": {"host": "127.0.0.1", "port": port, "base_url": f"http://127.0.0.1:{port}{self._path}"},
            "logging": {"worker_log_server_port": log_port, "trigger_log_server_port": trigger_log_port},
        }
        write_config(path, keys, SETTINGS, own, self._settings)
        return port

    def cli(self, *args: str, timeout: float = 120, **env: str) -> str:
        """Run an `airflow` command against this Airflow, and return what it printed."""
        done = subprocess.run(
            [self.bin / "airflow", *args],
            env=self.env | {"PYTHONWARNINGS": "ignore", **env},  # they would stand between the answer's lines
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if done.returncode:
            raise LocalAirflowError(
                f"airflow {shlex.join(args)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done.stdout


def _free_ports(*wanted: int) -> list[int]:
    """Return ports nobody listens on: the wanted ones where they are free, else any."""
    with contextlib.ExitStack() as stack:
        return [stack.enter_context(_bound(port)).getsockname()[1] for port in wanted]


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    if port:  # a listener that is gone may have left connections that hold the port for a minute
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("", port))
    except OSError:
        listener.bind(("", 0))
    return listener


def _signal(processes: Iterable[psutil.Process], sign: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(sign)


def _interrupt_on_termination() -> None:
    """Let SIGTERM and SIGHUP unwind as Ctrl-C does, so that `stop` runs."""
    if threading.current_thread() is threading.main_thread():
        for sign in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(sign) == signal.SIG_DFL:
                signal.signal(sign, signal.default_int_handler)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let no second Ctrl-C break off the cleaning up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signs = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {sign: signal.signal(sign, signal.SIG_IGN) for sign in signs}
    try:
        yield
    finally:
        for sign, handler in handlers.items():
            signal.signal(sign, handler)
