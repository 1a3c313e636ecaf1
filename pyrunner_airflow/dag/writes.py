"""
Writes to the context, as an index and a journal have them.

Whoever may edit these may have made anything of them, so that all is checked where it is read: what is wrong
would otherwise be passed on to each task below, or go into the path of a request.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from airflow.sdk.serde import serialize

from pyrunner_airflow.dag.xcom_values import to_xcom
from pyrunner_airflow.values import ORDERS, TAG, VALUE, Allowed, Codec, Encoded, fits, is_encoded
from pyrunner_airflow.values.kinds import shown
from pyrunner_airflow.worker.context import KEY

UNREADABLE = (
    ImportError,
    TypeError,
    ValueError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    RecursionError,
)
"""What Airflow raises of an XCom that somebody edited into something else, and what is raised here."""

_CODEC = Codec(Allowed([], []))
_PLAIN_KEY = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_.-]([A-Za-z0-9_. -]*[A-Za-z0-9_.-])?", re.ASCII)
_TEXT = (str, {TAG: re.compile("str"), VALUE: {TAG: re.compile("bytes"), VALUE: str}})
INDEX_KEY = "pyrunner.context"
_FORMAT = 1
"""Of an index. What is added to one is left aside by those who do not know it, and needs no other number."""
_MAX_ROWS = 100_000
_CENTURY = 100 * 365 * 24 * 3600 * 1_000_000
"""How far ahead the clock of a host may be that wrote, in microseconds."""


class OtherVersionError(ValueError):
    """An index that another version of this package wrote, perhaps on another host."""


class Entry(NamedTuple):
    """Who wrote a key last."""

    stamp: int
    """Orders the writes to a key: microseconds since 1970, or one more than a later write that was seen."""
    task_id: str
    state: str
    """``value``; ``none`` for None, which XCom cannot tell from nothing; ``deleted``."""
    number: float | None = None
    """The value, if it is a float: SQLite may change the last digit, or make an integer of it."""
    orders: list[list[str]] | None = None
    """Of the value: see :class:`~pyrunner_airflow.values.Encoded`."""


class Write(NamedTuple):
    """A write of this task."""

    time: int
    """Microseconds since 1970."""
    encoded: Encoded | None
    """The value; None if the key was deleted."""

    def entry(self, stamp: int, task_id: str) -> Entry:
        """Return what the index tells of this write."""
        if self.encoded is None:
            return Entry(stamp, task_id, "deleted")
        data, orders = self.encoded
        number = data if type(data) is float else None
        return Entry(stamp, task_id, "none" if data is None else "value", number, orders)


def xcom_key(key: str) -> str:
    """
    Return the XCom key under which a context key's value is stored.

    Airflow's client does not quote keys, so that ``a?b`` would be stored as ``a``; such a key gets a name of
    its own, which the index translates back.
    """
    return _own_name(key) or key


def _own_name(key: str) -> str | None:
    """Return the name of a key that cannot go under its own."""
    if _PLAIN_KEY.fullmatch(key):
        return None
    readable = re.sub(r"[^A-Za-z0-9]+", "_", key)[:60]
    return f"pyrunner.key.{readable}.{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def as_written(value: Any, entry: Entry) -> Any:
    """Return a value that was pulled, a float as it was before it went through the database."""
    if entry.number is not None and type(value) in (int, float):
        return entry.number if math.isclose(value, entry.number, rel_tol=1e-15) else float(value)
    return value


def now() -> int:
    """Return the time of a write."""
    return time.time_ns() // 1000


def index_of(entries: dict[str, Entry], read: Container[str]) -> dict[str, Any]:
    """
    Return the index that tells of these entries; people who look at the run are told more than tasks need.

    :param read: the keys whose values the task pulled: :func:`keys_read`.
    """
    rows = []
    for key, entry in sorted(entries.items()):
        parts = {**entry._asdict(), "read": key in read or None, "xcom": _own_name(key)}
        rows.append(
            {"key": _CODEC.encode(key).data, **{n: part for n, part in parts.items() if part is not None}}
        )
    return {"format": _FORMAT, "keys": rows}


def read_index(index: Any) -> dict[str, Entry]:
    """Return the entries that an index tells of; raises OtherVersionError, or another of UNREADABLE."""
    _check(index, {"format": int})
    if index["format"] != _FORMAT:
        raise OtherVersionError(
            "was written by another version of pyrunner-airflow "
            f"(format {shown(index['format'])}, not {_FORMAT}): install the same on all hosts"
        )
    _check(index, {"keys": list})
    _check(index["keys"], lambda rows: len(rows) <= _MAX_ROWS)
    for row in index["keys"]:
        _check(row, _ROW)
    return {_CODEC.decode(row["key"]): Entry(*map(row.get, Entry._fields)) for row in index["keys"]}


def last_writes(indexes: Mapping[str, Mapping[str, Entry]]) -> dict[str, Entry]:
    """
    Return the last write to each key of which these tasks' indexes tell.

    What a task's own index tells of its writes beats what others tell of them: it may have been cleared and
    have run again since they looked, on a host whose clock is behind.
    """
    last: dict[str, Entry] = {}
    for task_id, entries in indexes.items():
        for key, entry in entries.items():
            if entry.task_id != task_id and entry.task_id in indexes:
                continue
            last[key] = max(entry, last.get(key, entry), key=lambda one: (one.stamp, one.task_id))
    return last


def keys_read(index: Any) -> list[str]:
    """Return the keys whose values the task pulled, of an index that :func:`read_index` has read."""
    return [_CODEC.decode(row["key"]) for row in index["keys"] if row.get("read") is True]


def journal_of(writes: dict[str, Write], room: int | None = None) -> list[list[Any]]:
    """
    Return writes as JSON: a list for each key.

    It holds the key, the time, and the parts of the encoded value, which a deleted key has not.

    :param room: leave out what does not fit into so many characters.
    """
    rows = []
    for key, write in writes.items():
        row = [_CODEC.encode(key).data, write.time, *(write.encoded or ())]
        if room is not None:
            size = len(json.dumps(row))
            if size > room:
                continue
            room -= size
        rows.append(row)
    return rows


def read_journal(journal: Any) -> dict[str, Write]:
    """Return the writes that a journal has; raises one of UNREADABLE."""
    _check(journal, {"writes": [_WRITE, ...]})
    return {
        _CODEC.decode(key): Write(moment, Encoded(*encoded) if encoded else None)
        for key, moment, *encoded in journal["writes"]
    }


def _check(data: Any, shape: Any) -> None:
    if not fits(data, shape):
        raise ValueError(f"it holds {shown(data)}")


def _is_key(data: Any) -> bool:
    return fits(data, _TEXT) and fits(_CODEC.decode(data), KEY)


def _is_time(stamp: Any) -> bool:
    # The bound moves on, so that what comes one after the last that is let in is let in below.
    return type(stamp) is int and abs(stamp) <= now() + _CENTURY


def _is_value(data: Any) -> bool:
    if is_encoded(data):
        serialize(to_xcom(data))  # which raises what it would raise when the value is published
        return True
    return False


_ROW = {
    "key": _is_key,
    "stamp": _is_time,
    # Any that may be one: since it wrote, its row may have got another name.
    "task_id": re.compile(r"\w[\w.-]{0,249}", re.ASCII),
    "state": re.compile("value|none|deleted"),
    "number": (None, lambda number: type(number) is float and math.isfinite(number)),
    "orders": ORDERS,
}
_WRITE = ([_is_key, _is_time], [_is_key, _is_time, _is_value, ORDERS])
