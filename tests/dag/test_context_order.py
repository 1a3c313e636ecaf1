"""Who sees whose writes to the context: the order of the writes, on tasks of any graph with any clocks."""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise
from types import SimpleNamespace
from unittest.mock import Mock, patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrunner_airflow.dag.context import ContextIndexError
from pyrunner_airflow.dag.writes import INDEX_KEY, Entry, last_writes
from pyrunner_airflow.worker.context import Context
from tests.hosted import Hosted


class Job:
    """A run of a DAG, in memory; `parents` by task ID."""

    def __init__(self, parents: dict[str, set[str]]) -> None:
        self.parents = parents
        self.states: dict[str, str] = {}
        self.xcoms: dict[tuple[str, str], object] = {}
        self.calls: Counter[str] = Counter()
        self.warnings: list[str] = []
        self.time = 0

    def get_task(self, task_id: str) -> SimpleNamespace:
        below = {other for other, parents in self.parents.items() if task_id in parents}
        return SimpleNamespace(
            task_id=task_id,
            upstream_task_ids=set(self.parents[task_id]),
            downstream_task_ids=below,
            get_flat_relative_ids=lambda upstream: self.above(task_id),
            dag=self,
            row=SimpleNamespace(id=task_id),
        )

    def has_task(self, task_id: str) -> bool:
        return task_id in self.parents

    def above(self, task_id: str) -> set[str]:
        parents = self.parents[task_id]
        return parents.union(*map(self.above, parents))

    def start(self, task_id: str, **more: object) -> Task:
        return Task(self, task_id, **more)

    def run(self, task_id: str, *, clock: int = 0, **writes: object) -> None:
        """Run a task that assigns these keys (... deletes one), on a host whose clock is wrong by so much."""
        self.time += 1
        for place in [place for place in self.xcoms if place[0] == task_id]:  # as Airflow does
            del self.xcoms[place]
        with patch("time.time_ns", return_value=(self.time + clock) * 1000):
            task = self.start(task_id)
            for key, value in writes.items():
                if value is ...:
                    task.context.pop(key, None)
                else:
                    task.context[key] = value
            task.succeed()


class Task:
    """A running task: Airflow's task instance, as far as the context knows it."""

    dag_id, run_id, try_number = "job", "now", 1

    def __init__(self, job: Job, task_id: str, **start: object) -> None:
        self.job = job
        self.task_id = task_id
        self.task = job.get_task(task_id)
        self.stored = Hosted(self, SimpleNamespace(), start, job.warnings.append)
        self.context = Context(self.stored)

    def get_task_states(self, dag_id: str, *, run_ids: list[str]) -> dict[str, dict[str, str]]:
        self.job.calls["states"] += 1
        return {self.run_id: dict(self.job.states)}

    def xcom_pull(self, *, task_ids: str, key: str) -> object:
        self.job.calls["index" if key == INDEX_KEY else "value"] += 1
        return self.job.xcoms.get((task_ids, key))

    def xcom_push(self, key: str, value: object) -> None:
        self.job.xcoms[self.task_id, key] = value

    def succeed(self) -> None:
        self.stored.kept.publish()
        self.job.states[self.task_id] = "success"


@st.composite
def jobs(
    draw: st.DrawFn, *, clocks: st.SearchStrategy[int], what: list[str]
) -> tuple[Job, dict[str, tuple[int, str]]]:
    """Draw a graph, an order to run it in, and for each task its clock and what it does to the key."""
    count = draw(st.integers(2, 9))
    names = [f"t{number}" for number in range(count)]
    parents = {
        name: set(draw(st.lists(st.sampled_from(names[:number]), max_size=3))) if number else set()
        for number, name in enumerate(names)
    }
    parents["reader"] = set(draw(st.lists(st.sampled_from(names), min_size=1, max_size=4)))
    return Job(parents), {name: (draw(clocks), draw(st.sampled_from(what))) for name in names}


