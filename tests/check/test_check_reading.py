"""Whatever a module holds, it is read, and in time that grows with its size."""

import ast
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
