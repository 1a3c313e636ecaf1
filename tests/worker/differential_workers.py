"""Workers of which the same must come under python-batch-runner and under ours, by what they are about."""

import itertools

from differential_jobs import case

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
        run="subprocess.Popen(['sleep', '300'])",
    ),
    case(
        "a command left behind that holds LOGFILE open",
        run="subprocess.Popen(['sleep', '300'], stdout=sys.stdout, stderr=sys.stderr)",
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
        "pools of processes left behind",
        run="""
            self.pool = multiprocessing.get_context("fork").Pool(2)
            print(self.pool.map(abs, [-1]))
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
            items = self.context.items()
            print(type(items), [item for item in items if item[0].startswith(KEY)])
        """,
    ),
    case(
        "keys",
        run="""
            self.context[KEY + "a"] = self.context[KEY + "b"] = 1
            keys = self.context.keys
            print(isinstance(keys, list), [key for key in keys if key.startswith(KEY)])
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
    case(
        "a value that cannot be stored",
        run="try: self.context[KEY] = lambda: 0\nexcept Exception: print('refused', KEY in self.context)",
    ),
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
