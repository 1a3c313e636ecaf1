"""Lists whose options are at their limits, or beyond: Airflow goes on with all others."""

import pytest

from pyrunner_airflow.dag.factory import dag_id
from tests.limits import lists
from tests.scheduler.apps import TIMEOUT

ROW = "1|-1|1|0|Only|workers|Only"
WORKERS = "class Only(Worker):\n    def run(self): pass\n"


@pytest.mark.slow
def test_a_list_beside_them_keeps_running(apps, airflow):
    """Airflow stores them, makes runs of them, and starts their rows, which have no worker and fail."""
    beside = apps.add("beside_limits", ROW, WORKERS)
    assert beside.trigger().finish().state == "success"
    at = {f"limit of {name}": text for name, text in lists(0).items()}
    beyond = {f"beyond {name}": text for name, text in lists(1).items()}
    folder = apps.add_folder("limits", {f"{name}.lst": text for name, text in {**at, **beyond}.items()})
    runs = [folder.trigger(dag_id(f"{name}.lst")) for name in at]
    for run in runs:
        airflow.wait(lambda run=run: run.state != "queued", f"the run of {run.dag_id} to begin", TIMEOUT)
    assert beside.trigger().finish().state == "success"
    errors = "".join(error["stack_trace"] for error in airflow.import_errors())
    assert all(f"/limits/{name}.lst:" in errors for name in beyond)
    assert not any(f"/limits/{name}.lst" in errors for name in at)
