"""The commands, given PyRunner's other format."""

import pytest
from command import run

LIST = """\
{
  "tasks": {
    "Start": {"module": "workers", "worker": "Start"},
    "Load":   {"dependencies": ["Start"], "module": "workers", "worker": "Laod"}
  }
}
"""
WORKERS = "from pyrunner import Worker\nclass Start(Worker):\n    def run(self):\n        pass\n"
FOUND = "my.json:4:5: error[class-not-found]: there is no class Laod in workers.py\n    "


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my.json").write_text(LIST)
    (tmp_path / "workers.py").write_text(WORKERS)
    (tmp_path / "package.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("path", [".", "my.json"])
def test_check_reads_its_workers(folder, path):
    done = run("check", path, cwd=folder)
    assert (done.code, done.out.startswith(FOUND)) == (1, True)
    assert done.out.endswith("1 error in 1 list.\n")


def test_show_has_its_tasks_as_rows(folder):
    assert "2  Load  after 1\n   workers.Laod\n" in run("show", "-", stdin=LIST, cwd=folder).out


def test_fmt_leaves_it_as_it_is(folder):
    done = run("fmt", ".", cwd=folder)
    assert (done.code, done.err) == (0, "Lists: 1 left as they were\n")
    assert (folder / "my.json").read_text() == LIST
