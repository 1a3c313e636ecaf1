"""Values of any nesting, for hypothesis."""

from collections import OrderedDict, defaultdict, deque
from datetime import UTC, timedelta, timezone
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

import numpy
import pendulum
from hypothesis import strategies as st

from tests.context_values import Color, Level, Order

ZONES = st.sampled_from(
    [
        None,
        UTC,
        timezone(timedelta(hours=-3, minutes=-30)),
        ZoneInfo("Europe/Berlin"),
        ZoneInfo("UTC"),
        pendulum.UTC,
        pendulum.timezone("America/New_York"),
        pendulum.FixedTimezone(3600),
    ]
)
TEXTS = st.text(st.characters() | st.characters(categories=["Cs"]) | st.just("\0"))
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**80), 2**80),
    st.sampled_from([2**63, 2**63 - 1, -(2**63), -(2**63) - 1, 2**64, 1e15, 1e16, 9999999999999998.0, -0.0]),
    st.floats(),
    TEXTS,
    st.binary(),
    st.complex_numbers(),
    st.decimals(allow_nan=False),
    st.dates(),
    st.datetimes(timezones=ZONES),
    st.times(timezones=ZONES),
    st.timedeltas(),
    st.uuids(),
    TEXTS.filter(lambda text: "\0" not in text).map(PurePosixPath),
    st.sampled_from([*Color, *Level]),
    st.builds(numpy.float64, st.floats()) | st.integers(0, 255).map(numpy.uint8),
)
KEYS = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
LOOK_ALIKES = st.sampled_from(
    [
        "__pyrunner__",
        "value",
        "__classname__",
        "__version__",
        "__data__",
        "__id__",
        "__type",
        "__var",
        "__source",
    ]
)


def containers(inner):
    pairs = st.lists(st.tuples(TEXTS | KEYS, inner), max_size=4)
    return st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(TEXTS, inner, max_size=4),
        st.dictionaries(
            LOOK_ALIKES, inner | st.sampled_from(["dict", "float", "builtins.set", 1]), max_size=4
        ),
        pairs.map(dict),
        pairs.map(OrderedDict),
        pairs.map(lambda items: defaultdict(list, items)),
        st.lists(inner, max_size=4).map(tuple),
        st.lists(inner, max_size=4).map(deque),
        st.sets(KEYS, max_size=4),
        st.frozensets(KEYS, max_size=4),
        st.builds(Order, st.integers(), inner),
        st.binary().map(bytearray),
    )


VALUES = st.recursive(ATOMS, containers, max_leaves=12)


def forgeries(kinds):
    """Return what may lie in the place of a value: any JSON, with tags of these kinds and of others."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["UTC", "RED"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text() | LOOK_ALIKES, inner, max_size=4)
            | st.builds(
                lambda kind, data: {"__pyrunner__": kind, "value": data},
                st.sampled_from(sorted(kinds)) | st.text(),
                inner,
            )
        ),
        max_leaves=12,
    )
