"""The same workers under PyRunner and under ours: the same comes of them, or a difference listed here."""

import itertools
import sys
from typing import Any, NamedTuple

import pytest
from differential_jobs import (
    INTERPRETERS,
    RETRIED,
    App,
    Case,
    case,
    command,
    run_under_ours,
    run_under_pyrunner,
)

FAIL = "return 6"
RAISE = "raise RuntimeError('broken')"
ADD_UP = "tries = self.context[KEY] = self.context.get(KEY, 0) + 1"

CODES = [
    case("nothing", run="pass"),
    case("None", run="return None"),
    case("0", run="return 0"),
    case("False", run="return False"),
    case("empty text", run="return ''"),
    case("an empty list", run="return []"),
    case("0.0", run="return 0.0"),
    case("a fraction below 1", run="return 0.5"),
    case("1", run="return 1"),
    case("True", run="return True"),
    case("digits", run="return '5'"),
    case("digits between blanks", run="return ' 7 '"),
    case("bytes of digits", run="return b'5'"),
    case("a fraction", run="return 2.7"),
    case("a large code", run="return 70000"),
    case("the largest code", run="return 2**31 - 1"),
    case("what int() takes", run="return type('T', (), {'__int__': lambda self: 8})()"),
    case("a code of PyRunner's own", run="return 905"),
    case("negative", run="return -1"),
    case("text", run="return 'abc'"),
    case("a list", run="return [1]"),
    case("a complex number", run="return 1j"),
    case("infinity", run="return float('inf')"),
    case("not a number", run="return float('nan')"),
    case("an object", run="return object()"),
    case("a generator", run="yield 5"),
    case("no truth value", run="return type('T', (), {'__bool__': lambda self: 1 / 0})()"),
    case("attribute, then None", run="self.retcode = 4"),
    case("attribute, then 0", run="self.retcode = 4\nreturn 0"),
    case("attribute, then 6", run="self.retcode = 4\nreturn 6"),
    case("attribute, then 0.5", run="self.retcode = 4\nreturn 0.5"),
    case("attribute, then text", run="self.retcode = 4\nreturn 'abc'"),
    case("attribute, then 0 again", run="self.retcode = 4\nself.retcode = 0"),
    case("attribute of digits", run="self.retcode = '5'"),
    case("attribute True", run="self.retcode = True"),
    case("attribute None", run="self.retcode = None"),
    case("negative attribute", run="self.retcode = -1"),
    case("negative attribute, caught", run="try: self.retcode = -1\nexcept ValueError: self.retcode = 3"),
    case("deleted attribute", run="del self.retcode"),
    case("attribute, then an exception", run="self.retcode = 4\nraise KeyError"),
    case(
        "attribute set in the constructor",
        __init__="super().__init__(context, logfile, argv)\nself.retcode = 4",
        run="pass",
    ),
    case(
        "attribute set in a forked child",
        run="""
            child = multiprocessing.get_context("fork").Process(target=setattr, args=(self, "retcode", 7))
            child.start()
            child.join()
        """,
    ),
    case("attribute of the worker's own", run="self.code = 5", on_success="return self.code"),
]

