"""What of the examples needs no Airflow to be looked at."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pyrunner_airflow.tasklist import parse_lst
from pyrunner_airflow.tasklist.layout import align
from scripts.local_airflow import KEYS
from tests.cluster import cluster

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "example_lst"
READMES = [*EXAMPLES.glob("*/README.md"), ROOT / "examples/celery/README.md"]
COMPOSE = yaml.safe_load((ROOT / "examples/celery/docker-compose.yml").read_text())
OURS = {name: each for name, each in COMPOSE["services"].items() if "command" in each}


def test_generated_rows_is_what_its_program_writes(tmp_path):
    written = (EXAMPLES / "generated_rows/config/generated_rows.lst").read_text()
    app = Path(shutil.copytree(EXAMPLES / "generated_rows", tmp_path / "generated_rows"))
    subprocess.run([sys.executable, app / "make_list.py"], check=True)
    task_list = (app / "config/generated_rows.lst").read_text()
    assert len(parse_lst(task_list).rows) == 165
    assert align(task_list) == written


def test_the_celery_deployment_runs_what_the_tests_of_many_hosts_run():
    commands = {name: each["command"] for name, each in OURS.items()}
    assert commands.pop("worker") == f"celery worker -q {cluster.QUEUE}"
    assert commands.pop("database") == "db migrate"
    assert commands == {name: name for name in cluster.ON_HUB}


def test_the_celery_deployment_sets_nothing_that_those_do_not_set(tmp_path):
    theirs = cluster.settings("hub", tmp_path, "postgresql://")
    known = {(section, key) for section in theirs for key in theirs[section]}
    known |= {(section, key) for section, (key, _) in KEYS.items()}
    names = {name for each in OURS.values() for name in each["environment"] if name.startswith("AIRFLOW__")}
    assert {tuple(name.lower().split("__")[1:]) for name in names} <= known


def test_what_the_celery_deployment_waits_for_is_part_of_it():
    services = COMPOSE["services"]
    assert {name for each in services.values() for name in each.get("depends_on", ())} <= set(services)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_a_readme_fills_one_screen_and_its_links_lead_somewhere(readme):
    text = readme.read_text()
    assert len(text.splitlines()) <= 36
    links = re.findall(r"\]\(([^)#]+)", text)
    assert [link for link in links if "://" not in link and not (readme.parent / link).exists()] == []
