"""Airflow's configuration of what XComs may hold."""

import pytest

from tests.airflow_settings import configured
from tests.context_values import ALLOWED


@pytest.fixture
def configure():
    """Configure Airflow within a test."""
    return configured


@pytest.fixture(scope="module")
def allowed_classes():
    """Let Airflow load the classes of tests/context_values.py."""
    with configured(allowed_deserialization_classes=ALLOWED):
        yield
