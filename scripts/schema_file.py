"""What an editor is told of ``pyrunner.toml``: JSON Schema, made from the options that there are.

    python -m scripts.schema_file

writes the file that the package ships, for whoever has no pydantic at hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyrunner_airflow.tasklist.model import RUN_PARAMETERS
from pyrunner_airflow.tasklist.options import ENVIRONMENT_NAME
from pyrunner_airflow.tasklist.schema import DOCUMENT

FILE = Path(__file__).parents[1] / "pyrunner_airflow" / "tasklist" / "pyrunner.schema.json"
_OPTIONS, _TABLES = "DagOptions", "Environment"
_ABOUT = {
    "description": "What the job is for.",
    "schedule": "When it runs: a cron expression, a preset of Airflow's, or after which assets.",
    "start_date": "The first day on which it may run, or the first moment, written without quotes.",
    "end_date": "The last day on which it may run, or the last moment, written without quotes.",
    "catchup": "Whether each run that was missed is made up for, not just the last; by default not.",
    "max_active_runs": "How many runs there may be at once; by default 1.",
    "max_active_tasks": "How many rows of a run may run at once.",
    "dagrun_timeout": "How long a run may take; after that it has failed.",
    "is_paused_upon_creation": "Whether a new one waits to be unpaused; by default as Airflow is configured.",
    "rerun_with_latest_version": "Whether a run that is cleared takes the newest version of its bundle.",
    "access_control": "What each role may do with it, where Airflow's users are FAB's.",
    "DAGs": "What the role may do with the DAG.",
    "DAG Runs": "What the role may do with its runs.",
    "default_args": "Arguments of all tasks.",
    "tasks": "Arguments of single tasks, by the ID of their rows.",
    "pyrunner": "What Airflow has no argument for.",
    "tags": "By which the UI finds it, beside `pyrunner`, which each list has.",
    "params": "Parameters of its runs, with their defaults, beside those that every list has.",
    "timezone": "The time zone of the schedule, of dates, and of workers (`TZ`); by default Airflow's.",
    "env": "Variables for the workers, set after the profile.",
    "cvar": "What the context starts with.",
    "templates": "Whether ARGUMENTS and LOGFILE are Jinja templates; by default they are.",
    "app_root": "Where the app lives, if not around the list: a git bundle's folder does not last.",
    "cwd": "The working directory, if not the app's root.",
    "notify_email": "Who gets a mail when a run ends: an address, several, or a table with `to`.",
    "notify": "Which of Airflow's notifiers are told when a run ends.",
    "notifier": "The notifier's class, by its import path; its arguments stand beside it.",
    "on": "After which end it is told; by default after both.",
    "assets": "The URIs of the assets; a run starts when each was updated since the last one.",
    "any": "Whether a run starts each time that one of them is.",
    "outlets": "The URIs of the assets that the task updates.",
    "python": "An interpreter of its own for the workers: its path, or a name in PATH.",
    "to": "The mail address, or several.",
    "on_success": "Whether a mail goes out when a run has succeeded.",
    "on_fail": "Whether a mail goes out when a run has failed.",
    "owner": "Who is responsible, as the UI shows it.",
    "pool": "The pool in which the tasks take slots; it must be there, or they wait for ever.",
    "pool_slots": "How many slots of the pool a task takes.",
    "queue": "The queue of the workers that run the tasks, for executors that have queues.",
    "priority_weight": "Which of the tasks that are ready runs first: the one with the larger number.",
    "executor": "The executor that runs the tasks, where Airflow has several.",
    "execution_timeout": "How long an attempt may take; after that it is interrupted, and its hooks run.",
    "retry_exponential_backoff": "How much longer each further wait between attempts is; `true` is twice.",
    "max_retry_delay": "The longest wait between two attempts.",
    "depends_on_past": "Run a task only if it succeeded in the run before.",
    "run_as_user": "The user of the operating system that the tasks run as.",
    "max_active_tis_per_dag": "In how many runs at once a task may run.",
}


def json_schema() -> str:
    """
    Return the schema of ``pyrunner.toml``; its definition ``DagOptions`` is that of what a list itself has.

    Whether a schedule, a time zone or a row is one, it can't say: that is for ``check``.
    """
    options = DOCUMENT.json_schema()
    definitions = options.pop("$defs")
    options["properties"]["params"]["propertyNames"]["not"] = {"enum": [*RUN_PARAMETERS]}
    for part in (options, *definitions.values()):
        for name, schema in part["properties"].items():
            schema["description"] = _ABOUT[name]
    table = {"$ref": f"#/$defs/{_OPTIONS}"}
    tables: dict[str, Any] = {
        "description": options["description"],
        "type": "object",
        "properties": {
            name: {"$ref": f"{table['$ref']}/properties/{name}"} for name in options["properties"]
        },
        "patternProperties": {r"\.(lst|json)$": table},
    }
    environments = {
        "description": "What holds in one environment, by its name.",
        "type": "object",
        "patternProperties": {f"^{ENVIRONMENT_NAME}$": {"$ref": f"#/$defs/{_TABLES}"}},
    }
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **tables,
        "properties": {**tables["properties"], "env": environments},
        "$defs": {_OPTIONS: options, _TABLES: tables, **definitions},
    }
    return json.dumps(_strict(whole), indent=2) + "\n"


def _strict(part: Any) -> Any:
    """Return a part of the schema without titles, which say nothing, and closed to all other names."""
    if isinstance(part, list):
        return [_strict(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    found = {
        key: _strict(inner) for key, inner in part.items() if not (key == "title" and isinstance(inner, str))
    }
    if "patternProperties" in found:
        found.setdefault("additionalProperties", False)
    return found


if __name__ == "__main__":
    FILE.write_text(json_schema(), "utf-8")
