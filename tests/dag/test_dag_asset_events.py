"""What a worker adds to the events of the assets that its row updates."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors

from pyrunner_airflow.dag.asset_events import add_to_events, added_to_events

ORDERS = Asset("orders", "s3://lake/orders")


def context() -> dict[str, Any]:
    return {"outlet_events": OutletEventAccessors()}


def test_arrives_beside_what_is_there():
    there, here = context(), context()
    there["outlet_events"][ORDERS].extra["rows"] = 7
    here["outlet_events"][ORDERS].extra["by"] = "a template"
    add_to_events(here, added_to_events(there))
    assert here["outlet_events"][ORDERS].extra == {"by": "a template", "rows": 7}


@pytest.mark.parametrize("value", [{1}, float("nan")])
def test_that_is_not_json_is_an_error_that_names_the_asset(value: object):
    there = context()
    there["outlet_events"][ORDERS].extra["rows"] = value
    with pytest.raises((TypeError, ValueError), match=r"outlet_events\['orders'\]\.extra: .* JSON"):
        added_to_events(there)


def test_is_nothing_where_there_is_no_event_of_an_asset():
    there = context()
    there["outlet_events"][AssetAlias("any")].add(ORDERS)
    assert added_to_events(there) == []
    assert added_to_events({"ds": "2026-01-01"}) == []
