"""What stands in the file that a row's LOGFILE names, where PyRunner is no measure."""

import os
import re
from datetime import datetime, timedelta

import pytest
from worker_jobs import output_of, python, run_row, source, terminate_at, write

RULE = "#" * 76
START = f"{RULE}\n# LOG START - TIME\n{RULE}\n\n"
END = f"\n{RULE}\n# LOG END - TIME\n{RULE}\n\n"


def without_times(text):
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,6}", "TIME", text)


def body_of(ran):
    """Return what stands between the two banners."""
    text = without_times(ran.log)
    assert text.startswith(START)
    assert text.endswith(END)
    return text[len(START) : -len(END)]


@pytest.fixture
def logged(run):
    """Run a method ``run`` of these lines; return what it leaves in LOGFILE, banners and times left out."""

    def run_lines(*lines, preamble="import os, sys", **columns):
        body = "def run(self):\n" + "\n".join(f"    {line}" for line in lines)
        return body_of(run(body, preamble=preamble, logfile="x.log", **columns))

    return run_lines


def test_both_banners_tell_the_time_in_the_lists_zone(run):
    ran = run("def run(self): pass", logfile="x.log", timezone="Asia/Tokyo")
    start, end = map(datetime.fromisoformat, re.findall(r"# LOG \w+ - (.+)", ran.log))
    assert timedelta(0) <= end - start < timedelta(hours=1)


class TestLogger:
    @pytest.mark.parametrize(
        ("method", "level"),
        [
            ("warning", "WARN"),
            ("debug", "DEBUG"),
        ],
    )
    def test_levels(self, run, method, level):
        ran = run(f"def run(self): self.logger.{method}('text')", logfile="x.log")
        assert (ran.lines, body_of(ran)) == ([(level, "text")], f"{level} - TIME - text\n")

    def test_exception_adds_the_traceback(self, run):
        ran = run(
            """
            def run(self):
                try:
                    1 / 0
                except ZeroDivisionError:
                    self.logger.exception("caught")
            """
        )
        [(level, text)] = ran.lines
        assert (level, text.splitlines()[0]) == ("ERROR", "caught")
        assert text.endswith("ZeroDivisionError: division by zero\n")


class TestText:
    def test_restart_banner_follows_a_failure_that_is_tried_again(self, run):
        ran = run("def run(self): return 905", logfile="x.log", attempt=2, max_attempts=3, retry_wait_time=60)
        assert without_times(ran.log) == (
            f"{START}{END}\n{RULE}\n# RESTART ATTEMPT 2 - TIME\n"
            f"# Waiting 60 seconds before retrying...\n{RULE}\n\n"
        )

    @pytest.mark.parametrize("line", ["os.kill(os.getpid(), 9)", "os._exit(0)", "os.abort()"])
    def test_a_worker_whose_process_died_has_its_end_too(self, run, line):
        ran = run(f"def run(self): {line}", "import os", logfile="x.log", attempt=1, max_attempts=2)
        assert without_times(ran.log) == (
            f"{START}{END}\n{RULE}\n# RESTART ATTEMPT 1 - TIME\n"
            f"# Waiting 0 seconds before retrying...\n{RULE}\n\n"
        )

    def test_so_has_one_that_did_not_end_when_it_was_interrupted(self, run):
        ran = run(
            """
            def run(self):
                self.logger.info("ready")
                threading.Event().wait()
            def on_fail(self): threading.Event().wait()
            """,
            "import threading",
            on_log=terminate_at("ready", 0.5),
            logfile="x.log",
        )
        assert ran.log.endswith("#\n\n")
        assert ran.log.count("LOG END") == 1

    @pytest.mark.parametrize(
        ("line", "attempt"),
        [
            ("return 5", 3),
            ("return 0", 1),
            ("raise AirflowSkipException", 1),
            ("raise KeyError", 3),
            ("raise AirflowFailException", 1),
        ],
    )
    def test_no_restart_banner_where_no_attempt_follows(self, run, line, attempt):
        ran = run(f"def run(self): {line}", logfile="x.log", attempt=attempt, max_attempts=3)
        assert ran.log.count("LOG END") == 1
        assert "RESTART" not in ran.log

    def test_a_row_that_did_not_start_says_why_and_is_not_tried_again(self, root):
        ran = run_row(root, logfile="x.log", max_attempts=3)
        assert body_of(ran).startswith("ERROR - TIME - there is no module workers in ")
        assert "RESTART" not in ran.log

    def test_an_interruption_is_told(self, logged):
        text = logged("raise Interrupted('timeout')")
        assert text.startswith(
            "ERROR - TIME - Uncaught Exception from Worker Thread (RUN)\nERROR - TIME - timeout\n"
        )

    def test_what_stood_there_before_stays(self, root, run):
        write(root / "x.log", "before\n")
        ran = run("def run(self): pass", logfile="x.log")
        assert without_times(ran.log) == f"before\n{START}{END}"


