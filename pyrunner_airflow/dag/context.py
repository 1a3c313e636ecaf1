"""
PyRunner's context over XCom.

Each task publishes only its own XComs, when it ends: one for each key that it wrote, and one index
(:data:`.INDEX_KEY`) that says of every key the task knows who wrote it last. A task finds what its ancestors
left by walking up from its parents; an index covers all that stands above its task, so the walk ends there.

Airflow deletes a task's XComs when an attempt starts, so what a failed attempt wrote is kept in a journal in
the task's ``task_state_store``, which survives retries and clears, save those that :mod:`.versions` tells of.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.exceptions import AirflowRuntimeError

from pyrunner_airflow.dag.errors import TakenOver
from pyrunner_airflow.dag.relay import CHANNEL
from pyrunner_airflow.dag.versions import seconds_after_sigterm
from pyrunner_airflow.dag.writes import (
    INDEX_KEY,
    UNREADABLE,
    Entry,
    OtherVersionError,
    Write,
    as_written,
    index_of,
    journal_of,
    last_writes,
    now,
    read_index,
    read_journal,
    xcom_key,
)
from pyrunner_airflow.dag.xcom_values import from_xcom, to_xcom
from pyrunner_airflow.values import Codec, ContextValueError, Encoded

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstance

JOURNAL_KEY = "pyrunner.context"
JOURNAL_BYTES = 60_000
"""How much a running worker's journal holds; Airflow warns of an entry above 64 kB."""

_NO_KEY = "pyrunner.none"
_UNMISSED_SECONDS = 5.0
"""How often Airflow hears of a task (``[workers] min_heartbeat_interval``): none is lost that is younger."""
_UNKNOWN_ATTEMPT = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_PAUSES = (1, 2, 4, 8, 16, 32)
"""The seconds before what is published is tried again: a minute, and what the tries take."""
_TAKEN_OVER = "Airflow has begun this row anew, or its run is gone: what this attempt wrote does not count"

_FINISHED = frozenset({"success", "failed"})  # the states in which a task has published
Answer = TypeVar("Answer")


class ContextIndexError(ValueError):
    """An index XCom that somebody edited into something else, or that another version wrote."""


