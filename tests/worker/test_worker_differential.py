"""The same workers under PyRunner and under ours: the same comes of them, or a difference listed here."""

from collections.abc import Collection
from typing import Any, NamedTuple

import pytest
from differential_jobs import (
    PYTHONS,
    RETRIED,
    App,
    Case,
    case,
    ours,
    pyrunners,
)
from differential_workers import FAIL, LOG, SAME

pytestmark = pytest.mark.slow


class Difference(NamedTuple):
    """What PyRunner makes of a case, and what we do, where the two differ; all else of it is the same."""

    case: Case
    theirs: dict[str, Any]
    ours: dict[str, Any]
    where: Collection[str] = PYTHONS
    """The Pythons in which they differ."""


def log(*lines):
    return ["[start]", *lines, "[end]"]


def uncaught(text, *traceback, phase="RUN"):
    """Return what the log says of an exception, whose traceback ends in these lines."""
    return [
        f"ERROR - TIME - Uncaught Exception from Worker Thread ({phase})",
        f"ERROR - TIME - {text}",
        "ERROR - TIME - Traceback (most recent call last):",
        *traceback,
        "",
    ]


def died(*traceback):
    """Return what the log says where an exception ended PyRunner's process."""
    return ["Process Process-N:", "Traceback (most recent call last):", *traceback]


def error(kind, text, module=""):
    return log(*uncaught(text, f"{module}{kind}: {text}"))


LOST = {"codes": [0], "calls": ["run 0"]}
FAILED = {"codes": [901], "calls": ["run 0", "on_fail 901", "on_exit 901"]}
HOOKS_OF_FAILURE = {"on_fail": "pass", "on_exit": "pass"}
TWO_DEATHS = [*log(), "[restart after 1, 0 s]", *log()]
DURING = ["", "During handling of the above exception, another exception occurred:", ""]
MORE = "Traceback (most recent call last):"
MUTE = "class Mute(Exception):\n    def __str__(self): raise ValueError('mute')"
NO_MEMBER = "has no attribute"
KEY_ERROR = "pyrunner_airflow.worker.context."

