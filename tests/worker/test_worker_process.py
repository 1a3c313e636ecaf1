"""The process that a worker has of its own: what it leaves, how it ends, and what interrupts it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from worker_jobs import (
    AirflowFailException,
    AirflowSkipException,
    Interrupted,
    json_of,
    run_row,
    source,
    terminate_at,
    wait_until,
    write,
)
from worker_jobs import python as start_python


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class TestEnd:
    @pytest.mark.parametrize(
        ("line", "code", "cause"),
        [
            ("os._exit(7)", 7, "its process ended (exit status 7)"),
            ("os._exit(0)", 901, "its process ended (exit status 0)"),
            ("os.kill(os.getpid(), 9)", 137, "its process ended (signal 9, Killed)"),
            ("os.abort()", 134, "its process ended (signal 6, Aborted)"),
        ],
    )
    def test_a_process_that_ends_under_the_worker_is_a_failure(self, run, line, code, cause):
        ran = run(f"def run(self): {line}", "import os")
        assert (ran.code, ran.error_type, ran.outcome.started) == (code, "WorkerFailed", True)
        assert f"{cause}" in ran.cause

    def test_nothing_that_it_forked_outlives_it(self, run, root):
        run(
            """
            def run(self):
                pid = os.fork()
                if not pid:
                    time.sleep(60)
                with open("pid", "w") as file: file.write(str(pid))
                os.kill(os.getpid(), 9)
            """,
            "import os, time",
        )
        pid = int((root / "pid").read_text())
        assert wait_until(lambda: not is_running(pid))

    def test_what_goes_on_without_it_is_told_that_the_tasks_process_is_gone(self, run, root):
        os.mkfifo(root / "go")
        ran = run(
            """
            def run(self):
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
                if os.fork():
                    return
                open("go").close()
                try:
                    self.context["late"] = 1
                except RuntimeError as error:
                    os.symlink(str(error), "told")
            """,
            "import os, signal",
        )
        (root / "go").write_text("")
        assert wait_until((root / "told").is_symlink)
        assert os.readlink(root / "told").startswith("the task's process is gone, or ")
        assert ran.code == 0

    def test_of_an_exception_the_workers_own_frames_are_shown(self, run, root):
        ran = run("def run(self):\n  self.deep()\ndef deep(self): raise ValueError('bad')")
        assert (ran.error_type, ran.error_text) == ("ValueError", "bad")
        assert ran.traceback.startswith(
            f'\n"""\nTraceback (most recent call last):\n  File "{root}/workers/workers.py", line 6, in run'
        )
        assert f'File "{root}/workers/workers.py", line 7, in deep' in ran.traceback
        assert "ValueError: bad" in ran.cause

    @pytest.mark.parametrize(
        "error",
        [
            "KeyError('a')",
            "FileNotFoundError(2, 'No such file', 'x.csv')",
            "UnicodeDecodeError('utf-8', b'\\xff', 0, 1, 'invalid')",
            "Interrupted('now')",
        ],
    )
    def test_an_exception_of_a_fork_comes_back_as_itself(self, run_in_fork, error):
        raised = run_in_fork(f"def run(self): raise {error}").error
        assert repr(raised) == repr(eval(error))
        assert str(raised) == str(eval(error))

    def test_what_cannot_travel_of_its_attributes_stays_behind(self, run_in_fork):
        lines = [
            "error = Interrupted('now')",
            "error.code, error.where = 5, open('/dev/null')",
            "raise error",
        ]
        raised = run_in_fork("def run(self):\n" + "".join(f"    {line}\n" for line in lines)).error
        assert (type(raised), vars(raised)) == (Interrupted, {"code": 5})

    def test_one_that_only_the_worker_knows_by_its_name(self, run_in_fork):
        ran = run_in_fork("def run(self): raise Mine('a', 1)", "class Mine(Exception): pass")
        assert (type(ran.error).__name__, str(ran.error)) == ("WorkerRaised", "Mine: ('a', 1)")

    def test_a_skip_is_known_by_the_name_of_its_class(self, run):
        body = "def run(self): raise AirflowSkipException('nothing to do')"
        ran = run(body, "class AirflowSkipException(Exception): pass")
        assert (ran.code, type(ran.error), str(ran.error)) == (0, AirflowSkipException, "nothing to do")

    def test_so_is_an_exception_after_which_no_attempt_follows(self, run):
        body = "def run(self): raise AirflowFailException('no such table')"
        ran = run(body, "class AirflowFailException(Exception): pass", max_attempts=3)
        assert (ran.code, type(ran.error), str(ran.error)) == (901, AirflowFailException, "no such table")
        assert not ran.is_tried_again

    def test_rubbish_on_the_way_to_airflow_fails_the_attempt_and_ends_it(self, run):
        ran = run(
            """
            def run(self):
                for descriptor in range(3, 64):
                    try:
                        if stat.S_ISSOCK(os.fstat(descriptor).st_mode): os.write(descriptor, b"rubbish\\n")
                    except OSError: pass
                time.sleep(60)
            """,
            "import os, stat, time",
        )
        assert (ran.code, ran.error_type) == (901, "WorkerFailed")
        assert "it wrote b'rubbish\\n' to a descriptor that is nothing but its way to Airflow" in ran.cause

    @pytest.mark.parametrize("line", ["pass", "self.context['b'] = 2", "raise KeyError"])
    def test_one_that_closes_its_way_to_airflow_is_a_failure(self, run, line):
        ran = run(
            f"""
            def run(self):
                self.context["a"] = 1
                os.closerange(3, 256)
                {line}
            """,
            "import os",
            logfile="x.log",
        )
        assert (ran.code, ran.error_type, ran.context) == (901, "WorkerFailed", {"a": 1})
        cause = "its process ended (it has closed the descriptors by which it reaches Airflow)"
        assert f"{cause}" in ran.cause
        assert ran.log.count("LOG END") == 1

    @pytest.mark.parametrize(
        ("line", "cause"),
        [("os.kill(os.getpid(), 9)", "signal 9, Killed"), ("os._exit(3)", "exit status 3")],
    )
    def test_a_process_that_dies_in_a_thread_after_all_methods_is_a_failure(self, run, line, cause):
        ran = run(
            f"""
            def run(self): threading.Thread(target=self.end).start()
            def end(self):
                threading.main_thread().join()
                {line}
            """,
            "import os, threading",
        )
        assert ran.code != 0
        assert f"its process ended ({cause})" in ran.cause

    def test_threads_are_waited_for_and_may_use_the_context(self, run):
        ran = run(
            """
            def run(self): threading.Thread(target=self.end).start()
            def end(self):
                threading.main_thread().join()
                self.context["late"] = True
                print("printed late")
            """,
            "import threading",
            logfile="x.log",
        )
        assert (ran.code, ran.context) == (0, {"late": True})
        assert ran.log.index("printed late") < ran.log.index("LOG END")

    def test_multiprocessing_children_are_waited_for(self, run_in_fork):
        ran = run_in_fork(
            """
            def run(self): multiprocessing.get_context("fork").Process(target=self.end).start()
            def end(self): self.context["late"] = multiprocessing.parent_process() is not None
            """,
            "import multiprocessing",
        )
        assert (ran.code, ran.context) == (0, {"late": True})

    def test_it_can_be_started_where_the_tasks_process_is_a_daemon_of_multiprocessing(self, root):
        """As the processes of Celery's pool are."""
        write(root / "workers" / "workers.py", source("def run(self): self.context['a'] = 1"))
        script = """
        import json, multiprocessing
        from pathlib import Path
        from worker_jobs import run_row
        def run(): print(json.dumps(run_row(Path(sys.argv[1])).context))
        process = multiprocessing.get_context("fork").Process(target=run, daemon=True)
        process.start()
        process.join()
        """
        assert json_of(start_python(script, root)) == {"a": 1}


