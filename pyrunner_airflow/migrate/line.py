"""A line of a crontab: which lists it starts, and with what."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from pyrunner_airflow.migrate.crontab import moves_with_clocks
from pyrunner_airflow.migrate.driver import UNKNOWN
from pyrunner_airflow.migrate.settings import SECRET, SERVICE, Note, Settings, by_hand, of_options
from pyrunner_airflow.migrate.shell import HARMLESS, ITS_USER, Call, calls
from pyrunner_airflow.tasklist.files import read_file
from pyrunner_airflow.tasklist.secret_names import SECRET_NAME
from pyrunner_airflow.worker.app import find_app

if TYPE_CHECKING:
    from pyrunner_airflow.migrate.apps import Apps
    from pyrunner_airflow.migrate.crontab import Entry

_MEANINGS = {
    "MAILTO MAILFROM": Note("each task's output is in its log; for a mail at the end of a run: notify_email"),
    "CRON_TZ": Note("timezone"),
    "SHELL CONTENT_TYPE CONTENT_TRANSFER_ENCODING LOGNAME USER": Note("cron's own"),
    "PATH HOME PYTHONPATH LD_LIBRARY_PATH BASH_ENV RANDOM_DELAY": by_hand(SERVICE),
}
_VARIABLES = {name: note for names, note in _MEANINGS.items() for name in names.split()}
_SECRET = by_hand(SECRET)
_ENVIRONMENT = Note("[pyrunner] env")
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*")
_VALUE_OF_PYTHON = ("-W", "-X")
# What a profile tells PyRunner itself.
_PROFILE = re.compile(r"(?m)^[ \t]*(?:export[ \t]+)?APP_(EMAIL(?:_ON_(?:FAIL|SUCCESS))?|MAX_PROCS)=(.*)$")
_DEEPEST = 5
"""So many scripts may start each other."""


def of_variable(name: str) -> Note:
    """Return what becomes of one of the crontab's variables."""
    return _VARIABLES.get(name) or (_SECRET if SECRET_NAME.search(name) else _ENVIRONMENT)


def start_of(path: str, apps: Apps) -> Settings:
    """Return what a list's profile sets. Raises OSError if that can't be read."""
    settings = Settings(path)
    profile = find_app(path).profile
    for name, value in _PROFILE.findall(_read(profile)) if profile else ():
        if text := re.sub(r"[ \t]+#.*", "", value).strip().strip("\"'"):
            settings.set(name.lower(), text, f"APP_{name} in {apps.shown(str(profile))}")
    return settings


