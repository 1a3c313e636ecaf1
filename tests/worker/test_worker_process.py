"""What real jobs do to the process that they run in."""

import signal
import subprocess

import pytest
from worker_jobs import output_of, python, source, wait_until, write

RUN_ROW = """
from pathlib import Path
from worker_jobs import run_row
ran = run_row(Path(sys.argv[1]), logfile=sys.argv[2])
print("code", ran.code, repr(ran.error))
"""


@pytest.fixture
def start(root):
    """Write a worker W that has these methods, and start one attempt of its row in a process of its own."""

    def write_and_start(body, preamble="import os, sys", base="pyrunner_airflow", logfile="x.log"):
        write(root / "workers" / "workers.py", source(body, preamble, base))
        return python(RUN_ROW, root, logfile or "", stdin=subprocess.DEVNULL)

    return write_and_start


class TestEndOfProcess:
    def test_a_keyboard_interrupt_runs_the_hooks(self, start, root):
        process = start(
            """
            def run(self):
                open("ready", "w").close()
                while True: time.sleep(0.01)
            def on_fail(self): print("cleaned")
            """,
            "import time",
        )
        assert wait_until((root / "ready").exists, 10)
        process.send_signal(signal.SIGINT)
        assert "code 901 KeyboardInterrupt()" in output_of(process)
        assert "cleaned\n" in (root / "x.log").read_text()


class TestChildren:
    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_multiprocessing(self, start, method):
        body = f"""
        def run(self):
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                print(pool.map(abs, [-1, -2]), pool.map(square, [1, 2]))
        """
        preamble = "import multiprocessing\ndef square(number): return number * number"
        assert output_of(start(body, preamble, logfile=None)) == "[1, 2] [1, 4]\ncode 0 None\n"

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
    def test_a_forked_child_runs_nothing_of_its_parents(self, start, root, base, end, status):
        """No hooks, and no second report to Airflow."""
        process = start(
            f"""
            def run(self):
                child = os.fork()
                if not child:
                    {end}
                print("child ended with", os.waitpid(child, 0)[1] >> 8)
            def on_success(self): print("success")
            def on_fail(self): print("fail")
            """,
            base=base,
        )
        printed = output_of(process).splitlines()[-3:]
        assert printed == [f"child ended with {status}", "success", "code 0 None"]
        assert (root / "x.log").read_text().count("LOG END") == 1

    def test_what_a_forked_child_printed_is_not_lost(self, start):
        body = """
        def run(self):
            if not os.fork():
                print("from the child")
                sys.exit()
            os.wait()
        """
        assert output_of(start(body, logfile=None)).count("from the child") == 1

    def test_a_command_that_writes_to_stdout_reaches_the_tasks_output(self, start):
        body = "def run(self): subprocess.run(['echo', 'hello'], stdout=sys.stdout, stderr=sys.stderr)"
        assert "hello\n" in output_of(start(body, "import subprocess, sys", logfile=None))


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

    def test_a_pool_of_processes_that_is_left_open_is_not_waited_for(self, start):
        """PyRunner never ends."""
        body = """
        def run(self):
            W.pool = ProcessPoolExecutor(1)
            print(W.pool.submit(abs, -1).result())
        """
        preamble = "from concurrent.futures import ProcessPoolExecutor"
        assert output_of(start(body, preamble, logfile=None)) == "1\ncode 0 None\n"

    def test_pools_of_threads_can_still_be_used_after_one_was_left_open(self, run):
        body = "def run(self): self.context['later'] = ThreadPoolExecutor(1).submit(abs, -1)"
        preamble = "from concurrent.futures import ThreadPoolExecutor"
        assert [run(body, preamble).context["later"].result(10) for _ in range(2)] == [1, 1]
