"""Start a real Airflow, talk to it over its REST API and its command line, and leave no process behind."""

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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
import psutil

T = TypeVar("T")
Json = dict[str, Any]
Settings = Mapping[str, Mapping[str, object]]

FINISHED = frozenset({"success", "failed"})
HOME_VARIABLE = "LOCAL_AIRFLOW_HOME"  # marks every process of one Airflow, whatever session it moves to
BIN = Path(sys.executable).parent
KEYS = {  # section -> key and how to make it; kept when a home is used again
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
}


class LocalAirflowError(RuntimeError):
    """Airflow did not start, answer, or get where it was expected; the text says what was seen instead."""


class LocalAirflow:
    """An Airflow with a home, ports, and a database of its own: several can run side by side.

    `settings` are sections of airflow.cfg, `env` goes to every process, tasks included. Without `login`
    everybody is admin. `port` 0 takes any free one.
    """

    def __init__(
        self,
        home: Path,
        *,
        env: Mapping[str, str] | None = None,
        settings: Settings | None = None,
        login: bool = False,
        port: int = 0,
    ) -> None:
        self.home = home.resolve()
        self.dags_folder = self.home / "dags"
        self.log_file = self.home / "airflow.log"
        self.login = login
        self.env = self._environment(env or {})
        self._settings = settings or {}
        self._port = port
        self._spawned: list[subprocess.Popen[bytes]] = []  # the first one is `airflow standalone`
        self._client: httpx.Client | None = None
        self.url = ""

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        return inherited | {
            "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "AIRFLOW_HOME": str(self.home),
            HOME_VARIABLE: str(self.home),
            "SPT_NOENV": "1",  # or setproctitle overwrites the environment that /proc shows, the mark with it
            "NO_PROXY": "*",
            "no_proxy": "*",
            "PYTHONUNBUFFERED": "1",
            **extra,
        }

    # Starting and stopping

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, timeout: float = 120) -> None:
        """Start and wait until the API server, the scheduler, and the DAG processor are healthy."""
        self._refuse_a_second()
        self.dags_folder.mkdir(parents=True, exist_ok=True)
        self._write_config()
        # WAL lets readers and the writer work at once; the mode stays with the file.
        with contextlib.closing(sqlite3.connect(self.home / "airflow.db")) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        _interrupt_on_termination()
        try:
            self._client = httpx.Client(base_url=self.url, trust_env=False, timeout=30)
            self.spawn("standalone")
            self.wait(self._is_healthy, "Airflow to be healthy", timeout)
            self._client.headers["Authorization"] = f"Bearer {self._token()}"
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
                [BIN / "airflow", *args],
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
            if self._client is not None:
                self._client.close()
                self._client = None

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

    def _is_healthy(self) -> bool:
        health = self.api("GET", "monitor", "health")
        return all(health[part]["status"] == "healthy" for part in ("scheduler", "dag_processor"))

    def _write_config(self) -> None:
        """Write airflow.cfg: a user's own `airflow` command finds this Airflow by AIRFLOW_HOME alone."""
        path = self.home / "airflow.cfg"
        old = configparser.RawConfigParser()
        old.read(path)
        keys = {
            section: {key: old.get(section, key, fallback=make())} for section, (key, make) in KEYS.items()
        }
        port, worker_log_port, trigger_log_port = _free_ports(self._port, 0, 0)
        self.url = f"http://127.0.0.1:{port}"
        own: Settings = {
            "core": {"dags_folder": self.dags_folder, "simple_auth_manager_all_admins": not self.login},
            "database": {"sql_alchemy_conn": f"sqlite:///{self.home / 'airflow.db'}?timeout=60"},
            "api": {"host": "127.0.0.1", "port": port, "base_url": self.url},
            "logging": {
                "worker_log_server_port": worker_log_port,
                "trigger_log_server_port": trigger_log_port,
            },
        }
        config = configparser.RawConfigParser()
        for settings in (keys, SETTINGS, own, self._settings):
            for section, options in settings.items():
                config.read_dict({section: {key: str(v).replace("%", "%%") for key, v in options.items()}})
        path.touch(mode=0o600)  # there are keys in it
        with path.open("w") as file:
            config.write(file)

    # Waiting

    def wait(
        self,
        until: Callable[[], T | None],
        what: str,
        timeout: float = 60,
        seen: Callable[[], object] | None = None,
    ) -> T:
        """Return what `until` answers as soon as that is true; fail when it takes too long.

        `seen` tells, for the error's text, what there is instead.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self._spawned[0].poll() is None:
            with contextlib.suppress(httpx.TransportError):  # the API server is starting, or a test killed it
                if answer := until():
                    return answer
            time.sleep(0.2)
        text = f"Waited for {what}, in vain (at most {timeout:.0f} s)."
        if (code := self._spawned[0].poll()) is not None:
            text += f" Airflow has ended with {code}."
        elif seen is not None:
            with contextlib.suppress(httpx.TransportError, LocalAirflowError):
                text += f" Seen: {seen()}"
        raise LocalAirflowError(f"{text}\n{self.log_tail()}")

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines that Airflow's components wrote."""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    def wait_for_dag(self, dag_id: str, until: Callable[[Json], object] = bool, timeout: float = 60) -> Json:
        """Wait until the DAG is there, and `until` holds for its details."""

        def found() -> Json | None:
            dag = self.dag(dag_id)
            return dag if dag and until(dag) else None

        return self.wait(found, f"the DAG {dag_id}", timeout, self.import_errors)

    def wait_for_dag_gone(self, dag_id: str, timeout: float = 60) -> None:
        """Wait until Airflow no longer offers the DAG."""
        self.wait(lambda: self.dag(dag_id) is None, f"the DAG {dag_id} to go", timeout)

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 120) -> str:
        """Wait until the run is finished, and return its state."""

        def finished() -> str | None:
            state = self.run(dag_id, run_id)["state"]
            return state if state in FINISHED else None

        what = f"the run {run_id} of {dag_id} to finish"
        return self.wait(finished, what, timeout, lambda: self.states(dag_id, run_id))

    # The REST API

    def api(self, method: str, *path: str, **kwargs: Any) -> Any:
        """Call /api/v2 and return the JSON answer; the parts of the path are quoted here."""
        return self._call(method, "/api/v2/" + "/".join(quote(part, safe="~") for part in path), **kwargs)

    def _call(self, method: str, path: str, **kwargs: Any) -> Any:
        if self._client is None:
            raise LocalAirflowError("Airflow has not been started")
        response = self._client.request(method, path, **kwargs)
        if response.is_error:
            raise LocalAirflowError(f"{method} {response.url}: {response.status_code} {response.text}")
        return response.json() if response.content else None

    def _token(self) -> str:
        if not self.login:
            return str(self._call("GET", "/auth/token")["access_token"])
        user, password = self.credentials()
        login = {"username": user, "password": password}
        return str(self._call("POST", "/auth/token", json=login)["access_token"])

    def credentials(self) -> tuple[str, str]:
        """Return the user and the password that Airflow made for itself."""
        passwords = json.loads((self.home / "simple_auth_manager_passwords.json.generated").read_text())
        return "admin", passwords["admin"]

    def dag(self, dag_id: str) -> Json | None:
        """Return the DAG's details, or None where Airflow does not offer such a DAG (any more)."""
        dags = self.api("GET", "dags", params={"dag_id_prefix_pattern": dag_id, "limit": 1000})["dags"]
        if not any(dag["dag_id"] == dag_id for dag in dags):
            return None
        details: Json = self.api("GET", "dags", dag_id, "details")
        return details

    def tasks(self, dag_id: str) -> dict[str, Json]:
        """Return the DAG's tasks by task ID."""
        return {task["task_id"]: task for task in self.api("GET", "dags", dag_id, "tasks")["tasks"]}

    def import_errors(self) -> list[Json]:
        """Return what the UI shows as import errors: file name, stack trace, bundle."""
        errors: list[Json] = self.api("GET", "importErrors")["import_errors"]
        return errors

    def unpause(self, dag_id: str) -> None:
        """Let the DAG run."""
        self.api("PATCH", "dags", dag_id, json={"is_paused": False})

    def trigger(self, dag_id: str, conf: Json | None = None, logical_date: datetime | None = None) -> str:
        """Start a run, without a logical date unless there is one, and return its ID."""
        body = {"conf": conf or {}, "logical_date": logical_date and logical_date.isoformat()}
        return str(self.api("POST", "dags", dag_id, "dagRuns", json=body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> Json:
        """Return the run."""
        run: Json = self.api("GET", "dags", dag_id, "dagRuns", run_id)
        return run

    def set_run_state(self, dag_id: str, run_id: str, state: str) -> None:
        """Mark the run failed (which stops its tasks) or success."""
        self.api("PATCH", "dags", dag_id, "dagRuns", run_id, json={"state": state})

    def task_instances(self, dag_id: str, run_id: str) -> dict[str, Json]:
        """Return the latest try of each of the run's tasks, by task ID in the DAG's order."""
        path = _run_path(dag_id, run_id)
        instances = self.api("GET", *path, params={"limit": 1000})["task_instances"]
        return {instance["task_id"]: instance for instance in instances}

    def task_instance(self, dag_id: str, run_id: str, task_id: str) -> Json:
        """Return the latest try of a task; `rendered_fields` are its Rendered Templates."""
        instance: Json = self.api("GET", *_run_path(dag_id, run_id), task_id)
        return instance

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the state of each of the run's tasks, by task ID."""
        return {task: ti["state"] for task, ti in self.task_instances(dag_id, run_id).items()}

    def tries(self, dag_id: str, run_id: str, task_id: str) -> list[Json]:
        """Return all tries of a task, the first one first."""
        tries = self.api("GET", *_run_path(dag_id, run_id), task_id, "tries")["task_instances"]
        return sorted(tries, key=lambda ti: int(ti["try_number"]))

    def xcoms(self, dag_id: str, run_id: str, task_id: str) -> Json:
        """Return the task's XComs, key and value."""
        path = (*_run_path(dag_id, run_id), task_id, "xcomEntries")
        keys = [entry["key"] for entry in self.api("GET", *path, params={"limit": 1000})["xcom_entries"]]
        return {key: self.api("GET", *path, key)["value"] for key in keys}

    def logs(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """Return the messages in the log of one try, a line each."""
        path = (*_run_path(dag_id, run_id), task_id, "logs", str(try_number))
        content = self.api(
            "GET", *path, params={"full_content": True}, headers={"Accept": "application/json"}
        )
        return "\n".join(line["event"] if isinstance(line, dict) else line for line in content["content"])

    def clear(
        self, dag_id: str, run_id: str, task_ids: Sequence[str] | None = None, **options: bool
    ) -> list[str]:
        """Clear as the UI does, and return what was cleared: the run's failed tasks unless told otherwise.

        `options` are the API's: only_failed (true), include_downstream (false), and their like.
        """
        body: Json = {"dry_run": False, "dag_run_id": run_id, **options}
        if task_ids is not None:
            body["task_ids"] = list(task_ids)
        cleared = self.api("POST", "dags", dag_id, "clearTaskInstances", json=body)["task_instances"]
        return [instance["task_id"] for instance in cleared]

    def set_task_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task success, failed, or skipped by hand."""
        self.api("PATCH", *_run_path(dag_id, run_id), task_id, json={"new_state": state})

    def cli(self, *args: str, timeout: float = 120) -> str:
        """Run an `airflow` command against this Airflow and return what it printed."""
        done = subprocess.run(
            [BIN / "airflow", *args],
            env=self.env | {"PYTHONWARNINGS": "ignore"},  # they would stand between the answer's lines
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


def _run_path(dag_id: str, run_id: str) -> tuple[str, ...]:
    return "dags", dag_id, "dagRuns", run_id, "taskInstances"


def _free_ports(*wanted: int) -> list[int]:
    """Return ports nobody listens on: the wanted ones where they are free, else any."""
    with contextlib.ExitStack() as stack:
        return [stack.enter_context(_bound(port)).getsockname()[1] for port in wanted]


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
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
