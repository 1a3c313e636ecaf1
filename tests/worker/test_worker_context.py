"""The dictionary that a job's workers share, as they see it."""

import pytest

from pyrunner_airflow.worker.context import Context, ContextKeyError


@pytest.fixture
def ours():
    return Context({"a": 1, "b": None})


class TestBeyondPyRunner:
    """The rest of what a dictionary has."""

    def test_keys_may_be_called(self, ours):
        assert ours.keys() == ["a", "b"]

    def test_len(self, ours):
        assert len(ours) == 2

    def test_values(self, ours):
        assert list(ours.values()) == [1, None]

    def test_update(self, ours):
        ours.update({"a": 2}, c=3)
        assert dict(ours) == {"a": 2, "b": None, "c": 3}

    def test_pop(self, ours):
        assert (ours.pop("a"), ours.pop("a", 5), list(ours)) == (1, 5, ["b"])

    def test_setdefault(self, ours):
        assert (ours.setdefault("a", 5), ours.setdefault("b", 5), ours.setdefault("c", 5)) == (1, None, 5)

    def test_it_unpacks(self, ours):
        assert {**ours} == {"a": 1, "b": None}

    def test_an_empty_one_is_true(self):
        """As PyRunner's, which has no length: helpers say `context = context or {}`."""
        assert Context({})

    def test_repr_tells_the_keys(self, ours):
        assert repr(ours) == "<Context of ['a', 'b']>"

    def test_changes_reach_the_mapping_below(self):
        below = {}
        Context(below)["a"] = 1
        assert below == {"a": 1}


class TestKeys:
    @pytest.mark.parametrize("key", ["a", "x" * 250, "größe", "a b/c?d#e%20", "pyrunner", "Pyrunner.x", " "])
    def test_allowed(self, ours, key):
        ours[key] = 1
        assert ours[key] == 1

    @pytest.mark.parametrize(
        ("key", "message"),
        [
            ("", "a context key must have 1 to 250 characters, not 0: ''"),
            ("x" * 251, f"a context key must have 1 to 250 characters, not 251: '{'x' * 50}'"),
            (5, "a context key must be a str, not int: 5"),
            (None, "a context key must be a str, not NoneType: None"),
            (("a", "b"), "a context key must be a str, not tuple: ('a', 'b')"),
            ("pyrunner.x", "context keys that start with 'pyrunner.' are reserved: 'pyrunner.x'"),
        ],
    )
    @pytest.mark.parametrize("write", [Context.__setitem__, Context.set, Context.setdefault])
    def test_refused(self, ours, write, key, message):
        with pytest.raises(ContextKeyError) as caught:
            write(ours, key, 1)
        assert str(caught.value) == message
        assert list(ours) == ["a", "b"]

    def test_a_refused_key_is_a_value_error(self, ours):
        with pytest.raises(ValueError, match="reserved"):
            ours.update({"pyrunner.x": 1})
