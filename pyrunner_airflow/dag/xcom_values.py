"""Encoded context values as XComs: what Airflow's own serialization gives back equal goes as what it is."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
from airflow.sdk.serde import deserialize, serialize

from pyrunner_airflow.dag.xcom_settings import backend_is_airflows
from pyrunner_airflow.values import TAG, VALUE, Allowed, Codec, ContextValueError
from pyrunner_airflow.values.kinds import Refused

_CONTAINERS = {"tuple": tuple, "set": set, "frozenset": frozenset}
_CARRIED = {"Decimal", "UUID", "date", "datetime", "pendulum.Date", "pendulum.DateTime", "timedelta"}
"""The other kinds that Airflow carries, though not all of their values unchanged."""
_CODEC = Codec(Allowed())


def to_xcom(data: Any) -> Any:
    """Return what to hand to ``xcom_push`` for an encoded value."""
    if type(data) is list:
        return [to_xcom(item) for item in data]
    if type(data) is not dict:
        return data
    if TAG not in data:
        return {key: to_xcom(item) for key, item in data.items()}
    kind = data[TAG]
    if kind in _CARRIED:
        return _carried(data)
    if kind == "set" or (kind in _CONTAINERS and backend_is_airflows()):
        with suppress(TypeError, Refused):  # what stays encoded is a dictionary, which no set holds
            return _CODEC.kinds[kind].load([to_xcom(item) for item in data[VALUE]])
    return data


def from_xcom(value: Any, codec: Codec) -> Any:
    """Return the encoded value of which :func:`to_xcom` made what was pulled, or raise ContextValueError."""
    cls = type(value)
    if cls is list:
        return [from_xcom(item, codec) for item in value]
    if cls is dict:
        return {key: from_xcom(item, codec) for key, item in value.items()}
    if cls in _CONTAINERS.values():
        return {TAG: cls.__name__, VALUE: [from_xcom(item, codec) for item in value]}
    if cls is datetime and isinstance(value.tzinfo, pendulum.Timezone):
        # Airflow gives a datetime one of pendulum's zones; where it had one before, it stays encoded.
        value = value.replace(tzinfo=UTC if value.tzinfo.key == "UTC" else ZoneInfo(value.tzinfo.key))
    data = codec.encode(value).data
    if cls is str and data is not value:
        raise ContextValueError(f"{value!r:.60} only tells what it was")
    return data


def _carried(data: Any) -> Any:
    """Return the object that is encoded, if Airflow gives it back equal from any database, else the data."""
    with suppress(Exception):  # whatever its own methods raise: of its first day, of Decimal("NaN")
        value = _CODEC.decode(data)
        # Of a Decimal Airflow makes a number, which databases may change, with all its zeros.
        is_plain = type(value) is not Decimal or (abs(value) < 10**16 and str(value) != "-0.0")
        if is_plain and from_xcom(deserialize(serialize(value)), _CODEC) == data:
            return value
    return data
