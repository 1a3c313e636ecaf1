"""The page docs/codes.md: its examples are checked, and what `check` prints stands below each.

    python -m scripts.codes_page

writes the page anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[1] / "docs" / "codes.md"
_SECTION = re.compile(r"^### `([a-z0-9-]+)`\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILES = {
    "lst": "my.lst",
    "python": "workers.py",
    "toml": "pyrunner.toml",
    "json": "my.json",
    "bash": "app_profile",
}
_WORKERS = "from pyrunner import Worker\n\n\nclass Start(Worker):\n    def run(self):\n        pass\n"
_SYMBOLS = re.compile("[\u2400-\u241f]")


class Example(NamedTuple):
    """A code's section: the files of the example, by name, and what is printed about them."""

    code: str
    files: dict[str, str]
    printed: str


def examples(page: str) -> Iterator[Example]:
    """Yield the examples of a page."""
    for code, section in _SECTION.findall(page):
        blocks = dict(_BLOCK.findall(section))
        printed = blocks.pop("text")
        yield Example(code, {_FILES[language]: text for language, text in blocks.items()}, printed)


def check(example: Example) -> str:
    """Return what `check` prints about an example, without the count at its end."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"workers.py": _WORKERS, **example.files}.items():
            Path(folder, name).write_bytes(_bytes(text))
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pyrunner_airflow",
                "check",
                "my.json" if "my.json" in example.files else "my.lst",
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            env={**os.environ, "AIRFLOW__PYRUNNER_AIRFLOW__ENVIRONMENT": "prdo"},
        )
    assert done.stderr == "", done.stderr
    return done.stdout.rpartition("\n\n")[0] + "\n"


def render(page: str) -> str:
    """Return the page with what `check` prints today."""
    for example in examples(page):
        before, heading, after = page.partition(f"### `{example.code}`\n")
        old, new = (f"```text\n{printed}```" for printed in (example.printed, check(example)))
        page = before + heading + after.replace(old, new, 1)
    return page


def _bytes(text: str) -> bytes:
    """Put what a page can't show in place of what stands for it there."""
    text = _SYMBOLS.sub(lambda symbol: chr(ord(symbol[0]) - 0x2400), text)
    return text.encode().replace("\N{REPLACEMENT CHARACTER}".encode(), "ü".encode("cp1252"))


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text()))