HOOKS = [
    # Each combination of hooks, after each kind of end.
    *(
        case(f"{' and '.join(hooks) or 'no hook'} after {end!r}", run=end, **dict.fromkeys(hooks, "pass"))
        for end in ("pass", FAIL, RAISE)
        for count in range(4)
        for hooks in itertools.combinations(("on_success", "on_fail", "on_exit"), count)
    ),
    # Each hook fails in each way, after a success and after a failure.
    *(
        case(f"{end!r}, then {hook} {line!r}", run=end, **{hook: line, **after})
        for end, hook in (
            ("pass", "on_success"),
            (FAIL, "on_fail"),
            (RAISE, "on_fail"),
            ("pass", "on_exit"),
            (FAIL, "on_exit"),
            (RAISE, "on_exit"),
        )
        for after in ([{}] if hook == "on_exit" else [{"on_exit": "pass"}])
        for line in (
            "return 5",
            "return 'abc'",
            "return -1",
            "self.retcode = 0",
            "self.retcode = 3",
            "self.retcode = -1",
            "raise KeyError('late')",
            "raise NotImplementedError",
            "raise NotImplementedError('in words')",
            f"super().{hook}()",
            f"self.retcode = 3\nsuper().{hook}()",
            f"self.retcode = 0\nsuper().{hook}()",
        )
    ),
    case("NotImplementedError in run", run="raise NotImplementedError", on_fail="pass"),
    case("on_exit has the last word", run=FAIL, on_fail="self.retcode = 0", on_exit="return 7"),
    case("on_exit rescues a failed on_fail", run=FAIL, on_fail="raise KeyError", on_exit="self.retcode = 0"),
    case("on_exit rescues a failed on_success", run="pass", on_success=FAIL, on_exit="self.retcode = 0"),
    case("every hook raises", run=RAISE, on_fail="raise KeyError('b')", on_exit="raise OSError(2, 'c')"),
    case("a hook that calls another", run="self.on_exit()", on_exit="return 5"),
    case(
        "a hook that is None",
        preamble="""
            class W(Worker):
                on_fail = None
                def run(self): return 6
                def on_exit(self): note("on_exit")
        """,
    ),
    case(
        "hooks that are static, of the class, and of the instance",
        preamble="""
            class W(Worker):
                def run(self): self.on_exit = lambda: note("on_exit")
                @classmethod
                def on_success(cls): note("on_success")
        """,
    ),
    case(
        "hooks of a base class of the job's own",
        preamble="""
            class Base(Worker):
                def on_fail(self): note("on_fail of the base")
                def on_exit(self): note("on_exit of the base")
            class W(Base):
                def run(self): return 6
                def on_exit(self):
                    note("on_exit")
                    super().on_exit()
        """,
    ),
]

EXCEPTIONS = [
    case(
        "a message that is no text", run="self.logger.info(type('T', (), {'__str__': lambda self: 1 / 0})())"
    ),
    case("an exception", run=RAISE),
    case("an exception of two lines", run="raise RuntimeError('broken\\nin two')"),
    case("an exception without a text", run="raise KeyError"),
    case("an exception of a class of the job's own", "class Own(Exception): pass", run="raise Own('x', 1)"),
    case(
        "an exception with a cause", run="try: 1 / 0\nexcept ArithmeticError as e: raise OSError('x') from e"
    ),
    case("an exception during another", run="try: 1 / 0\nexcept ArithmeticError: raise OSError('x')"),
    case("an exception group", run="raise ExceptionGroup('two', [KeyError('a'), OSError('b')])"),
    case("a failed assertion", run="assert 1 > 2, 'no'"),
    case("StopIteration", run="raise StopIteration('done')"),
    case(
        "no end of recursion", preamble="def f(): f()", run="try: f()\nexcept RecursionError: raise OSError"
    ),
    case("an exception in a method", preamble="def f(): raise OSError(28, 'full', 'x.csv')", run="f()"),
    case(
        "an exception that the worker logs itself",
        run="try: 1 / 0\nexcept ArithmeticError: traceback.print_exc()",
    ),
]

