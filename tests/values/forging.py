"""
Decodes what type-confused forgeries somebody may make of XComs, and prints what came of them.

A process of its own, since an audit hook cannot be taken off again.
"""

import json
import os
import sys
import warnings
import zoneinfo
from contextlib import suppress

import tzdata.zoneinfo

from pyrunner_airflow.values import ContextValueError
from tests.context_values import NATIVE, TAGGED
from tests.values.storing import CODEC

ZONES = (*zoneinfo.TZPATH, *tzdata.__path__)  # which a time's zone is read from
WATCHED = ("open", "import", "exec", "marshal", "os.", "pickle", "shutil", "socket", "subprocess", "tempfile")


def forms_in(data):
    """Return all tagged forms in encoded data."""
    inner = data.values() if type(data) is dict else data if type(data) is list else ()
    found = [form for item in inner for form in forms_in(item)]
    return [data, *found] if type(data) is dict and "__pyrunner__" in data else found


def replaced(data, other, levels):
    """Return copies of data in which something, so deep in it, is something else."""
    yield other
    if levels and type(data) is list:
        for index, item in enumerate(data):
            yield from ([*data[:index], one, *data[index + 1 :]] for one in replaced(item, other, levels - 1))
    elif levels and type(data) is dict:
        for key, item in data.items():
            yield from ({**data, key: one} for one in replaced(item, other, levels - 1))


def forgeries():
    forms = {}
    for value in [*NATIVE.values(), *TAGGED.values()]:
        for form in forms_in(CODEC.encode(value).data):
            forms.setdefault(form["__pyrunner__"], form)
    assert forms.keys() == CODEC.kinds.keys() - {"WindowsPath"}  # which only Windows makes
    for kind, form in forms.items():
        CODEC.decode(form)  # which imports what that needs
        for other in forms.values():
            # The second stands for data that a library takes for an object of its own by its methods.
            for one in (other, other["value"], {"values": other}, {"value": [other]}):
                for value in replaced(form["value"], one, 2):
                    yield {"__pyrunner__": kind, "value": value}
    path = {"__pyrunner__": "PosixPath", "value": "/nowhere/from"}
    yield {"__pyrunner__": "pandas.Series", "value": ["/nowhere/to", {"values": path}]}
    yield {"__pyrunner__": "pandas.Timestamp", "value": ["2026-03-01", "dateutil//etc/hosts"]}
    yield {"__pyrunner__": "zoneinfo.ZoneInfo", "value": ["../../etc/hosts"]}


def main():
    warnings.simplefilter("ignore")
    seen, outcomes, forged = [], {}, list(forgeries())

    def watch(event, arguments):
        if event.startswith(WATCHED) and not str(arguments[0]).startswith(ZONES):
            seen.append(f"{event} {arguments!r:.200}")

    sys.addaudithook(watch)
    with suppress(OSError):
        os.open("/nowhere/seen", os.O_RDONLY)
    for form in forged:
        before = len(seen)
        try:
            CODEC.decode(form)
            outcome = "read"
        except ContextValueError:
            outcome = "refused"
        except BaseException as error:
            outcome = f"{error!r} of {form!r:.200}"
        for event in seen[before:]:
            outcomes.setdefault(f"{event} of {form!r:.200}", 1)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    print(json.dumps([outcomes, seen[0]]))


main()
