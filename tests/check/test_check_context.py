"""What rows do to each other through the context."""

import pytest

from tests.check.checked import check, codes, row, write

WORKERS = """\
from pyrunner import Worker

class Write(Worker):
    def run(self):
        self.context["key"] = 1

class Read(Worker):
    def run(self):
        print(self.context["key"])

class Get(Worker):
    def run(self):
        print(self.context.get("key", 0))

class Add(Worker):
    def run(self):
        self.context["key"] += 1

class Pop(Worker):
    def run(self):
        self.context.pop("key")

class Both(Worker):
    def run(self):
        self.context["key"] = self.context.get("key", 0) + 1

class Maybe(Worker):
    def run(self):
        if self.argv:
            self.context["key"] = 1

class Once(Worker):
    def run(self):
        self.context.setdefault("key", 1)

class Computed(Worker):
    def run(self):
        self.context[self.argv[0]] = 1

class Unseen(Worker):
    def run(self):
        open(self)

class Nothing(Worker):
    def run(self):
        pass
"""
UNWRITTEN, READ, WRITES = "unwritten-key", "unordered-read", "unordered-writes"


@pytest.fixture
def told(tmp_path):
    """Write workers, and return the codes that are told of a list: each row a worker and its parents."""

    def told(*rows, options=""):
        root = write(tmp_path, **{"workers/workers.py": WORKERS})
        lines = [row(id=id_, parents=parents, worker=worker) for id_, (worker, parents) in enumerate(rows, 1)]
        return codes(check(root, *lines, options=options))

    return told


CHAIN = "the rows in a chain"
CASES = [
    ("a parent writes it", [("Write", "-1"), ("Read", "1")], []),
    ("an ancestor writes it", [("Write", "-1"), ("Nothing", "1"), ("Read", "2")], []),
    ("an ancestor further down writes it", [("Read", "3"), ("Write", "-1"), ("Nothing", "2")], []),
    ("one of two ancestors may write it", [("Maybe", "-1"), ("Nothing", "-1"), ("Read", "1,2")], []),
    ("nobody writes it", [("Read", "-1")], [UNWRITTEN]),
    ("nobody writes what is added to", [("Add", "-1")], [UNWRITTEN]),
    ("nobody writes what is popped", [("Pop", "-1")], [UNWRITTEN]),
    ("nobody writes what is asked for", [("Get", "-1")], []),
    ("the reader writes it itself", [("Both", "-1")], []),
    ("rows of one worker read it", [("Read", "-1"), ("Read", "1")], [UNWRITTEN]),
    ("a computed key may be it", [("Computed", "-1"), ("Read", "1")], []),
    ("a computed key elsewhere may be it", [("Computed", "-1"), ("Read", "-1")], []),
    ("a worker that is not seen whole may write it", [("Unseen", "-1"), ("Read", "1")], []),
    ("a worker that is not found may write it", [("$ENV{WORKER}", "-1"), ("Read", "1")], []),
    ("a row beside it writes it", [("Write", "-1"), ("Read", "-1")], [READ]),
    ("a row beside it writes what is asked for", [("Write", "-1"), ("Get", "-1")], [READ]),
    ("a row below writes it", [("Read", "-1"), ("Write", "1")], [READ]),
    ("a row below writes what is asked for", [("Get", "-1"), ("Write", "1")], []),
    ("a row beside and an ancestor write it", [("Write", "-1"), ("Write", "1"), ("Read", "1")], []),
    ("an ancestor may write it too", [("Write", "-1"), ("Computed", "-1"), ("Read", "2")], []),
    ("an ancestor deletes it only", [("Write", "-1"), ("Pop", "1"), ("Read", "2")], []),
    ("two write it in a chain", [("Write", "-1"), ("Both", "1")], []),
    ("two write it side by side", [("Write", "-1"), ("Write", "-1")], [WRITES]),
    ("two write it far from each other", [("Write", "-1"), ("Nothing", "-1"), ("Write", "2")], [WRITES]),
    ("one may write it beside another", [("Write", "-1"), ("Maybe", "-1")], []),
    ("one sets a default beside another", [("Write", "-1"), ("Once", "1"), ("Once", "1")], []),
    ("two delete it side by side", [("Write", "-1"), ("Pop", "1"), ("Pop", "1")], [WRITES]),
    ("two add to it side by side", [("Write", "-1"), ("Add", "1"), ("Add", "1")], [WRITES]),
    ("two computed keys", [("Computed", "-1"), ("Computed", "-1")], []),
]


@pytest.mark.parametrize(("rows", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_key_is_read_and_written_in_order(told, rows, expected):
    assert told(*rows) == expected


@pytest.mark.parametrize("rows", [[("Read", "-1")], [("Write", "-1"), ("Read", "-1")]])
def test_what_cvar_gives_is_there_from_the_start(told, rows):
    assert told(*rows, options="#AIRFLOW pyrunner.cvar.key = 1") == []


def test_a_key_that_nobody_writes_is_told_where_it_is_read(tmp_path):
    root = write(tmp_path, **{"workers/workers.py": WORKERS.replace('["key"] = 1', '["kye"] = 1')})
    rows = [row(worker="Write"), row(id=2, parents="1", worker="Read"), row(id=3, parents="2", worker="Read")]
    (found,) = check(root, *rows).diagnostics
    assert (found.source, found.line, found.text) == (
        str(root / "workers/workers.py"),
        9,
        '        print(self.context["key"])',
    )
    assert (
        found.message
        == f"rows 2 to 3 of {root / 'config/my.lst'} read the context's 'key', but no row writes it"
    )
    assert found.hint.startswith("Did you mean 'kye'? ")


def test_a_row_that_does_not_wait_is_told_what_for(tmp_path):
    root = write(tmp_path, **{"workers/workers.py": WORKERS})
    (found,) = check(root, row(worker="Write"), row(id=2, worker="Read")).diagnostics
    file = root / "workers/workers.py"
    assert (found.line, found.column_name) == (2, "PARENT_IDS")
    assert found.message == (
        f"row 2 reads the context's 'key' ({file}:9), but does not wait for row 1, which writes it ({file}:5)"
    )
    assert found.hint == "Add 1 to PARENT_IDS of row 2."


def test_one_that_runs_too_early_too(tmp_path):
    root = write(tmp_path, **{"workers/workers.py": WORKERS})
    (found,) = check(root, row(worker="Read"), row(id=2, parents="1", worker="Write")).diagnostics
    file = root / "workers/workers.py"
    assert found.message == (
        f"row 1 reads the context's 'key' ({file}:9), but only row 2, after it, writes it ({file}:5)"
    )


def test_rows_that_write_side_by_side_are_told_together(tmp_path):
    root = write(tmp_path, **{"workers/workers.py": WORKERS})
    (found,) = check(root, *(row(id=id_, worker="Write") for id_ in (1, 2, 3, 7))).diagnostics
    assert (found.line, found.column_name) == (4, "PARENT_IDS")
    assert found.message.startswith("rows 1 to 3, 7 change the context's 'key' side by side")