ATTEMPTS = [
    case(
        "fails twice, then succeeds", attempts=3, run=f"{ADD_UP}\nreturn tries < 3 and 5", on_success="pass"
    ),
    case("raises twice, then succeeds", attempts=3, run=f"{ADD_UP}\nif tries < 3: raise OSError(tries)"),
    case("fails each time", attempts=3, run=f"{ADD_UP}\nreturn 10 + tries", on_fail="pass", on_exit="pass"),
    case("raises each time", attempts=2, run=RAISE, on_fail="pass", on_exit="pass"),
    case("succeeds at once", attempts=3, run=ADD_UP),
    case("waits", attempts=2, wait=1, run=f"{ADD_UP}\nreturn tries < 2"),
    case("prints in each attempt", attempts=2, run="print('out', end='')\nreturn 5"),
    case("fails in on_success", attempts=2, run="pass", on_success="return 5"),
    case("fails in on_fail", attempts=2, run=FAIL, on_fail=RAISE),
    case("fails in on_exit", attempts=2, run="pass", on_exit=RAISE),
    case("a rescue ends it", attempts=3, run=FAIL, on_fail="self.retcode = 0"),
    case("code 905 is a code like any other", attempts=2, run="return 905"),
    case(
        "the worker is another one each time",
        attempts=2,
        run="self.count = getattr(self, 'count', 0) + 1\nself.retcode = self.count",
    ),
    case(
        "what it wrote stays",
        attempts=2,
        run="self.context[f'{KEY}.{len(self.context.keys) > 0}'] = 1\nreturn 5",
    ),
    case("what it deleted stays away", attempts=2, run=f"{ADD_UP}\ndel self.context[KEY]\nreturn 1"),
    case(
        "not a worker at the second",
        attempts=3,
        __init__=f"""
        super().__init__(context, logfile, argv)
        {ADD_UP}
        if tries > 1: raise OSError("no second")
    """,
        run=FAIL,
    ),
]

LOG = [
    case("silent", run="pass"),
    case(
        "levels",
        run="""
            self.logger.info("one")
            self.logger.success("two")
            self.logger.warn("three")
            self.logger.error("four")
        """,
        on_success="self.logger.info('success')",
        on_exit="self.logger.warn('exit')",
    ),
    case("a hook logs after a failure", run=FAIL, on_fail="self.logger.error('cleaning')"),
    *(
        case(f"logs {text}", run=f"self.logger.info({text})")
        for text in (
            "None",
            "5",
            "['a']",
            "{'k': 1}",
            "b'\\xff'",
            "'größe 株'",
            "''",
            "'a\\nb'",
            "' a '",
            "'%s %d'",
        )
    ),
    case("prints", run="print('out')\nprint('a', 'b', sep='-')\nprint()\nprint('größe 株')"),
    case("prints to stderr", run="print('err', file=sys.stderr)"),
    case(
        "prints and logs in turns",
        run="""
            print("out")
            self.logger.info("log")
            print("err", file=sys.stderr)
            print("part", end=" ")
            print("of", "a", "line")
            sys.stdout.write("no line end")
        """,
        on_success="print('success')",
        on_exit="self.logger.info('exit')",
    ),
    case("a last line without its end", run="print('part', end='')"),
    case("a part of a line before a log line", run="print('part', end='')\nself.logger.info('log')"),
    case("writes lines", run="sys.stdout.writelines(['a\\n', 'b\\n'])\nsys.stderr.flush()"),
    case("bytes that are not UTF-8", run="sys.stdout.buffer.write(b'\\xff\\xfe\\n')"),
    case("bytes on descriptor 1", run="os.write(1, b'\\xff out\\n')\nos.write(2, b'\\xff err\\n')"),
    case("a command's output", run="subprocess.run(['printf', 'a\\\\377b'])"),
    case(
        "a command's output on sys.stdout",
        run="""
        print("before", flush=True)
        subprocess.run(["printf", "a\\\\377b\\\\n"], stdout=sys.stdout, check=True)
        subprocess.run("echo err >&2", shell=True, stderr=sys.stderr, check=True)
        print("after")
    """,
    ),
    case("a command's output, captured", run="print(subprocess.check_output(['echo', 'x'], text=True))"),
    case("what sys.stdout once was", run="print('bypass', file=sys.__stdout__)"),
    case("the terminal", run="print(sys.stdout.isatty(), sys.stderr.isatty(), sys.stdin.isatty())"),
    case("much in one piece", run="print('x' * 10_000_000)"),
    case("much in many lines", run="for number in range(200_000): print(number)\nprint('x' * 9_000_000)"),
    case("much on descriptor 1", run="for _ in range(1000): os.write(1, b'x' * 9_999 + b'\\n')"),
    case("much of a command's", run="subprocess.run('head -c 10000000 /dev/zero', shell=True, check=True)"),
    case("many log lines", run="for number in range(2_000): self.logger.info(number)"),
    case("a warning", run="warnings.warn('careful')"),
    case("Python's own logging", run="logging.warning('careful')\nlogging.getLogger('x').error('worse')"),
    case("Python's own logging, set up", run="logging.basicConfig(level='INFO')\nlogging.info('fine')"),
    case(
        "the file that is logged to",
        run="""
            for handle in (self.logger.get_file_handle(), self.logger.logfile_handle):
                print("x", handle is sys.stdout, file=handle)
        """,
    ),
    case(
        "another sys.stdout",
        run="import io\nsys.stdout = io.StringIO()\nprint('lost')\nself.logger.info('log')",
    ),
    case(
        "threads that print",
        run="""
        def work(name):
            for _ in range(100): print(name)
        threads = [threading.Thread(target=work, args=("same",)) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """,
    ),
    case(
        "threads that log",
        run="""
        threads = [threading.Thread(target=self.logger.info, args=("same",)) for _ in range(50)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """,
    ),
]

