"""
What becomes of PyRunner's settings, however they are given.

They are those of PyRunner 5.2.1: options on the command line, the driver's, and the profile's.
"""

from __future__ import annotations

import getopt
import re
from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Any, NamedTuple

from pyrunner_airflow.tasklist.documents import KeyPath, to_key, to_toml
from pyrunner_airflow.tasklist.secret_names import SECRET_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

SERVICE = "it belongs into the environment of Airflow's services"
SECRET = f"it looks like a secret: {SERVICE}, not into a file"
_MAIL = ("pyrunner", "notify_email")
_NO_JOB = "PyRunner runs no job with it"
_OPTIONS = {
    "-c=": "config_file",
    "-l=": "proc_file",
    "-d --debug": "debug",
    "-n= --max-procs=": "max_procs",
    "-r --restart": "restart",
    "-x= --exec-only=": "exec_only_list",
    "-N= --norun=": "exec_disable_list",
    "-D= --from=": "exec_from_id",
    "-A= --to= --ancestors=": "exec_to_id",
    "--exec-proc-name=": "exec_proc_name",
    "-e= --email=": "email",
    "--email-on-fail=": "email_on_fail",
    "--email-on-success=": "email_on_success",
    "--env=": "env",
    "--cvar=": "cvar_list",
    "--nozip": "nozip",
    "--dump-logs": "dump_logs",
    "-t=": "tickrate",
    "--time-between-tasks=": "time_between_tasks",
    "--serde=": "serde",
    "-i --interactive": "interactive",
    "--preserve-context": "preserve_context",
    "--silent": "silent",
    "--setup --abort --dryrun -h --help -v --version": _NO_JOB,
}
"""What PyRunner takes, and the setting that it is; with ``=`` for what has a value."""
_SELECTION = {
    "exec_only_list": "exec_only",
    "exec_disable_list": "norun",
    "exec_from_id": "from",
    "exec_to_id": "to",
}
"""Settings that leave rows out, by the parameter of a run that does the same."""
_NEEDLESS = {
    "restart": "nothing goes on by itself: a failed run waits to be cleared",
    "debug": "the run's grid and graph show it",
    "nozip": "nothing is zipped",
    "dump_logs": "each task's log is in the UI",
    "tickrate": "Airflow's scheduler has its own pace",
    "preserve_context": "a run's context always stays with it",
    "silent": "a run prints nothing anyway",
    "save_interval": "the context is kept once a second",
    "test_mode": "there is none",
}
_BY_HAND = {
    "max_procs": "it is no number",
    "exec_proc_name": "exec_only of a run, with the ID of that row",
    "time_between_tasks": "there is none; a pool limits how many rows run at once",
    "serde": "the list must be a .lst or JSON",
    "interactive": "nobody sits beside a task: what it asks for becomes a parameter of the run",
    "log_retention": "it is no number",
    "dryrun": "it runs no job",
    "app_start_time": 'self.airflow["dag_run"].start_date, for workers that read it',
}
_VARIABLE = "a variable for workers: write it into the profile or into [pyrunner] env"


class Note(NamedTuple):
    """What became of something.

    is_open: somebody has to do something about it.
    line: of a driver; 0 for what is no single line.
    """

    text: str
    is_open: bool = False
    line: int = 0


def by_hand(text: str, line: int = 0) -> Note:
    """Return a note of something that is left to be done."""
    return Note(text, True, line)


def of_options(words: Sequence[str]) -> tuple[list[tuple[str, str, str]], str]:
    """
    Return the settings of a command line: the option, the setting and its value; and words without effect.

    Raises ValueError, with the reason, where PyRunner runs no job.
    """
    settings = {name: setting for names, setting in _OPTIONS.items() for name in names.split()}
    shorts = "".join(name[1:].replace("=", ":") for name in settings if name[1] != "-")
    try:
        found, rest = getopt.getopt(list(words), shorts, [name[2:] for name in settings if name[1] == "-"])
    except getopt.GetoptError as error:
        raise ValueError(f"PyRunner 5.2.1 refuses it: {error}") from error
    options = [(name, settings.get(f"{name}=") or settings[name], value) for name, value in found]
    for name, setting, _ in options:
        if setting == _NO_JOB:
            raise ValueError(f"{name}: {setting}")
    return options, " ".join(rest)


