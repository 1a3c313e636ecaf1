"""
What a job's author sees, and running one worker.

Standard library only, Python 3.8 and later, nothing of Airflow: a worker may run in an interpreter that
has neither Airflow nor this package's dependencies.
"""

from .base import ShellWorker, Worker

__all__ = ["ShellWorker", "Worker"]
