"""Where the parts of a PyRunner app lie, and the ``APP_*`` variables that its workers see."""

from __future__ import annotations

import os
import re
from datetime import datetime
from typing import Callable, Mapping, NamedTuple

_ENV_REFERENCE = re.compile(r"\$ENV\{(?![%#])([^{}]*)\}")  # not where a template's tag begins

# PyRunner sources the profile once a job, an Airflow run once a task: the run's own time, in place of now,
# gives all of a run's tasks the same values. See clock.bash, which bash reads before it sources the profile.
_CLOCK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clock")
# That its last command fails is no error (`[ -f extra ] && . extra`), even under the profile's own `set -e`:
# it has done its part when the profile returns. What comes after that must work whatever functions it
# defines and whatever PATH is; and what it prints at EXIT is not to be among the variables.
_SOURCE_PROFILE = r"""
trap '((${#BASH_SOURCE[@]})) || set +e' RETURN
source "$PYRUNNER_PROFILE" >&2
if (($? != 0)); then "$BASH" -O extglob -n "$PYRUNNER_PROFILE" 2>/dev/null || exit; fi
/usr/bin/env -0
exec >&2
"""
_HIDDEN = "what `set -x` prints is not shown, since it would show secrets: try the profile by hand"


class AppError(Exception):
    """Something that a worker needs cannot be found; the message says where it was looked for."""


class App(NamedTuple):
    """The folders of the app that a task list belongs to, by PyRunner's conventions."""

    list_path: str
    home: str
    """The list's folder, or its parent if that folder is called ``config``."""
    root: str
    """That, unless the job lives elsewhere."""
    profile: str | None
    """``app_profile`` beside the list or in ``<root>/config``."""
    working_directory: str
    """The root, unless the job wants another."""

    @property
    def name(self) -> str:
        """The list's file name without its ending."""
        return os.path.splitext(os.path.basename(self.list_path))[0]


class Run(NamedTuple):
    """What a worker's environment tells about the run that it is part of."""

    run_id: str
    logical_date: str
    """ISO 8601; the time of the run for a run without a logical date."""
    time: float
    """When the run was due, in seconds since 1970: the time that the profile sees."""


def find_app(list_path: str, root: str | None = None, working_directory: str | None = None) -> App:
    """
    Return the app of the task list at a path, which need not exist.

    :param root: where the app lives if not around the list; relative to that place.
    :param working_directory: relative to the root.
    """
    path = os.path.abspath(list_path)
    folder = os.path.dirname(path)
    home = os.path.dirname(folder) if os.path.basename(folder) == "config" else folder
    root = os.path.normpath(os.path.join(home, root or ""))
    profiles = (os.path.join(place, "app_profile") for place in (folder, os.path.join(root, "config"), root))
    profile = next(filter(os.path.isfile, profiles), None)
    return App(path, home, root, profile, os.path.normpath(os.path.join(root, working_directory or "")))


def app_environment(
    app: App,
    run: Run,
    writable_folder: str,
    tell: Callable[[Mapping[str, str], str], object],
) -> dict[str, str]:
    """
    Return the ``APP_*`` variables of a run: the defaults, the profile's above them, and the run's own.

    :param writable_folder: where logs and temporary files of an app without a profile go.
    :param tell: told what the profile printed: the variables it has set, which that may show, and the text.
    :raises AppError: if the profile cannot be sourced.
    """
    own = {"APP_RUN_ID": run.run_id, "APP_LOGICAL_DATE": run.logical_date}
    log_folder = os.path.join(writable_folder, app.name)
    defaults = {
        "APP_NAME": app.name,
        "APP_ROOT_DIR": app.root,
        "APP_CONFIG_DIR": os.path.dirname(app.list_path),
        "APP_TEMP_DIR": os.path.join(log_folder, "temp"),
        "APP_ROOT_LOG_DIR": log_folder,
        "APP_LOG_DIR": os.path.join(log_folder, datetime.fromtimestamp(run.time).strftime("%Y-%m-%d")),
    }
    environment = {**os.environ, **own}
    from_profile = _source_profile(app, environment, run.time, tell) if app.profile else {}
    return {**defaults, **from_profile, **own}


def _source_profile(
    app: App,
    environment: Mapping[str, str],
    run_time: float,
    tell: Callable[[Mapping[str, str], str], object],
) -> dict[str, str]:
    """Let bash source the profile; return the variables it leaves whose names start with ``APP_``."""
    status, variables, printed = _run_bash(app, {**environment, **_clock(environment, run_time)})
    if not variables:
        raise AppError(
            f"{app.profile} does not come to its end (exit {status}): {printed or 'it printed nothing'}. A "
            "profile is sourced, so that `exit`, `exec`, a failure under `set -e` and a syntax error end "
            "everything: leave it by `return`, and try it by `bash -c 'source app_profile; env'`"
        )
    pairs = [variable.partition("=") for variable in variables]
    if printed:
        changed = {name: value for name, _, value in pairs if environment.get(name) != value}
        tell(changed, f"{app.profile} printed: {printed}")
    # What it made of PATH, too, is for the workers: their clock is the real one.
    return {name: value.replace(f"{_CLOCK}:", "") for name, _, value in pairs if name.startswith("APP_")}


