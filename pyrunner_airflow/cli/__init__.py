"""The command line: ``pyrunner-airflow check``, and a module for each of the other commands."""

COMMANDS = (
    "check",
    "fmt",
    "show",
    "run",
    "init",
    "trigger",
    "restart",
    "context",
    "migrate",
    "schema",
    "doctor",
)
"""In the order of the help; it is here, since all of Airflow's commands tell of them and load no more."""