# A worker that ends PyRunner's process in any way but by returning counts as a success, and its hooks do not
# run. Here it is a failure, with the hooks of one where there still is a process.
LOST_FAILURES = [
    Difference(
        case("sys.exit(7)", run="sys.exit(7)", **HOOKS_OF_FAILURE),
        {**LOST, "log": ["[start]"]},
        {"codes": [7], "calls": ["run 0", "on_fail 7", "on_exit 7"], "log": log()},
    ),
    Difference(
        case("sys.exit(7), with another attempt", run="sys.exit(7)", attempts=2),
        {**LOST, "log": ["[start]"]},
        {
            "codes": [RETRIED, 7],
            "calls": ["run 0", "run 0"],
            "log": [*log(), "[restart after 1, 0 s]", *log()],
        },
    ),
    Difference(
        case("sys.exit('text')", run="sys.exit('no such file')", **HOOKS_OF_FAILURE),
        {**LOST, "log": ["[start]", "no such file"]},
        {
            "codes": [1],
            "calls": ["run 0", "on_fail 1", "on_exit 1"],
            "log": log("ERROR - TIME - no such file"),
        },
    ),
    Difference(
        case("sys.exit(-1)", run="sys.exit(-1)", **HOOKS_OF_FAILURE),
        {**LOST, "log": ["[start]"]},
        {
            **FAILED,
            "log": log(
                *uncaught(
                    "retcode must be 0 or greater - received: -1",
                    "SystemExit: -1",
                    *DURING,
                    MORE,
                    "ValueError: retcode must be 0 or greater - received: -1",
                )
            ),
        },
    ),
    Difference(
        case("sys.exit()", run="sys.exit()", on_success="pass", on_exit="pass"),
        {"calls": ["run 0"], "log": ["[start]"]},
        {"calls": ["run 0", "on_success 0", "on_exit 0"], "log": log()},
    ),
    Difference(
        case("sys.exit(0) after a code", run="self.retcode = 4\nsys.exit(0)", **HOOKS_OF_FAILURE),
        {"calls": ["run 0"], "log": ["[start]"]},
        {"calls": ["run 0", "on_fail 4", "on_exit 4"], "log": log()},
    ),
    Difference(
        case("sys.exit(3) in on_success", run="pass", on_success="sys.exit(3)", on_exit="pass"),
        {"codes": [0], "calls": ["run 0", "on_success 0"], "log": ["[start]"]},
        {"codes": [3], "calls": ["run 0", "on_success 0", "on_exit 3"], "log": log()},
    ),
    Difference(
        case("sys.exit(3) in on_fail", run=FAIL, on_fail="sys.exit(3)", on_exit="pass"),
        {"calls": ["run 0", "on_fail 6"], "log": ["[start]"]},
        {"calls": ["run 0", "on_fail 6", "on_exit 6"], "log": log()},
    ),
    Difference(
        case("sys.exit(3) in on_exit", run="pass", on_exit="sys.exit(3)"),
        {"codes": [0], "log": ["[start]"]},
        {"codes": [3], "log": log()},
    ),
    Difference(
        case("os._exit(7)", run="os._exit(7)", attempts=2, **HOOKS_OF_FAILURE),
        {**LOST, "log": ["[start]"]},
        {"codes": [RETRIED, 7], "calls": ["run 0", "run 0"], "log": TWO_DEATHS},
    ),
    Difference(
        case("SIGKILL", run="os.kill(os.getpid(), signal.SIGKILL)", attempts=2),
        {**LOST, "log": ["[start]"]},
        {"codes": [RETRIED, 128 + 9], "calls": ["run 0", "run 0"], "log": TWO_DEATHS},
    ),
    Difference(
        case("SIGTERM", run="os.kill(os.getpid(), signal.SIGTERM)", **HOOKS_OF_FAILURE),
        {**LOST, "log": ["[start]"]},
        {**FAILED, "log": error("WorkerInterrupted", "SIGTERM", "pyrunner_airflow.worker.child.")},
    ),
    Difference(
        case("SIGSEGV", run="os.kill(os.getpid(), signal.SIGSEGV)", **HOOKS_OF_FAILURE),
        {"codes": [0], "log": ["[start]"]},
        {"codes": [128 + 11], "log": log()},
    ),
    Difference(
        case("SIGKILL in a hook", run="pass", on_exit="os.kill(os.getpid(), signal.SIGKILL)"),
        {"codes": [0], "log": ["[start]"]},
        {"codes": [128 + 9], "log": log()},
    ),
    *(
        Difference(
            case(
                f"{name} in run",
                "class Own(BaseException): pass",
                run=f"raise {name}('x')",
                **HOOKS_OF_FAILURE,
            ),
            {**LOST, "log": ["[start]", *died(f"{module}{name}: x")]},
            {**FAILED, "log": error(name, "x", module)},
        )
        for name, module in (("KeyboardInterrupt", ""), ("GeneratorExit", ""), ("Own", "MODULE."))
    ),
    Difference(
        case("KeyboardInterrupt in on_exit", run="pass", on_exit="raise KeyboardInterrupt('x')"),
        {"codes": [0], "log": ["[start]", *died("KeyboardInterrupt: x")]},
        {"codes": [904], "log": log(*uncaught("x", "KeyboardInterrupt: x", phase="ON_EXIT"))},
    ),
    Difference(
        case("an exception whose text cannot be had", MUTE, run="raise Mute", **HOOKS_OF_FAILURE),
        {
            **LOST,
            "log": [
                "[start]",
                "ERROR - TIME - Uncaught Exception from Worker Thread (RUN)",
                *died("MODULE.Mute: <exception str() failed>", *DURING, MORE, "ValueError: mute"),
            ],
        },
        {
            **FAILED,
            "log": log(*uncaught("(its text cannot be shown)", "MODULE.Mute: <exception str() failed>")),
        },
    ),
    Difference(
        case("an exception whose text has no bytes", run="raise OSError('\\udcff')", **HOOKS_OF_FAILURE),
        {
            **LOST,
            "log": [
                "[start]",
                "ERROR - TIME - Uncaught Exception from Worker Thread (RUN)",
                *died(),
            ],
        },
        {**FAILED, "log": error("OSError", "\\udcff")},
    ),
    Difference(
        case(
            "an exception without a logger", run="self.logger = None\nraise OSError('x')", **HOOKS_OF_FAILURE
        ),
        {
            **LOST,
            "log": [
                "[start]",
                *died("OSError: x", *DURING, MORE, f"AttributeError: 'NoneType' object {NO_MEMBER} 'error'"),
            ],
        },
        {**FAILED, "log": error("OSError", "x")},
    ),
    Difference(
        case(
            "an exception once sys.stdout is closed",
            run="sys.stdout.close()\nraise OSError('x')",
            **HOOKS_OF_FAILURE,
        ),
        {**LOST, "log": ["[start]"]},
        {**FAILED, "log": error("OSError", "x")},
    ),
    Difference(
        case("sys.stdout is closed", run="sys.stdout.close()", on_exit="self.logger = None"),
        {"log": ["[start]"]},
        {"log": log()},
    ),
    # A code of more than 32 bits wraps; here it is a failure all the same.
    *(
        Difference(
            case(f"2**32: {line}", run=line, **HOOKS_OF_FAILURE),
            {"codes": [0], "calls": ["run 0", "on_exit 0"]},
            {"codes": [2**32], "calls": ["run 0", f"on_fail {2**32}", f"on_exit {2**32}"]},
        )
        for line in ("return 2**32", "self.retcode = 2**32", "self.retcode = '4294967296'")
    ),
    Difference(
        case("99999999999", run="return 99999999999"), {"codes": [1215752191]}, {"codes": [99999999999]}
    ),
    Difference(case("a huge code", run="return 2**70"), {"codes": [0]}, {"codes": [2**63 - 1]}),
]

