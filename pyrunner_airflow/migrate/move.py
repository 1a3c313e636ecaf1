"""From the lines of a crontab to an options file: which line a list is started by, and what is left over."""

from __future__ import annotations

import json
import os
import re
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from pyrunner_airflow.migrate.crontab import Entry
from pyrunner_airflow.migrate.line import Line, of_variable, start_of
from pyrunner_airflow.migrate.settings import Note, Settings, by_hand
from pyrunner_airflow.tasklist.documents import to_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyrunner_airflow.migrate.apps import Apps
    from pyrunner_airflow.migrate.crontab import Variable
    from pyrunner_airflow.tasklist.documents import KeyPath

_ZONE = ("pyrunner", "timezone")
_SCHEDULE = ("schedule",)
_CVAR = ("pyrunner", "cvar")
_ORDER = ("schedule", "max_active_tasks", "timezone", "env", "cvar", "notify_email", "cwd")
_DAG = """\
import pendulum
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG

with DAG(
    {dag_id},
    schedule={schedule},
    start_date=pendulum.datetime(2020, 1, 1{zone}),
    catchup=False,
):
    TriggerDagRunOperator(task_id={task_id}, trigger_dag_id={starts}{conf})
"""


class Told(NamedTuple):
    """A line of the crontab, or a file of an app, and what became of it."""

    place: str
    line: str
    notes: Sequence[Note]


class Move:
    """
    What a crontab comes to.

    :param source: what the crontab is called.
    :param into: the folder of the options file.
    :ivar told: what became of each line, and of each driver and list.
    :ivar dags: Python files for the dags folder, by their names: a line for a list that has one already.
    """

    def __init__(self, found: Sequence[Entry | Variable], source: str, apps: Apps, into: str) -> None:
        self.told: list[Told] = []
        self.dags: dict[str, str] = {}
        self._apps = apps
        self._into = into
        lines = {entry.number: Line(entry, apps) for entry in found if isinstance(entry, Entry)}
        starts = [start for line in lines.values() for start in line.starts]
        firsts = [start for line in lines.values() for start in line.starts[:1] if not start.selection]
        self._mains: dict[str, Settings] = {}
        for start in (*(first for first in firsts if _SCHEDULE in first.options), *starts):
            self._mains.setdefault(start.path, start)
        for entry in found:
            if isinstance(entry, Entry):
                line = lines[entry.number]
                notes = [note for start in line.starts for note in self._place(start, line)] + line.notes
            else:
                notes = [of_variable(entry.name)]
            self.told.append(Told(f"{source}:{entry.number}", entry.line, notes))
        zones = {start.options.get(_ZONE) for start in self._mains.values()}
        self._zone = next(iter(zones)) if len(zones) == 1 else None
        if None in zones:
            text = "no CRON_TZ: cron went by the server's time zone; write it as timezone below [pyrunner]"
            self.told.append(Told(source, "", [by_hand(text)]))
        self._tell_of_apps()

    def toml(self) -> str:
        """Return the text of the options file."""
        parts = [f"[pyrunner]\ntimezone = {to_toml(self._zone)}\n"] if self._zone else []
        for path, start in self._mains.items():
            if self._zone:
                start.options.pop(_ZONE, None)
            parts += _table(self._name(path), start.options)
        return "\n".join(parts)

    def _name(self, path: str) -> str:
        return self._apps.table(path, self._into)

    def _place(self, start: Settings, line: Line) -> Iterator[Note]:
        """Tell where a start of a list goes: into its table, or into a DAG that starts it."""
        name, main = self._name(start.path), self._mains[start.path]
        schedule = start.options.get(_SCHEDULE)
        if start is not line.starts[0]:
            start.options.pop(_SCHEDULE, None)
            yield by_hand(f"{name}: the line starts it after another list, for which it has no schedule")
        elif start is main and not start.selection:
            yield Note(f"{name}: its schedule") if schedule else Note(name)
        elif schedule:
            own = {key: value for key, value in start.options.items() if main.options.get(key) != value}
            cvar = {key[2]: value for key, value in own.items() if key[:2] == _CVAR}
            conf = {**start.selection, **({"cvar": cvar} if cvar else {})}
            yield by_hand(f"{name}: a DAG that starts it, {self._add_dag(start, schedule, conf)}, below")
            if lost := [".".join(key) for key in own if key[:2] != _CVAR and key != _SCHEDULE]:
                yield by_hand(f"of this line alone, and not carried over: {', '.join(lost)}")
            if start is main:
                del start.options[_SCHEDULE]
        else:
            yield by_hand(f"{name}: it has a line already")
        yield from start.notes

    def _add_dag(self, start: Settings, schedule: str, conf: Mapping[str, Any]) -> str:
        stem, *others = (_stem(path) for path in (start.path, *self._apps.lists, *self.dags))
        dag_id = next(name for number in count(2) if (name := f"{stem}_{number}") not in others)
        zone = start.options.get(_ZONE)
        self.dags[f"{dag_id}.py"] = _DAG.format(
            dag_id=_python(dag_id),
            schedule=_python(schedule),
            zone=f", tz={_python(zone)}" if zone else "",
            task_id=_python(f"start_{stem}"),
            starts=_python(stem),
            conf=f", conf={_python(conf)}" if conf else "",
        )
        return f"{dag_id}.py"

    def _tell_of_apps(self) -> None:
        last: dict[str, Settings] = {}
        for file, driver in self._apps.drivers.items():
            notes = driver.notes or [Note("PyRunner's template: the list is the DAG")]
            self.told.append(Told(self._apps.shown(file), "", notes))
            for path in self._apps.find_lists(driver.path, None, file)[:1]:
                last.setdefault(path, driver)
        for path in self._apps.lists:
            if path not in self._mains:
                self._mains[path] = start = start_of(path, self._apps)
                start.end_with(last.get(path, Settings()))
                note = Note("no line starts it: a DAG without a schedule")
                self.told.append(Told(self._apps.shown(path), "", [note, *start.notes]))


def _table(name: str, options: Mapping[KeyPath, Any]) -> Iterator[str]:
    """Yield the tables of one list, without their empty lines."""
    top: dict[str, Any] = {}
    for path, value in options.items():
        table = top
        for key in path[:-1]:
            table = table.setdefault(key, {})
        table[path[-1]] = value
    own = top.pop("pyrunner", {})
    for heading, table in ((to_toml(name), top), (f"{to_toml(name)}.pyrunner", own)):
        if table:
            lines = [f"{key} = {to_toml(table[key])}\n" for key in sorted(table, key=_ORDER.index)]
            yield f"[{heading}]\n{''.join(lines)}"


def _stem(path: str) -> str:
    return re.sub(r"[^\w.-]+", "_", os.path.splitext(os.path.basename(path))[0])


def _python(value: Any) -> str:
    """Return a value as Python has it, its texts in double quotes."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_python(key)}: {_python(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_python, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
