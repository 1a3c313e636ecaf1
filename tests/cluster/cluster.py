"""An Airflow on three hosts: the hub, which is this machine, and two with a Celery worker each."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Self

import psutil
import redis

from scripts.airflow_api import AirflowApi
from scripts.local_airflow import BIN, KEYS, SETTINGS, Settings, environment, write_config
from tests.cluster.hosts import ROOT, Host, Network, compile_clock, kill, marked
from tests.scheduler.apps import TIMEOUT
from tests.servers import program, running
from tests.setups import SETUP

CLOCKS = {"wa": 20, "wb": -25}
"""How many seconds each host's clock is ahead of the hub's."""
PORT, REDIS_PORT = 8080, 6379
HEARTBEAT_TIMEOUT = 20
CONCURRENCY = 16
"""How many tasks run at once; one host has room for all of them, should it be the only one that is left."""
ON_HUB = ("api-server", "scheduler", "dag-processor")
QUEUE = "default"
"""The queue that both Celery workers take tasks from; each has another one of its host's name."""
COMPONENT = "CLUSTER_COMPONENT"  # marks the processes of each, tasks included


def settings(hub: str, home: Path, database: str) -> Settings:
    """Return what Airflow is set to on all of its hosts."""
    return {
        "core": {
            "executor": "CeleryExecutor",
            "parallelism": CONCURRENCY,
            "dags_folder": home / "dags",
            "simple_auth_manager_all_admins": True,
            "execution_api_server_url": f"http://{hub}:{PORT}/execution/",
            "allowed_deserialization_classes": "airflow.* context_values.*",
            "hostname_callable": "airflow.utils.net.get_host_ip_address",
        },
        "database": {"sql_alchemy_conn": database},
        "api": {"host": hub, "port": PORT, "base_url": f"http://{hub}:{PORT}"},
        "celery": {
            "broker_url": f"redis://{hub}:{REDIS_PORT}/0",
            "result_backend": f"redis://{hub}:{REDIS_PORT}/1",
            "worker_concurrency": CONCURRENCY,
        },
        "celery_broker_transport_options": {"unacked_restore_throttle": 1},
        "operators": {"default_queue": QUEUE},
        "scheduler": {
            "task_instance_heartbeat_timeout": HEARTBEAT_TIMEOUT,
            "task_instance_heartbeat_timeout_detection_interval": 2,
            "task_queued_timeout": 20,
            "task_queued_timeout_check_interval": 5,
        },
        "workers": {"execution_api_timeout": 5},
        "logging": {"worker_log_server_host": "0.0.0.0"},
    }


class Cluster(AirflowApi):
    """All of it; its dags folder is on all hosts, as on a file server, and its logs are on each by itself."""

    def __init__(self, home: Path, database: str, *, settings: Settings | None = None) -> None:
        self.home = home
        self.dags_folder = home / "dags"
        self.database = database
        self._settings = settings or {}
        self._stack = ExitStack()
        self._id = home.name
        self._spawned: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop all of it, once."""
        self._stack.close()

    def _start(self) -> None:
        network = self._stack.enter_context(Network())
        self.hub = network.hub
        self._clock = compile_clock(self.home)
        for folder in (self.dags_folder, self.home / "logs", self.home / "components"):
            folder.mkdir()
        for loader in SETUP.loaders:
            (self.dags_folder / loader.name).write_bytes(loader.read_bytes())
        self.hosts = {
            name: Host(name, number, network, self.home, clock)
            for number, (name, clock) in enumerate(CLOCKS.items(), 2)
        }
        addresses = ["127.0.0.1 localhost", *(f"{host.address} {name}" for name, host in self.hosts.items())]
        (self.home / "hosts").write_text("\n".join(addresses) + "\n")
        keys = {section: {key: make()} for section, (key, make) in KEYS.items()}
        own = settings(network.hub, self.home, self.database)
        write_config(self.home / "airflow.cfg", keys, SETTINGS, SETUP.settings, own, self._settings)
        self._stack.enter_context(_redis(self.home, network.hub))
        self._stack.callback(self._end_all)
        for host in self.hosts.values():
            host.start()
            self._stack.callback(host.power_off)
        subprocess.run(
            [BIN / "airflow", "db", "migrate"],
            env=self._environment("migrate"),
            check=True,
            capture_output=True,
        )
        self.connect(f"http://{network.hub}:{PORT}")
        self.start(*ON_HUB, *self.hosts)
        self.wait(self.is_healthy, "Airflow to be healthy", TIMEOUT)
        self.log_in()

    def start(self, *components: str) -> None:
        """Start parts of Airflow: a command of its own on the hub, or a host's Celery worker."""
        for name in components:
            command = [str(BIN / "airflow"), name]
            host = self.hosts.get(name)
            if host:
                queues = f"{QUEUE},{name}"
                worker = [
                    "celery",
                    "worker",
                    "-q",
                    queues,
                    "-H",
                    f"celery@{name}",
                    "--pid",
                    "/tmp/worker.pid",
                ]
                command = host.command(str(BIN / "airflow"), *worker, "--without-mingle")
            with (self.home / "components" / f"{name}.log").open("ab") as log:
                self._spawned.append(
                    subprocess.Popen(
                        command,
                        env=self._environment(name),
                        cwd=self.home,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )

    def processes(self, component: str) -> list[psutil.Process]:
        """Return the processes of a part, the tasks of a Celery worker included."""
        return marked(COMPONENT, f"{self._id} {component}")

    def kill(self, component: str) -> None:
        """End it with all its processes, as the kernel does for want of memory."""
        kill(self.processes(component))

    def _end_all(self) -> None:
        for name in ON_HUB:
            kill(self.processes(name), signal.SIGTERM)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and any(map(self.processes, ON_HUB)):
            time.sleep(0.1)
        for name in (*ON_HUB, *self.hosts):
            self.kill(name)
        for process in self._spawned:
            process.wait()
        self.disconnect()

    def _environment(self, component: str) -> dict[str, str]:
        host = self.hosts.get(component)
        clock = {"LD_PRELOAD": str(self._clock), "CLOCK_OFFSET": str(host.clock)} if host else {}
        return environment(self.home, BIN) | {
            "PYTHONPATH": str(ROOT),
            COMPONENT: f"{self._id} {component}",
            "PYTHONWARNINGS": "ignore",
            "C_FORCE_ROOT": "1",
            **clock,
        }

    def log_tail(self) -> str:
        """Return the last lines that each of its parts wrote."""
        logs = sorted((self.home / "components").glob("*.log"))
        return "\n".join(f"{log.name}: {line}" for log in logs for line in _tail(log))


def _tail(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-15:]


@contextmanager
def _redis(home: Path, hub: str) -> Iterator[None]:
    folder = home / "redis"
    folder.mkdir()

    def connects() -> bool:
        try:
            with closing(redis.Redis(hub, REDIS_PORT)) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    options = ["--bind", hub, "--port", str(REDIS_PORT), "--protected-mode", "no", "--save", ""]
    with running(folder, ["true"], [program("redis-server"), *options], connects):
        yield
