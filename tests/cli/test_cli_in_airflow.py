"""`airflow pyrunner ...`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

AIRFLOW = Path(sys.executable).with_name("airflow")


@pytest.fixture
def airflow_command(tmp_path):
    def run(*args):
        env = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "home")}
        return subprocess.run([AIRFLOW, *args], cwd=tmp_path, env=env, capture_output=True, text=True)

    return run


def test_it_is_the_same_command_line(airflow_command, tmp_path):
    (tmp_path / "my.lst").write_text("10|-1|1|0|First|workers|First\n2|10|1|0|B|workers|B\n")
    done = airflow_command("pyrunner", "fmt", "--check", "my.lst")
    assert done.returncode == 1
    assert done.stderr.endswith("would change: my.lst\nLists: 1 would change\n")


def test_airflow_knows_the_section_of_its_configuration(airflow_command):
    done = airflow_command("config", "list", "--section", "pyrunner_airflow")
    assert done.stdout.split() == ["[pyrunner_airflow]", "#", "environment", "="]


def test_airflows_other_commands_load_next_to_nothing_for_it(tmp_path):
    script = (
        "import sys, airflow.cli.cli_parser as parser; assert 'pyrunner' in parser.ALL_COMMANDS_DICT;"
        "print(*sorted(name for name in sys.modules if name.startswith('pyrunner_airflow')), sep='\\n')"
    )
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "pyrunner_airflow",
        "pyrunner_airflow.cli",
        "pyrunner_airflow.cli.airflow_command",
        "pyrunner_airflow.provider",
    ]
