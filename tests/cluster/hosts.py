"""Hosts on one machine, out of namespaces: each with its own network, processes, name, /tmp, logs, clock."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.servers import program

ROOT = Path(__file__).parents[2]
NEEDED = {"cc": "gcc libc6-dev", "ip": "iproute2", "redis-server": "redis-server", "postgres": "postgresql"}

# Process 1 takes in what other processes leave behind, as init does. What all hosts have of /tmp is kept.
INIT = """
set -e
hostname "$1"
mount --make-rprivate /
mkdir -p /mnt
mount -t tmpfs -o mode=1777 tmpfs /mnt
for kept in $KEPT; do
    case "$kept" in /tmp/*)
        mkdir -p "/mnt/${kept#/tmp/}"
        mount --bind "$kept" "/mnt/${kept#/tmp/}" ;;
    esac
done
mount --move /mnt /tmp
mount -t tmpfs -o size=200m tmpfs "$2/logs"
mount --bind "$2/hosts" /etc/hosts
ip link set lo up
echo ready
exec >/dev/null
while :; do sleep 1000 & wait; done
"""


def check() -> None:
    """Skip where no hosts can be made."""
    for command, package in NEEDED.items():
        if not program(command):
            pytest.skip(f"there is no {command} (Debian: apt-get install {package})")
    if subprocess.run(
        ["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "true"], capture_output=True
    ).returncode:
        pytest.skip("hosts are made of namespaces, which this user may not make here: be root")


class Network:
    """A bridge of this machine, which is the hub."""

    def __init__(self) -> None:
        self.name = f"hub{secrets.token_hex(3)}"
        self.prefix = f"10.77.{secrets.randbelow(250) + 1}"
        self.hub = f"{self.prefix}.1"

    def __enter__(self) -> Network:
        ip("link", "add", self.name, "type", "bridge")
        ip("addr", "add", f"{self.hub}/24", "dev", self.name)
        ip("link", "set", self.name, "up")
        return self

    def __exit__(self, *_: object) -> None:
        ip("link", "del", self.name)


class Host:
    """One of the hosts; :meth:`start` before all else."""

    def __init__(self, name: str, number: int, network: Network, home: Path, clock: int = 0) -> None:
        self.name = name
        self.address = f"{network.prefix}.{number}"
        self.clock = clock
        self._network = network
        self._home = home
        self._port = f"{network.name}.{number}"

    def start(self) -> None:
        """Turn it on."""
        kept = " ".join(map(str, dict.fromkeys([self._home, ROOT, sys.prefix, sys.base_prefix])))
        namespaces = ["--mount", "--uts", "--net", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL"]
        self._unshare = subprocess.Popen(
            ["unshare", *namespaces, "bash", "-c", INIT, "init", self.name, str(self._home)],
            env={**os.environ, "KEPT": kept},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        with self._unshare.stdout as output:
            assert output.readline() == b"ready\n", f"{self.name} did not start"
        self._init = psutil.Process(self._unshare.pid).children()[0].pid
        ip("link", "add", self._port, "type", "veth", "peer", "name", "eth0", "netns", str(self._init))
        ip("link", "set", self._port, "master", self._network.name, "up")
        for command in (["addr", "add", f"{self.address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
            subprocess.run(["nsenter", "-t", str(self._init), "-n", "ip", *command], check=True)

    def command(self, *command: str) -> list[str]:
        """Return what runs a command there."""
        return ["nsenter", "-t", str(self._init), "-m", "-u", "-n", "-p", "--", *command]

    def power_off(self) -> None:
        """End every process of it at once; its network and its logs are gone."""
        self._unshare.kill()
        self._unshare.wait()
        subprocess.run(["ip", "link", "del", self._port], capture_output=True)  # unless it is gone already

    def cut(self) -> None:
        """Have whatever is sent from or to it vanish; its own interface stays up."""
        ip("link", "set", self._port, "nomaster")

    def plug(self) -> None:
        """Connect it again."""
        ip("link", "set", self._port, "master", self._network.name)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def compile_clock(folder: Path) -> Path:
    """Return the library that shifts a process's clock."""
    library = folder / "offset_clock.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O2", "-o", library, Path(__file__).parent / "offset_clock.c", "-ldl"],
        check=True,
    )
    return library


def marked(variable: str, value: str) -> list[psutil.Process]:
    """Return the processes that have this in their environment, on whatever host."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(variable) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def kill(processes: Sequence[psutil.Process], sign: int = signal.SIGKILL) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(sign)
