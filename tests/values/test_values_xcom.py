"""Context values as XComs: what any task of Airflow pulls, and what comes of an XCom that somebody edited."""

import contextlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pendulum
import pytest
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.serde import deserialize, serialize
from airflow.utils.json import XComDecoder, XComEncoder
from hypothesis import HealthCheck, given, settings

from pyrunner_airflow.dag.xcom_settings import allowed_classes
from pyrunner_airflow.dag.xcom_values import from_xcom, to_xcom
from pyrunner_airflow.values import Allowed, ContextValueError
from tests.context_values import NATIVE, NESTED, PLAIN, TAGGED, VALUES, Customer, Order, image
from tests.values import nestings
from tests.values.storing import CODEC, assert_is_plain_json, send

pytestmark = pytest.mark.usefixtures("allowed_classes")


def pushed(value):
    return to_xcom(CODEC.encode(value).data)


def assert_travels(value):
    before = image(value)
    encoded = CODEC.encode(value)
    xcom = to_xcom(encoded.data)
    assert_is_plain_json(BaseXCom.serialize_value(xcom))
    assert image(CODEC.decode(from_xcom(send(xcom), CODEC), send(encoded.orders))) == before


class TestWhatTravels:
    @pytest.mark.parametrize("name", VALUES)
    def test_comes_back_equal_and_of_the_same_type(self, name):
        assert_travels(VALUES[name])

    @pytest.mark.parametrize("name", VALUES)
    def test_so_it_does_in_a_list_a_dictionary_and_a_tuple(self, name):
        assert_travels({"a": [VALUES[name], 1], "b": ((VALUES[name],),), "c": {1: VALUES[name]}})

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(nestings.VALUES)
    def test_any_nesting(self, value):
        assert_travels(value)

    @pytest.mark.parametrize("name", [*PLAIN, *TAGGED])
    def test_what_airflow_does_not_carry_is_stored_as_it_is_encoded(self, name):
        data = CODEC.encode(VALUES[name]).data
        assert image(to_xcom(data)) == image(data)
        assert image(BaseXCom.serialize_value(to_xcom(data))) == image(data)


class TestWhatAnyTaskPulls:
    @pytest.mark.parametrize("name", [*PLAIN, *NATIVE])
    def test_is_the_value_that_was_written(self, name):
        pulled = send(pushed(VALUES[name]))
        assert type(pulled) is type(VALUES[name])
        assert pulled == VALUES[name]

    @pytest.mark.parametrize("name", [*PLAIN, *NATIVE])
    def test_is_stored_as_airflow_does_it(self, name):
        stored = (BaseXCom.serialize_value(VALUES[name]), BaseXCom.serialize_value(pushed(VALUES[name])))
        first, second = (sorted(json.dumps(one)) for one in stored)  # a set has no order
        assert first == second

    @pytest.mark.parametrize("name", NESTED)
    def test_what_airflow_does_not_carry_stays_encoded_within_what_it_does(self, name):
        value = NESTED[name]
        pulled = send(pushed(value))
        assert type(pulled) is (dict if name == "more_keys_than_the_index_holds" else type(value))

    def test_a_time_keeps_its_zone_or_stays_encoded(self):
        berlin = datetime(2026, 10, 25, 2, 30, tzinfo=pendulum.timezone("Europe/Berlin"))
        assert set(pushed(berlin)) == {"__pyrunner__", "value"}
        assert pushed(NATIVE["datetime_zone"]) == NATIVE["datetime_zone"]

    def test_the_run_s_logical_date_is_one(self):
        moment = pendulum.datetime(2026, 3, 1, 12, 30, tz="UTC")
        assert image(send(pushed({"at": moment, "days": [(date(2026, 3, 1), Decimal("1.5"))]}))) == image(
            {"at": moment, "days": [(date(2026, 3, 1), Decimal("1.5"))]}
        )

    def test_a_number_of_many_zeros_is_not_written_out(self):
        assert set(pushed(Decimal("1E+999999999"))) == {"__pyrunner__", "value"}


class TestEditedXComs:
    @pytest.mark.parametrize("value", ["2026-03-01", [1, {"a": None}], 2, 0.25, None, True])
    def test_are_what_is_read(self, value):
        assert CODEC.decode(from_xcom(send(value), CODEC)) == value

    @pytest.mark.parametrize(
        "value",
        [
            Order(1, "a"),
            Customer(name="a", since=date(2026, 3, 1)),
            date(2026, 3, 1),
            {"at": [datetime(2026, 3, 1, tzinfo=UTC)]},
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_may_hold_what_airflow_makes_an_object_of(self, value):
        assert CODEC.decode(from_xcom(deserialize(serialize(value)), CODEC)) == value

    @pytest.mark.parametrize(
        "forged",
        [
            "datetime.date@version=2(2026-01-02)",
            {"rows": ["datetime.date@version=2(2026-01-02)"]},
            ("datetime.date@version=2(2026-01-02)",),
        ],
        ids=str,
    )
    def test_that_only_tell_what_they_were_are_errors(self, forged):
        with pytest.raises(ContextValueError, match=r"^'datetime\.date@version=2\(2026-01-02\)' only tells"):
            from_xcom(forged, CODEC)

    def test_of_objects_that_nothing_carries_are_errors(self):
        with pytest.raises(ContextValueError, match="which cannot travel"):
            from_xcom({"rows": [object()]}, CODEC)

    @pytest.mark.parametrize(
        "forged",
        [
            {"__classname__": "subprocess.Popen", "__version__": 0, "__data__": {"args": "true"}},
            {"__classname__": "builtins.tuple", "__version__": 1},
            [{"__classname__": ["builtins.set"], "__version__": 1, "__data__": []}],
        ],
        ids=str,
    )
    def test_that_airflow_refuses_never_get_so_far(self, forged):
        with pytest.raises((ImportError, TypeError, ValueError)):
            BaseXCom.deserialize_value(SimpleNamespace(value=forged))

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(nestings.forgeries(CODEC.kinds))
    def test_of_any_json_are_handed_on_or_an_error(self, forged):
        with contextlib.suppress(ContextValueError):
            json.dumps(from_xcom(forged, CODEC))


class TestOtherXComBackends:
    """Such as the object-storage backend, which keeps nested tuples as lists where nobody sees to it."""

    @pytest.fixture(autouse=True)
    def backend(self, configure):
        with configure(xcom_backend="airflow.providers.common.io.xcom.backend.XComObjectStorageBackend"):
            yield

    @pytest.mark.parametrize("name", VALUES)
    def test_all_come_back(self, name):
        for value in (VALUES[name], {"a": [VALUES[name]], "b": (VALUES[name],)}):
            data, orders = CODEC.encode(value)
            stored = json.loads(json.dumps(to_xcom(data), cls=XComEncoder), cls=XComDecoder)
            assert image(CODEC.decode(from_xcom(stored, CODEC), orders)) == image(value)


def test_what_may_be_loaded_is_what_airflow_s_configuration_says(configure):
    with configure(
        allowed_deserialization_classes="airflow.* a.B", allowed_deserialization_classes_regexp=r"c\.\w+"
    ):
        assert allowed_classes() == Allowed(["airflow.*", "a.B"], [r"c\.\w+"])
