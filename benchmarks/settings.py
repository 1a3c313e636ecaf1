"""Which of Airflow's settings shorten a short job: `python -m benchmarks.settings`, as Markdown.

60 rows that do nothing, in 12 layers, under LocalExecutor; each line has the settings of those above it, too.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks import jobs
from benchmarks.runs import SETTINGS, add_no_ops, airflow, time_run
from scripts.local_airflow import Settings

_ROUNDS = 3
_AIRFLOWS_OWN = {
    "core": {"parallelism": 32, "min_serialized_dag_update_interval": 30},
    "scheduler": {"scheduler_heartbeat_sec": 5, "scheduler_idle_sleep_time": 1},
    **SETTINGS,
}
_CHANGES = (
    ("scheduler", "scheduler_idle_sleep_time", 0.1),
    ("scheduler", "scheduler_heartbeat_sec", 1),
    ("core", "parallelism", 4),
    ("core", "max_active_tasks_per_dag", 4),
)


def variants() -> Iterator[tuple[str, Settings]]:
    """Yield what is changed, and all settings with it."""
    settings: dict[str, dict[str, object]] = {section: {**keys} for section, keys in _AIRFLOWS_OWN.items()}
    yield "Airflow's defaults", settings
    for section, key, value in _CHANGES:
        settings[section][key] = value
        yield f"`[{section}] {key} = {value}`", settings


def main() -> None:
    """Measure, and print a table."""
    print("| | run | each task |\n| --- | --- | --- |")
    for name, settings in variants():
        with airflow(settings) as local:
            add_no_ops(local.dags_folder, "job", jobs.layers(60, width=5, parents=5))
            times = [time_run(local, "job") for _ in range(_ROUNDS)]
        run, task = (statistics.median(time[key] for time in times) for key in ("time", "task"))
        print(f"| {name} | {run:.0f} s | {task:.1f} s |", flush=True)


if __name__ == "__main__":
    main()
