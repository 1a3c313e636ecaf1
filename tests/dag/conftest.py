"""Airflow's configuration of what XComs may hold."""

from contextlib import contextmanager

import pytest
from airflow.sdk import serde

from pyrunner_airflow.dag import codec
from tests.context_values import ALLOWED

CACHES = (
    serde._get_patterns,
    serde._get_regexp_patterns,
    serde._match_glob,
    serde._match_regexp,
    codec._backend_is_airflows,
)


@contextmanager
def configured(**options):
    """Set options of Airflow's section [core], as another process would find them."""
    with pytest.MonkeyPatch.context() as patch:
        for option, value in options.items():
            patch.setenv(f"AIRFLOW__CORE__{option.upper()}", value)
        _forget()
        yield
    _forget()


def _forget():
    for cache in CACHES:
        cache.cache_clear()


@pytest.fixture
def configure():
    """Configure Airflow within a test."""
    return configured


@pytest.fixture(scope="module")
def allowed_classes():
    """Let Airflow load the classes of tests/context_values.py."""
    with configured(allowed_deserialization_classes=ALLOWED):
        yield
