"""What a task list's workers do, read from their source without importing it."""

from pyrunner_airflow.check.checker import Check
from pyrunner_airflow.check.flow import Flow

__all__ = ["Check", "Flow"]
