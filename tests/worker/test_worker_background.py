"""What is left running in the background when an attempt ends, and what of it lives on."""

import os
import signal
import subprocess
import sys

import pytest
from worker_jobs import processes, run_row, source, wait_until, write

from pyrunner_airflow.worker.groups import LEFT_RUNNING, end_group

BODY = "def run(self):\n    subprocess.Popen({command!r}, shell=True)\n    return {code}\n"
WHERE = ["profile", "fork", "interpreter", "shell"]
TOLD = ("WARN", LEFT_RUNNING)


@pytest.fixture
def start(root):
    """Run an attempt whose profile, worker or shell command leaves a command in the background."""

    def start(where, command, code=0):
        fields = {}
        command = f"{command} >/dev/null 2>&1 &"
        body = f"def run(self): return {code}"
        if where == "profile":
            write(root / "config" / "app_profile", command)
        elif where == "shell":
            fields = {"module": "pyrunner", "worker": "ShellWorker", "arguments": [f"{command} exit {code}"]}
        else:
            fields = {"python": sys.executable if where == "interpreter" else None}
            body = BODY.format(command=command, code=code)
        write(root / "workers" / "workers.py", source(body, "import subprocess"))
        ran = run_row(root, **fields)
        assert ran.code == code
        return ran

    return start


@pytest.mark.parametrize("where", WHERE)
class TestLeftRunning:
    def test_it_ends_with_an_attempt_that_succeeds_and_the_log_says_so(self, start, where, sleep):
        assert start(where, sleep).lines == [TOLD]
        assert wait_until(lambda: not processes(sleep))

    @pytest.mark.parametrize("how", ["nohup", "setsid"])
    def test_what_is_to_go_on_says_so(self, start, where, how, sleep):
        start(where, f"{how} {sleep}")
        assert wait_until(lambda: processes(sleep))

    def test_nothing_goes_on_after_a_failure(self, start, where, sleep):
        assert start(where, f"nohup {sleep}", code=3).lines == []
        assert wait_until(lambda: not processes(sleep))

    def test_what_ends_by_itself_is_let_end(self, start, where, root):
        assert start(where, "(trap 'exit' HUP; sleep 0.3; touch ended)").lines == []
        assert (root / "ended").exists()


def test_an_interruption_of_the_profile_ends_what_it_has_started(root, sleep):
    profile = f"(trap '' HUP TERM; {sleep}; true) & nohup {sleep} & kill -TERM $PPID; wait"
    write(root / "config" / "app_profile", profile)
    assert run_row(root).error_type == "WorkerInterrupted"
    assert wait_until(lambda: not processes(sleep))


def test_so_it_is_where_airflow_itself_was_started_by_nohup(start, sleep):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        start("fork", sleep)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert wait_until(lambda: not processes(sleep))


def test_a_zombie_that_nobody_waits_for_is_not_left_running():
    """As in a container whose first process takes no care of orphans."""
    process = subprocess.Popen([sys.executable, "-c", "pass"], start_new_session=True)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not end_group(process.pid, 0, 60, signal.SIGHUP)
    process.wait()