SURROUNDINGS = [
    case("arguments", arguments='a, b c ,"d,e",,1', run="print(self.argv)"),
    case("no arguments", run="print(self.argv)"),
    case("the path of LOGFILE", run="print(self.logfile)"),
    case("standard input is empty", run="print(repr(sys.stdin.read()))\ninput('name? ')"),
    case("the folder it works in", run="print(os.getcwd())"),
    case(
        "the variables",
        run="print(sorted(f'{k}={v}' for k, v in os.environ.items() if k in ('APP_NAME', 'APP_LOG_DIR')))",
    ),
    case(
        "its module's name", run="print(__name__, __file__, type(self).__module__, type(self).__qualname__)"
    ),
    case("it is a Worker", run="print(isinstance(self, Worker), issubclass(W, Worker))"),
    case(
        "its constructor has all it needs",
        __init__="""
        super().__init__(context, logfile, argv)
        self.made_of = [os.path.basename(logfile), argv, context is self.context]
        context[KEY] = 1
    """,
        run="print(self.made_of)",
        arguments="a",
    ),
]

CHILDREN = [
    case(
        "a pool of processes",
        run="""
        with multiprocessing.get_context("fork").Pool(2) as pool: print(pool.map(abs, [-1, -2]))
    """,
    ),
    case(
        "a pool of threads",
        run="""
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(4) as pool: print(list(pool.map(abs, [-1, -2])))
    """,
    ),
    case(
        "a command left behind",
        run="""
        script = "until test -e $APP_TEMP_DIR/finished; do sleep 0.1; done"
        subprocess.Popen(script, shell=True)
    """,
    ),
    case(
        "a command left behind that holds LOGFILE open",
        run="""
        script = "until test -e $APP_TEMP_DIR/finished; do sleep 0.1; done"
        subprocess.Popen(script, shell=True, stdout=sys.stdout, stderr=sys.stderr)
    """,
    ),
    case(
        "a process left behind",
        run="""
        def late():
            time.sleep(0.3)
            self.context["shared.late"] = True
        multiprocessing.get_context("fork").Process(target=late).start()
    """,
    ),
    case(
        "a process left behind, seen by the next row",
        run="print(self.context['shared.late'])",
        after="a process left behind",
    ),
    case(
        "a process left behind that is a daemon",
        run="""
        multiprocessing.get_context("fork").Process(target=time.sleep, args=(300,), daemon=True).start()
    """,
    ),
    case(
        "a thread left behind",
        run="""
        def late():
            time.sleep(0.3)
            self.context[KEY] = "late"
        threading.Thread(target=late).start()
    """,
        on_exit="pass",
    ),
    case(
        "a pool of threads left behind",
        run="""
        from concurrent.futures import ThreadPoolExecutor
        self.pool = ThreadPoolExecutor(1)
        for name in "ab": self.pool.submit(lambda: time.sleep(0.1) or self.context.set(KEY, "late"))
    """,
    ),
    case(
        "pools of processes left behind",
        run="""
        self.pool = multiprocessing.get_context("fork").Pool(2)
        print(self.pool.map(abs, [-1]))
    """,
    ),
    case(
        "a thread left behind that sets the code",
        run="""
        def late():
            time.sleep(0.3)
            self.retcode = 5
        threading.Thread(target=late).start()
    """,
    ),
    case(
        "a thread left behind that is a daemon",
        run="threading.Thread(target=time.sleep, args=(300,), daemon=True).start()",
    ),
    case(
        "a thread that fails",
        run="""
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    """,
    ),
]

