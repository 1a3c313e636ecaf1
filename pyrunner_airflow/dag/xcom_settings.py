"""What Airflow's configuration says of XComs."""

from __future__ import annotations

from functools import cache

from airflow.sdk import conf

from pyrunner_airflow.values import Allowed


def allowed_classes() -> Allowed:
    """Return what Airflow's configuration allows to be loaded."""
    options = "allowed_deserialization_classes", "allowed_deserialization_classes_regexp"
    return Allowed(*(conf.get("core", option).split() for option in options))


@cache
def backend_is_airflows() -> bool:
    """Say whether XComs are kept as Airflow does it: other backends make lists of what is in other values."""
    return conf.get("core", "xcom_backend").endswith(".BaseXCom")
