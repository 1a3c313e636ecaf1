"""PyRunner's task list file: from its text to frozen rows, or to all of its problems at once."""

from pyrunner_airflow.tasklist.diagnostics import Diagnostic, LstError, Severity
from pyrunner_airflow.tasklist.lst import parse_lst, read_lst
from pyrunner_airflow.tasklist.model import (
    FAILURE_KEY,
    RUN_PARAMETERS,
    AssetSchedule,
    Notification,
    NotifyEmail,
    Options,
    TaskList,
    TaskRow,
)

__all__ = [
    "FAILURE_KEY",
    "RUN_PARAMETERS",
    "AssetSchedule",
    "Diagnostic",
    "LstError",
    "Notification",
    "NotifyEmail",
    "Options",
    "Severity",
    "TaskList",
    "TaskRow",
    "parse_lst",
    "read_lst",
]
