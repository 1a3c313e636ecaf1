"""What a worker adds to the events of the assets that its row updates, from its process to the task's."""

from __future__ import annotations

import json
from typing import Any

from airflow.sdk import Asset


def added_to_events(context: dict[str, Any]) -> list[list[Any]]:
    """
    Return the name, the URI and the ``extra`` of each asset's event in a task context.

    :raises TypeError, ValueError: if an ``extra`` is not JSON as Airflow's databases take it.
    """
    events = context.get("outlet_events") or {}
    added = [[asset.name, asset.uri, events[asset].extra] for asset in events if isinstance(asset, Asset)]
    for name, _, extra in added:
        try:
            json.dumps(extra, allow_nan=False)  # PostgreSQL has no NaN
        except (TypeError, ValueError) as error:
            raise type(error)(f"outlet_events[{name!r}].extra: {error}") from None
    return added


def add_to_events(context: dict[str, Any], added: list[list[Any]]) -> None:
    """Have Airflow store with the events what :func:`added_to_events` returned in the worker's process."""
    for name, uri, extra in added:
        context["outlet_events"][Asset(name=name, uri=uri)].extra.update(extra)
