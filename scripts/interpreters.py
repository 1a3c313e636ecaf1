"""Pythons that this machine has beside the one that runs the tests; pyenv keeps its own off PATH.

    python -m scripts.interpreters 3.13

prints the path of one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ("3.8", "3.9", "3.10", "3.13", "3.14")


def find(version: str) -> str | None:
    """Return the path of a Python that runs, or None."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
    return next(filter(_runs, filter(None, candidates)), None)


def _runs(command: str) -> bool:
    return subprocess.run([command, "-c", ""], capture_output=True).returncode == 0


INTERPRETERS = {version: path for version in VERSIONS if (path := find(version))}
"""Their paths, by version."""
OLDEST = next(iter(INTERPRETERS.values()), "")
"""The path of the oldest; nothing where there is none."""


def header() -> str:
    """Say for whoever reads the session's head what was found."""
    missing = [version for version in VERSIONS if version not in INTERPRETERS]
    return f"interpreters of their own: {', '.join(INTERPRETERS)}; not here: {', '.join(missing) or 'none'}"


if __name__ == "__main__":
    print(find(sys.argv[1]) or sys.exit(f"Python {sys.argv[1]} is not here, and left out."))
