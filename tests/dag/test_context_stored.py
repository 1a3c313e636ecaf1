"""
The context over real database columns and over the journal: what it has comes back as it was.

That each value does is tested in tests/values; here are those of which the index tells something.
"""

import json
from contextlib import suppress
from datetime import datetime
from pathlib import PurePosixPath
from types import SimpleNamespace

import pytest
from airflow.models.xcom import XComModel
from airflow.sdk.bases.xcom import BaseXCom
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, String, Table, create_engine, select
from sqlalchemy.pool import StaticPool

from pyrunner_airflow.dag.context import JOURNAL_KEY
from pyrunner_airflow.dag.writes import INDEX_KEY, UNREADABLE, index_of, read_index, read_journal, xcom_key
from pyrunner_airflow.dag.xcom_values import to_xcom
from pyrunner_airflow.values import ContextValueError
from tests.context_values import BERLIN, Order, image
from tests.hosted import Hosted
from tests.values import nestings
from tests.values.storing import CODEC

ODD_KEYS = [
    "a?b",
    "a b",
    "a%20b",
    "x/slice",
    "..",
    "line\nbreak",
    "株",
    "a\0b",
    "\udc80",
    "\ud83d\ude00",
    "\U0001f600",
]
VALUES = {
    "nothing": None,
    "float_that_sqlite_changes": 4657815.076224769,
    "whole_float": 1.0,
    "dict_that_databases_sort": {"name": "a", "id": 1, "at": [{"bb": 1, "a": 2}]},
    "of_any_task": (1, datetime(2026, 3, 1, 12, 30, tzinfo=BERLIN)),
    "tagged": PurePosixPath("/data/x.csv"),
    "model": Order(1, {"bb": 1, "a": (2,)}),
}
XCOMS = Table(
    "xcom", MetaData(), Column("task", String), Column("key", String), Column("value", XComModel.value.type)
)


class Task:
    """Airflow's task instance, as far as the context knows it; its XComs are in a real database."""

    dag_id, run_id = "job", "now"

    def __init__(self, connection, task_id, parents, try_number=1):
        self.connection = connection
        self.task_id = task_id
        self.task = SimpleNamespace(upstream_task_ids=parents, dag=None)
        self.try_number = try_number

    def xcom_push(self, key, value):
        stored = BaseXCom.serialize_value(value)
        self.connection.execute(XCOMS.insert().values(task=self.task_id, key=key, value=stored))

    def xcom_pull(self, *, task_ids, key):
        query = select(XCOMS.c.value).where(XCOMS.c.task == task_ids, XCOMS.c.key == key)
        return BaseXCom.deserialize_value(SimpleNamespace(value=self.connection.execute(query).scalar()))


class Store(dict):
    """Airflow's task_state_store."""

    def set(self, key, value):
        self[key] = json.dumps(value, allow_nan=False)

    def get(self, key):
        return json.loads(self[key]) if key in self else None

    delete = dict.__delitem__


def fill(context):
    for name, value in VALUES.items():
        context[name] = value
    for number, key in enumerate(ODD_KEYS):
        context[key] = number


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def over_database(request, allowed_classes):
    """What one task wrote, as the task below sees it."""
    is_sqlite = request.param == "SQLite"
    url = "sqlite://" if is_sqlite else request.getfixturevalue("postgres").database("context_values")
    with create_engine(url, poolclass=StaticPool).connect() as connection:
        XCOMS.create(connection)
        writer = Hosted(Task(connection, "1", set()), Store())
        fill(writer)
        writer.kept.publish()
        yield Hosted(Task(connection, "2", {"1"}), Store())


@pytest.fixture(scope="module")
def over_journal(allowed_classes):
    """What a failed attempt wrote, as the next one sees it."""
    store = Store()
    failed = Hosted(Task(None, "1", set()), store)
    fill(failed)
    failed.kept.journal(whole=True)
    return Hosted(Task(None, "1", set(), try_number=2), store)


class TestDatabases:
    """The context over the column in which Airflow stores XComs."""

    @pytest.mark.parametrize("name", VALUES)
    def test_a_value_comes_back_as_it_was(self, over_database, name):
        assert image(over_database[name]) == image(VALUES[name])

    def test_a_key_may_be_any_text(self, over_database):
        assert set(over_database) == {*VALUES, *ODD_KEYS}
        assert [over_database[key] for key in ODD_KEYS] == list(range(len(ODD_KEYS)))


