"""PyRunner's task list file: from its text to frozen rows, or to all of its problems at once."""

from pyrunner_airflow.tasklist.diagnostics import Diagnostic, LstError, Severity
from pyrunner_airflow.tasklist.lst import parse_lst, read_lst
from pyrunner_airflow.tasklist.model import RUN_PARAMETERS, NotifyEmail, Options, TaskList, TaskRow

__all__ = [
    "RUN_PARAMETERS",
    "Diagnostic",
    "LstError",
    "NotifyEmail",
    "Options",
    "Severity",
    "TaskList",
    "TaskRow",
    "parse_lst",
    "read_lst",
]
