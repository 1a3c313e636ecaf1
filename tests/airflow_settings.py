"""Airflow's configuration of what XComs may hold, within a test."""

from contextlib import contextmanager

import pytest
from airflow.sdk import serde

from pyrunner_airflow.dag.xcom_settings import backend_is_airflows

CACHES = (
    serde._get_patterns,
    serde._get_regexp_patterns,
    serde._match_glob,
    serde._match_regexp,
    backend_is_airflows,
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