def do(job: Job, steps: dict[str, tuple[int, str]]) -> list[str]:
    """Run the tasks, and return those that wrote, first to last."""
    for name, (clock, what) in steps.items():
        if what == "read":
            job.start(name).context.get("key")
        job.run(name, clock=clock, **({"write": {"key": name}, "delete": {"key": ...}}.get(what, {})))
    return [name for name, (_, what) in steps.items() if what == "write"]


class TestOrder:
    @given(jobs(clocks=st.integers(-20, 20), what=["write", "read", "idle"]))
    def test_a_write_beats_those_above_it_whatever_the_clocks_say(self, drawn):
        job, steps = drawn
        writers = [name for name in do(job, steps) if name in job.above("reader")]
        seen = job.start("reader").context.get("key")
        last = [name for name in writers if not any(name in job.above(other) for other in writers)]
        assert seen in last if last else seen is None

    @given(jobs(clocks=st.just(0), what=["write", "read", "idle"]))
    def test_with_right_clocks_the_last_of_all_ancestors_wins(self, drawn):
        job, steps = drawn
        writers = [name for name in do(job, steps) if name in job.above("reader")]
        assert job.start("reader").context.get("key") == (writers[-1] if writers else None)

    @given(jobs(clocks=st.integers(-20, 20), what=["write", "delete", "read", "idle"]))
    def test_everybody_below_agrees(self, drawn):
        job, steps = drawn
        job.parents["other_reader"] = set(job.parents["reader"])
        do(job, steps)
        readers = [job.start(name).context.get("key") for name in ("reader", "other_reader")]
        assert readers[0] == readers[1]

    def test_three_writers_whom_time_and_graph_together_cannot_order(self):
        """B stands below A, A's clock is ahead of C's, C's is ahead of B's: a circle, if asked in pairs."""
        job = Job({"a": set(), "b": {"a"}, "c": set(), "reader": {"b", "c"}})
        job.run("a", clock=100, key="a")
        job.run("c", clock=50, key="c")
        job.run("b", clock=-100, key="b")
        assert job.start("reader").context["key"] == "b"

    def test_a_deletion_is_a_write(self):
        job = Job({"a": set(), "b": {"a"}, "reader": {"b"}})
        job.run("a", clock=100, key="a")
        job.run("b", key=...)
        reader = job.start("reader").context
        assert "key" not in reader
        with pytest.raises(KeyError):
            reader["key"]


REWRITTEN = [
    ({"bb": 1, "a": {"dd": 1, "c": 2}}, {"a": [1, 2], "zz": 3}),
    ([{"b": 1, "a": 2}] * 2, [{"a": 1, "b": 2}] * 2),
    (1, None),
    (None, 5),
    (0.5, 7),
    (0.1, 0.1 + 2**-56),
]


