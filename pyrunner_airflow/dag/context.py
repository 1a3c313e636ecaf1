"""
PyRunner's context over XCom.

Each task publishes only its own XComs, when it ends: one for each key that it wrote, and one index
(:data:`INDEX_KEY`) that says of every key the task knows who wrote it last. A task finds what its ancestors
left by walking up from its parents; an index covers all that stands above its task, so the walk ends there.

Airflow deletes a task's XComs when an attempt starts, so what a failed attempt wrote is kept in a journal in
the task's ``task_state_store``, which survives retries and clears.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pyrunner_airflow.dag.writes import (
    UNREADABLE,
    Entry,
    Write,
    index_of,
    journal_of,
    now,
    read_index,
    read_journal,
    xcom_key,
)
from pyrunner_airflow.dag.xcom_values import from_xcom, to_xcom
from pyrunner_airflow.values import Codec, ContextValueError, Encoded

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstance

INDEX_KEY = "pyrunner.context"
JOURNAL_KEY = "pyrunner.context"
JOURNAL_BYTES = 60_000
"""How much a running worker's journal holds; Airflow warns of an entry above 64 kB."""

_FINISHED = frozenset({"success", "failed"})  # the states in which a task has published


class ContextIndexError(ValueError):
    """An index XCom that somebody edited into something else."""