class TestChildren:
    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_multiprocessing(self, run_in_fork, capfd, method):
        body = f"""
        def run(self):
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                print(pool.map(abs, [-1, -2]), pool.map(square, [1, 2]))
        """
        preamble = "import multiprocessing\ndef square(number): return number * number"
        assert run_in_fork(body, preamble).code == 0
        assert capfd.readouterr().out == "[1, 2] [1, 4]\n"

    def test_one_that_is_ended_as_soon_as_it_is_started_ends(self, run):
        """SIGTERM comes before its Python does anything."""
        ran = run(
            """
            def run(self):
                for _ in range(50):
                    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
                    child.start()
                    child.terminate()
                    child.join()
                    assert child.exitcode == -15
            """,
            "import multiprocessing, time",
        )
        assert ran.error is None

    @pytest.mark.parametrize("base", ["pyrunner_airflow", "pyrunner"])
    @pytest.mark.parametrize(
        ("end", "status"),
        [
            ("sys.exit(3)", 3),
            ("sys.exit()", 0),
            ("sys.exit('text')", 1),
            ("sys.exit(-1)", 255),
            ("os._exit(4)", 4),
            ("raise KeyError", 1),
            ("return 5", 0),
        ],
    )
    def test_a_forked_child_runs_nothing_of_its_parents(self, run, capfd, base, end, status):
        """No hooks, and no second report to Airflow."""
        ran = run(
            f"""
            def run(self):
                child = os.fork()
                if not child:
                    {end}
                print("child ended with", os.waitpid(child, 0)[1] >> 8)
            def on_success(self): print("success")
            def on_fail(self): print("fail")
            """,
            "import os, sys",
            base=base,
            logfile="x.log",
        )
        assert capfd.readouterr().out.splitlines()[-2:] == [f"child ended with {status}", "success"]
        assert (ran.code, ran.log.count("LOG END")) == (0, 1)

    def test_what_a_forked_child_printed_is_not_lost(self, run, capfd):
        body = """
        def run(self):
            if not os.fork():
                print("from the child")
                sys.exit()
            os.wait()
        """
        assert run(body, "import os, sys").code == 0
        assert capfd.readouterr().out.count("from the child") == 1

    def test_a_command_that_writes_to_stdout_reaches_the_tasks_output(self, run, capfd):
        body = "def run(self): subprocess.run(['echo', 'hello'], stdout=sys.stdout, stderr=sys.stderr)"
        assert run(body, "import subprocess, sys").code == 0
        assert capfd.readouterr().out == "hello\n"

    def test_a_forked_child_may_use_the_context_and_the_log(self, run):
        ran = run(
            """
            def run(self):
                if not os.fork():
                    self.context["b"] = self.context["a"] + 1
                    self.logger.info("from the child")
                    os._exit(0)
                os.wait()
                self.context["seen"] = self.context["b"]
            """,
            "import os",
            context={"a": 1},
        )
        assert (ran.context, ran.lines) == ({"a": 1, "b": 2, "seen": 2}, [("INFO", "from the child")])

    def test_so_may_many_beside_each_other_of_which_some_are_killed(self, run):
        ran = run(
            """
            def run(self):
                children = []
                for number in range(8):
                    child = os.fork()
                    if not child: self.work(number)
                    children.append(child)
                for number in range(50):
                    self.context["mine"] = number
                    assert self.context["mine"] == number
                    if number % 10 == 5: os.kill(children[number // 10], 9)
                for child in children: os.waitpid(child, 0)
            def work(self, number):
                try:
                    for round in range(100):
                        self.context["k%d" % number] = round
                        assert self.context["k%d" % number] == round
                finally:
                    os._exit(0)
            """,
            "import os",
        )
        assert (ran.code, ran.context["mine"]) == (0, 49)
        assert [ran.context[f"k{number}"] for number in (5, 6, 7)] == [99, 99, 99]


