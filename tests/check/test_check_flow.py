"""What a worker does with the context. Each case is run as well, and does nothing that was not told."""

import textwrap

import pytest

from tests.check.checked import check, row, write
from tests.worker.worker_jobs import MemoryContext, run_row

HEAD = """\
import functools
import operator
from contextlib import suppress
from pyrunner import Worker
import keys
from keys import IMPORTED
from helpers import put, take
KEY = "constant"
MANY = ("a", "b")
CHANGED = "a"
TWICE = "a"
TWICE = "b"

def change():
    global MANY, CHANGED
    CHANGED = Plain.CHANGED = "b"

def helper(context, key="default", value=1):
    context[key] = value

def outer(context):
    helper(context, "outer")
    return context.get("inner")

def with_worker(worker):
    worker.context["by worker"] = 1

def recursive(context, n=3):
    if n:
        context["n"] = n
        recursive(context, n - 1)

def logged(function):
    @functools.wraps(function)
    def wrapper(self, *args):
        self.context["logged"] = function.__name__
        return function(self, *args)
    return wrapper

class Plain:
    KEY = "plain"
    CHANGED = "a"
    def __init__(self, context):
        self.context = context

class Described:
    def __get__(self, worker, owner=None): worker.context["x"] = 1
    def __set__(self, worker, value): worker.context["x"] = value

class Base(Worker):
    KEY = "of the base"
    def note(self, what):
        self.context["note"] = what
    def prepare(self):
        self.context["prepared"] = 1
    @property
    def day(self):
        return self.context["day"]

class Middle(Base):
    def prepare(self):
        super().prepare()
        self.context["middle"] = 1
"""
FILES = {
    "workers/keys.py": 'DAY = "keys.day"\nIMPORTED = "imported"\n',
    "workers/helpers.py": """\
        def put(context, key):
            context[key] = 1

        def take(*, context):
            return context.pop("taken", None)
        """,
}
CONTEXT = dict.fromkeys(
    ("a", "b", "day", "constant", "keys.day", "imported", "of the base", "plain", "own"), 1
)


class Watched(MemoryContext):
    """A context that notes what is done with it."""

    def __init__(self):
        super().__init__(CONTEXT)
        self.reads, self.writes = set(), set()

    def has(self, key):
        self.reads.add(key)
        return super().has(key)

    def get(self, key):
        self.reads.add(key)
        return super().get(key)

    def set(self, key, encoded):
        self.writes.add(key)
        super().set(key, encoded)


def read(root, body, base="Worker", hooks=""):
    """Read, and run, a worker whose `run` has this body; returns its flow, and the context after it."""
    methods = f"def run(self):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n{textwrap.dedent(hooks)}"
    constants = "KEY2 = 'own'\ncalled = frozenset('x')\nnumber = 1\nlistening = []\nname = KEY\n"
    source = f"{HEAD}\nclass W({base}):\n{textwrap.indent(constants + methods, '    ')}"
    root = write(root / "app", **FILES)
    (root / "workers" / "workers.py").write_text(source)
    flow = check(root, row()).flows[1]
    watched = Watched()
    run_row(root, watched)
    if not flow.may_read_more:
        assert watched.reads <= {*flow.reads}
    if not flow.may_write_more:
        assert watched.writes <= {*flow.writes}
    return flow


def is_open(flow):
    return flow.may_read_more or flow.may_write_more


