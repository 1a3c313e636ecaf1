"""The manifests for Kubernetes: what can be told of them where there is no cluster."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from airflow.configuration import conf

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples/kubernetes"
VALUES = yaml.safe_load((FOLDER / "values.yaml").read_text())
OPTIONS = [(section, option) for section, options in VALUES["config"].items() for option in options]


def test_the_image_has_the_airflow_of_the_chart_and_the_package_of_its_tag():
    base, package = re.search(
        r"^FROM apache/airflow:(\S+)\n.* pyrunner-airflow==(\S+)$",
        (FOLDER / "Dockerfile").read_text(),
        re.MULTILINE,
    ).groups()
    assert (base, package) == (VALUES["airflowVersion"], VALUES["images"]["airflow"]["tag"])


def test_they_are_those_of_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert VALUES["images"]["airflow"]["tag"] == project["version"]
    assert f"apache-airflow=={VALUES['airflowVersion']}\n" in (ROOT / "constraints.txt").read_text()


@pytest.mark.parametrize(("section", "option"), OPTIONS)
def test_airflow_has_each_option(section, option):
    assert option in conf.configuration_description[section]["options"]


def test_each_bundle_and_each_connection_that_it_takes_is_named():
    (bundle,) = json.loads(VALUES["config"]["dag_processor"]["dag_bundle_config_list"])
    assert bundle.keys() == {"name", "classpath", "kwargs"}
    connections = {bundle["kwargs"]["git_conn_id"], VALUES["config"]["logging"]["remote_log_conn_id"]}
    assert {f"AIRFLOW_CONN_{name.upper()}" for name in connections} == {
        secret["envName"] for secret in VALUES["secret"]
    }


def test_each_volume_is_mounted():
    names = [[one["name"] for one in VALUES[what]] for what in ("volumes", "volumeMounts")]
    assert names[0] == names[1]
