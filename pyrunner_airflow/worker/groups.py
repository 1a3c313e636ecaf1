"""How the process group of a worker, or of its command, ends."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager, suppress
from typing import Iterator

LEFT_RUNNING = (
    "what it has left running in the background is told to end (SIGHUP): start by nohup what is to go on"
)
_SECONDS_TO_END = 1.0
"""How long what is left may take to end by itself, such as Python's cleaner of shared memory; and a guard."""
_LOOK_AGAIN = 0.02
# A line means that the group's end is seen to; the pipe's end, that whoever was to do that has died. Unlike
# PR_SET_PDEATHSIG this reaches all of the group.
_GUARD = 'read -r ended && exit; kill -s KILL -- "-$1"'


@contextmanager
def guarded(leader: int) -> Iterator[None]:
    """Have a process beside this one kill a process group, should this one die in this context."""
    import subprocess  # which a worker's start is not to wait for

    guard = subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "sh", str(leader)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        try:
            guard.communicate(b"ended\n", _SECONDS_TO_END)
        except subprocess.TimeoutExpired:  # the worker may have stopped it
            guard.kill()
            guard.communicate()


def hang_up(leader: int) -> bool:
    """
    End what is left of a group whose leader succeeded, as the end of a session does: not what ignores SIGHUP.

    :returns: whether anything was left.
    """
    return end_group(leader, 0, _SECONDS_TO_END, signal.SIGHUP)


def end_group(leader: int, first: int, seconds: float, last: int) -> bool:
    """
    Send a signal to all of a process group, and another if any of it still runs so many seconds later.

    :returns: whether the second one was sent.
    """
    give_up = time.monotonic() + seconds
    with suppress(ProcessLookupError, PermissionError):  # nobody is left; or all are another user's, by sudo
        os.killpg(leader, first)
        while time.monotonic() < give_up:
            if not _runs(leader):
                return False
            time.sleep(_LOOK_AGAIN)
        os.killpg(leader, last)
        return True
    return False


def _runs(leader: int) -> bool:
    """Say whether any of a group runs: a zombie does not, which stays where nobody waits for orphans."""
    os.killpg(leader, 0)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
            state, _, group = file.read().rpartition(b")")[2].split()[:3]
            if int(group) == leader and state not in (b"Z", b"X"):
                return True
    return False
