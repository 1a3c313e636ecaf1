"""Writes apps, and says what the check tells of them without running them."""

import textwrap

from pyrunner_airflow.check import Check
from pyrunner_airflow.tasklist import read_lst


def write(root, **files):
    """Write files of an app, by their paths; returns its folder."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    return root


def row(id=1, parents="-1", module="workers", worker="W", arguments=""):
    return f"{id}|{parents}|1|0|Row {id}|{module}|{worker}|{arguments}|"


def check(root, *rows, options=""):
    """Return the findings of an app whose list has these rows."""
    path = root / "config" / "my.lst"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(filter(None, [options, *rows])))
    return Check(read_lst(path), path.read_text().split("\n"), str(path), {})


def codes(findings):
    return [problem.code for problem in findings.diagnostics]