CONTEXT = [
    case("a value", run="self.context[KEY] = 5\nprint(self.context[KEY])"),
    case("set", run="print(self.context.set(KEY, 5), self.context[KEY])"),
    case("a missing key", run="self.context[KEY]"),
    case(
        "get",
        run="""
            self.context[KEY] = None
            for key in (KEY, "x"): print(self.context.get(key), self.context.get(key, 5))
        """,
    ),
    case(
        "has_key and in",
        run="""
            self.context[KEY] = None
            for key in (KEY, "x"): print(self.context.has_key(key), key in self.context)
        """,
    ),
    case(
        "del",
        run="self.context[KEY] = 5\ndel self.context[KEY]\nprint(KEY in self.context)\ndel self.context[KEY]",
    ),
    case(
        "None, empty text and False are values",
        run="""
        for value in (None, "", False, 0, [], {}):
            self.context[KEY] = value
            print(KEY in self.context, self.context[KEY], self.context.get(KEY, "default"))
    """,
    ),
    case(
        "iteration",
        run="""
        self.context[KEY + "a"] = self.context[KEY + "b"] = 1
        print([key for key in self.context if key.startswith(KEY)])
    """,
    ),
    case(
        "iteration over what changes",
        run="""
        self.context[KEY + "a"] = self.context[KEY + "b"] = 1
        for key in self.context:
            if key.startswith(KEY): self.context[key + "c"] = self.context[key]
    """,
    ),
    case(
        "items",
        run="""
        self.context[KEY + "a"] = self.context[KEY + "b"] = 1
        print([item for item in self.context.items() if item[0].startswith(KEY)], type(self.context.items()))
    """,
    ),
    case(
        "keys",
        run="""
        self.context[KEY + "a"] = self.context[KEY + "b"] = 1
        print([key for key in self.context.keys if key.startswith(KEY)], isinstance(self.context.keys, list))
    """,
    ),
    case("it can be a key", run="print({self.context: 1}[self.context])"),
    case("is it there", run="print(bool(self.context))"),
    case("interactive mode is off", run="print(self.context.interactive)"),
    case(
        "the dictionary below",
        run="""
        self.context.shared_dict[KEY] = 1
        self.context.shared_dict.update({KEY + "a": 2})
        print({k: v for k, v in self.context.shared_dict.copy().items() if k.startswith(KEY)})
    """,
    ),
    case(
        "a stored object is a copy",
        run="""
        value = self.context[KEY] = [1]
        value.append(2)
        self.context[KEY].append(3)
        print(self.context[KEY])
    """,
    ),
    case("a value that cannot be stored", run="self.context[KEY] = lambda: 0"),
    case("a failure keeps what was written", run="self.context[KEY] = 5\nraise KeyError"),
    case("a hook writes", run=FAIL, on_fail="self.context[KEY] = 5", on_exit="self.context[KEY] += 1"),
    case("a row writes", run="self.context['shared.a'] = [1]\nself.context['shared.b'] = 2"),
    case(
        "a row below reads",
        run="print(self.context['shared.a'], self.context['shared.b'])\ndel self.context['shared.b']",
        after="a row writes",
    ),
    case(
        "a row further below reads",
        run="print('shared.b' in self.context, list(self.context).count('shared.a'))",
        after="a row below reads",
    ),
    case(
        "a helper's default",
        preamble="def f(context=None): context = context or {}; context[KEY] = 1",
        run="f(self.context)",
    ),
    case(
        "a helper's plain class",
        preamble="""
        class Helper:
            def __init__(self, worker): self.worker = worker
            def work(self): self.worker.context[KEY] = self.worker.argv; self.worker.logger.info("worked")
    """,
        run="Helper(self).work()",
        arguments="a",
    ),
    case(
        "threads write",
        run="""
        threads = [threading.Thread(target=self.context.set, args=(f"{KEY}.{n}", n)) for n in range(20)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """,
    ),
]

