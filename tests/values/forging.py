"""
Decodes as many type-confused forgeries of XComs as its argument says, and prints what came of them.

A process of its own, since an audit hook cannot be taken off again.
"""

import json
import os
import random
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


def tagged(kind, data):
    return {"__pyrunner__": kind, "value": data}


NAMED = [
    tagged("pandas.Series", ["/nowhere/to", {"values": tagged("PosixPath", "/nowhere/from")}]),
    tagged("pandas.Timestamp", ["2026-03-01", "dateutil//etc/hosts"]),
    tagged("zoneinfo.ZoneInfo", ["../../etc/hosts"]),
]


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


def forgeries(number):
    """
    Return so many forgeries: something in the data of each kind is another's, or what is in another's.

    Of these a part, and then such in which what is in its place is such a forgery itself.
    """
    chosen = random.Random(number)
    forms, once = known_forms(), [*NAMED]
    for kind, form in forms.items():
        for other in forms.values():
            # The second stands for data that a library takes for an object of its own by its methods.
            for one in (other, other["value"], {"values": other}, {"value": [other]}):
                once += (tagged(kind, value) for value in replaced(form["value"], one, 2))
    yield from chosen.sample(once, min(number // 2, len(once)))
    for _ in range(number - min(number // 2, len(once))):
        kind, form = chosen.choice([*forms.items()])
        yield tagged(kind, chosen.choice([*replaced(form["value"], chosen.choice(once), 9)]))


def known_forms():
    """Return an encoded value of each kind."""
    forms = {}
    for value in [*NATIVE.values(), *TAGGED.values()]:
        for form in forms_in(CODEC.encode(value).data):
            forms.setdefault(form["__pyrunner__"], form)
    assert forms.keys() == CODEC.kinds.keys() - {"WindowsPath"}  # which only Windows makes
    for form in forms.values():
        CODEC.decode(form)  # which imports what that needs
    return forms


def main():
    warnings.simplefilter("ignore")
    seen, outcomes, forged = [], {}, [*forgeries(int(sys.argv[1]))]

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
