"""What a task list's workers do, read from their source without importing it."""

from pyrunner_airflow.analysis.analyzer import Analysis, Analyzer
from pyrunner_airflow.analysis.flow import Flow

__all__ = ["Analysis", "Analyzer", "Flow"]