NOT_STARTED = [
    case("a failing module", preamble="1 / 0", attempts=2),
    case("a module that does not compile", preamble="def", attempts=2),
    case("an import of a module that does not exist", preamble="import no_such_module", attempts=2),
    case("a class without run", preamble="class W(Worker): pass", attempts=2),
    case("a failing constructor", __init__="raise OSError('no')", run="pass", attempts=2),
    case(
        "a constructor that takes no arguments",
        preamble="class W(Worker):\n    def __init__(self): pass\n    def run(self): pass",
        attempts=2,
    ),
]
SAME = [*CODES, *HOOKS, *EXCEPTIONS, *ATTEMPTS, *LOG, *SURROUNDINGS, *CHILDREN, *CONTEXT, *NOT_STARTED]


class Difference(NamedTuple):
    """What PyRunner makes of a case, and what we do, where the two differ; all else of it is the same."""

    case: Case
    theirs: dict[str, Any]
    ours: dict[str, Any]
    only_on: str | None = None
    """The base class on which alone they differ."""


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
DURING = ["", "During handling of the above exception, another exception occurred:", ""]
MORE = "Traceback (most recent call last):"
MUTE = "class Mute(Exception):\n    def __str__(self): raise ValueError('mute')"
NO_MEMBER = "has no attribute"
KEY_ERROR = "pyrunner_airflow.worker.context."

# PYRUNNER.md: sys.exit, os._exit and SIGKILL count as success, and so does whatever else ends the process.
# Here: failure, with the hooks of one (DESIGN.md 4) where there still is a process.
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
        {"codes": [RETRIED, 7], "calls": ["run 0", "run 0"], "log": ["[start]", "[start]"]},
    ),
    Difference(
        case("SIGKILL", run="os.kill(os.getpid(), signal.SIGKILL)", attempts=2),
        {**LOST, "log": ["[start]"]},
        {"codes": [-9, -9], "calls": ["run 0", "run 0"], "log": ["[start]", "[start]"]},
    ),
    *(
        Difference(
            case(name, run=f"os.kill(os.getpid(), signal.{name})", **HOOKS_OF_FAILURE),
            {"codes": [0]},
            {"codes": [code]},
        )
        for name, code in (("SIGTERM", -15), ("SIGSEGV", -11))
    ),
    Difference(
        case("SIGKILL in a hook", run="pass", on_exit="os.kill(os.getpid(), signal.SIGKILL)"),
        {"codes": [0]},
        {"codes": [-9]},
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
    # PYRUNNER.md: a large code wraps.
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

# DESIGN.md 4: print and stderr reach both logs, whenever and whatever it is. PyRunner imports and makes
# workers in its engine, which logs elsewhere, buffers what is printed, and ends the log before the process.
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
        {"log": ["[start]"]},
        {"log": ["[start]", "last words"]},
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

# DESIGN.md 4: each attempt is a task's process of its own.
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
]