def _run_bash(app: App, environment: Mapping[str, str]) -> tuple[int, list[str], str]:
    """Return bash's exit status, the variables at the end of the profile, if any, and what it printed."""
    import shutil  # with which a linter has nothing to do
    import subprocess
    from tempfile import TemporaryFile

    bash = shutil.which("bash", path=environment["PATH"])
    if bash is None:
        raise AppError(f"{app.profile} is for bash, which is not in PATH: install it (apt-get install bash)")
    environment = {**environment, "PYRUNNER_PROFILE": str(app.profile)}
    environment.pop("POSIXLY_CORRECT", None)  # with which bash would not read clock.bash
    # Files, since a pipe would be waited for until the last command ends that the profile left running.
    with TemporaryFile() as output, TemporaryFile() as errors, TemporaryFile() as trace:
        environment["PYRUNNER_TRACE"] = f"/proc/{os.getpid()}/fd/{trace.fileno()}"
        status = subprocess.run(
            [bash, "-c", _SOURCE_PROFILE],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=app.root,
            env=environment,
        ).returncode
        output.seek(0)
        errors.seek(0)
        *variables, _ = output.read().decode("utf-8", "surrogateescape").split("\0")
        printed = errors.read().decode("utf-8", "replace").strip()
        if os.fstat(trace.fileno()).st_size:
            printed = f"{printed}\n({_HIDDEN})".lstrip()
    return status, variables, printed


def _clock(environment: Mapping[str, str], run_time: float) -> dict[str, str]:
    """Return the variables by which clock.bash has bash, and all that it starts, live at a run's time."""
    return {
        "PYRUNNER_RUN_TIME": str(int(run_time)),
        "PYRUNNER_CLOCK": _CLOCK,
        "PYRUNNER_BASH_ENV": os.path.expandvars(environment.get("BASH_ENV", "")),
        "BASH_ENV": os.path.join(_CLOCK, "clock.bash"),
        "PATH": f"{_CLOCK}:{environment.get('PATH', os.defpath)}",
    }


def find_working_directory(app: App) -> str:
    """Return where an app works; raises AppError if that is not on this host."""
    if os.path.isdir(app.working_directory):
        return app.working_directory
    where = f"{app.working_directory} is not on {os.uname().nodename}"
    raise AppError(f"the working directory {where}: make it there, or mend [pyrunner] app_root or cwd")


def find_interpreter(text: str, app: App) -> str:
    """
    Return the path of the interpreter that a list names: a path from the app's root, or a command's name.

    :raises AppError: if there is none.
    """
    path = os.path.expanduser(resolve_env(text, os.environ))
    if os.sep not in path:
        import shutil

        found = shutil.which(path)
        if found is None:
            raise AppError(f"[pyrunner] python: there is no {path} in PATH: write its whole path")
        path = found
    path = os.path.join(app.root, path)
    if not os.path.exists(path):
        fault = f"is not on {os.uname().nodename}, where the task runs: make the environment there"
    elif os.path.isdir(path):
        fault = f"is a folder: name the interpreter in it, such as {os.path.join(path, 'bin', 'python')}"
    elif not os.access(path, os.X_OK):
        fault = "is not executable"
    else:
        return path
    raise AppError(f"[pyrunner] python: {path} {fault}")


def worker_folders(app: App, environment: Mapping[str, str]) -> list[str]:
    """
    Return the folders in which an app's worker modules are looked for, the first one first.

    Those around the list come before those of a root elsewhere: in a git bundle they are of the run's commit.
    """
    if environment.get("APP_WORKER_DIR"):
        return [os.path.join(app.root, environment["APP_WORKER_DIR"])]
    roots = dict.fromkeys((app.home, app.root))
    usual = [os.path.join(root, name) for root in roots for name in ("workers", "python", "worker")]
    return [*usual, os.path.dirname(app.list_path)]


def find_folder(folders: list[str], module_name: str) -> str:
    """Return the first of the folders that holds the module, or the first of all."""
    top = module_name.split(".")[0]
    return next((folder for folder in folders if holds_module(folder, top)), folders[0])


def holds_module(folder: str, name: str) -> bool:
    """Say whether a folder holds a module, or a folder of modules, of that name."""
    return any(os.path.exists(os.path.join(folder, entry)) for entry in (f"{name}.py", name))


def mark_env(text: str, mark: str) -> str:
    """Return the text with a mark in each ``$ENV{NAME}``, to be told from those that come to it later."""
    return _ENV_REFERENCE.sub(rf"$ENV{{{mark}\1}}", text)


def env_names(text: str, mark: str = "") -> list[str]:
    """Return the names in the text's ``$ENV{NAME}`` that have the mark."""
    names = _ENV_REFERENCE.findall(text)
    return [name[len(mark) :] for name in names if name.startswith(mark)]


def resolve_env(text: str, environment: Mapping[str, str], mark: str = "") -> str:
    """
    Return the text with each ``$ENV{NAME}`` that has the mark replaced by the variable's value.

    :raises AppError: for a name that is not set.
    """

    def value(match: re.Match[str]) -> str:
        if not match.group(1).startswith(mark):
            return match.group()
        name = match.group(1)[len(mark) :]
        if name not in environment:
            raise AppError(
                f"$ENV{{{name}}}: {name} is not set, neither by app_profile (APP_* names only) nor in the "
                f"environment of the process that runs the task. Export it in one of the two."
            )
        return environment[name]

    return _ENV_REFERENCE.sub(value, text)
