"""All kinds of context values beside an Airflow: those of the worker's side, and pendulum's."""

from __future__ import annotations

import functools
from datetime import timedelta

import pendulum
from airflow.sdk import conf

from pyrunner_airflow.worker.kind import Kind
from pyrunner_airflow.worker.kinds import all_kinds, dump_time, load_time, time_parts
from pyrunner_airflow.worker.models import Allowed


def allowed_classes() -> Allowed:
    """Return what Airflow's configuration allows to be loaded."""
    return Allowed(
        conf.get("core", "allowed_deserialization_classes").split(),
        conf.get("core", "allowed_deserialization_classes_regexp").split(),
    )


def _dump_duration(value: pendulum.Duration) -> list[int]:
    rest = value.as_timedelta() - timedelta(days=365 * value.years + 30 * value.months)
    return [value.years, value.months, rest.days, rest.seconds, rest.microseconds]


def _load_duration(data: list[int]) -> pendulum.Duration:
    years, months, days, seconds, microseconds = data
    return pendulum.Duration(days, seconds, microseconds, years=years, months=months)


KINDS = all_kinds(
    lambda name: allowed_classes().allows(name),
    {
        **{
            name: Kind(cls, dump_time, functools.partial(load_time, cls), time_parts)
            for name, cls in {"pendulum.DateTime": pendulum.DateTime, "pendulum.Time": pendulum.Time}.items()
        },
        "pendulum.Date": Kind(pendulum.Date, pendulum.Date.isoformat, pendulum.Date.fromisoformat),
        "pendulum.Duration": Kind(pendulum.Duration, _dump_duration, _load_duration),
        "pendulum.Interval": Kind(
            pendulum.Interval, lambda v: [v.start, v.end], lambda d: pendulum.Interval(*d)
        ),
        "pendulum.Timezone": Kind(pendulum.Timezone, lambda v: v.key, pendulum.Timezone),
    },
)
"""By the name under which they are stored."""