class TestClearedAlone:
    """A row is cleared, and runs again on a host whose clock is behind; a row below it that looked is not."""

    @pytest.fixture(params=["below both", "below the one that looked"])
    def job(self, request):
        above = {"1", "2"} if request.param == "below both" else {"2"}
        return Job({"0": set(), "1": {"0"}, "2": {"1"}, "3": above})

    @pytest.mark.parametrize(("before", "after"), REWRITTEN)
    def test_what_it_has_written_since_is_seen_as_it_is(self, job, before, after):
        job.run("1", x=before)
        job.run("2", y=1)
        job.run("1", clock=-50, x=after)
        assert repr(job.start("3").context["x"]) == repr(after)

    def test_what_it_has_deleted_since_is_gone(self, job):
        job.run("0", x=0)
        job.run("1", x=1)
        job.run("2", y=1)
        job.run("1", clock=-50, x=...)
        reader = job.start("3").context
        assert "x" not in reader
        with pytest.raises(KeyError):
            reader["x"]

    def test_what_it_has_left_as_it_was_is_what_stands_above(self, job):
        job.run("0", x=0)
        job.run("1", x=1)
        job.run("2", y=1)
        job.run("1", clock=-50, z=1)
        assert job.start("3").context["x"] == 0

    def test_what_the_row_below_wrote_itself_stays_the_last(self, job):
        job.run("1", x=1)
        job.run("2", x=2)
        job.run("1", clock=-50, x=3)
        assert job.start("3").context["x"] == 2

    def test_those_below_are_told_what_is_true(self, job):
        job.parents["4"] = {"3"}
        job.run("1", x=0.5)
        job.run("2", y=1)
        job.run("1", clock=-50, x=7)
        job.start("3").context["x"]
        job.run("3", z=1)
        assert repr(job.start("4").context["x"]) == "7"

    def test_its_own_index_beats_what_others_say_of_it_whatever_the_stamps(self):
        own, told = Entry(50, "1", "none"), Entry(100, "1", "value", 0.5)
        for indexes in ({"1": {"x": own}, "2": {"x": told}}, {"2": {"x": told}, "1": {"x": own}}):
            assert last_writes(indexes) == {"x": own}
        assert last_writes({"2": {"x": told}}) == {"x": told}
        assert last_writes({"1": {}, "2": {"x": told}}) == {}


class TestElsewhere:
    """What is written by a row that is not upstream is found by `context[key]`, as a last resort."""

    @pytest.fixture
    def job(self):
        job = Job({"a": set(), "b": {"a"}, "reader": set(), "c": {"reader"}})
        job.run("a", key="a", other=1)
        job.run("b", key="b")
        return job

    def test_the_last_write_is_found_with_a_warning_that_says_what_to_do(self, job):
        assert job.start("reader").context["key"] == "b"
        assert job.warnings == [
            "context['key'] was written by b, which is not upstream of reader and may come later another "
            "time: add b to its PARENT_IDS"
        ]

    def test_one_of_another_list_in_the_same_dag_is_the_dags_to_order(self):
        job = Job({"load.1_a": set(), "load.2_b": set(), "report.1_a": set()})
        job.run("load.1_a", key="a")
        for reader in ("load.2_b", "report.1_a"):
            assert job.start(reader).context["key"] == "a"
        assert [warning.partition("another time: ")[2] for warning in job.warnings] == [
            "add 1 to its PARENT_IDS",
            "have the DAG run that one first",
        ]

    def test_a_read_key_is_known_from_then_on_and_warned_of_once(self, job):
        context = job.start("reader").context
        assert (context["key"], context["key"], "key" in context) == ("b", "b", True)
        assert len(job.warnings) == 1

    def test_each_key_of_such_a_row_is_found(self, job):
        context = job.start("reader").context
        assert (context["key"], context["other"]) == ("b", 1)

    @pytest.mark.parametrize(
        "ask",
        [
            lambda context: "key" in context,
            lambda context: context.get("key"),
            lambda context: context.has_key("key"),
            lambda context: list(context),
            lambda context: context.pop("key", None),
            lambda context: context.setdefault("key", None),
        ],
        ids=["in", "get", "has_key", "keys", "pop", "setdefault"],
    )
    def test_nothing_else_looks_there(self, job, ask):
        assert not ask(job.start("reader").context)
        assert job.warnings == []

    def test_a_key_that_nobody_wrote_is_a_key_error(self, job):
        with pytest.raises(KeyError, match="missing"):
            job.start("reader").context["missing"]

    def test_a_row_that_has_not_finished_is_not_seen(self, job):
        job.states["b"] = "running"
        assert job.start("reader").context["key"] == "a"

    def test_who_asks_again_sees_what_has_finished_since(self, job):
        context = job.start("reader").context
        with pytest.raises(KeyError):
            context["late"]
        job.parents["late"] = set()
        job.run("late", late=1)
        assert context["late"] == 1

    def test_what_an_ancestor_wrote_after_it_was_cleared_alone_is_found_without_a_warning(self):
        job = Job({"a": set(), "b": {"a"}, "reader": {"b"}})
        job.run("a", key=1)
        job.start("b").context.get("key")
        job.run("b", own=1)
        job.run("a", key=1, new=2)
        assert job.start("reader").context["new"] == 2
        assert job.warnings == []

    def test_what_was_deleted_above_is_not_looked_for(self, job):
        job.parents["reader"] = {"deleter"}
        job.parents["deleter"] = {"writer"}
        job.parents["writer"] = set()
        job.run("writer", key="writer")
        job.run("deleter", key=...)
        with pytest.raises(KeyError):
            job.start("reader").context["key"]