# What a worker prints reaches its log, whenever and whatever it is. PyRunner imports and makes workers in its
# engine, which prints elsewhere; it buffers what is printed, ends the log before the process, and makes no
# folders.
OUTPUT = [
    Difference(
        case("prints at import", "print('imported')", run="pass"), {"log": log()}, {"log": log("imported")}
    ),
    Difference(
        case(
            "prints in the constructor",
            __init__="super().__init__(context, logfile, argv)\nprint('x')",
            run="pass",
        ),
        {"log": log()},
        {"log": log("x")},
    ),
    Difference(
        case(
            "logging that is set up at import",
            "logging.basicConfig(level='INFO')",
            run="logging.info('fine')",
        ),
        {"log": log()},
        {"log": log("INFO:root:fine")},
    ),
    Difference(
        case(
            "prints before and after a command",
            run="""
                print("before")
                subprocess.run(["echo", "command"], stdout=sys.stdout, check=True)
                print("after")
            """,
        ),
        {"log": log("command", "before", "after")},
        {"log": log("before", "command", "after")},
    ),
    Difference(
        case("last words", run="print('last words')\nos._exit(0)"),
        {"codes": [0], "log": ["[start]"]},
        {"codes": [901], "log": log("last words")},
    ),
    Difference(
        case("prints text that has no bytes", run="print('\\udcff')"),
        {
            "codes": [901],
            "log": error(
                "UnicodeEncodeError",
                "'utf-8' codec can't encode character '\\udcff' in position 0: surrogates not allowed",
            ),
        },
        {"codes": [0], "log": log("\\udcff")},
    ),
    Difference(
        case("logs text that has no bytes", run="self.logger.info('\\udcff')"),
        {
            "codes": [901],
            "log": error(
                "UnicodeEncodeError",
                "'utf-8' codec can't encode character '\\udcff' in position 36: surrogates not allowed",
            ),
        },
        {"codes": [0], "log": log("INFO - TIME - \\udcff")},
    ),
    *(
        Difference(
            case(
                f"a thread left behind that {what}",
                run=f"""
                    def late():
                        time.sleep(0.3)
                        {line}
                    threading.Thread(target=late, name="late").start()
                """,
            ),
            {"log": log()},
            {"log": log(*lines)},
        )
        for what, line, lines in (
            ("prints", "print('late')", ["late"]),
            ("logs", "self.logger.info('late')", ["INFO - TIME - late"]),
            ("fails", "raise OSError('x')", ["Exception in thread late:", MORE, "OSError: x"]),
        )
    ),
    Difference(
        case("a new folder for LOGFILE", logfile="new/x.log", run="print('x')"),
        {"log": []},
        {"log": log("x")},
    ),
    Difference(
        case("a LOGFILE that cannot be written", logfile=".", run="pass"),
        {**LOST},
        {"codes": [905], "calls": []},
    ),
]

