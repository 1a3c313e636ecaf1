"""What can be told of an app's profile without running it."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING

from pyrunner_airflow.tasklist.diagnostics import Place, Problems, showable
from pyrunner_airflow.tasklist.files import read_file
from pyrunner_airflow.worker.app import find_app

if TYPE_CHECKING:
    from pyrunner_airflow.tasklist import Diagnostic, Options

_COMMENT = re.compile(r"[ \t]#.*")
_SOME = "[^;|&]{0,200}"
# What asks the machine for the time past bash and its PATH, which tell the run's.
_UNSTEERED = re.compile(
    rf"\benv (?:-i|-|--ignore-environment) {_SOME}\bdate\b|\b(?:sudo|ssh|busybox|command -p) {_SOME}\bdate\b"
    rf"|\b(?:command(?! -[vV])|env|exec|nice|nohup|timeout|xargs|(?:da)?sh -c) {_SOME}/bin/date\b"
    rf"|\b(?:builtin|command) printf {_SOME}%\([^)]{{0,99}}\)T"
    r"|\b[gm]?awk .{0,200}?\b(?:systime|strftime)\("
    rf"|(?:\$\(|`) ?find {_SOME} -(?:[acm](?:time|min)|newer[acm]t)\b"
    r"|\b(?:python[\d.]*|perl|ruby|node|php)(?: -\S{1,99}){0,9}? -\w?[cer] .{0,500}?"
    r"\b(?:(?:now|utcnow|today|localtime|gmtime|ctime|new Date)\b|time\.strftime\(|time\(\)|date\([^,)]*\))"
)


def check_profile(source: str, options: Options) -> tuple[Diagnostic, ...]:
    """Return what is wrong with the profile of a list's app, if it has one.

    source: the list's; the profile is shown by a path like it.
    """
    profile = find_app(source, options.app_root).profile
    try:
        text = read_file(profile).decode(errors="replace") if profile else ""
    except OSError:  # as a run will tell
        text = ""
    if not profile or not text:
        return ()
    problems = Problems(profile if os.path.isabs(source) else os.path.relpath(profile))
    lines = text.split("\n")
    number, said = _bash_error(text)
    if said:
        line = lines[number - 1] if number <= len(lines) else ""
        message = f"bash can't read this profile: {showable(said)}"
        hint = "Mend it: no row of this app can start."
        problems.error("invalid-profile", Place(number, 1, len(line), None, line), message, hint)
    for number, line in enumerate(lines, 1):
        if found := _UNSTEERED.search(_COMMENT.sub("", f" {line}")):
            place = Place(number, found.start(), len(found[0]), None, line)
            message = "this tells the machine's time, in place of the run's"
            hint = "Ask bash's own date, which tells the run's here, or take it from APP_LOGICAL_DATE."
            problems.warning("unsteered-clock", place, message, hint)
    return problems.as_error().diagnostics


@cache  # lists may share it
def _bash_error(text: str) -> tuple[int, str]:
    """Return where bash can't read a script, and what it says; 0 and "" if it can, or there is no bash."""
    import subprocess  # only apps with a profile pay for it

    command = ["bash", "-O", "extglob", "-n", "/dev/stdin"]
    try:
        done = subprocess.run(
            command, input=text.encode(), capture_output=True, env={"LC_ALL": "C.UTF-8", "PATH": os.defpath}
        )
    except OSError:
        return 0, ""
    found = re.match(r".*: line (\d+): (.*)", done.stderr.decode(errors="replace"))
    return (int(found[1]), found[2]) if done.returncode and found else (0, "")