class TestInterruptions:
    """A timeout or SIGTERM raises between any two steps; the hooks go on with the same context."""

    @pytest.mark.parametrize("call", range(4))
    def test_what_was_cut_short_is_asked_again(self, call):
        job = Job({"a": set(), "b": {"a"}, "c": set(), "reader": {"b"}})
        job.run("a", above=1)
        job.run("c", elsewhere=2)
        task = job.start("reader")
        pull = task.xcom_pull
        left = call

        def strike(**question: str) -> object:
            nonlocal left
            left -= 1
            answer = pull(**question)
            if left < 0:
                task.xcom_pull = pull
                raise KeyboardInterrupt
            return answer

        task.xcom_pull = strike
        with pytest.raises(KeyboardInterrupt):
            [task.context[key] for key in ("above", "elsewhere")]
        assert [task.context[key] for key in ("above", "elsewhere")] == [1, 2]


class TestCalls:
    """Each is a request to Airflow."""

    def test_none_for_a_task_that_does_not_touch_the_context(self):
        job = Job({"a": set(), "b": {"a"}})
        job.run("a", key=1)
        job.run("b")
        assert not job.calls
        assert [task for task, _ in job.xcoms] == ["a", "a"]

    @pytest.mark.parametrize("length", [2, 50])
    def test_two_to_read_what_a_chain_has_passed_on(self, length):
        names = [f"t{number}" for number in range(length)]
        job = Job({"t0": set()} | {child: {parent} for parent, child in pairwise(names)})
        for name in names[:-1]:
            job.run(name, key=name)
        job.calls.clear()
        assert job.start(names[-1]).context["key"] == names[-2]
        assert job.calls == {"index": 1, "value": 1}

    def test_one_for_each_parent_and_one_for_the_value_below_a_fan_in(self):
        writers = {f"w{number}": set() for number in range(200)}
        job = Job(writers | {"reader": set(writers)})
        for name in writers:
            job.run(name, **{name: 1, "common": name})
        job.calls.clear()
        assert job.start("reader").context["common"] == "w199"
        assert job.calls == {"index": 200, "value": 1}

    def test_two_to_find_out_that_a_key_is_missing_at_the_end_of_a_chain(self):
        names = [f"t{number}" for number in range(50)]
        job = Job({"t0": set()} | {child: {parent} for parent, child in pairwise(names)})
        for name in names[:-1]:
            job.run(name, key=name)
        context = job.start(names[-1]).context
        assert context["key"]
        job.calls.clear()
        with pytest.raises(KeyError):
            context["missing"]
        assert job.calls == {"states": 1, "index": 1}


ROW = {"key": "key", "stamp": 1, "task_id": "a", "state": "value"}
NO_KEYS = [5, None, "", "x" * 251, "pyrunner.context", {"__pyrunner__": "tuple", "value": []}]
NO_STAMPS = [None, True, 1.5, "1", 2**63, -(2**63), 10**400]
NO_TASKS = [None, 5, "", "..", "a b", "a?b", "a%2fb", "a\n", "ä", "../../b/run/1_secret/password/slice?a="]
NO_ORDERS = [1, "ab", [1], [["a", 1]]]


def index(*rows):
    return {"format": 1, "keys": list(rows)}


