"""Whatever stands in lists and their options: DAGs that Airflow can store, or errors, and no list suffers."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_five_thousand_hostile_lists_become_dags_or_errors():
    seed = str(random.SystemRandom().randrange(10**9))
    command = [sys.executable, "-m", "tests.fuzzing", "5000", seed]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"python -m tests.fuzzing 5000 {seed}\n{done.stdout}{done.stderr}"