class TestOutput:
    def test_output_reaches_the_tasks_own_too(self, run, capfdbinary):
        run(
            """
            def run(self):
                print("out")
                print("err", file=sys.stderr)
                sys.stdout.buffer.write(b"\\xff")
            """,
            "import sys",
            logfile="x.log",
        )
        out, err = capfdbinary.readouterr()
        assert (out, err) == (b"out\n\xff", b"err\n")

    def test_without_logfile_output_reaches_the_tasks_own(self, root, run, capfdbinary):
        run("def run(self): print('out')")
        assert capfdbinary.readouterr().out == b"out\n"
        assert sorted(path.name for path in root.iterdir()) == ["workers"]

    def test_a_log_line_that_the_host_prints_stands_there_once(self, run, capfd):
        def on_log(_, text):
            print(f"[host] {text}")

        ran = run("def run(self): self.logger.info('once')", logfile="x.log", on_log=on_log)
        assert body_of(ran) == "INFO - TIME - once\n"
        assert capfd.readouterr().out == "[host] once\n"

    @pytest.mark.parametrize("logfile", [None, "x.log"])
    @pytest.mark.parametrize("takes_output", [False, True])
    def test_log_lines_keep_their_order_with_what_is_printed(self, run, capfd, logfile, takes_output):
        """Also those of a thread, and of a process that the worker forks."""

        def show(_, text):
            os.write(1, f"{text.rstrip()}\n".encode())

        ran = run(
            """
            def run(self):
                self.work("main")
                thread = threading.Thread(target=self.work, args=["thread"])
                thread.start()
                thread.join()
                if not os.fork():
                    self.work("child")
                    os._exit(0)
                os.wait()
            def work(self, name):
                for number in range(200):
                    print(name, number, "printed")
                    self.logger.info(f"{name} {number} logged")
            """,
            "import os, threading",
            on_log=show,
            printed=show if takes_output else None,
            logfile=logfile,
        )
        assert ran.error is None
        assert capfd.readouterr().out.splitlines() == [
            f"{name} {number} {how}"
            for name in ("main", "thread", "child")
            for number in range(200)
            for how in ("printed", "logged")
        ]

    def test_so_do_those_of_threads_and_processes_beside_each_other(self, run, capfd):
        ran = run(
            """
            def run(self):
                threads = [threading.Thread(target=self.work, args=[name]) for name in "ab"]
                for thread in threads: thread.start()
                children = [os.fork() or self.work_and_end(name) for name in "cd"]
                for thread in threads: thread.join()
                for child in children: os.waitpid(child, 0)
            def work(self, name):
                for number in range(200):
                    print(f"{name} {number} printed\\n", end="")
                    self.logger.info(f"{name} {number} logged")
            def work_and_end(self, name):
                self.work(name)
                os._exit(0)
            """,
            "import os, threading",
            on_log=lambda _, text: os.write(1, f"{text}\n".encode()),
        )
        lines = capfd.readouterr().out.splitlines()
        assert (ran.error, len(lines)) == (None, 4 * 400)
        for name in "abcd":
            own = [line for line in lines if line.startswith(name)]
            assert own == [f"{name} {n} {how}" for n in range(200) for how in ("printed", "logged")]

    def test_threads_do_not_break_each_others_lines(self, logged):
        text = logged(
            "def work(name):",
            "    for _ in range(300):",
            "        print(name, end='')",
            "        print(name, end='')",
            "        print(name)",
            "threads = [threading.Thread(target=work, args=(c * 20,)) for c in 'abcd']",
            "for t in threads: t.start()",
            "for t in threads: t.join()",
            preamble="import sys, threading\nsys.setswitchinterval(1e-6)",
        )
        assert sorted(set(text.splitlines())) == [char * 60 for char in "abcd"]
        assert len(text.splitlines()) == 1200

    def test_what_a_forked_child_prints_is_kept_once(self, logged):
        text = logged(
            "print('parent', end=' ')",
            "child = multiprocessing.get_context('fork').Process(target=print, args=('child',))",
            "child.start()",
            "child.join()",
            "print('parent')",
            preamble="import multiprocessing",
        )
        assert text == "child\nparent parent\n"

    def test_standard_output_may_be_closed(self, run, capfd):
        ran = run(
            """
            def run(self): sys.stdout.close()
            def on_exit(self): self.logger.info("exit")
            """,
            "import sys",
            logfile="x.log",
        )
        assert (ran.code, body_of(ran)) == (0, "INFO - TIME - exit\n")
        print("still open")
        assert capfd.readouterr().out == "still open\n"

    def test_the_descriptors_stay_open_whatever_becomes_of_the_streams(self):
        process = python(
            """
            import io, os
            from pyrunner_airflow.worker.logger import take_output

            sys.stdout = os.fdopen(1, "w")  # as Airflow's supervisor has it
            take_output(print, None)
            sys.stdout = io.StringIO()
            os.write(1, b"by a command")
            """
        )
        assert process.communicate()[0] == b"by a command"

    def test_what_comes_after_the_workers_methods_stands_before_the_end(self, logged):
        text = logged(
            "kept = logging.StreamHandler(sys.stderr)",
            "def end():",
            "    threading.main_thread().join()",
            "    print('printed')",
            "    self.logger.info('logged')",
            "    kept.emit(logging.makeLogRecord({'msg': 'through a handler'}))",
            "threading.Thread(target=end).start()",
            preamble="import logging, sys, threading",
        )
        assert text == "printed\nINFO - TIME - logged\nthrough a handler\n"


