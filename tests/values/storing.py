"""What Airflow and its databases do to the JSON of a context value."""

import json
from decimal import Decimal
from types import SimpleNamespace

import msgspec
import pydantic
from airflow.sdk.bases.xcom import BaseXCom

from pyrunner_airflow.values import Allowed, Codec
from pyrunner_airflow.values.codec import MAX_DEPTH
from tests.context_values import ALLOWED

CODEC = Codec(Allowed(ALLOWED.split(), []))
JSON_VALUE = pydantic.TypeAdapter(pydantic.JsonValue)


def send(value):
    """Carry a value over Airflow's ways: task, supervisor (msgpack), API server (JSON), and back."""
    pushed = msgspec.msgpack.decode(msgspec.msgpack.encode(BaseXCom.serialize_value(value)))
    request = json.dumps(pushed, ensure_ascii=False, allow_nan=False).encode()
    received = JSON_VALUE.validate_python(json.loads(request))
    response = JSON_VALUE.dump_json(JSON_VALUE.validate_python(as_in_jsonb(received)))
    pulled = msgspec.msgpack.decode(msgspec.msgpack.encode(JSON_VALUE.validate_json(response)))
    return BaseXCom.deserialize_value(SimpleNamespace(value=pulled))


def as_in_jsonb(value):
    """Return JSON as a Postgres JSONB column does: numbers are decimal, keys in an order of their own."""

    def number(text):
        digits = format(Decimal(text) + 0, "f")
        return float(digits) if "." in digits else int(digits)

    def in_order(pairs):
        return dict(sorted(pairs, key=lambda pair: (len(pair[0].encode()), pair[0].encode())))

    return json.loads(json.dumps(value), parse_float=number, object_pairs_hook=in_order)


def assert_is_plain_json(value, depth=0):
    """Assert that any database holds it."""
    assert depth <= MAX_DEPTH + 2
    if type(value) is list:
        for item in value:
            assert_is_plain_json(item, depth + 1)
    elif type(value) is dict:
        for key, item in value.items():
            assert type(key) is str
            assert_is_plain_json(key)
            assert_is_plain_json(item, depth + 1)
    elif type(value) is str:
        assert "\0" not in value
        value.encode()
    elif type(value) is int:
        assert -(2**63) <= value < 2**63
    elif type(value) is float:
        assert as_in_jsonb([value, str(value)]) == [value, str(value)]
        assert str(as_in_jsonb(value)) == str(float(str(value)))
    else:
        assert value is None or type(value) is bool
