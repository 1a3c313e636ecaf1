"""What Airflow's configuration says of this package; :mod:`.provider` declares it."""

from __future__ import annotations

import os

_VARIABLE = "AIRFLOW__PYRUNNER_AIRFLOW__ENVIRONMENT"


def environment() -> str:
    """Return the environment whose options hold, ``[pyrunner_airflow] environment``; "" for none."""
    if (name := os.environ.get(_VARIABLE)) is not None:  # as it goes before airflow.cfg
        return name.strip()
    try:
        from airflow.sdk import conf  # takes long to load
    except ModuleNotFoundError:  # where lists are only checked there need be no Airflow
        return ""
    return (conf.get("pyrunner_airflow", "environment", fallback="") or "").strip()
