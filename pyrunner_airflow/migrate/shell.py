"""The commands of a line of shell, and what is left of them without the programs that only start others."""

from __future__ import annotations

import getopt
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from pyrunner_airflow.migrate.settings import Note, by_hand

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Possessive, since each could otherwise be taken for single characters in many ways.
_COMMAND = r"\$\((?:[^()]|\((?:[^()]|\([^()]*+\))*+\))*+\)|`[^`]*+`"
_DOUBLE = rf"\"(?:\\.|{_COMMAND}|[^\"\\])*+\""
_WORD = rf"(?:\\.|'[^']*+'|{_DOUBLE}|{_COMMAND}|\$\{{[^}}]*+\}}|[^\s'\"`\\;&|<>()])++"
_TOKEN = re.compile(
    r"(?s)(?P<blank>[ \t\r]+|\\\r?\n|(?<![^\s;&|()])#[^\n]*)"
    rf"|(?P<redirection>\d*(?:&>>|&>|>>|>&|<&|>\||<<<|<<-?|<>|>|<))[ \t]*(?P<target>{_WORD})?"
    r"|(?P<end>&&|\|\||;;|[;&|()\n])"
    rf"|(?P<word>{_WORD})"
    r"|(?P<unclosed>.{1,30})"
)
_PIECE = re.compile(rf"(?s)\\(.)|'([^']*)'|({_DOUBLE})|({_COMMAND})|\$(?:\{{(\w+)\}}|(\w+))")
_OWN_FOLDER = re.compile(r"dirname\W+(?:\$0|\$?\{?BASH_SOURCE(?:\[0\])?\}?)[\"\s)`]*((?:/[.\w-]+)*)")
_ASSIGNMENT = re.compile(r"(?s)([A-Za-z_]\w*)=(.*)")
_RESERVED = frozenset(("if", "then", "else", "elif", "do", "while", "until", "fi", "done", "{", "}", "!"))
HARMLESS = frozenset(("set", "exit", "true", ":", "echo", "return", "date", "shift"))
"""What may be left out without a word."""

ITS_USER = "ran as {user}, here as Airflow's user, who must be able to do the same"
_ONE_AT_A_TIME = "as with max_active_runs = 1, which is so without being told"
_PRIORITY = "priority is that of Airflow's service"
_STARTERS: dict[str, tuple[str, int, str]] = {
    **dict.fromkeys(("nohup", "setsid", "exec", "command", "chronic", "cronic"), ("a:cefklpvw", 0, "")),
    "time": ("f:o:apqv", 0, ""),
    "stdbuf": ("i:o:e:", 0, ""),
    "env": ("u:C:S:i0v", 0, ""),
    "nice": ("n:0123456789", 0, _PRIORITY),
    "ionice": ("c:n:p:t", 0, _PRIORITY),
    "flock": ("w:E:c:eFnosuvx", 1, _ONE_AT_A_TIME),
    "run-one": ("", 0, _ONE_AT_A_TIME),
    "timeout": ("k:s:fpv", 1, "dagrun_timeout, or execution_timeout of a row"),
    "sudo": ("u:g:p:C:D:h:R:T:AbEHiknPSs", 0, ITS_USER),
    **dict.fromkeys(("su", "runuser"), ("u:s:g:G:w:c:flmpP", 9, ITS_USER)),
    **dict.fromkeys(("sh", "bash", "dash", "ksh", "zsh"), ("c:o:O:abefhiklmnprtuvxBCHP", 0, "")),
}
"""Programs that start another: their options for getopt, how many words stand before it, and what to say."""
_LONG = """
    adjustment= class= classdata= command= error= group= input= kill-after= output= shell= signal= timeout=
    unset= user= wait= background close exclusive foreground ignore-environment login no-fork
    non-interactive nonblock noprofile norc preserve-env preserve-status set-home shared verbose
""".split()  # noqa: SIM905
STARTERS = frozenset((*_STARTERS, *_RESERVED, *HARMLESS, "cd", "test", "[", "export", "source", "pyrunner"))
"""Words with which a command of cron may begin, so that they are no user there."""


