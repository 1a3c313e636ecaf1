"""Options as TOML: the ``#AIRFLOW`` comments of a list, and files called ``pyrunner.toml``."""

from __future__ import annotations

import json
import re
from datetime import date, time
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from pyrunner_airflow.tasklist.diagnostics import Diagnostic, Place, Problems, quote

if TYPE_CHECKING:
    from collections.abc import Iterable

OPTIONS_FILE = "pyrunner.toml"
# Texts, which `re` compiles when they are used: most lists have no options.
_PREFIX = r"\s*#AIRFLOW(?:\s|$)"
# Only where options seem to be meant: a comment may well speak of Airflow.
_NEARLY = r"(?i)\s*#+\s*AIRFLOW(?:[\s:]+|(?=[^\W_]|\[))\[?[\w.\"'-]+(?:\]|\s*=)"
_TABLE = r"\s*(\[.*\])\s*(?:#.*)?"
_KEY = r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*="""
# Strings come whole, so that nothing in them counts.
_TOKEN = (
    r'(?s)"""(?:\\.|[^\\])*?"{3,5}|'
    r"'''.*?'{3,5}|"
    r'"(?:\\.|[^"\\\n])*"|'
    r"'[^'\n]*'|#[^\n]*|[\[{]|[\]}]|\n"
)
_POSITION = r" \(at (?:line (\d+), column (\d+)|end of document)\)$"
MAX_OPTIONS = 200_000
"""How many characters a document may have: room for a folder of some thousand lists."""
_LONG_NUMBER = r"[\d_]{4300}"
# Tables in tables: no option needs them, Python's own limit is not far, and tomllib looks at each key that
# leads to a table once for each of the keys before it.
_DEEPEST = 50
_DEEP_KEY = rf"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{_DEEPEST},}}"""
_HINT = 'Options are written like schedule = "0 6 * * *"; tables begin with [pyrunner] or [tasks.4].'
_HINTS = {"Invalid value": 'Write texts in quotes, "like this", and truth values as true or false.'}

KeyPath = tuple[str, ...]
"""The keys that lead to a value."""


class _Line(NamedTuple):
    number: int
    offset: int
    """Where the TOML begins in the line."""
    whole: str

    @property
    def toml(self) -> str:
        return self.whole[self.offset :]

    def place(self, text: str = "") -> Place:
        """Return the place of a text in this line, or of all that it has of the document."""
        text = text or self.toml.strip()
        start = self.whole.index(text, self.offset)
        return Place(self.number, start + 1, len(text), None, self.whole)


class Origin(NamedTuple):
    """What a document says, as it is written, and the file and the line that say it."""

    value: Any
    source: str
    line: int


class Document:
    """One TOML document, which knows where in its file each key stands."""

    def __init__(self, problems: Problems, lines: Iterable[_Line] | _Text) -> None:
        self._problems = problems
        self._text = lines if isinstance(lines, _Text) else _Text(lines)

    def __bool__(self) -> bool:
        return bool(self._text.lines)

    def of(self, problems: Problems) -> Document:
        """Return the same document with another collector for what is wrong with it."""
        return Document(problems, self._text)

    def error(self, code: str, path: KeyPath, message: str, hint: str) -> None:
        """Report an error at a key."""
        self._problems.error(code, self._text.place(path), message, hint)

    def diagnostic(self, code: str, path: KeyPath, message: str) -> Diagnostic:
        """Return an error at a key without a hint, for whoever may find it later."""
        return self._problems.diagnostic(code, self._text.place(path), message)

    def origin(self, path: KeyPath) -> Origin:
        """Return what the document says at a key, or around it, and where."""
        value: Any = self.parse()
        for key in path:
            if not isinstance(value, dict):
                break
            value = value[key]
        return Origin(value, self._problems.source, self._text.place(path).line)

    def report_unknown_list(self, path: KeyPath, known: Iterable[str]) -> None:
        """Warn of a table that is named after a list which is not there."""
        name = path[-1]
        message = f"these options are for no list: Airflow reads no {quote(name)} in this folder or below it"
        hint = self._problems.did_you_mean(name, known, quote)
        hint += "Name the table after a list's file, or after its path from the folder of this file."
        self._problems.warning("unknown-list", self._text.place(path), message, hint)

    def parse(self) -> dict[str, Any]:
        """Return the document's values; {} if it is no TOML, which is reported."""
        import tomllib  # only lists with options pay for it

        text, lines = self._text.toml, self._text.lines
        if len(text) > MAX_OPTIONS:
            hint = (
                f"Write {MAX_OPTIONS:,} characters at most; each folder may have a {OPTIONS_FILE} of its own."
            )
            self._report("the options are too long", hint)
            return {}
        try:
            if not (text.count(".") >= _DEEPEST and re.search(_DEEP_KEY, text)):
                values = tomllib.loads(text)
                if not _is_too_deep(values):
                    return values
            self._report_depth()
        except tomllib.TOMLDecodeError as error:
            self._report_syntax(str(error))
        except ValueError:  # what int() says to more than 4,300 digits
            line = next((line for line in lines if re.search(_LONG_NUMBER, line.toml)), lines[0])
            self._report("a number is too long", "Write a shorter one.", line.place())
        except RecursionError:
            self._report_depth()
        return {}

    def _report_syntax(self, text: str) -> None:
        message = re.sub(_POSITION, "", text)
        found = re.search(_POSITION, text)
        row, column = (int(number) for number in found.groups(default=0)) if found else (0, 0)
        if message.startswith("Cannot"):  # overwrite a value, declare a table twice: tomllib tells its end
            hint = "Remove one of the two, and write all options of a table below one heading."
            self._report("this is there already", hint, self._text.lines[row - 1].place())
        else:
            self._report(message, _HINTS.get(message, _HINT), self._text.point(row, column))

    def _report_depth(self) -> None:
        self._report("tables or arrays are nested too deeply", "No option needs that: write fewer brackets.")

    def _report(self, message: str, hint: str, place: Place | None = None) -> None:
        self._problems.error("invalid-toml", place or self._text.lines[0].place(), message, hint)

    def line_of_table(self, table: KeyPath) -> int | None:
        """Return the line of a table's own heading; for () that of the first heading of all."""
        headings = (line for path, line in self._text.headings if path == table or not table)
        return next(headings, None)