# Each attempt is a task, with a process of its own, in which the hooks run once.
PROCESSES = [
    Difference(
        case(
            "a module that counts in the constructor",
            "made = []",
            __init__="super().__init__(context, logfile, argv)\nmade.append(self)",
            run="print(len(made))\nreturn 1",
            attempts=2,
        ),
        {"log": [*log("1"), "[restart after 1, 0 s]", *log("2")]},
        {"log": [*log("1"), "[restart after 1, 0 s]", *log("1")]},
    ),
    Difference(
        case("a forked child that returns", run="if os.fork(): os.wait()", on_success="pass"),
        {"calls": ["run 0", "on_success 0", "on_success 0"], "log": ["[start]", "[end]", "[end]"]},
        {"calls": ["run 0", "on_success 0"], "log": log()},
    ),
    Difference(
        case(
            "a pool of threads left behind",
            run="""
                from concurrent.futures import ThreadPoolExecutor
                self.pool = ThreadPoolExecutor(1)
                self.pool.submit(lambda: time.sleep(3) or self.context.set(KEY, "late"))
            """,
        ),
        {"context": {}},
        {"context": {"": "'late'"}},
        where=("3.8",),  # whose multiprocessing does not wait for them
    ),
    # The code is told when the methods are over; what runs on after them may only write.
    Difference(
        case(
            "a thread left behind that sets the code",
            run="""
                def late():
                    time.sleep(2)
                    self.retcode = 5
                threading.Thread(target=late).start()
            """,
        ),
        {"codes": [5]},
        {"codes": [0]},
    ),
]

# A name that is not found is an error that says where it was looked for.
NAMES = [
    Difference(
        case("no such module", module="no_such.module", attempts=2),
        {"log": log("ERROR - TIME - No module named 'no_such'")},
        {"log": log("ERROR - TIME - there is no module no_such in ROOT/workers or on sys.path")},
    ),
    Difference(
        case("no such class", attempts=2),
        {"log": log("ERROR - TIME - module 'MODULE' has no attribute 'W'")},
        {"log": log("ERROR - TIME - there is no class W in ROOT/workers/MODULE.py")},
    ),
    Difference(
        case("no Worker", "class W: pass", attempts=2),
        {"log": log("ERROR - TIME - MODULE.W is not an extension of pyrunner.Worker")},
        {"log": log("ERROR - TIME - W in ROOT/workers/MODULE.py is not a subclass of pyrunner's Worker")},
    ),
    Difference(
        case("no class at all", "W = 5", attempts=2),
        {"log": log("ERROR - TIME - issubclass() arg 1 must be a class")},
        {"log": log("ERROR - TIME - W in ROOT/workers/MODULE.py is not a subclass of pyrunner's Worker")},
    ),
]

