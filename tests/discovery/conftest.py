"""Tests of what one version of Airflow alone has are left to that version's run of the tests."""

from importlib.util import find_spec

collect_ignore = (
    ["test_discovery_without_importers.py"]
    if find_spec("airflow.sdk.importers")
    else ["test_discovery_importer.py"]
)
