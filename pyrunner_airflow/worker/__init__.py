"""
What a job's author sees, and running one worker.

Standard library only, Python 3.8 and later, nothing of Airflow: a worker may run in an interpreter that
has neither Airflow nor this package's dependencies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import ShellWorker, Worker

__all__ = ["ShellWorker", "Worker"]


def __getattr__(name: str) -> object:
    """Import a public name on first use: a linter asks where an app's parts lie, and runs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import base

    return getattr(base, name)