class TestFile:
    def test_a_relative_path_lies_below_the_root_even_if_the_worker_moves(self, root, run):
        run("def run(self):\n    os.chdir('/')\n    print('here')", "import os", logfile="logs/x.log")
        assert "here\n" in (root / "logs" / "x.log").read_text()

    def test_an_absolute_path(self, tmp_path, run):
        run("def run(self): print('here')", logfile=str(tmp_path / "x.log"))
        assert "here\n" in (tmp_path / "x.log").read_text()

    @pytest.mark.parametrize("logfile", ["file/x.log", "folder"])
    def test_one_that_cannot_be_written_is_told_and_nothing_starts(self, root, run, logfile):
        write(root / "file", "")
        (root / "folder").mkdir()
        ran = run("def run(self): self.context['ran'] = True", logfile=logfile)
        assert (ran.code, ran.context) == (905, {})
        assert "AppError: LOGFILE cannot be written: [Errno " in ran.cause
        assert str(root / logfile.split("/")[0]) in ran.cause

    def test_a_disk_that_is_full_is_told_and_nothing_starts(self, run):
        ran = run("def run(self): self.context['ran'] = True", logfile="/dev/full")
        assert (ran.code, ran.context) == (905, {})
        assert "AppError: LOGFILE cannot be written: [Errno 28]" in ran.cause

    def test_one_that_takes_no_more_fails_no_worker(self, run):
        ran = run(
            """
            def run(self):
                resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
                self.logger.info("x" * 5000)
                self.logger.info("still here")
            """,
            "import resource",
            logfile="x.log",
        )
        assert ran.code == 0
        assert ran.lines == [
            ("WARN", "LOGFILE ends here, the log goes on: [Errno 27] File too large"),
            ("INFO", "x" * 5000),
            ("INFO", "still here"),
        ]
        assert without_times(ran.log[2000:]) == END

    @pytest.mark.parametrize("logfile", [None, ""])
    def test_no_logfile_writes_nothing(self, root, run, logfile):
        run("def run(self): print('x')", logfile=logfile)
        assert sorted(path.name for path in root.iterdir()) == ["workers"]

    def test_a_secret_is_no_part_of_its_name(self, run, root):
        ran = run(
            "def run(self): pass",
            env={"APP_PASSWORD": "Zulu-93", "APP_SAME": "Zulu-93"},
            mask=lambda variables: {text for name, text in variables.items() if name == "APP_PASSWORD"},
            logfile="$ENV{APP_SAME}.log",
        )
        assert (ran.code, ran.outcome.started, "Zulu-93" in ran.cause) == (905, False, False)
        assert "AppError: LOGFILE: $ENV{APP_SAME} is a secret, which the file's name would " in ran.cause
        assert not list(root.rglob("*.log"))

    def test_the_tasks_process_keeps_no_descriptor_open(self, run):
        descriptors = len(os.listdir("/proc/self/fd"))
        run("def run(self): return 5", logfile="x.log", max_attempts=2)
        assert len(os.listdir("/proc/self/fd")) == descriptors

    def test_two_processes_append_whole_lines(self, root):
        write(root / "workers" / "workers.py", source(PRINT_MUCH))
        runs = [python(RUN_WITH_LOGFILE, root, name) for name in ("a", "b")]
        for process in runs:
            output_of(process)
        lines = [line for line in (root / "x.log").read_text().splitlines() if line[:1] in ("a", "b")]
        assert set(lines) == {"a" * 5000, "b" * 5000}
        assert len(lines) == 400


PRINT_MUCH = """
def run(self):
    for _ in range(200):
        for _ in range(5):
            print(self.argv[0] * 1000, end="")
        print()
"""
RUN_WITH_LOGFILE = """
from pathlib import Path
from worker_jobs import run_row
assert run_row(Path(sys.argv[1]), arguments=[sys.argv[2]], logfile="x.log").code == 0
"""