class TestWhatOtherTasksPull:
    """Without the context, as any task of Airflow does."""

    def test_a_dictionary_is_a_dictionary(self, over_database):
        name = "dict_that_databases_sort"
        assert over_database.kept._ti.xcom_pull(task_ids="1", key=name) == VALUES[name]


class TestTheIndex:
    def test_tells_who_wrote_a_key_and_what_databases_lose_of_it(self):
        pushed = {}
        ti = SimpleNamespace(
            task_id="1",
            task=SimpleNamespace(upstream_task_ids=(), dag=None),
            try_number=1,
            xcom_push=pushed.__setitem__,
        )
        context = Hosted(ti, Store(), {"given": 1, "gone": 1})
        context.update({"rows": [{"name": "a", "id": 1}], "ratio": 0.1, "nothing": None, "a?b": 1})
        del context["gone"]
        context.kept.publish()
        written = {row.pop("key"): row for row in pushed[INDEX_KEY]["keys"]}
        assert all(type(row.pop("stamp")) is int and row.pop("task_id") == "1" for row in written.values())
        assert written == {
            "a?b": {"state": "value", "xcom": xcom_key("a?b")},
            "gone": {"state": "deleted"},
            "nothing": {"state": "none"},
            "ratio": {"state": "value", "number": 0.1},
            "rows": {"state": "value", "orders": [["name", "id"]]},
        }

    def test_tells_which_keys_the_task_read(self):
        with create_engine("sqlite://", poolclass=StaticPool).connect() as connection:
            XCOMS.create(connection)
            writer = Hosted(Task(connection, "1_write", set()), Store())
            writer.update({"seen": 1, "asked": 2, "own": 3, "left": 4})
            writer.kept.publish()
            task = Task(connection, "2_read", {"1_write"})
            reader = Hosted(task, Store())
            reader["own"] = reader["seen"] + reader["seen"]
            assert "asked" in reader and reader["own"] == 2
            reader.kept.publish()
            rows = task.xcom_pull(task_ids="2_read", key=INDEX_KEY)["keys"]
        assert [row["key"] for row in rows if row.get("read")] == ["seen"]


class TestTheJournal:
    @pytest.mark.parametrize("name", VALUES)
    def test_a_value_comes_back_as_it_was(self, over_journal, name):
        assert image(over_journal[name]) == image(VALUES[name])

    def test_a_key_may_be_any_text(self, over_journal):
        assert set(over_journal) == {*VALUES, *ODD_KEYS}

    def test_a_value_that_cannot_be_read_is_an_error_that_names_the_key(self):
        store = Store()
        store.set(
            JOURNAL_KEY, {"writes": [["order", 1, {"__pyrunner__": "of another version", "value": 1}, None]]}
        )
        context = Hosted(Task(None, "1", set(), try_number=2), store)
        with pytest.raises(ContextValueError, match=r"^context\['order'\]: it holds a value of the kind "):
            context["order"]


NO_JOURNALS = [
    5,
    "writes",
    [1],
    {},
    {"writes": 5},
    {"writes": [5]},
    {"writes": [["day"]]},
    {"writes": [[["day"], 1]]},
    {"writes": [["", 1]]},
    {"writes": [["pyrunner.context", 1]]},
    {"writes": [["day", "1"]]},
    {"writes": [["day", 10**400]]},
    {"writes": [["day", 1, 2]]},
    {"writes": [["day", 1, 2, 3]]},
    {"writes": [["day", 1, 2, [["a", 1]]]]},
    {"writes": [["day", 1, 2, None, 4]]},
    {"writes": [["day", 1, 2**64, None]]},
    {"writes": [["day", 1, "a\0", None]]},
    {"writes": [["day", 1, {"__classname__": "subprocess.Popen"}, None]]},
    {"writes": [["other", 1, 1, None], ["day", 1, 1, 1]]},
]


class TestEditedJournals:
    """Of which whoever may edit the task's states may have made anything."""

    @pytest.mark.parametrize("journal", NO_JOURNALS, ids=lambda journal: f"{journal!r:.60}")
    def test_are_told_once_and_left_aside(self, journal):
        store, warnings = Store(), []
        store.set(JOURNAL_KEY, journal)
        context = Hosted(Task(None, "1", set(), try_number=2), store, warn=warnings.append)
        assert list(context) == []
        context["day"] = 2
        assert context["day"] == 2
        assert len(warnings) == 1
        assert warnings[0].startswith(
            "the journal 'pyrunner.context' of task 1, in its task_state_store, is not as the task wrote it ("
        )
        assert len(warnings[0]) < 400
        context.kept.drop_journal()
        assert not store