# PyRunner's ShellWorker hands a list to the shell, which takes its first item for the command; logs each line
# with its end; fails on bytes that are not UTF-8; and knows no status below 0.
SHELL = [
    Difference(
        case(
            "a command's lines", module="pyrunner", worker="ShellWorker", arguments="echo one; echo two >&2"
        ),
        {"log": log("INFO - TIME - one", "", "INFO - TIME - two", "")},
        {"log": log("INFO - TIME - one", "INFO - TIME - two")},
    ),
    Difference(
        case("a command with a comma", module="pyrunner", worker="ShellWorker", arguments="printf one, two"),
        {"log": log("INFO - TIME - one")},
        {"log": log("INFO - TIME - one,")},
    ),
    Difference(
        case("a command's bytes", module="pyrunner", worker="ShellWorker", arguments=r"printf '\377'"),
        {
            "codes": [901],
            "log": error(
                "UnicodeDecodeError", "'utf-8' codec can't decode byte 0x in position 0: invalid start byte"
            ),
        },
        {"codes": [0], "log": log("INFO - TIME - \ufffd")},
    ),
    Difference(
        case("a command that a signal ends", module="pyrunner", worker="ShellWorker", arguments="kill -9 $$"),
        {"codes": [901], "log": error("ValueError", "retcode must be 0 or greater - received: -9")},
        {"codes": [128 + 9], "log": log()},
    ),
    Difference(
        case("no command", module="pyrunner", worker="ShellWorker"),
        {"codes": [2], "log": log("INFO - TIME - /bin/sh: 0: -c requires an argument", "")},
        {
            "codes": [901],
            "log": error(
                "ValueError", "ShellWorker has no command: the ARGUMENTS column of its row is empty"
            ),
        },
    ),
]


def beyond(name, text, run, lines=(), theirs=None, ours=None, kind="AttributeError"):
    """Make a difference where PyRunner raises an error, and we have more to offer."""
    return Difference(
        case(name, run=run),
        {"codes": [901], "log": error(kind, text), **(theirs or {})},
        {"codes": [0], "log": log(*lines), **(ours or {})},
    )


def refused(name, key, text, theirs=None, ours=None):
    """Make a difference where the context refuses a key."""
    return Difference(
        case(name, run=f"self.context[{key}] = 1"),
        {"codes": [0], "log": log(), **(theirs or {})},
        {"codes": [901], "log": error("ContextKeyError", text, KEY_ERROR), **(ours or {})},
    )


# The hooks of PyRunner 5.3.0, and more than PyRunner has; but only keys that XComs can hold.
BEYOND = [
    Difference(
        case("the hooks of 5.3.0", run="pass", on_start="pass", on_destroy="pass", on_exit="pass"),
        {"calls": ["run 0", "on_exit 0"]},
        {"calls": ["on_start 0", "run 0", "on_exit 0", "on_destroy 0"]},
    ),
    beyond("self.airflow", f"'W' object {NO_MEMBER} 'airflow'", "print(self.airflow)", ["{}"]),
    *(
        beyond(
            f"logger.{name}",
            f"'FileLogger' object {NO_MEMBER} '{name}'",
            f"self.logger.{name}('x')",
            [f"{level} - TIME - x"],
        )
        for name, level in (("debug", "DEBUG"), ("warning", "WARN"))
    ),
    Difference(
        case(
            "a logger in the constructor",
            __init__="super().__init__(context, logfile, argv)\nself.logger.info('made')",
            run="pass",
        ),
        {
            "codes": [905],
            "calls": [],
            "log": log(f"ERROR - TIME - 'NoneType' object {NO_MEMBER} 'info'"),
        },
        {"codes": [0], "calls": ["run 0"], "log": log("INFO - TIME - made")},
        where=("3.8", "3.13"),  # where the base class is the stand-in's
    ),
    beyond(
        "keys as a method",
        "'list' object is not callable",
        "print(KEY in self.context.keys())",
        ["False"],
        kind="TypeError",
    ),
    beyond("len", "object of type 'Context' has no len()", "len(self.context)", kind="TypeError"),
    beyond(
        "update",
        f"'Context' object {NO_MEMBER} 'update'",
        "self.context.update({KEY: 1})",
        theirs={"context": {}},
        ours={"context": {"": "1"}},
    ),
    beyond("pop", f"'Context' object {NO_MEMBER} 'pop'", "print(self.context.pop(KEY, 5))", ["5"]),
    beyond(
        "values", f"'Context' object {NO_MEMBER} 'values'", "print(KEY in self.context.values())", ["False"]
    ),
    Difference(
        case(
            "a loop in a loop over the context",
            run="""
                self.context[KEY + "a"] = self.context[KEY + "b"] = 1
                pairs = [(a, b) for a in self.context for b in self.context]
                print(all((KEY + a, KEY + b) in pairs for a in "ab" for b in "ab"))
            """,
        ),
        {"log": log("False")},
        {"log": log("True")},
    ),
    refused("a key that is no text", "5", "a context key must be a str, not int: 5"),
    refused("an empty key", "''", "a context key must have 1 to 250 characters, not 0: ''"),
    refused(
        "a reserved key",
        "'pyrunner.x'",
        "context keys that start with 'pyrunner.' are reserved: 'pyrunner.x'",
    ),
    # There is nobody to ask.
    Difference(
        case("interactive mode", run="self.context.interactive = True\nprint(self.context.get(KEY))"),
        {"log": log("typed"), "context": {"": "'typed'"}},
        {"log": log("None"), "context": {}},
    ),
]
DIFFERENCES = [*LOST_FAILURES, *OUTPUT, *PROCESSES, *NAMES, *SHELL, *BEYOND]