class Settings:
    """
    What holds for one start of a list; what is set later wins.

    :ivar path: of the list.
    :ivar options: of its table in ``pyrunner.toml``, by their keys.
    :ivar selection: parameters of the run.
    :ivar notes: what there is to say of it.
    """

    def __init__(self, path: str = "") -> None:
        self.path = path
        self.options: dict[KeyPath, Any] = {}
        self.selection: dict[str, Any] = {}
        self.notes: list[Note] = []

    def note(self, text: str, line: int = 0) -> None:
        """Say something about it."""
        self.notes.append(Note(text, line=line))

    def leave(self, text: str, line: int = 0) -> None:
        """Say what is left to be done."""
        self.notes.append(by_hand(text, line))

    def set(self, setting: str, value: Any, told: str, line: int = 0) -> None:
        """
        Set one of PyRunner's settings.

        :param told: what it is called where it is set.
        """
        text = str(value).strip()
        ids = [int(number) for number in re.findall(r"\d+", text)]
        match setting:
            case _ if isinstance(value, str) and re.search(r"[$`]", value):
                self.leave(f"{told}: only a run shows what {value} is", line)
            case "exec_only_list" | "exec_disable_list" | "exec_from_id" | "exec_to_id" if ids:
                self.selection[_SELECTION[setting]] = ids if setting.endswith("_list") else ids[0]
            case "max_procs" if re.fullmatch(r"[1-9]\d*", text):
                self.put(("max_active_tasks",), int(text), told, line)
            case "max_procs" if re.fullmatch(r"-?\d+", text):
                self.note(f"{told}: no limit but Airflow's own", line)
            case "log_retention" if re.fullmatch(r"-?\d+", text):
                self.put(("pyrunner", "env", "APP_LOG_RETENTION"), text, told, line)
            case "email":
                self.put((*_MAIL, "to"), re.findall(r"[^\s,;]+", text), told, line)
            case "email_on_fail" | "email_on_success":
                is_sent = text.lower() not in ("false", "", "0")
                self.put((*_MAIL, setting.removeprefix("email_")), is_sent, told, line)
            case "env" | "cvar_list":
                name, _, value = str(value).partition("=")
                self.put(("pyrunner", setting.removesuffix("_list"), name), value, f"{told} {name}", line)
            case _:
                what = _NEEDLESS.get(setting)
                text = what or _BY_HAND.get(setting, _VARIABLE)
                self.notes.append(Note(f"{told}: {text}", not what, line))

    def put(self, path: KeyPath, value: Any, told: str = "", line: int = 0) -> None:
        """
        Set an option, if it can have the value.

        :param told: what it is called where it comes from, if that has to be told.
        """
        place = f"[pyrunner] {path[1]}" if path[1:] else path[0]
        if path[:2] == ("pyrunner", "env") and SECRET_NAME.search(path[2]):
            self.leave(f"{path[2]}: {SECRET}", line)
        elif fault := _fault(path, value):
            self.leave(f"{told or value}: it can't be {place}: {fault}", line)
        else:
            if self.options.get(path, value) != value:
                self.note(f"{path[-1]}: {value} wins, which is set later", line)
            self.options[path] = value
            if told:
                self.note(f"{told}: {place}", line)
            if told.startswith("--cvar"):
                self.leave("PyRunner 5.2.1 ignores --cvar: see what it does now")

    def end_with(self, last: Settings) -> None:
        """Set what is set last; and if nobody is to get a mail, leave out when to send one."""
        for path, value in last.options.items():
            self.put(path, value)
        self.selection |= last.selection
        mail = [path for path in self.options if path[:2] == _MAIL]
        if mail and (*_MAIL, "to") not in mail:
            for path in mail:
                del self.options[path]
            self.note("no mail is sent: no address is set")


def _fault(path: KeyPath, value: Any) -> str:
    """Return why an option can't have a value; "" if it can."""
    import tomllib

    from pydantic import ValidationError

    from pyrunner_airflow.tasklist.schema import DOCUMENT

    text = f"{to_key(path)} = {to_toml(value)}\n"
    if path[:2] == _MAIL and path[2] != "to":
        text += 'pyrunner.notify_email.to = "nobody@localhost"'
    try:
        document = tomllib.loads(text)
        if reduce(getitem, path, document) != value:
            raise ValueError
        DOCUMENT.validate_python(document)
    except ValidationError as error:
        return error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
    except ValueError:
        return "it is no text, number, truth value, array or table"
    return ""