# STYLE.md: an unknown name is an error that says where it was looked for.
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

# PYRUNNER.md: ShellWorker hands a list to a shell. It also logs each line with its end, and trips over bytes.
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


# DESIGN.md 4 and 5: hooks of 5.3.0, self.airflow, the rest of a mapping, keys that XComs can hold.
BEYOND = [
    Difference(
        case("the hooks of 5.3.0", run="pass", on_start="pass", on_destroy="pass", on_exit="pass"),
        {"calls": ["run 0", "on_exit 0"]},
        {"calls": ["on_start 0", "run 0", "on_exit 0", "on_destroy 0"]},
    ),
    beyond("self.airflow", f"'W' object {NO_MEMBER} 'airflow'", "print(self.airflow)", ["None"]),
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
        only_on="the stand-in's Worker",
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
    # Not goals: interactive mode.
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


def start(tmp_path_factory, cases):
    """Start a job of these cases under python-batch-runner, and under ours with each base class."""
    apps = {}
    for name, function, interpreter in (
        ("pyrunner", run_under_pyrunner, (sys.executable,)),
        *((base, run_under_ours, interpreter) for base, interpreter in INTERPRETERS.items()),
    ):
        apps[name] = App(tmp_path_factory.mktemp("app"), cases)
        apps[name].start(*command(function, interpreter))
    return apps


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Run all cases; return what is seen of each by PyRunner or base class, and by name."""
    jobs = [[*SAME], [difference.case for difference in DIFFERENCES], *([dead] for dead, _ in DEATHS)]
    found = {"pyrunner": {}, **{base: {} for base in INTERPRETERS}}
    for cases, apps in [(cases, start(tmp_path_factory, cases)) for cases in jobs]:
        for name, app in apps.items():
            rows = app.finish() or [None] * len(cases)
            found[name].update(zip((case.name for case in cases), rows, strict=True))
    return found


@pytest.mark.parametrize("base", INTERPRETERS)
class TestEachBase:
    @pytest.mark.parametrize("case", SAME, ids=lambda case: case.name)
    def test_the_same(self, seen, base, case):
        theirs, ours = seen["pyrunner"][case.name], seen[base][case.name]
        assert theirs
        assert ours._replace(lines=theirs.lines) == theirs

    @pytest.mark.parametrize("case", DIFFERENCES, ids=lambda difference: difference.case.name)
    def test_different(self, seen, base, case):
        theirs, ours = seen["pyrunner"][case.case.name], seen[base][case.case.name]
        if case.only_on in (None, base):
            assert all(case.theirs[part] != case.ours[part] for part in case.theirs)
            assert part_of(theirs, case.theirs) == case.theirs
            assert part_of(ours, case.ours) == case.ours
            assert ours._replace(**case.theirs, lines=theirs.lines) == theirs
        else:
            assert ours._replace(lines=theirs.lines) == theirs

    @pytest.mark.parametrize(("case", "ours"), DEATHS, ids=lambda value: getattr(value, "name", ""))
    def test_what_ends_pyrunners_job(self, seen, base, case, ours):
        assert seen["pyrunner"][case.name] is None
        assert part_of(seen[base][case.name], ours) == ours

    @pytest.mark.parametrize("case", LOG, ids=lambda case: case.name)
    def test_the_task_log_has_the_same_lines(self, seen, base, case):
        """The host is given each line that the worker logs, with its level."""
        assert seen[base][case.name].lines == seen["pyrunner"][case.name].lines


def part_of(seen, parts):
    return {name: getattr(seen, name) for name in parts}


def test_names_are_used_once():
    names = [case.name for case in [*SAME, *(d.case for d in DIFFERENCES), *(dead for dead, _ in DEATHS)]]
    assert len(names) == len(set(names))
