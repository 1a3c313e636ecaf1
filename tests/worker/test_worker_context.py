"""The dictionary that a job's workers share, as they see it."""

import pytest
from worker_jobs import MemoryContext

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


class TestInItsOwnProcess:
    def test_all_that_a_dictionary_does(self, run):
        ran = run(
            """
            def run(self):
                c = self.context
                del c["gone"]
                c["b"] = c["a"] + 1
                c["seen"] = [sorted(c), len(c), "a" in c, "gone" in c, c.get("gone", 5), c["none"], 5 in c]
            def on_exit(self):
                try: self.context["gone"]
                except KeyError as error: self.context["error"] = str(error)
            """,
            context={"a": 1, "gone": 2, "none": None},
        )
        assert ran.context["seen"] == [["a", "b", "none"], 3, True, False, 5, None, False]
        assert (ran.context["b"], ran.context["error"]) == (2, "'gone'")

    def test_what_was_read_is_a_copy(self, run):
        body = "def run(self):\n  self.context['a'].append(2)\n  self.context['again'] = self.context['a']"
        assert run(body, context={"a": [1]}).context["again"] == [1]

    class Broken(MemoryContext):
        def set(self, key, encoded):
            raise ConnectionError("no API server")

    def test_a_write_that_fails_on_the_other_side_fails_the_phase(self, run):
        ran = run("def run(self): self.context['a'] = 1", context=self.Broken())
        assert (ran.code, ran.error_type) == (901, "HostError")
        assert ran.error_text == "ConnectionError: no API server"

    def test_what_was_written_is_journaled_while_the_worker_runs_c_code(self, run):
        kept = MemoryContext()
        body = "def run(self):\n  self.context['a'] = 1\n  ctypes.PyDLL(None).sleep(3)"
        ran = run(body, "import ctypes", context=kept)
        assert (ran.code, kept.journaled) == (0, 1)

    def test_a_worker_that_is_killed_keeps_all_that_it_wrote(self, run):
        ran = run("def run(self):\n  self.context['a'] = [1]\n  os.kill(os.getpid(), 9)", "import os")
        assert (ran.code, ran.context) == (137, {"a": [1]})

    def test_from_all_threads(self, run):
        ran = run(
            """
            def run(self):
                with ThreadPoolExecutor(8) as pool:
                    list(pool.map(self.work, range(200)))
            def work(self, number):
                self.context[f"k{number}"] = number
                assert self.context.get(f"k{number}") == number
                self.logger.info(number)
            """,
            "from concurrent.futures import ThreadPoolExecutor",
        )
        assert (ran.code, len(ran.context), len(ran.lines)) == (0, 200, 200)
