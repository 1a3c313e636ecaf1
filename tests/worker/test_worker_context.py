"""The dictionary that a job's workers share, as they see it."""

import multiprocessing

import pytest
from pyrunner.core.context import Context as PyRunnerContext
from worker_jobs import MemoryHost

from pyrunner_airflow.worker.context import Context, ContextKeyError


@pytest.fixture(scope="module")
def manager():
    with multiprocessing.Manager() as running:
        yield running


@pytest.fixture(params=["ours", "pyrunner's"])
def context(request, manager):
    """Make a context of two keys: ours, and PyRunner's as its engine makes it."""
    values = {"a": 1, "b": None}
    return Context(values) if request.param == "ours" else PyRunnerContext(manager.dict(values), None)


@pytest.fixture
def ours():
    return Context({"a": 1, "b": None})


class TestAsPyRunner:
    """What a worker may do under both."""

    def test_get_item(self, context):
        assert (context["a"], context["b"]) == (1, None)

    def test_missing_key(self, context):
        with pytest.raises(KeyError, match="missing"):
            context["missing"]

    def test_get_gives_none_or_the_default(self, context):
        assert [context.get("a"), context.get("x"), context.get("x", 5), context.get("b", 5)] == [
            1,
            None,
            5,
            None,
        ]

    @pytest.mark.parametrize("value", [None, "", False, 0, [], {"k": [1]}])
    def test_any_value_is_a_value(self, context, value):
        context["x"] = value
        assert "x" in context
        assert context["x"] == context.get("x", "default") == value

    def test_set(self, context):
        context.set("x", 5)
        assert context["x"] == 5

    def test_has_key(self, context):
        assert (context.has_key("b"), context.has_key("x")) == (True, False)

    def test_in(self, context):
        assert ("b" in context, "x" in context) == (True, False)

    def test_del(self, context):
        del context["a"]
        assert list(context) == ["b"]

    def test_del_of_a_missing_key(self, context):
        with pytest.raises(KeyError, match="missing"):
            del context["missing"]

    def test_iteration_over_keys(self, context):
        assert list(context) == ["a", "b"]

    def test_iteration_survives_changes(self, context):
        for key in context:
            context[key + key] = 5
            del context[key]
        assert sorted(context) == ["aa", "bb"]

    def test_items(self, context):
        assert list(context.items()) == [("a", 1), ("b", None)]

    def test_keys_is_a_list(self, context):
        assert context.keys == ["a", "b"]
        assert context.keys[0] == "a"


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


class TestInAWorker:
    @pytest.mark.parametrize("base", ["pyrunner_airflow", "pyrunner"])
    def test_changes_reach_the_host(self, run, base):
        body = """
        def run(self):
            self.context["new"] = self.context["given"] + 1
            del self.context["given"]
        """
        assert run(body, base=base, host=MemoryHost({"given": 1})).context == {"new": 2}

    def test_changes_before_a_failure_stay(self, run):
        assert run("def run(self):\n    self.context['a'] = 1\n    raise KeyError").context == {"a": 1}

    def test_the_constructor_has_it(self, run, root):
        body = """
        def __init__(self, context, logfile, argv):
            context["a"] = [logfile, argv]
        def run(self): pass
        """
        assert run(body, arguments=["x"], logfile="x.log").context == {"a": [str(root / "x.log"), ["x"]]}

    def test_a_refused_key_fails_the_attempt(self, run):
        ran = run("def run(self): self.context['pyrunner.x'] = 1")
        assert (ran.code, type(ran.error)) == (901, ContextKeyError)
