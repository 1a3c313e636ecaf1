"""What is wrong with a task list: where, what, and what to do about it."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Would act on a terminal, or put the caret under the wrong text: controls other than tab,
# lone surrogates, line separators, and the marks that turn the direction of writing.
# And what GitHub's runner takes for a command in a program's output: `::` at the beginning of a line, `##[`.
_UNSHOWABLE = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]|\A\s*+:(?=:)|#(?=#\[)"
)
_LOOK_ALIKES = {":": "\N{RATIO}", "#": "\N{MUSIC SHARP SIGN}"}
# A line is shown whole up to this many characters, else that much of it around the caret:
# thousands of problems in one endless line would otherwise make an endless text.
_SHOWN = 160
# A file of some other kind has a problem in each of its thousands of lines.
MAX_SHOWN = 100
# Of a file that goes with many lists, each of which has all of them.
_MOST_OF_OTHERS = 1000
# A near match costs a comparison with everything that is known. Whoever has more unknown names than this has
# another problem than typing errors.
NEAR_MATCHES = 10


class Severity(StrEnum):
    """An error stops the list from being used, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Place(NamedTuple):
    """A stretch of a file's text. Without a line it is the file as a whole.

    line, column: from 1; line 0 is the whole file.
    length: characters from column on.
    column_name: the list's column, such as ``PARENT_IDS``, where it lies within one.
    text: the whole line.
    """

    line: int = 0
    column: int = 1
    length: int = 0
    column_name: str | None = None
    text: str = ""


class Diagnostic(NamedTuple):
    """One problem. ``str()`` draws it with its line, a caret and the hint.

    code: stable, such as ``unknown-parent``.
    line, column, length, column_name, text: as in `Place`.
    hint: what to do.
    """

    severity: Severity
    code: str
    source: str
    line: int
    column: int
    length: int
    column_name: str | None
    text: str
    message: str
    hint: str

    def __str__(self) -> str:
        """Draw the problem over several lines, without a final line end."""
        where = f"{showable(self.source)}:{self.line}:{self.column}" if self.line else showable(self.source)
        lines = [f"{where}: {self.severity}[{self.code}]: {showable(self.message)}"]
        if self.text:
            lines += _underline(self.text, self.column - 1, self.length)
        first, *more = self.hint.split("\n")  # its line ends are ours: what it quotes has none
        lines += [f"    hint: {showable(first)}", *map(showable, more)]
        return "\n".join(lines)


class LstError(ValueError):
    """A task list that can't be used. Its text is all of its problems, up to a hundred a file.

    diagnostics: errors and warnings, in the order of the file.
    """

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        """Draw the problems, with a blank line between them."""
        drawn: list[str] = []
        for source, group in groupby(self.diagnostics, lambda problem: problem.source):
            found = list(group)
            drawn += map(str, found[:MAX_SHOWN])
            if len(found) > MAX_SHOWN:
                drawn.append(f"{showable(source)}: {len(found) - MAX_SHOWN} more: mend these first.")
        return "\n\n".join(drawn)


class Problems:
    """Collects the problems of a list and of the files that go with it, so that all are reported together."""

    def __init__(self, source: str, found: list[Diagnostic] | None = None) -> None:
        self.source = source
        self._asked = 0
        self._found: list[Diagnostic] = [] if found is None else found

    def of(self, source: str) -> Problems:
        """Return a collector for another file, whose problems are reported with these."""
        return Problems(source, self._found)

    def add(self, others: Problems) -> None:
        """Report the first problems of another collector with these: nobody reads thousands."""
        self._found += others._found[:_MOST_OF_OTHERS]

    def did_you_mean(self, name: str, known: Iterable[str], shown: Callable[[str], str] | None = None) -> str:
        """Ask about the first names alone."""
        self._asked += 1
        return did_you_mean(name, known, shown=shown) if self._asked <= NEAR_MATCHES else ""

    def error(self, code: str, place: Place, message: str, hint: str) -> None:
        """Note an error."""
        self._found.append(self.diagnostic(code, place, message, hint))

    def diagnostic(self, code: str, place: Place, message: str, hint: str = "") -> Diagnostic:
        """Return an error."""
        return Diagnostic(Severity.ERROR, code, self.source, *place, message, hint)

    def warning(self, code: str, place: Place, message: str, hint: str) -> None:
        """Note a warning."""
        self._found.append(Diagnostic(Severity.WARNING, code, self.source, *place, message, hint))

    @property
    def has_errors(self) -> bool:
        """Whether there is anything worse than warnings."""
        return any(problem.severity is Severity.ERROR for problem in self._found)

    def as_error(self) -> LstError:
        """Return everything as one error, what is wrong with the list itself first."""

        def order(problem: Diagnostic) -> tuple[bool, str, int, int]:
            return problem.source != self.source, problem.source, problem.line, problem.column

        return LstError(tuple(sorted(self._found, key=order)))


def did_you_mean(
    name: str,
    known: Iterable[str],
    limit: int = 3,
    cutoff: float = 0.6,
    shown: Callable[[str], str] | None = None,
) -> str:
    """Return a question about the known names that are nearest to a name, and a blank; "" if none is near."""
    from difflib import get_close_matches  # only those who made a mistake pay for it

    near = get_close_matches(name, list(known), limit, cutoff)
    return f"Did you mean {' or '.join(map(shown or showable, near))}? " if near else ""


def quote(text: str, limit: int = 60) -> str:
    """Return a value as a message shows it: in quotes, short, with nothing invisible in it."""
    return repr(text if len(text) <= limit else f"{text[:limit]}...")


def showable(text: str) -> str:
    """Replace each character that must not be printed, line ends among them, by one that stands for it."""
    return _UNSHOWABLE.sub(_stand_in, text)


def _stand_in(match: re.Match[str]) -> str:
    before, last = match[0][:-1], match[0][-1]
    if last in _LOOK_ALIKES:
        return before + _LOOK_ALIKES[last]
    code = ord(last)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"


def _underline(text: str, start: int, length: int) -> list[str]:
    """Return the line, or the part of it around `start`, and the line of carets below it."""
    first = max(0, start - _SHOWN // 3) if len(text) > _SHOWN else 0
    shown = showable(text[first : first + _SHOWN])
    before = "..." if first else ""
    after = "..." if first + _SHOWN < len(text) else ""
    start -= first
    # A tab under a tab keeps both lines in step, however wide the terminal draws it.
    indent = "".join("\t" if char == "\t" else " " * _width(char) for char in before + shown[:start])
    carets = "^" * max(1, display_width(shown[start : start + length]))
    return [f"    {before}{shown.rstrip()}{after}", f"    {indent}{carets}"]


def display_width(text: str) -> int:
    """Return how many columns of a terminal a text takes; a tab counts as one."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