class _Text:
    """The lines of a document, and where in them each key stands."""

    def __init__(self, lines: Iterable[_Line]) -> None:
        self.lines = list(lines)
        self.toml = "\n".join(line.toml for line in self.lines)

    def place(self, path: KeyPath) -> Place:
        """Return where a key stands: its own line, that of something in it, or that of what it is in."""
        ends = range(len(path), 0, -1)
        return next((self._places[path[:end]] for end in ends if path[:end] in self._places), Place())

    @cached_property
    def _statements(self) -> list[_Line]:
        """The lines that begin a table or a value, not those in the midst of a value of several lines."""
        beginnings = [0]
        depth = number = 0
        for token in re.finditer(_TOKEN, self.toml):
            number += token[0].count("\n")
            depth += (token[0] in "[{") - (token[0] in "]}")
            if token[0] == "\n" and not depth:
                beginnings.append(number)
        return [self.lines[number] for number in beginnings]

    @cached_property
    def headings(self) -> list[tuple[KeyPath, int]]:
        tables = [line for line in self._statements if re.fullmatch(_TABLE, line.toml)]
        return [(_only_path(line.toml), line.number) for line in tables]

    @cached_property
    def _places(self) -> dict[KeyPath, Place]:
        exact: dict[KeyPath, Place] = {}
        around: dict[KeyPath, Place] = {}
        table: KeyPath = ()
        for line in self._statements:
            if heading := re.fullmatch(_TABLE, line.toml):
                path = table = _only_path(line.toml)
                place = line.place(heading[1])
            elif key := re.match(_KEY, line.toml):
                path = (*table, *_only_path(f"{key[1]} = 0"))
                place = line.place(key[1])
            else:
                continue
            exact[path] = place
            for end in range(1, len(path)):
                around.setdefault(path[:end], place)
        return around | exact

    def point(self, row: int, column: int) -> Place:
        """Return a place given by tomllib: from 1, or 0 for the end of the document."""
        line = self.lines[row - 1]
        end = len(line.whole) + 1
        start = line.offset + column if row else end
        return Place(line.number, start, int(start < end), None, line.whole)


def front_matter(lines: Iterable[str], problems: Problems) -> Document:
    """Return the document that a list carries in its comments."""
    found = []
    for number, line in enumerate(lines, 1):
        if "#" not in line or "airflow" not in line.lower():
            continue
        if match := re.match(_PREFIX, line):
            found.append(_Line(number, match.end(), line))
        elif re.match(_NEARLY, line):
            message = "this is a comment without effect, though it looks like an option"
            hint = "If it is meant as one, begin the line like this one: #AIRFLOW catchup = true"
            problems.warning("not-front-matter", Place(number, 1, len(line), None, line), message, hint)
    return Document(problems, found)


def options_file(lines: Iterable[str], problems: Problems) -> Document:
    """Return the document that a ``pyrunner.toml`` is."""
    return Document(problems, (_Line(number, 0, line) for number, line in enumerate(lines, 1)))


def to_toml(value: Any) -> str:
    """Return a value as it stands in TOML."""
    match value:
        case dict():
            pairs = (f"{to_key([str(key)])} = {to_toml(inner)}" for key, inner in value.items())
            return f"{{ {', '.join(pairs)} }}"
        case list():
            return f"[{', '.join(map(to_toml, value))}]"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")
        case date() | time():
            return value.isoformat()
    return repr(value).lower()  # true, 1, 1e-07, inf


def to_key(path: Iterable[str]) -> str:
    """Return the keys that lead to a value as one key of TOML."""
    return ".".join(key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else to_toml(key) for key in path)


def _is_too_deep(values: Any) -> bool:
    level = [values]
    for _ in range(_DEEPEST):
        tables = [value.values() for value in level if isinstance(value, dict)]
        arrays = [value for value in level if isinstance(value, list)]
        level = [*chain.from_iterable(tables), *chain.from_iterable(arrays)]
    return bool(level)


def _only_path(toml: str) -> KeyPath:
    """Return the keys of a text that has one table or one value."""
    import tomllib

    path: list[str] = []
    values: Any = tomllib.loads(toml)
    while isinstance(values, dict) and values:
        key, values = next(iter(values.items()))
        path.append(key)
    return tuple(path)
