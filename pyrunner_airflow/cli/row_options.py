"""PyRunner's options for one run: which rows take part, and what the context starts with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, NamedTuple

import click

from pyrunner_airflow.tasklist.diagnostics import did_you_mean
from pyrunner_airflow.tasklist.graph import id_hints


class RowOptions(NamedTuple):
    """What a command was called with."""

    exec_only: list[int] | None
    exec_proc_name: str | None
    norun: list[int] | None
    below: int | None
    above: int | None
    cvar: dict[str, str]

    def selection(self, names: Mapping[int, str]) -> dict[str, Any]:
        """
        Return the parameters of a run in Airflow that choose rows; None for what was not given.

        PyRunner ignores IDs that no row has: it may be that nothing is run then.

        :param names: the PROCESS_NAME of each row of the list, by its ID.
        :raises click.UsageError: for an ID or a PROCESS_NAME that no row has.
        """
        only = self.exec_only
        if self.exec_proc_name is not None:
            named = _named(names, self.exec_proc_name)
            only = named if only is None else [id_ for id_ in named if id_ in only]
        _check_ids(names, [*(only or ()), *(self.norun or ()), self.below, self.above])
        return {"exec_only": only, "norun": self.norun, "from": self.below, "to": self.above}


def _named(names: Mapping[int, str], wanted: str) -> list[int]:
    found = [id_ for id_, name in names.items() if name == wanted]
    if not found:
        hint = did_you_mean(wanted, set(names.values()))
        raise click.UsageError(f"No row has the PROCESS_NAME {wanted!r}. {hint}".rstrip())
    return found


def _check_ids(names: Mapping[int, str], wanted: Iterable[int | None]) -> None:
    known = set(names)
    unknown = sorted(map(str, set(wanted) - {None} - known))
    if unknown:
        hints = zip(unknown, id_hints(unknown, known), strict=True)
        raise click.UsageError("\n".join(f"No row has the ID {id_}. {hint}" for id_, hint in hints))


def _ids(_context: click.Context, _option: click.Parameter, text: str | None) -> list[int] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{text!r} is not a list of row IDs, such as 2,3")
    return [int(part) for part in parts]


def pairs(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Return the names and values of an option that is given as ``NAME=VALUE``, as often as one likes."""
    for text in texts:
        if not text.partition("=")[0] or "=" not in text:
            raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE")
    return dict(text.split("=", 1) for text in texts)


_OPTIONS = (
    click.option("-x", "--exec-only", metavar="IDS", callback=_ids, help="Run only these rows, such as 2,3."),
    click.option("--exec-proc-name", metavar="NAME", help="Run only the row with this PROCESS_NAME."),
    click.option(
        "-N", "--norun", metavar="IDS", callback=_ids, help="Leave these rows out; they count as done."
    ),
    click.option(
        "-D", "--descendents", "--from", "below", metavar="ID", type=int, help="Run a row and all below it."
    ),
    click.option(
        "-A", "--ancestors", "--to", "above", metavar="ID", type=int, help="Run a row and all above it."
    ),
    click.option(
        "--cvar", metavar="NAME=VALUE", multiple=True, callback=pairs, help="Start with this in the context."
    ),
)


def row_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options; it is called with a :class:`RowOptions`, as ``options``."""

    @wraps(command)
    def call(*args: Any, **kwargs: Any) -> Any:
        options = RowOptions(**{name: kwargs.pop(name) for name in RowOptions._fields})
        return command(*args, options=options, **kwargs)

    for option in reversed(_OPTIONS):
        option(call)
    return call