# What ends PyRunner's whole job: each runs alone.
DEATHS = [
    (
        case("sys.exit in a module", "sys.exit(3)", run="pass"),
        {"codes": [905], "calls": [], "log": log("ERROR - TIME - 3")},
    ),
    (
        case("sys.exit in a constructor", __init__="sys.exit('no')", run="pass"),
        {"codes": [905], "calls": [], "log": log("ERROR - TIME - no")},
    ),
    (
        case("a constructor without super()", __init__="self.context = context", run="return 4"),
        {"codes": [4], "calls": ["run 0"], "log": log()},
    ),
    (case("no LOGFILE", logfile=None, run="print('x')"), {"codes": [0], "calls": ["run 0"], "log": []}),
]


@pytest.fixture(scope="module", params=PYTHONS)
def place(request):
    return request.param


@pytest.fixture(scope="module")
def seen(place, tmp_path_factory):
    """Run all cases under both, in a Python; return what is seen of each by PyRunner and by ours, by name."""
    python = PYTHONS[place]
    jobs = [[*SAME], [difference.case for difference in DIFFERENCES], *([dead] for dead, _ in DEATHS)]
    found = {}, {}
    apps = []
    try:
        for cases in jobs:
            for names, command in zip(found, (pyrunners(python), ours(python)), strict=True):
                app = App(tmp_path_factory.mktemp("app"), cases)
                app.start(*command)
                apps.append((names, cases, app))
        for names, cases, app in apps:
            rows = app.finish()
            if rows is None and len(cases) > 1:
                pytest.fail(f"the job broke down\n{app.printed()}")
            names.update(zip((case.name for case in cases), rows or [None], strict=True))
    finally:
        for _, _, app in apps:
            app.stop()
    return found


@pytest.mark.parametrize("case", SAME, ids=lambda case: case.name)
def test_the_same(seen, case):
    theirs, ours = (names[case.name] for names in seen)
    assert ours._replace(lines=theirs.lines) == theirs


@pytest.mark.parametrize("case", DIFFERENCES, ids=lambda difference: difference.case.name)
def test_different(seen, place, case):
    theirs, ours = (names[case.case.name] for names in seen)
    if place not in case.where:
        assert ours._replace(lines=theirs.lines) == theirs
        return
    assert all(case.theirs[part] != case.ours[part] for part in case.theirs)
    assert part_of(theirs, case.theirs) == case.theirs
    assert part_of(ours, case.ours) == case.ours
    assert ours._replace(**case.theirs, lines=theirs.lines) == theirs


@pytest.mark.parametrize(("case", "expected"), DEATHS, ids=lambda value: getattr(value, "name", ""))
def test_what_ends_pyrunners_job(seen, case, expected):
    theirs, ours = (names[case.name] for names in seen)
    assert theirs is None
    assert part_of(ours, expected) == expected


@pytest.mark.parametrize("case", LOG, ids=lambda case: case.name)
def test_the_task_log_has_the_same_lines(seen, case):
    """The task's process is told each line that the worker logs, with its level."""
    theirs, ours = (names[case.name] for names in seen)
    assert ours.lines == theirs.lines


def part_of(seen, parts):
    return {name: getattr(seen, name) for name in parts}


def test_names_are_used_once():
    names = [case.name for case in [*SAME, *(d.case for d in DIFFERENCES), *(dead for dead, _ in DEATHS)]]
    assert len(names) == len(set(names))
