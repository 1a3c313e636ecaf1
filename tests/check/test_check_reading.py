"""Whatever a module holds, it is read, and in time that grows with its size."""

import ast
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrunner_airflow.check import Check
from pyrunner_airflow.check.evaluator import flow_of
from pyrunner_airflow.check.modules import Module, Modules
from pyrunner_airflow.tasklist import parse_lst
from tests.check.checked import row
from tests.counting import count_calls

LIBRARY = Path(ast.__file__).parent


@pytest.mark.parametrize("folder", [LIBRARY, LIBRARY / "asyncio", LIBRARY / "concurrent/futures"])
def test_each_class_of_pythons_own_library_is_read(folder):
    files = sorted(folder.glob("*.py"))
    assert files
    for file in files:
        module = Module(Modules(str(folder), str(folder)), file.stem, str(file))
        for name in module.classes:
            flow_of(module.look_up(name))


@given(st.binary() | st.text(alphabet="classdfWorke()=:.,[]'\n \t#@\\{}").map(str.encode))
def test_any_bytes_are_a_module_or_an_error_of_it(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("app")
    (root / "workers.py").write_bytes(data)
    line = row()
    found = Check(parse_lst(line, str(root / "my.lst")), [line], str(root / "my.lst"), {})
    codes = {problem.code for problem in found.diagnostics}
    assert codes <= {"invalid-python", "class-not-found", "not-a-worker"}
    assert all(str(problem) for problem in found.diagnostics)


def steps(root, lines, workers):
    """Count the calls that a check makes."""
    (root / "workers.py").write_text(f"from pyrunner import Worker\n{workers}")
    task_list = parse_lst("\n".join(lines), str(root / "my.lst"))
    return count_calls(Check, task_list, lines, task_list.source, {})


def workers(size, body):
    """Write one worker for each number, which stands in it in place of #."""
    worker = f"class W#(Worker):\n    def run(self):\n        {body}\n"
    return "".join(worker.replace("#", str(number)) for number in range(size))


def rows(size, parents=lambda number: -1, worker="W#"):
    ids = range(1, size + 1)
    return [row(id=id_, parents=parents(id_), worker=worker.replace("#", str(id_ - 1))) for id_ in ids]


def above(number):
    return number - 1 or -1


SHAPES = {
    "a chain of keys": lambda n: (rows(n, above), workers(n, "self.context['k#'] = 1")),
    "one worker": lambda n: (rows(n, above, "W0"), workers(1, "self.context['k'] = self.context.get('k')")),
    "one key read by all": lambda n: (rows(n, above), workers(n, "self.context['k'] += 1")),
    "one key written side by side": lambda n: (rows(n), workers(n, "self.context['k'] = 1")),
    "keys that nobody writes": lambda n: (rows(n), workers(n, "self.context['k#']")),
    "classes that are not there": lambda n: (rows(n, worker="V#"), workers(n, "pass")),
    "computed keys": lambda n: (rows(n), workers(n, "self.context[self.argv[#]] = self.context[KEY]")),
    "wrong codes": lambda n: (rows(n), workers(n, "return 'done'")),
    "aliases": lambda n: (rows(n), workers(n, "c = self.context; c['k#'] = c['k']")),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_ten_times_the_size_takes_about_ten_times_the_work(tmp_path, shape):
    small, large = (steps(tmp_path, *SHAPES[shape](size)) for size in (100, 1000))
    assert large < 12 * small + 1000


def chain(number, body):
    """Write one class on another."""
    return "class A0(Worker):\n    def run(self): pass\n" + "".join(
        f"class A{at}(A{at - 1}):\n    {body.replace('#', str(at))}\n" for at in range(1, number)
    )


def diamonds(number):
    return "class A0(Worker):\n    def run(self): pass\n" + "".join(
        f"class B{at}(A{at}): pass\nclass C{at}(A{at}): pass\nclass A{at + 1}(B{at}, C{at}): pass\n"
        for at in range(number)
    )


def layers(number):
    """Write classes of which each extends all those of the layer before."""
    first = "".join(f"class L0_{at}(Worker):\n    def run(self): pass\n" for at in range(number))
    return first + "".join(
        f"class L{layer}_{at}({', '.join(f'L{layer - 1}_{below}' for below in range(number))}): pass\n"
        for layer in range(1, 12)
        for at in range(number)
    )


def bases(number, head):
    """Write classes that extend something that is imported."""
    return head(number) + "".join(f"class C{at}(a{at}): pass\n" for at in range(number))


def one_import(number):
    return f"from nowhere import {', '.join(f'a{at}' for at in range(number))}\n"


def star_imports(number):
    return "".join(f"from nowhere{at} import *\n" for at in range(number))


# The worker that is looked for, its module, and the smaller of two sizes.
HOSTILE = {
    "hooks in classes upon classes": ("A#", lambda n: chain(n, "def on_x#(self): pass"), 40),
    "diamonds": ("A#", diamonds, 40),
    "layers of classes": ("L11_0", layers, 8),
    "one import of many names": ("Nope", lambda n: bases(n, one_import), 2000),
    "many star imports": ("Nope", lambda n: bases(n, star_imports), 1000),
    "a function with many parameters": (
        "W",
        lambda n: (
            f"def f(c, {', '.join(f'a{at}=1' for at in range(n))}): pass\n"
            + "class W(Worker):\n    def run(self):\n"
            + "".join(f"        f(self.context, 'x{at}')\n" for at in range(n))
        ),
        1000,
    ),
}


def seconds(root, worker, text):
    """Return the processor time that a check takes: the best of three."""
    (root / "workers.py").write_text(f"from pyrunner import Worker\n{text}")
    line = row(worker=worker)
    task_list = parse_lst(line, str(root / "my.lst"))
    times = []
    for _ in range(3):
        start = time.process_time()
        Check(task_list, [line], task_list.source, {})
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("shape", HOSTILE)
def test_four_times_the_size_takes_no_square_of_the_time(tmp_path, shape):
    worker, text, size = HOSTILE[shape]
    small, large = (seconds(tmp_path, worker.replace("#", str(n - 1)), text(n)) for n in (size, size * 4))
    assert large < 10 * small + 0.2


def calls(number, depth):
    """Write methods that call each other with texts, which makes for texts to the power of methods."""
    methods = ["def run(self):\n" + "".join(f"        self.f0('a{at}')\n" for at in range(number))]
    for at in range(depth):
        parameters = ", ".join(f"p{below}" for below in range(at + 1))
        body = "".join(f"        self.f{at + 1}({parameters}, 'b{text}')\n" for text in range(number))
        methods.append(f"def f{at}(self, {parameters}):\n{body}")
    parameters = ", ".join(f"p{below}" for below in range(depth + 1))
    methods.append(f"def f{depth}(self, {parameters}):\n        self.context[p0] = 1\n")
    return "class W(Worker):\n    " + "\n    ".join(methods)


def test_of_calls_with_endless_values_nothing_is_guessed(tmp_path):
    (tmp_path / "workers.py").write_text(f"from pyrunner import Worker\n{calls(20, 8)}")
    task_list = parse_lst(row(), str(tmp_path / "my.lst"))
    start = time.process_time()
    flow = Check(task_list, [row()], task_list.source, {}).flows[1]
    assert time.process_time() - start < 20  # of which it takes one
    assert (flow.may_read_more, flow.may_write_more) == (True, True)
    assert not flow.needs


def test_a_thousand_calls_of_a_helper_are_all_read(tmp_path):
    body = "".join(f"        self.put('k{at}')\n" for at in range(1000))
    put = "    def put(self, key):\n        self.context[key] = 1\n"
    (tmp_path / "workers.py").write_text(
        f"from pyrunner import Worker\nclass W(Worker):\n    def run(self):\n{body}{put}"
    )
    task_list = parse_lst(row(), str(tmp_path / "my.lst"))
    flow = Check(task_list, [row()], task_list.source, {}).flows[1]
    assert (len(flow.writes), flow.may_write_more) == (1000, False)


def test_a_module_that_is_too_large_is_not_read_and_told(tmp_path):
    with (tmp_path / "workers.py").open("w") as file:
        file.truncate(10_000_001)
    task_list = parse_lst(row(), str(tmp_path / "my.lst"))
    found = Check(task_list, [row()], task_list.source, {})
    assert found.diagnostics == ()
    assert found.notes == [f"{tmp_path}/workers.py can't be read: it is larger than 10 MB"]