class TestThreads:
    def test_output_and_context_of_a_workers_threads(self, run):
        ran = run(
            """
            def run(self):
                with ThreadPoolExecutor(4) as pool:
                    list(pool.map(self.work, range(100)))
            def work(self, number):
                print("printed", number)
                self.logger.info(number)
                self.context[f"k{number}"] = number
            """,
            "from concurrent.futures import ThreadPoolExecutor",
            logfile="x.log",
        )
        assert len(ran.context) == len(ran.lines) == 100
        assert ran.log.count("printed") == ran.log.count("INFO - ") == 100

    def test_a_pool_of_processes_that_is_left_open_ends_too(self, run, capfd):
        """PyRunner never ends."""
        body = """
        def run(self):
            W.pool = ProcessPoolExecutor(1)
            print(W.pool.submit(abs, -1).result())
        """
        preamble = "from concurrent.futures import ProcessPoolExecutor"
        assert run(body, preamble).code == 0
        assert capfd.readouterr().out == "1\n"

    def test_pools_of_threads_that_are_left_open_do_their_work_first(self, run):
        body = "def run(self): ThreadPoolExecutor(1).submit(self.context.set, 'later', 1)"
        assert run(body, "from concurrent.futures import ThreadPoolExecutor").context == {"later": 1}


