"""What is shown of files outside of a folder, to which a link in it leads: that they have problems."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from pyrunner_airflow.tasklist import Diagnostic, Severity
from pyrunner_airflow.tasklist.diagnostics import Place, quote


def problem(code: str, path: Path, message: str, hint: str) -> Diagnostic:
    """Return an error that concerns a task list as a whole."""
    return Diagnostic(Severity.ERROR, code, str(path), *Place(), message, hint)


def without_texts_from_elsewhere(problems: Iterable[Diagnostic], folder: str | Path) -> Iterator[Diagnostic]:
    """
    Yield problems, those of a file that a link leads to outside of a folder as one that shows nothing of it.

    Whoever may put a link into a folder, or look at what is told of it, need not be one who may read all that
    this process can.
    """
    top = os.path.realpath(folder)
    for source, group in groupby(problems, lambda found: found.source):
        found, real = list(group), os.path.realpath(source)
        is_inside = real.startswith(os.path.join(top, ""))
        if is_inside or all(each.code == "unreadable-file" for each in found):
            yield from found
            continue
        count = f"{len(found)} problem{'' if len(found) == 1 else 's'}"
        message = f"it is a link to {quote(real, 1000)}, outside of {quote(top, 1000)}, and has {count}"
        command = f"pyrunner-airflow check {shlex.quote(source)}"
        hint = f"{command} shows them to whoever may read that file"
        yield problem("problems-elsewhere", Path(source), message, hint)