class XComContext:
    """
    The context as one attempt of a task sees it: its own writes over what its ancestors left.

    It has encoded values, as XCom and the journal have them: what they stand for is the worker's own process
    to know. Nothing is asked of Airflow before it is needed; what was read is kept for the attempt.

    :param store: Airflow's ``task_state_store``.
    :param start: what the context holds before any row writes to it; values may be encoded.
    :param warn: told what the user should know.
    """

    def __init__(
        self,
        ti: TaskInstance,
        store: Any,
        codec: Codec,
        start: Mapping[str, Any],
        warn: Callable[[str], None],
        *,
        has_journal: bool,
    ) -> None:
        self._ti = ti
        self._store = store
        self._codec = codec
        self._start = start
        self._warn = warn
        self._own: dict[str, Write] = {}
        self._journal_is_read = not has_journal
        self._journal_exists = False
        self._read: dict[str, Any] = {}
        self._above: dict[str, Entry] | None = None
        """The last write to each key that counts for the task; None until it has looked."""
        self._elsewhere: dict[str, Entry] = {}
        """What tasks have written that are not upstream, or that one hides which is."""
        self._looked_at: set[str] = set()
        """The tasks whose index was pulled."""

    def get(self, key: str) -> tuple[Any, Any, str]:
        """
        Return an encoded value, its orders, and where it is from, to begin an error with.

        :raises KeyError: if there is none.
        :raises ContextValueError, ContextIndexError: if an XCom is not as its task wrote it.
        """
        write = self._writes().get(key)
        if write:
            if write.encoded is None:
                raise KeyError(key)
            return *write.encoded, ""
        entry = self._ancestors().get(key)
        if entry is None and key in self._start:
            value = self._start[key]
            return *(value if isinstance(value, Encoded) else self._codec.encode(value)), ""
        entry = entry or self._find_elsewhere(key)
        if entry is None or entry.state == "deleted":
            raise KeyError(key)
        if key not in self._read:
            self._read[key] = self._pull_value(key, entry)
        return self._read[key], entry.orders, f"{_not_as_written(xcom_key(key), entry.task_id)}: "

    def set(self, key: str, encoded: Encoded) -> None:
        """Write a value."""
        self._writes()[key] = Write(now(), encoded)

    def delete(self, key: str) -> None:
        """Delete a key; raises KeyError if there is none."""
        if not self.has(key):
            raise KeyError(key)
        self._writes()[key] = Write(now(), None)

    def has(self, key: str) -> bool:
        """Say whether this task or one above it has the key."""
        write = self._writes().get(key)
        if write:
            return write.encoded is not None
        entry = self._ancestors().get(key)
        return key in self._start if entry is None else entry.state != "deleted"

    def keys(self) -> list[str]:
        """Return the keys that this task and those above it have."""
        index = self._index()
        written = [key for key, entry in index.items() if entry.state != "deleted"]
        return [*written, *(key for key in self._start if key not in index)]

    def journal(self, *, whole: bool = False) -> None:
        """
        Keep the writes for the next attempt.

        :param whole: also values too large to be kept once a second: at the end of a failed attempt.
        """
        if not self._writes():
            return
        self._store.set(JOURNAL_KEY, {"writes": journal_of(self._writes(), None if whole else JOURNAL_BYTES)})
        self._journal_exists = True

    def drop_journal(self) -> None:
        """Forget the writes of earlier attempts: the task succeeded."""
        if self._journal_exists:
            self._store.delete(JOURNAL_KEY)

    def publish(self) -> None:
        """Store the writes as this task's XComs, and the index."""
        if not self._writes() and self._above is None:
            return
        index = self._index()
        for key, write in self._own.items():
            if write.encoded is not None:
                self._ti.xcom_push(xcom_key(key), to_xcom(write.encoded.data))
        self._ti.xcom_push(INDEX_KEY, index_of(index))

    def writes(self) -> list[list[Any]]:
        """Return what this task has written so far as JSON, as :func:`journal_of` has it."""
        return journal_of(self._writes())

    def _writes(self) -> dict[str, Write]:
        """Return this task's writes, those of its earlier attempts included."""
        if self._journal_is_read:
            return self._own
        stored = self._store.get(JOURNAL_KEY)
        self._journal_is_read, self._journal_exists = True, stored is not None
        try:
            if self._journal_exists:
                self._own = read_journal(stored)
        except UNREADABLE as error:
            self._warn(
                f"the journal {JOURNAL_KEY!r} of task {self._ti.task_id}, in its task_state_store, is not as "
                f"the task wrote it ({error!s:.200}): what earlier attempts have written is left aside"
            )
        return self._own

    def _index(self) -> dict[str, Entry]:
        """Return the last write to each key that this task knows."""
        above = self._ancestors()
        own = {
            key: write.entry(max(write.time, above[key].stamp + 1 if key in above else 0), self._ti.task_id)
            for key, write in dict(self._writes()).items()
        }
        return {**above, **own}

    def _ancestors(self) -> dict[str, Entry]:
        """Return the last write to each key among this task's ancestors."""
        if self._above is None:
            self._above = self._walk(self._ti.task.upstream_task_ids)
        return self._above

    def _find_elsewhere(self, key: str) -> Entry | None:
        """
        Return the last write to a key among all tasks that have finished so far.

        PyRunner's workers share one dictionary, so that some rely on a row that happens to run before theirs.
        """
        ti, dag = self._ti, self._ti.task.dag
        above = self._ancestors()
        states = ti.get_task_states(ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
        finished = {name for name, state in states.items() if state in _FINISHED and dag.has_task(name)}
        finished -= self._looked_at
        last = {name for name in finished if not dag.get_task(name).downstream_task_ids & finished}
        self._elsewhere = _last_of(self._elsewhere, self._walk(last))
        entry = self._elsewhere.get(key)
        if entry is None:
            return None
        above[key] = entry
        if entry.state != "deleted" and entry.task_id not in ti.task.get_flat_relative_ids(upstream=True):
            self._warn(
                f"context[{key!r}] was written by {entry.task_id}, which is not upstream of {ti.task_id} and "
                f"may come later another time: add {entry.task_id.partition('_')[0]} to its PARENT_IDS"
            )
        return entry

    def _walk(self, task_ids: Iterable[str]) -> dict[str, Entry]:
        """Return the last write to each key among these tasks and all above them not yet looked at."""
        dag = self._ti.task.dag
        found: dict[str, Entry] = {}
        seen = set(self._looked_at)
        waiting = deque(sorted(task_ids))
        while waiting:
            task_id = waiting.popleft()
            if task_id in seen:
                continue
            seen.add(task_id)
            entries = self._pull_index(task_id)
            if entries is None:
                waiting.extend(sorted(dag.get_task(task_id).upstream_task_ids))
            else:
                found = _last_of(found, entries)
        self._looked_at = seen  # only now: what could not be asked is asked again
        return found

    def _pull_index(self, task_id: str) -> dict[str, Entry] | None:
        try:
            index = self._pull(task_id, INDEX_KEY)
            return None if index is None else read_index(index)
        except UNREADABLE as error:
            fault = _not_as_written(INDEX_KEY, task_id)
            raise ContextIndexError(f"{fault} ({error!s:.200}): clear the task") from error

    def _pull_value(self, key: str, entry: Entry) -> Any:
        try:
            value = from_xcom(self._pull(entry.task_id, xcom_key(key)), self._codec)
        except UNREADABLE as error:
            fault = _not_as_written(xcom_key(key), entry.task_id)
            raise ContextValueError(f"context[{key!r}]: {fault}: {error}") from error
        if value is None and entry.state != "none":
            raise KeyError(f"{key}: the XCom {xcom_key(key)!r} of task {entry.task_id} is gone")
        if entry.number is not None and type(value) in (int, float):
            return entry.number if math.isclose(value, entry.number, rel_tol=1e-15) else float(value)
        return value

    def _pull(self, task_id: str, key: str) -> Any:
        # Without map_indexes: asking for one index logs an error where there is nothing.
        return self._ti.xcom_pull(task_ids=task_id, key=key)


def _last_of(some: dict[str, Entry], others: dict[str, Entry]) -> dict[str, Entry]:
    def last(entry: Entry, other: Entry) -> Entry:
        return max(entry, other, key=lambda one: (one.stamp, one.task_id))

    return {**some, **{key: last(entry, some.get(key, entry)) for key, entry in others.items()}}


def _not_as_written(key: str, task_id: str) -> str:
    return f"the XCom {key!r} of task {task_id} is not as that task wrote it"
