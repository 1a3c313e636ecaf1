"""What differs in the tests between the versions of Airflow that they run on: all of it stands here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
VERSION = version("apache-airflow")
AIRFLOW_34 = ROOT / ".venv34" / "bin"
"""Where `make test` puts Airflow 3.4, for tests that go from one to the other."""
IMPORTER = {
    "dag_processor": {"dag_importer_configs": '["pyrunner_airflow.discovery.importer.LstDagImporter"]'}
}


class Setup(NamedTuple):
    """An Airflow, and how it comes by task lists."""

    loaders: tuple[Path, ...]
    """The Python files in its dags folder."""
    settings: Mapping[str, Mapping[str, object]]
    """Of its configuration."""
    broken: tuple[str, ...]
    """The files that have an import error when `breaks` and `breaks_too` are bad lists."""
    keeping: Mapping[str, bool]
    """What to ask for when tasks are cleared that are to find what they had written to the context."""
    conf_is_below: str
    """Where the form that starts a run has the run's conf as JSON."""
    seconds_after: Mapping[str, int]
    """How long a worker's hooks may take after what interrupted it."""
    left_out: tuple[str, ...]
    """Tests of what it does not have, or of what is alike with every Airflow, and tested with 3.3."""

    @property
    def variables(self) -> dict[str, str]:
        """Its settings, as environment variables."""
        return {
            f"AIRFLOW__{section}__{option}".upper(): str(value)
            for section, options in self.settings.items()
            for option, value in options.items()
        }


_ALIKE = (
    "check",
    *(
        f"cli/test_{name}.py"
        for name in (
            "app_profile",
            "check",
            "cli_fmt",
            "cli_show",
            "codes_page",
            "pre_commit",
            "reference_pages",
        )
    ),
    "examples",
    "tasklist",
    "test_compatibility.py",
    "test_fuzzed_lists.py",
    "test_kubernetes.py",
    "test_moving.py",
    "test_readme.py",  # the pages are followed with the Airflow that `make demo` installs
    "test_release.py",
    *(f"values/test_values_{name}.py" for name in ("codec", "elsewhere", "forged", "frames")),
    *(
        f"worker/test_worker_{name}.py"
        for name in (
            "alone",
            "clock",
            "codes",
            "differential",
            "finding",
            "kills",
            "logfile",
            "profile",
            "report",
        )
    ),
)
_VERSIONS = {
    "3.3": Setup(
        loaders=tuple(sorted((ROOT / "dags").glob("*.py"))),
        settings={},
        broken=("pyrunner_lst_errors.py",),
        keeping={},
        conf_is_below="Advanced Options",
        seconds_after={"timeout": 60, "SIGTERM": 4},
        left_out=("scheduler/test_scheduler_importer.py", "discovery/test_discovery_importer.py"),
    ),
    "3.4": Setup(
        loaders=(),
        # Each list is a file of its own: to read all of them every two seconds would keep both cores busy.
        settings={"dag_processor": {**IMPORTER["dag_processor"], "min_file_process_interval": 30}},
        broken=("breaks/config/breaks.lst", "breaks_too/config/breaks_too.lst"),
        keeping={"keep_task_state": True},
        conf_is_below="Configuration JSON",
        seconds_after={"timeout": 59, "SIGTERM": 59},
        left_out=(
            "discovery/test_discovery_without_importers.py",
            "ui/test_ui_pictures.py",  # they are of 3.3
            # 3.4.0b2's scheduler ends when it finds that a task is lost (task_instance_current_key).
            "cluster/test_cluster_faults.py",
            "scheduler/test_scheduler_loader.py",
            # 3.4 waits until the attempt of a row that is cleared has ended.
            "scheduler/test_scheduler_overtaken.py::test_what_it_writes_after_that_does_not_count",
            "scheduler/test_scheduler_switch.py",
            *_ALIKE,
        ),
    ),
}
SETUP = _VERSIONS.get(".".join(VERSION.split(".")[:2]), _VERSIONS["3.4"])