# What a body reads, needs to be there, writes, and surely changes.
WHOLE = {
    "x = self.context['a']": ("a", "a", "", ""),
    "self.context['x'] = 1": ("", "", "x", "x"),
    "self.context['x']: int = 1": ("", "", "x", "x"),
    "self.context['x'] = self.context['y'] = 1": ("", "", "xy", "xy"),
    "self.context['x'], y = 1, 2": ("", "", "x", "x"),
    "self.context['a'] += 1": ("a", "a", "a", "a"),
    "del self.context['a']": ("a", "a", "", "a"),
    "x = 'a' in self.context": ("a", "", "", ""),
    "x = 'a' not in self.context.keys()": ("a", "", "", ""),
    "x = 'a' in self.context.keys": ("a", "", "", ""),
    "x = self.context.has_key('a')": ("a", "", "", ""),
    "x = self.context.get('a')": ("a", "", "", ""),
    "x = self.context.get('a', self.context.get('b'))": ("ab", "", "", ""),
    "x = self.context.get(key='a')": ("a", "", "", ""),
    "self.context.set('x', 1)": ("", "", "x", "x"),
    "x = self.context.setdefault('x', 1)": ("x", "", "x", ""),
    "x = self.context.pop('a')": ("a", "a", "", "a"),
    "x = self.context.pop('x', None)": ("x", "", "", ""),
    "self.context.update({'x': 1}, y=2)": ("", "", "xy", "xy"),
    "self.context.shared_dict['x'] = 1": ("", "", "x", "x"),
    "if self.context: self.context['x'] = 1": ("", "", "x", ""),
    "if 'a' in self.context: x = self.context['a']": ("a", "", "", ""),
    "try: self.context['a']\nexcept KeyError: pass": ("a", "", "", ""),
    "try: self.context['a']\nexcept (ValueError, LookupError): pass": ("a", "", "", ""),
    "try: self.context['a']\nexcept: pass": ("a", "", "", ""),
    "try: self.context['a']\nexcept ValueError: pass": ("a", "a", "", ""),
    "with suppress(KeyError): self.context['a']": ("a", "", "", ""),
    "self.context['a'] = 1\nx = self.context['a']": ("a", "", "a", "a"),
    "x = self.context['a']\nself.context['a'] = x": ("a", "", "a", "a"),
    "if self.argv: self.context['x'] = 1": ("", "", "x", ""),
    "for x in self.argv: self.context['x'] = x": ("", "", "x", ""),
    "while self.argv: self.context['x'] = self.argv.pop()": ("", "", "x", ""),
    "x = self.argv and self.context.set('x', 1)": ("", "", "x", ""),
    "x = self.context.set('x', 1) if self.argv else 0": ("", "", "x", ""),
    "match self.argv:\n    case []: self.context['x'] = 1": ("", "", "x", ""),
    "try: pass\nexcept OSError: self.context['x'] = 1\nelse: self.context['y'] = 1": ("", "", "xy", "y"),
    "if self.argv: return 0\nself.context['x'] = 1": ("", "", "x", ""),
    "with open('/dev/null'): self.context['x'] = 1": ("", "", "x", "x"),
    "x = [self.context['a'] for y in 'z']": ("a", "a", "", ""),
    "x = {y: self.context['a'] for y in 'z' if self.context['b']}": ("ab", "ab", "", ""),
    'x = f\'{self.context["a"]:{self.context["b"]}}\'': ("ab", "ab", "", ""),
    "x = lambda: self.context['a']": ("a", "a", "", ""),
    "def inner():\n    self.context['x'] = 1\ninner()": ("", "", "x", ""),
    "def inner(x):\n    self.context['x'] = x\nself.logger.info(str(inner))": ("", "", "x", ""),
    "if (x := self.context['a']): pass": ("a", "a", "", ""),
    "if (x := self.context): x['x'] = 1": ("", "", "x", ""),
    "context = self.context\ncontext['x'] = context['a']": ("a", "a", "x", "x"),
    "key = 'x'\nself.context[key] = 1": ("", "", "x", "x"),
    "context = self.context or {}\ncontext['x'] = 1": ("", "", "x", "x"),
    "me = self\nme.context['x'] = 1": ("", "", "x", "x"),
    "getattr(self, 'context')['x'] = 1": ("", "", "x", "x"),
    "self.logged, x = 1, (self.called, self.number, self.listening, self.name)": ("", "", "", ""),
    "self.data = self.context['a']": ("a", "a", "", ""),
    "print(len('a'), self.argv, self.context['a'])": ("a", "a", "", ""),
    "self.logger.info('%s', self.context['a'])": ("a", "a", "", ""),
    "x = self.context is None or self.context is not x": ("", "", "", ""),
    "isinstance(self, Worker); repr(self); f'{self}'": ("", "", "", ""),
}
CALLS = {
    "helper(self.context)": ({"default"}, {"default"}),
    "helper(self.context, 'x')": ({"x"}, {"x"}),
    "helper(key='x', context=self.context)": ({"x"}, {"x"}),
    "helper(self.context, value=2)": ({"default"}, {"default"}),
    "helper(self.context, 'x')\nhelper(self.context, 'y')": ({"x", "y"}, {"x", "y"}),
    "if self.argv: helper(self.context, 'x')": ({"x"}, set()),
    "outer(self.context)": ({"outer"}, {"outer"}),
    "with_worker(self)": ({"by worker"}, {"by worker"}),
    "recursive(self.context)": ({"n"}, set()),
    "put(self.context, 'x')": ({"x"}, {"x"}),
    "take(context=self.context)": (set(), set()),
    "self.note('x')": ({"note"}, {"note"}),
    "Base.note(self, 'x')": ({"note"}, {"note"}),
    "self.prepare()": ({"prepared", "middle"}, {"prepared", "middle"}),
    "super().prepare()": ({"prepared", "middle"}, {"prepared", "middle"}),
    "super(Middle, self).note('x')": ({"note"}, {"note"}),
    "list(map(self.note, 'xy'))": ({"note"}, set()),
    "x = self.day": (set(), set()),
    "self.nothing = 1": (set(), set()),
}
KEYS = {
    "KEY": "constant",
    "keys.DAY": "keys.day",
    "IMPORTED": "imported",
    "self.KEY": "of the base",
    "self.KEY2": "own",
    "Plain.KEY": "plain",
    "TWICE": "b",
}
COMPUTED = [
    "self.argv[0]",
    "MANY[0]",
    "'a' + 'b'",
    "f'{1}'",
    "str(1)",
    "'a'.upper()",
    "keys.OTHER",
    "CHANGED",
    "Plain.CHANGED",
    "nowhere",
    "self.name",
    "1",
    "'a' if self else 'b'",
]
ESCAPES = [
    "Plain(self.context)",
    "Plain(context=self.context)",
    "[].append(self.context)",
    "x = [self.context]",
    "x = {'a': self.context}",
    "x = (self,)",
    "self.c = self.context",
    "x = functools.partial(helper, self.context)",
    "helper(*[self.context, 'x'])",
    "helper(*self.argv, self.context)",
    "operator.setitem(self.context, 'x', 1)",
    "f = helper\nf(self.context, 'x')",
    "f = self.context.set\nf('x', 1)",
    "f = self.context.__setitem__\nf('x', 1)",
    "setattr(self, 'd', self.context)",
    "vars(self)['context']['x'] = 1",
    "self.__dict__['context']['x'] = 1",
    "global C\nC = self.context\nC['x'] = 1",
    "context = self.context\nif self.argv: context = {}\ncontext['x'] = 1",
    "x = self.context if self.argv else {}",
    "(lambda c: c.set('x', 1))(self.context)",
    "def inner(c):\n    c['x'] = 1\ninner(self.context)",
    "self.context._store['x'] = 1",
    "x = self.context.update",
    "yield self.context",
    "helper(self.context, self.argv[0])",
    "helper(self.context, **{'key': 'x'})",
    "for x in [self]: x.context['x'] = 1",
    "x, y = self.context, 1\nx['x'] = 1",
    "for self.context in [{}]: self.context['x'] = 1",
    "with nullcontext(self.context) as c: c['x'] = 1",
    "x = getattr(self, 'con' + 'text')\nx['x'] = 1",
    "list(map(self.keyed, 'xy'))",
    "self.decorated()",
    "self.assigned()",
    "self.managed = 1",
    "x = self.assigned\nx()",
    "x = self.anonymous\nx()",
    "x = self.chosen\nx()",
    "x = self.described",
    "self.described = 1",
]


