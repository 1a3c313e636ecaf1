"""Runs a worker under python-batch-runner itself."""

import sys
from contextlib import contextmanager

from pyrunner.core.context import Context
from pyrunner.core.node import ExecutionNode


def attempts_under_pyrunner(folder, count=1, logfile=None, module="workers", worker="W"):
    """Return the code of each attempt of a module's worker; -1 is a failure that is tried again."""
    with _importable(folder, module):
        node = ExecutionNode(1, "Load Table")
        node.module, node.worker, node.max_attempts = module, worker, count
        if logfile:
            node.logfile = str(logfile)
        codes = []
        for _ in range(count):
            node.context = Context({}, None)
            node.execute()
            codes.append(node.poll(wait=True))
        return codes


@contextmanager
def _importable(folder, module):
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(module, None)
