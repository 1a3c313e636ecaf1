"""
What a worker leaves running when its methods have returned.

PyRunner runs a worker in a process that ends as any Python does: once its threads, the work of its executors
and its multiprocessing children have ended. An Airflow task's process ends at once, and would leave them half
done.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import Any, Iterator


class Leftovers:
    """The threads and multiprocessing children that were started since this was made."""

    def __init__(self) -> None:
        self._before = {*threading.enumerate(), *_children()}

    def wait(self) -> None:
        """Wait for them to end, except for daemons, and for process pools, with which PyRunner never ends."""
        started = set(threading.enumerate()) - self._before
        process_pools = started.intersection(
            getattr(_used("concurrent.futures.process"), "_threads_wakeups", ())
        )
        with _ending_thread_pools(started):
            for thread in started - process_pools:
                if not thread.daemon:
                    thread.join()
        for child in _children() - self._before:
            if not (child.daemon or process_pools):
                child.join()


@contextmanager
def _ending_thread_pools(threads: set[threading.Thread]) -> Iterator[None]:
    """Let threads of pools end when they have nothing left to do, in the only way that Python has for it."""
    executors = _used("concurrent.futures.thread")
    queues = getattr(executors, "_threads_queues", {})
    pool_threads = threads.intersection(queues)
    if not pool_threads:
        yield
        return
    executors._shutdown = True
    try:
        for thread in pool_threads:
            queues[thread].put(None)
        yield
    finally:
        executors._shutdown = False


def _children() -> set[Any]:
    """Return the multiprocessing children that run."""
    multiprocessing = _used("multiprocessing")
    return set(multiprocessing.active_children()) if multiprocessing else set()


def _used(module: str) -> Any:
    """Return a module of the standard library, if anything uses it: importing it costs a task's start."""
    return sys.modules.get(module)