class XComContext:
    """
    The context as one attempt of a task sees it: its own writes over what its ancestors left.

    It has encoded values, as XCom and the journal have them: what they stand for is the worker's own process
    to know. Nothing is asked of Airflow before it is needed; what was read is kept for the attempt.

    :param store: Airflow's ``task_state_store``.
    :param start: what the context holds before any row writes to it; values may be encoded.
    :param warn: told what the user should know.
    :param has_journal: whether an earlier attempt may have kept its writes.
    :param if_nothing_is_kept: called if it turns out that none did.
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
        if_nothing_is_kept: Callable[[], None] | None = None,
    ) -> None:
        self._ti = ti
        self._store = store
        self._codec = codec
        self._start = start
        self._warn = warn
        self._own: dict[str, Write] = {}
        self._journal_is_read = not has_journal
        self._journal_exists = False
        self._if_nothing_is_kept = if_nothing_is_kept
        self._read: dict[str, Any] = {}
        self._begin = time.monotonic()
        self._is_checked = False
        self._taken_over: TakenOver | None = None
        self._above: dict[str, Entry] | None = None
        """The last write to each key that counts for the task; None until it has looked."""
        self._indexes: dict[str, dict[str, Entry]] = {}
        """The indexes that were pulled."""
        self._looked_at: set[str] = set()
        """The tasks whose index was pulled while looking for those that count, if there was one."""

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
        entry = self._last(key)
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
        entry = self._last(key)
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
        if not self._own:  # nor has it read what is kept, which stays
            return
        # A copy, since the worker may go on writing: while it runs, another thread calls this.
        journal = {"writes": journal_of(dict(self._own), None if whole else JOURNAL_BYTES)}
        keep = partial(self._store_as_this_attempt, self._store.set, JOURNAL_KEY, journal)
        if whole:
            self._insist(keep)
        else:
            keep()
        self._journal_exists = True

    def check_is_current(self) -> None:
        """
        Make sure, once, that the row is still this attempt's.

        Airflow takes a task's XComs from any of its attempts: what a host publishes that was cut off would
        replace what the row has published elsewhere since.

        :raises TakenOver: if it is not, as far as Airflow answers.
        """
        if not self._is_checked and time.monotonic() - self._begin > _UNMISSED_SECONDS:
            self._is_checked = True
            with suppress(Exception):  # nor will it take what is published
                self._ask_whether_current()
        if self._taken_over:
            raise self._taken_over

    def drop_journal(self) -> None:
        """Forget the writes of earlier attempts: the task succeeded."""
        if self._journal_exists:
            self._insist(partial(self._store.delete, JOURNAL_KEY))

    @property
    def is_used(self) -> bool:
        """Whether there may be something to publish."""
        return bool(self._own) or self._above is not None or not self._journal_is_read

    def publish(self) -> None:
        """Store the writes as this task's XComs, and the index."""
        self._if_nothing_is_kept = None  # no worker asks any more
        if not self._insist(self._writes) and self._above is None:
            return
        index = self._insist(self._index)
        for key, write in self._own.items():
            if write.encoded is not None:
                self._insist(partial(self._ti.xcom_push, xcom_key(key), to_xcom(write.encoded.data)))
        self._insist(partial(self._ti.xcom_push, INDEX_KEY, index_of(index, self._read)))

    def writes(self) -> list[list[Any]]:
        """Return what this task has written so far as JSON, as :func:`journal_of` has it."""
        return journal_of(self._writes())

    def _insist(self, request: Callable[[], Answer]) -> Answer:
        """
        Make a request at the attempt's end, and make it again if it may be answered later.

        :raises TakenOver: if meanwhile the row is no longer this attempt's.
        """
        pauses, has_failed = deque(_PAUSES), False
        while True:
            try:
                if has_failed:
                    self._ask_whether_current()
                return request()
            except AirflowRuntimeError as error:
                if not (pauses and _may_pass(error)):
                    raise
                if not has_failed:
                    failure = f"{error!r:.300}"
                    self._warn(f"what this attempt wrote to the context could not be kept so far: {failure}")
            has_failed = True
            time.sleep(pauses.popleft())

    def _ask_whether_current(self) -> None:
        self._store_as_this_attempt(self._store.delete, _NO_KEY)

    def _store_as_this_attempt(self, request: Callable[..., None], *arguments: Any) -> None:
        """Make a request that goes by the attempt's ID, which ends with it; raises TakenOver."""
        try:
            with CHANNEL:
                request(*arguments)
        except AirflowRuntimeError as error:
            if _status(error) not in _UNKNOWN_ATTEMPT:
                raise
            self._is_checked, self._taken_over = True, TakenOver(_TAKEN_OVER, seconds_after_sigterm())
            raise self._taken_over from error

    def _writes(self) -> dict[str, Write]:
        """Return this task's writes, those of its earlier attempts included."""
        if self._journal_is_read:
            return self._own
        with CHANNEL:
            stored = self._store.get(JOURNAL_KEY)
        self._journal_is_read, self._journal_exists = True, stored is not None
        if not self._journal_exists and self._if_nothing_is_kept:
            self._if_nothing_is_kept()
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
            self._above = last_writes(self._walk(self._ti.task.upstream_task_ids))
        return self._above

    def _last(self, key: str) -> Entry | None:
        """
        Return the last write to a key, as the task itself tells that wrote it.

        Others may tell what it wrote before it was cleared: a value of another type, or one that is gone.
        """
        above = self._ancestors()
        entry = above.get(key)
        asked = set()
        while entry and entry.task_id not in asked:
            asked.add(entry.task_id)
            if entry.task_id not in self._indexes:
                index = self._pull_index(entry.task_id)
                if index is None:
                    break
                self._indexes[entry.task_id] = index
            entry = self._indexes[entry.task_id].get(key)
        if entry:
            above[key] = entry
        else:
            above.pop(key, None)
        return entry

    def _find_elsewhere(self, key: str) -> Entry | None:
        """
        Return the last write to a key among all tasks that have finished so far.

        PyRunner's workers share one dictionary, so that some rely on a row that happens to run before theirs.
        """
        ti, dag = self._ti, self._ti.task.dag
        above = self._ancestors()
        with CHANNEL:
            states = ti.get_task_states(ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
        finished = {name for name, state in states.items() if state in _FINISHED and dag.has_task(name)}
        finished -= self._looked_at
        last = {name for name in finished if not dag.get_task(name).downstream_task_ids & finished}
        self._walk(last)
        found = last_writes(self._indexes).get(key)
        if found is None:
            return None
        above[key] = found
        entry = self._last(key)
        upstream = ti.task.get_flat_relative_ids(upstream=True)
        if entry and entry.state != "deleted" and entry.task_id not in upstream:
            group, _, writer = entry.task_id.rpartition(".")
            is_of_same_list = group == ti.task_id.rpartition(".")[0]
            row_id = writer.partition("_")[0]
            hint = f"add {row_id} to its PARENT_IDS" if is_of_same_list else "have the DAG run that one first"
            self._warn(
                f"context[{key!r}] was written by {entry.task_id}, which is not upstream of {ti.task_id} and "
                f"may come later another time: {hint}"
            )
        return entry

    def _walk(self, task_ids: Iterable[str]) -> dict[str, dict[str, Entry]]:
        """Return the indexes of these tasks, or of those above one without, and of all looked at before."""
        dag = self._ti.task.dag
        found = dict(self._indexes)
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
                found[task_id] = entries
        self._looked_at, self._indexes = seen, found  # only now: what could not be asked is asked again
        return found

    def _pull_index(self, task_id: str) -> dict[str, Entry] | None:
        try:
            index = self._pull(task_id, INDEX_KEY)
            return None if index is None else read_index(index)
        except OtherVersionError as error:
            raise ContextIndexError(f"the XCom {INDEX_KEY!r} of task {task_id} {error}") from error
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
        return as_written(value, entry)

    def _pull(self, task_id: str, key: str) -> Any:
        # Without map_indexes: asking for one index logs an error where there is nothing.
        with CHANNEL:
            return self._ti.xcom_pull(task_ids=task_id, key=key)


def _status(error: AirflowRuntimeError) -> int | None:
    """Return the status of the API server's answer; None, if there was none."""
    status: int | None = (error.error.detail or {}).get("status_code")
    return status


def _may_pass(error: AirflowRuntimeError) -> bool:
    """Say whether a request may well succeed when it is made again; a conflict is with the try before."""
    status = _status(error)
    return status is None or status == HTTPStatus.CONFLICT or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _not_as_written(key: str, task_id: str) -> str:
    return f"the XCom {key!r} of task {task_id} is not as that task wrote it"