class TestEditedIndexes:
    """Whoever may edit an XCom may make anything of an index."""

    @pytest.fixture
    def job(self):
        job = Job({"a": set(), "b": {"a"}, "c": {"b"}, "d": {"c"}})
        job.run("a", key=1)
        job.calls.clear()
        return job

    @pytest.mark.parametrize(
        "index",
        [
            "nonsense",
            5,
            {"a": 1},
            [ROW],
            {"format": True, "keys": [ROW]},
            {"format": 1, "keys": 5},
            index(1),
            index({"key": "a"}),
            index(*[ROW] * 100_001),
            *(index({**ROW, "key": key}) for key in NO_KEYS),
            *(index({**ROW, "stamp": stamp}) for stamp in NO_STAMPS),
            *(index({**ROW, "task_id": task_id}) for task_id in NO_TASKS),
            *(index({**ROW, "state": state}) for state in (None, "gone", ["value"])),
            *(index({**ROW, "number": number}) for number in (1, "1", float("nan"), float("inf"))),
            *(index({**ROW, "orders": orders}) for orders in NO_ORDERS),
        ],
        ids=lambda index: f"{index!r:.60}",
    )
    def test_are_an_error_that_names_the_task_before_any_request(self, job, index):
        job.xcoms["a", INDEX_KEY] = index
        with pytest.raises(ContextIndexError) as caught:
            job.start("b").context["key"]
        assert str(caught.value).startswith(
            "the XCom 'pyrunner.context' of task a is not as that task wrote it ("
        )
        assert str(caught.value).endswith("): clear the task")
        assert len(str(caught.value)) < 400
        assert job.calls == {"index": 1}

    def test_do_no_harm_to_a_task_that_does_not_touch_the_context(self, job):
        job.xcoms["a", INDEX_KEY] = 5
        job.run("b")
        assert not job.calls

    def test_that_airflow_cannot_read_are_an_error_too(self, job):
        reader = job.start("b")
        reader.xcom_pull = Mock(side_effect=ImportError("subprocess.Popen was not found in allow list"))
        with pytest.raises(ContextIndexError, match=r"wrote it \(subprocess\.Popen was not found"):
            reader.context["key"]

    def test_with_the_latest_stamp_of_all_leave_room_for_the_writes_below(self, job):
        job.xcoms["a", INDEX_KEY] = index(
            {**ROW, "stamp": time.time_ns() // 1000 + 3_153_600_000_000_000 - 10}
        )
        for name in ("b", "c"):
            task = job.start(name)
            task.context["key"] = name
            task.succeed()
        assert job.start("d").context["key"] == "c"

    def test_may_name_a_task_that_has_another_name_by_now(self, job):
        job.xcoms["a", INDEX_KEY] = index({**ROW, "task_id": "4_old_name"})
        job.xcoms["4_old_name", "key"] = "old"
        assert job.start("b").context["key"] == "old"

    def test_may_say_more_than_this_version_knows(self, job):
        job.xcoms["a", INDEX_KEY] = {**index({**ROW, "read": True, "size": 5}), "host": "here"}
        assert job.start("b").context["key"] == 1

    @pytest.mark.parametrize("index", [{"format": 0, "keys": []}, {"format": 2, "rows": {}}])
    def test_of_another_format_say_that_another_version_wrote_them(self, job, index):
        job.xcoms["a", INDEX_KEY] = index
        with pytest.raises(ContextIndexError) as caught:
            job.start("b").context["key"]
        assert str(caught.value) == (
            "the XCom 'pyrunner.context' of task a was written by another version of pyrunner-airflow "
            f"(format {index['format']}, not 1): install the same on all hosts"
        )

    def test_warn_of_such_a_task_too(self, job):
        job.parents["b"] = set()
        job.xcoms["a", INDEX_KEY] = index({**ROW, "task_id": "4_old_name"})
        job.xcoms["4_old_name", "key"] = "old"
        assert job.start("b").context["key"] == "old"
        assert job.warnings[0].endswith("add 4 to its PARENT_IDS")