@pytest.mark.parametrize("body", WHOLE)
def test_each_way_to_use_it_is_known(tmp_path, body):
    flow = read(tmp_path, body)
    reads, needs, writes, changes = map(set, WHOLE[body])
    assert (set(flow.reads), set(flow.needs)) == (reads, needs)
    assert (set(flow.writes), set(flow.changes)) == (writes, changes)
    assert not is_open(flow)


@pytest.mark.parametrize("body", CALLS)
def test_it_is_followed_into_methods_bases_and_functions(tmp_path, body):
    flow = read(tmp_path, body, base="Middle")
    assert (set(flow.writes), set(flow.changes)) == CALLS[body]
    assert not is_open(flow)


@pytest.mark.parametrize("key", KEYS)
def test_a_constant_is_a_key(tmp_path, key):
    flow = read(tmp_path, f"self.context[{key}]", base="Base")
    assert (set(flow.needs), is_open(flow)) == ({KEYS[key]}, False)


@pytest.mark.parametrize("key", COMPUTED)
def test_a_computed_key_is_never_guessed(tmp_path, key):
    flow = read(tmp_path, f"self.context[{key}] = self.context.get({key})")
    assert (flow.reads, flow.writes, flow.may_read_more, flow.may_write_more) == ({}, {}, True, True)


