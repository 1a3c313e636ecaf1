"""The table of docs/compatibility.md that says what is tested with which Airflow and Python.

`make record` runs the tests. Each run in which all pass leaves a record in docs/tested, and the table has it.

    python -m scripts.compatibility

fails unless there is one of each Airflow that `make test` installs.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "compatibility.md"
RECORDS = ROOT / "docs" / "tested"
_HEAD = "| Airflow | Python | tests that passed |\n| --- | --- | --- |\n"
_TABLE = re.compile(r"(?<=<!-- make record -->\n\n)((\|.*\n)+\n)?")


class Record(NamedTuple):
    """A run of the tests in which all passed."""

    airflow: str
    python: str
    selected: str
    """Which tests were to run: pytest's -m; empty for all that this Airflow is to pass."""
    passed: int

    def keep(self, folder: Path = RECORDS) -> None:
        """Write it into a folder, in place of what was there of the same versions."""
        folder.mkdir(exist_ok=True)
        (folder / f"{self.airflow}-{self.python}.json").write_text(
            json.dumps(self._asdict(), indent=2) + "\n"
        )


def records(folder: Path = RECORDS) -> list[Record]:
    """Return what was kept, the oldest Airflow first."""
    kept = [Record(**json.loads(file.read_text())) for file in folder.glob("*.json")]
    return sorted(kept, key=lambda record: (_numbers(record.airflow), _numbers(record.python)))


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def table(kept: list[Record]) -> str:
    """Return the table, in Markdown, with a blank line below it; nothing where nothing was kept."""
    lines = [
        f"| {record.airflow} | {record.python} | {record.passed:,}"
        f"{', those of `make test`' if record.selected else ', all'} |\n"
        for record in kept
    ]
    return f"{_HEAD}{''.join(lines)}\n" if lines else ""


def render(page: str) -> str:
    """Return the page with the table of all that is recorded."""
    return _TABLE.sub(lambda _: table(records()), page)


def _pinned() -> set[str]:
    """Return the Airflows that `make test` installs."""
    texts = (file.read_text() for file in ROOT.glob("constraints*.txt"))
    return {
        version for text in texts for version in re.findall(r"^apache-airflow==(.+)$", text, re.MULTILINE)
    }


if __name__ == "__main__":
    if missing := _pinned() - {record.airflow for record in records()}:
        raise SystemExit(f"no tests have passed with Airflow {', '.join(sorted(missing))}")