ANY_JSON = nestings.forgeries(CODEC.kinds)
ANY_NUMBER = ANY_JSON | st.integers() | st.sampled_from([2**63, 10**400, 10**5000])
ROWS = st.fixed_dictionaries(
    {
        "key": st.text() | ANY_JSON,
        "stamp": ANY_NUMBER,
        "task_id": st.just("1_write") | st.text(),
        "state": st.sampled_from(["value", "none", "deleted"]) | ANY_JSON,
    },
    optional={"number": st.floats() | ANY_JSON, "orders": st.lists(st.lists(st.text())) | ANY_JSON},
)
WRITES = st.tuples(st.text() | ANY_JSON, ANY_NUMBER, ANY_JSON, st.none() | ANY_JSON).map(list)


class TestWhateverTheyAreEditedInto:
    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.fixed_dictionaries({"format": st.just(1), "keys": st.lists(ROWS, max_size=2)}) | ANY_JSON)
    def test_an_index_is_read_as_one_that_can_be_passed_on_or_an_error(self, index):
        with suppress(*UNREADABLE):
            entries = read_index(index)
            assert read_index(json.loads(json.dumps(index_of(entries, ()), allow_nan=False))) == entries

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.fixed_dictionaries({"writes": st.lists(WRITES, max_size=2)}) | ANY_JSON)
    def test_a_journal_is_read_as_writes_that_can_be_published_or_an_error(self, journal):
        writes = {}
        with suppress(*UNREADABLE):
            writes = read_journal(journal)
        for write in writes.values():
            json.dumps(BaseXCom.serialize_value(to_xcom(write.encoded and write.encoded.data)))


class TestEditedXComs:
    @pytest.fixture
    def context(self):
        """Two keys of one task, whose XComs somebody edited."""
        with create_engine("sqlite://", poolclass=StaticPool).connect() as connection:
            XCOMS.create(connection)
            writer = Hosted(Task(connection, "1_write", set()), Store())
            writer.update({"day": 1, "a?b": 2, "ratio": 0.5})
            writer.kept.publish()

            def edit(key, value):
                connection.execute(XCOMS.update().where(XCOMS.c.key == xcom_key(key)).values(value=value))

            reader = Hosted(Task(connection, "2_read", {"1_write"}), Store())
            yield SimpleNamespace(edit=edit, get=reader.__getitem__, kept=reader.kept)

    @pytest.mark.parametrize("value", ["2026-03-01", [1, {"a": None}], 2, 0.25])
    @pytest.mark.parametrize("key", ["day", "a?b", "ratio"])
    def test_are_what_is_read(self, context, key, value):
        context.edit(key, value)
        assert context.get(key) == value

    @pytest.mark.parametrize(
        "value",
        [
            {"__pyrunner__": "float", "value": "abc"},
            [{"__pyrunner__": "nonsense"}],
            {"__classname__": "subprocess.Popen", "__version__": 0, "__data__": {"args": "true"}},
            {"__classname__": "builtins.tuple", "__version__": 1, "__data__": 5},
            {"__classname__": 5, "__version__": 1},
            "datetime.date@version=2(2026-01-02)",
        ],
        ids=str,
    )
    @pytest.mark.parametrize("key", ["day", "a?b"])
    def test_that_make_no_sense_are_errors_that_name_key_and_task(self, context, key, value):
        context.edit(key, value)
        start = f"context[{key!r}]: the XCom {xcom_key(key)!r} of task 1_write is not as that task wrote it: "
        with pytest.raises(ContextValueError) as caught:
            context.get(key)
        assert str(caught.value).startswith(start)

    def test_that_only_the_worker_can_tell_from_a_value_are_handed_on_to_it(self, context):
        forged = {"__pyrunner__": "model", "value": {"class": "nowhere:Order", "number": 1}}
        context.edit("day", forged)
        assert context.kept.get("day")[0] == forged
        with pytest.raises(ContextValueError) as caught:
            context.get("day")
        assert str(caught.value).startswith(
            "context['day']: the XCom 'day' of task 1_write is not as that task wrote it: "
            "it holds a value of the kind model, which "
        )


def test_a_refused_value_is_an_error_that_names_the_key():
    context = Hosted(Task(None, "1", set()), Store())
    with pytest.raises(ContextValueError) as caught:
        context["rows"] = {"rows": [len]}
    assert str(caught.value).startswith(
        """context['rows']: value["rows"][0] is a builtin_function_or_method, which cannot travel"""
    )