def test_nor_is_an_attribute_that_is_assigned_to(tmp_path):
    flow = read(tmp_path, "self.KEY2 = 'x'\nself.context[self.KEY2] = 1")
    assert (flow.writes, flow.may_write_more) == ({}, True)


def test_nor_a_parameter_or_variable_that_changes(tmp_path):
    body = "key = 'x'\nfor key in self.argv: pass\nself.context[key] = 1"
    assert read(tmp_path, body).may_write_more
    hooks = "def on_exit(self, key='a'):\n    for n in '12':\n        self.context[key] = key = n\n"
    flow = read(tmp_path, "pass", hooks=hooks)
    assert (flow.writes, flow.may_write_more) == ({}, True)


@pytest.mark.parametrize("body", ESCAPES)
def test_where_it_goes_out_of_sight_anything_may_happen(tmp_path, body):
    hooks = """
    @logged
    def decorated(self): pass
    assigned = with_worker
    anonymous = lambda self: self.context.set("x", 1)
    if True:
        def chosen(self): self.context["x"] = 1
    def keyed(self, key="x"):
        self.context[key] = 1
    @property
    def managed(self): pass
    @managed.setter
    def managed(self, value): self.context["x"] = value
    described = Described()
    """
    assert read(tmp_path, body, hooks=hooks).may_write_more


@pytest.mark.parametrize(
    "body",
    [
        "for key in self.context: pass",
        "x = [key for key in self.context]",
        "x = self.context.items()",
        "print(self.context.keys(), self.context.keys)",
        "x = self.context == {}",
        "x = dict(self.context), {**self.context}, sorted(self.context), len(self.context)",
        "print(self.context, f'{self.context}')",
        "print(*self.context)",
        "dict(**self.context)",
        "self.context.clear()",
    ],
)
def test_what_looks_at_all_of_it_may_read_more_but_not_write(tmp_path, body):
    flow = read(tmp_path, body)
    assert (flow.may_read_more, flow.may_write_more) == (True, False)


@pytest.mark.parametrize(
    ("hook", "changes"),
    [("on_start", True), ("on_success", True), ("on_fail", False), ("on_exit", True), ("on_destroy", True)],
)
def test_hooks_are_read_too(tmp_path, hook, changes):
    flow = read(tmp_path, "pass", hooks=f"def {hook}(self):\n    self.context['x'] = 1\n")
    assert (set(flow.writes), bool(flow.changes)) == ({"x"}, changes)


def test_so_is_the_constructor(tmp_path):
    hooks = (
        "def __init__(self, context, *rest):\n    super().__init__(context, *rest)\n    context['x'] = 1\n"
    )
    flow = read(tmp_path, "pass", hooks=hooks)
    assert set(flow.writes) == {"x"}


@pytest.mark.parametrize(
    "source",
    [
        "import pytest\nclass W(Worker, pytest.Item):\n    def run(self): pass",
        "@anything\nclass W(Worker):\n    def run(self): pass",
        "class W(Worker, metaclass=Anything):\n    def run(self): pass",
        "class W(Worker):\n    run = anything",
    ],
    ids=["unknown base", "decorated", "metaclass", "assigned"],
)
def test_a_class_that_cannot_be_seen_whole_may_do_anything(tmp_path, source):
    root = write(tmp_path, **{"workers/workers.py": f"from pyrunner import Worker\n{source}\n"})
    assert check(root, row()).flows[1].may_write_more


def test_a_shell_row_does_nothing_with_it(tmp_path):
    flow = check(tmp_path, row(module="pyrunner", worker="ShellWorker")).flows[1]
    assert not (flow.reads or flow.writes or is_open(flow))


@pytest.mark.parametrize(("module", "worker"), [("$ENV{MODULE}", "W"), ("pytest", "Item"), ("nowhere", "W")])
def test_of_a_worker_that_is_not_found_nothing_is_known(tmp_path, module, worker):
    assert check(tmp_path, row(module=module, worker=worker)).flows.get(1) is None