class TestInterruption:
    WAIT = "self.logger.info('ready')\n    while True: time.sleep(0.01)"

    def test_it_is_raised_in_the_worker_and_comes_back_as_it_was(self, run):
        body = f"""
def run(self):
    {self.WAIT}
def on_fail(self): self.context["on_fail"] = self.context.get("nothing", "can use the context")
def on_exit(self): self.context["on_exit"] = True
"""
        ran = run(body, "import time", on_log=terminate_at("ready"))
        assert (ran.code, ran.error_type, ran.error_text) == (901, "WorkerTerminated", "the task is ended")
        assert ran.context == {"on_fail": "can use the context", "on_exit": True}
        assert "WorkerTerminated: the task is ended" in ran.cause

    def test_a_timeout_is_too(self, run, monkeypatch):
        """It raises in the task's process, on SIGALRM."""

        def time_is_up(*_):
            raise Interrupted("time is up")

        before = signal.signal(signal.SIGALRM, time_is_up)
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        ran = run(f"def run(self):\n    {self.WAIT}", "import time")
        signal.signal(signal.SIGALRM, before)
        assert (ran.code, type(ran.error), str(ran.error)) == (901, Interrupted, "time is up")

    def test_how_long_the_hooks_have_is_told(self, run):
        ran = run(f"def run(self):\n    {self.WAIT}", "import time", on_log=terminate_at("ready", 7))
        text = "WorkerTerminated: the task is ended: the worker's hooks have 7 s to end"
        assert ("WARN", text) in ran.lines

    def test_a_loop_that_does_nothing_but_log_is_interrupted(self, run):
        ran = run(
            """
            def run(self):
                while True: self.logger.info("again")
            def on_fail(self): self.context["failed"] = 1
            """,
            on_log=terminate_at("again"),
        )
        assert (ran.error_type, ran.context) == ("WorkerTerminated", {"failed": 1})

    def test_amid_questions_every_answer_is_still_the_right_one(self, run):
        ran = run(
            """
            def run(self):
                for number in range(10**9):
                    key = "k%d" % (number % 7)
                    self.context[key] = number
                    del self.context[key]
                    if number == 100: self.logger.info("ready")
            def on_fail(self):
                self.context["a"] = 1
                self.context["right"] = ["a" in self.context, "nothing" in self.context, self.context["a"]]
            """,
            on_log=terminate_at("ready"),
        )
        assert (ran.error_type, ran.context["right"]) == ("WorkerTerminated", [True, False, 1])

    def test_a_sigterm_from_anywhere_else_runs_the_hooks_too(self, run):
        ran = run(
            """
            def run(self): os.kill(os.getpid(), signal.SIGTERM)
            def on_fail(self): self.context["failed"] = 1
            """,
            "import os, signal",
        )
        assert (ran.code, ran.error_type, ran.context) == (901, "WorkerInterrupted", {"failed": 1})

    def test_one_while_the_module_is_imported_ends_the_attempt(self, run):
        preamble = """
import os, signal
os.kill(os.getpid(), signal.SIGTERM)
"""
        ran = run("def run(self): pass", preamble)
        assert (ran.code, ran.error_type) == (901, "WorkerInterrupted")

    def test_one_while_the_profile_is_sourced_ends_the_attempt(self, root, python):
        write(root / "workers" / "workers.py", source("def run(self): pass"))
        write(root / "config" / "app_profile", "kill -TERM $PPID; sleep 60")
        ran = run_row(root, python=python)
        assert (ran.code, ran.error_type) == (901, "WorkerInterrupted")

    def test_a_worker_that_does_not_end_is_killed_with_its_children(self, run):
        ran = run(
            """
            def run(self):
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                child = subprocess.Popen(["sleep", "60"])
                self.context["child"] = child.pid
                self.logger.info("ready")
                child.wait()
            """,
            "import signal, subprocess",
            on_log=terminate_at("ready", 0.5),
        )
        assert (ran.code, ran.error_type) == (137, "WorkerTerminated")
        assert "WorkerTerminated, and the worker did not end" in ran.cause
        assert wait_until(lambda: not is_running(ran.context["child"]))

    def test_hooks_that_do_not_end_are_killed_too(self, run):
        ran = run(
            """
            def run(self):
                self.logger.info("ready")
                threading.Event().wait()
            def on_fail(self): threading.Event().wait()
            """,
            "import threading",
            on_log=terminate_at("ready", 0.5),
        )
        assert (ran.error_type, ran.outcome.started) == ("WorkerTerminated", True)

    def test_ctrl_c_runs_the_hooks(self, root):
        body = """
        def run(self):
            open("ready", "w").close()
            threading.Event().wait()
        def on_fail(self): print("cleaned")
        """
        write(root / "workers" / "workers.py", source(body, "import threading"))
        script = """
        from pathlib import Path
        from worker_jobs import run_row
        ran = run_row(Path(sys.argv[1]), logfile="x.log")
        print(repr(str(ran.code)), type(ran.error).__name__)
        """
        process = start_python(script, root, stdin=subprocess.DEVNULL)
        assert wait_until((root / "ready").exists)
        process.send_signal(signal.SIGINT)
        assert "'901' KeyboardInterrupt" in process.communicate(timeout=50)[0].decode()
        assert "cleaned\n" in (root / "x.log").read_text()

    def test_it_dies_with_the_tasks_process(self, root, python):
        """Also one that is killed without a chance to say so: no next attempt runs beside an orphan."""
        body = """
        def run(self):
            child = subprocess.Popen(["sleep", "60"])
            with open("draft", "w") as file: file.write(f"{os.getpid()} {child.pid}")
            os.rename("draft", "pids")
            child.wait()
        """
        write(root / "workers" / "workers.py", source(body, "import os, subprocess"))
        script = """
        from pathlib import Path
        from worker_jobs import run_row
        run_row(Path(sys.argv[1]), python=sys.argv[2] if len(sys.argv) > 2 else None)
        """
        task = start_python(script, root, *([python] if python else []), stdin=subprocess.DEVNULL)
        assert wait_until((root / "pids").exists)
        task.kill()
        task.wait()
        pids = [int(pid) for pid in (root / "pids").read_text().split()]
        assert wait_until(lambda: not any(map(is_running, pids)))
