"""Writes the lists that these tests read, and reads them."""

import pytest

from pyrunner_airflow.tasklist import Diagnostic, LstError, TaskRow, parse_lst

DEFAULTS = {
    "id": "1",
    "parents": "-1",
    "attempts": "1",
    "wait": "0",
    "name": "Start",
    "module": "workers",
    "worker": "Start",
    "arguments": "",
    "logfile": "",
}


def row(**columns: str) -> str:
    return "|".join({**DEFAULTS, **columns}.values())


def rows(*parents: str) -> str:
    """One row for each text of PARENT_IDS, with the IDs 1, 2, 3..."""
    return "\n".join(row(id=str(id_), parents=text, name=f"n{id_}") for id_, text in enumerate(parents, 1))


def read_row(**columns: str) -> TaskRow:
    return parse_lst(row(**columns)).rows[0]


def problems(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(LstError) as caught:
        parse_lst(text, "my.lst")
    return caught.value.diagnostics


def codes(text: str) -> list[str]:
    return [problem.code for problem in problems(text)]
