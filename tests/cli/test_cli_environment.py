"""Which environment the commands take: what Airflow would say, which is asked only where it has to be."""

import os
import subprocess
import sys

import pytest

VARIABLE = "AIRFLOW__PYRUNNER_AIRFLOW__ENVIRONMENT"
SCRIPT = """
import sys
from pyrunner_airflow.cli import lists
_, tasks = lists.read("my.lst")
print(tasks.options.dag.get("tags"), "airflow" in sys.modules)
"""


@pytest.mark.parametrize(
    ("toml", "variable", "tags", "loads_airflow"),
    [
        ("tags = ['all']", {}, "['all']", False),
        ("tags = ['all']\n[env.prod]\ntags = ['prod']", {VARIABLE: "prod"}, "['prod']", False),
        ("tags = ['all']\n[env.prod]\ntags = ['prod']", {}, "['cfg']", True),
    ],
)
def test_airflow_is_asked_where_there_are_some_and_no_variable(tmp_path, toml, variable, tags, loads_airflow):
    (tmp_path / "my.lst").write_text("1|-1|1|0|A|workers|A")
    (tmp_path / "pyrunner.toml").write_text(f"{toml}\n[env.cfg]\ntags = ['cfg']" if loads_airflow else toml)
    (tmp_path / "airflow.cfg").write_text("[pyrunner_airflow]\nenvironment = cfg\n")
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW_CONFIG": str(tmp_path / "airflow.cfg")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=env | variable, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1:] == [f"{tags} {loads_airflow}"], done.stderr