class Line:
    """
    What a line of a crontab starts.

    :ivar starts: the lists, in their order.
    :ivar notes: what there is to say besides what is said of the starts.
    """

    def __init__(self, entry: Entry, apps: Apps) -> None:
        self.starts: list[Settings] = []
        self.notes: list[Note] = []
        self._entry = entry
        self._apps = apps
        self._follow(entry.command, Call((), None, {}, entry.variables))
        if not self.starts and not apps.is_mentioned(entry.command):
            self.notes = [Note("starts no PyRunner that can be seen: it stays in the crontab")]
        elif not self.starts:
            self.notes.append(by_hand("what it starts can't be known"))

    def _follow(self, text: str, call: Call, script: str = "", depth: int = 0) -> None:
        """Look at the commands of the line, or of a script at a path."""
        try:
            for found in calls(text, call, script):
                self._look(found, depth)
        except ValueError as error:
            name = f"{self._apps.shown(script)}: " if script else ""
            self.notes.append(by_hand(f"{name}a shell would refuse it: {error}"))

    def _look(self, call: Call, depth: int) -> None:
        """Look at what a command starts."""
        name, *words = call.words
        program = os.path.basename(name)
        if program == "pyrunner":
            self._start(call, words, "")
            return
        if is_interpreter := bool(_PYTHON.fullmatch(program)):
            while words and words[0].startswith("-") and words[0] not in ("-c", "-m"):
                del words[: 2 if words[0] in _VALUE_OF_PYTHON else 1]
        script = words.pop(0) if is_interpreter and words else name
        files = self._apps.find(script, call.folder) or [""]
        file = files[0]
        if len(files) > 1:
            self.notes.append(by_hand(f"{script} can be any of {', '.join(map(self._apps.shown, files))}"))
        elif file in self._apps.drivers:
            if is_interpreter and "/" in name:
                text = f"{name}: its packages are to be where workers run: see [pyrunner] python"
                call = call._replace(notes=(*call.notes, by_hand(text)))
            self._start(call, words, file)
        elif file in self._apps.scripts and depth < _DEEPEST:
            given = {str(number): word for number, word in enumerate(words, 1)}
            call = call._replace(known={**call.known, **given, "@": "\0".join(words)})
            self._follow(_read(file), call, file, depth + 1)
        elif program not in HARMLESS:
            self.notes.append(by_hand(f"not carried over: {_short(call)}"))

    def _start(self, call: Call, words: list[str], file: str) -> None:
        """Note the list with which PyRunner is started: by its own command, or by a driver's file."""
        try:
            options, rest = of_options(words)
        except ValueError as error:
            self.notes.append(by_hand(f"{error}: {_short(call)}"))
            return
        given = {setting: value for _, setting, value in options}
        driver = self._apps.drivers.get(file, Settings())
        path = given.get("proc_file") or driver.path
        found = self._apps.find_lists(path, call.folder, file)
        if len(found) != 1:
            is_gone = path and UNKNOWN not in path
            why = f"there is no {path} in the given folders" if is_gone else "nothing says it"
            self.notes.append(by_hand(f"{_short(call)}: which list it starts can't be known: {why}"))
            return
        settings, app = start_of(found[0], self._apps), find_app(found[0])
        settings.notes += call.notes
        self._set_variables(call, settings)
        self._set_folder(call.folder, app.root, settings)
        profile = given.get("config_file")
        if profile and self._apps.find(profile, call.folder) != [app.profile]:
            settings.leave(f"-c {profile}: it is not the profile beside the list")
        for option, setting, value in options:
            if setting not in ("proc_file", "config_file"):
                settings.set(setting, value, option)
        if rest:
            settings.leave(f"PyRunner does not look at {rest}")
        settings.end_with(driver)
        self.starts.append(settings)

    def _set_variables(self, call: Call, settings: Settings) -> None:
        """Set what a list has from the line and those above it: schedule, time zone, variables."""
        entry = self._entry
        if entry.user:
            settings.note(ITS_USER.format(user=entry.user))
        if entry.has_input:
            settings.leave("%: what follows was its standard input, which is empty here")
        if entry.schedule:
            settings.put(("schedule",), entry.schedule)
        else:
            settings.leave(f"no schedule: {entry.reason}")
        if zone := entry.variables.get("CRON_TZ"):  # TZ is for the command alone
            settings.put(("pyrunner", "timezone"), zone)
            if ("pyrunner", "timezone") in settings.options and moves_with_clocks(entry.schedule, zone):
                settings.note(f"{entry.schedule}: up to an hour off in the two nights when clocks change")
        for name, value in entry.variables.items():
            if of_variable(name) is _ENVIRONMENT:
                settings.put(("pyrunner", "env", name), value)
        for name, value in call.variables.items():
            if note := _VARIABLES.get(name):
                settings.notes.append(note._replace(text=f"variable {name}: {note.text}"))
            else:
                settings.set("env", f"{name}={value}", "variable")

    def _set_folder(self, folder: str | None, root: str, settings: Settings) -> None:
        found = self._apps.find(folder, None, os.path.isdir) if folder else []
        here = found[0] if len(found) == 1 else folder or root
        cwd = os.path.relpath(here, root)
        if not re.fullmatch("/[^$`~]*", here):
            settings.leave(f"cd {folder}: here workers are in the app's root; else [pyrunner] cwd")
        elif cwd != ".":
            settings.put(("pyrunner", "cwd"), here if cwd.startswith("..") else cwd, f"cd {folder}")


def _read(script: str) -> str:
    return read_file(script).decode(errors="replace")


def _short(call: Call) -> str:
    text = " ".join(call.words)
    return text if len(text) <= 80 else f"{text[:80]}..."
