"""Workers of an interpreter of their own: nothing is said of what only that interpreter knows."""

import pytest

from tests.check.checked import check, codes, row, write

OWN = '#AIRFLOW pyrunner.python = "/opt/etl/bin/python"'
WORKER = "from only_there import Base\nclass W(Base):\n    def run(self): pass\n"


def test_a_module_that_may_be_installed_there_is_a_note(tmp_path):
    root = write(tmp_path, **{"workers/workers.py": WORKER})
    findings = check(root, row(), row(id=2, module="only_there"), options=OWN)
    assert codes(findings) == []
    (note,) = findings.notes
    assert note.endswith(
        ": module only_there is not among the app's; nothing was asked of /opt/etl/bin/python, which runs it"
    )


def test_a_module_of_another_pythons_syntax_is_a_note(tmp_path):
    root = write(tmp_path, **{"workers/workers.py": "class W(:"})
    findings = check(root, row(), options=OWN)
    assert (codes(findings), len(findings.notes)) == ([], 1)


@pytest.mark.parametrize(("id_", "expected"), [(1, []), (2, ["module-not-found"])])
def test_it_holds_for_the_row_that_has_it(tmp_path, id_, expected):
    root = write(tmp_path, **{"workers/workers.py": WORKER})
    options = f'#AIRFLOW tasks.{id_}.pyrunner.python = "/opt/etl/bin/python"'
    other = row(id=3 - id_)
    assert codes(check(root, other, row(id=id_, module="only_there"), options=options)) == []
    found = check(root, row(id=1, module="only_there"), row(id=2), options=options)
    assert codes(found) == expected


def test_a_class_that_the_module_does_not_have_is_an_error_as_ever(tmp_path):
    root = write(tmp_path, **{"workers/workers.py": "from pyrunner import Worker\n"})
    assert codes(check(root, row(), options=OWN)) == ["class-not-found"]
