"""One task list is one DAG, by Airflow's own hash, whoever reads it, wherever and however often."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "example_lst"
ALL_OPTIONS = """
#AIRFLOW schedule = "0 6 * * 1-5"
#AIRFLOW start_date = 2026-03-01
#AIRFLOW end_date = 2027-03-01T12:00:00
#AIRFLOW tags = ["etl", "night", "billing", "a", "b"]
#AIRFLOW dagrun_timeout = "PT2H"
#AIRFLOW [params]
#AIRFLOW region = "eu"
#AIRFLOW day = "2026-01-01"
#AIRFLOW [default_args]
#AIRFLOW owner = "data team"
#AIRFLOW [pyrunner]
#AIRFLOW timezone = "Europe/Berlin"
#AIRFLOW notify_email = ["b@example.com", "a@example.com"]
#AIRFLOW [pyrunner.env]
#AIRFLOW APP_ONE = "1"
#AIRFLOW [pyrunner.cvar]
#AIRFLOW words = ["to", "start", "with"]
#AIRFLOW [tasks.3]
#AIRFLOW execution_timeout = 60
1|-1|1|0|First|workers|W|{{ ds }},"a,b"|$ENV{APP_LOG_DIR}/1.log
2|-1|1|0|Second|workers|W||
3|2,1|3|5|Third|workers|W||
"""
# An interpreter for each hash seed; in it, a process for each surrounding, each of them several times.
PARSE = """
import itertools, os, sys, time
from pathlib import Path

from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.serialized_objects import DagSerialization

surroundings = itertools.product(["/", sys.argv[1]], ["UTC", "Asia/Kathmandu"], ["C", "de_DE.UTF-8"])
for folder, zone, language in itertools.islice(itertools.cycle(surroundings), 25):
    if not (pid := os.fork()):
        os.chdir(folder)
        os.environ.update(TZ=zone, LANG=language, APP_ONE=language, HOME=folder, PWD=folder)
        time.tzset()
        from pyrunner_airflow import PyRunnerDag
        for path in sorted(Path(sys.argv[1]).rglob("*.lst")):
            dag = PyRunnerDag(path, options_folder=sys.argv[1])
            print(dag.dag_id, SerializedDagModel.hash(DagSerialization.to_dict(dag)))
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""


@pytest.mark.slow
def test_a_hundred_processes_make_the_same_dag_of_it(tmp_path):
    """They differ in hash seed, working directory, time zone and environment, and in where the list lies."""
    folders = [tmp_path / "dags", tmp_path / "elsewhere" / "team"]
    for folder in folders:
        shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("logs", "temp", "__pycache__"))
        (folder / "all_options.lst").write_text(ALL_OPTIONS)

    def parse(seed: int, folder: Path) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "AIRFLOW_HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", PARSE, folder], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        texts = list(pool.map(parse, range(1, 5), itertools.cycle(folders)))
    found = [line.split() for text in texts for line in text.splitlines()]
    lists = {dag_id for dag_id, _ in found}
    assert {"all_options", "my_sample_app"} <= lists
    assert len(found) == 100 * len(lists)
    assert len({tuple(line) for line in found}) == len(lists)
