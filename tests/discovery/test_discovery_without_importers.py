"""The importer on an Airflow that has no importers."""

import importlib

import pytest


def test_importing_it_names_the_loader():
    with pytest.raises(ImportError, match=r"Airflow 3\.4.*pyrunner_lst\.py.*load_lst_dags.*show_lst_errors"):
        importlib.import_module("pyrunner_airflow.discovery.importer")
