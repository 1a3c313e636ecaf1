"""Runs the command line as people do: in a process of its own, in a pipe or on a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from typing import NamedTuple

PROGRAM = [sys.executable, "-m", "pyrunner_airflow"]


class Done(NamedTuple):
    code: int
    out: str
    err: str


def run(*args, stdin="", cwd=None, **env):
    """Run a command without a terminal. Line ends and byte order marks come out as they are."""
    done = subprocess.run(
        [*PROGRAM, *map(str, args)],
        input=stdin if isinstance(stdin, bytes) else stdin.encode(),
        capture_output=True,
        cwd=cwd,
        env={**os.environ, **env},
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def on_terminal(*args, typed="", columns=80, cwd=None, **env):
    """Run a command on a terminal, and return its exit code and all that the terminal got."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [*PROGRAM, *map(str, args)],
        stdin=its,
        stdout=its,
        stderr=its,
        cwd=cwd,
        env={**variables, "TERM": "xterm-256color", **env},
        start_new_session=True,
    )
    os.close(its)
    os.write(ours, typed.encode())
    shown = b""
    while part := _read(ours):
        shown += part
    os.close(ours)
    assert b"Traceback" not in shown, shown.decode()
    return process.wait(), shown.decode().replace("\r\n", "\n")


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody has the other end any more
        return b""