class Call(NamedTuple):
    """
    One command.

    folder: where it is started, as far as ``cd`` tells; None for where cron starts it.
    variables: those that are set for it, besides cron's.
    known: all that are known, with which a script goes on.
    """

    words: tuple[str, ...]
    folder: str | None
    variables: Mapping[str, str]
    known: Mapping[str, str]
    notes: tuple[Note, ...] = ()


def calls(text: str, call: Call, script: str = "") -> Iterator[Call]:
    """
    Yield the commands of a line, or of a script at a path, in their order.

    call: that in which it stands.
    Raises ValueError where a quote is never closed.
    """
    folder, exported, known = call.folder, dict(call.variables), {**call.known, "0": script}
    for raw, redirections in _split(text):
        words = [word for part in raw for word in _expand(part, known)]
        while words and words[0] in _RESERVED:
            del words[0]
        own = _take_assignments(words)
        if not words:
            known |= own
        elif words[0] == "cd" and words[1:]:
            folder = os.path.join(folder or "", words[-1])
        elif words[0] == "export":
            found = _take_assignments(words[1:])
            known |= found
            exported |= found
        else:
            notes = tuple(_redirected(target) for target in redirections if not target.endswith("&1"))
            yield from _unwrap(Call(tuple(words), folder, {**exported, **own}, known, (*call.notes, *notes)))


def _take_assignments(words: list[str]) -> dict[str, str]:
    """Remove the assignments that words begin with, and return them."""
    found: dict[str, str] = {}
    while words and (match := _ASSIGNMENT.fullmatch(words[0])):
        found[match[1]] = match[2]
        del words[0]
    return found


def _split(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield each command: its words as they are written, and its redirections."""
    words: list[str] = []
    redirections: list[str] = []
    for token in _TOKEN.finditer(text):
        if token["unclosed"]:
            raise ValueError(f"a quote or bracket is not closed: {token[0]}")
        if token["redirection"]:
            redirections.append(token["redirection"] + (token["target"] or ""))
        elif token["word"]:
            words.append(token[0])
        elif token["end"]:
            yield words, redirections
            words, redirections = [], []
    yield words, redirections


def _redirected(target: str) -> Note:
    if "<" in target:
        return by_hand(f"{target}: standard input is empty here")
    return Note(f"{target}: each task's output is in its log")


def _expand(word: str, known: Mapping[str, str]) -> list[str]:
    """Return what is meant by a word, which may be several; what is not known stays as it is written."""

    def piece(match: re.Match[str]) -> str:
        escaped, single, double, command, *names = match.groups()
        if double:
            return _PIECE.sub(piece, re.sub(r"\\([^\"$`\\])", r"\\\\\1", double[1:-1]).replace("'", r"\'"))
        if command:
            found = _OWN_FOLDER.search(command)
            return os.path.dirname(known["0"]) + found[1] if found and known["0"] else command
        if name := next(filter(None, names), None):
            return known.get(name, match[0])
        return escaped or single or ""

    if word.strip('"') in ("$@", "$*") and "@" in known:
        return known["@"].split("\0") if known["@"] else []
    return [_PIECE.sub(piece, word)]


def _unwrap(call: Call) -> Iterator[Call]:
    """Yield what a command starts, if all that it does is to start another."""
    name = os.path.basename(call.words[0])
    shorts, positions, text = _STARTERS.get(name, ("", 0, ""))
    options: dict[str, str] = {}
    own: list[str] = []
    rest = list(call.words[1:])
    try:
        while True:
            found, rest = getopt.getopt(rest, shorts, _LONG)
            options |= dict(found)
            if not rest or (rest[0] != "-" and (len(own) >= positions or "-u" in options)):
                break
            own.append(rest.pop(0))
    except getopt.GetoptError:
        rest = []
    variables = {**call.variables, **(_take_assignments(rest) if name in ("env", "sudo") else {})}
    inner = options.get("-c") or options.get("--command") if name != "ionice" else None
    if name not in _STARTERS or not (inner or rest):
        yield call
        return
    notes = call.notes
    if text:
        users = [options.get("-u"), options.get("--user"), *own, "root"]
        told = text.format(user=next(user for user in users if user and user != "-"))
        notes += (Note(f"{name}: {told}", is_open=name == "timeout"),)
    call = call._replace(words=tuple(rest), variables=variables, notes=notes)
    yield from calls(inner, call, call.known["0"]) if inner else _unwrap(call)
