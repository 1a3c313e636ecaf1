"""What a worker's process may say to the task's process, and what becomes of one that says something else."""

import os
import resource
import signal
import threading
from textwrap import dedent

import pytest
from worker_jobs import Interrupted, terminate_at

from pyrunner_airflow.dag import answering, relay
from pyrunner_airflow.worker import protocol

WIRE = """
import json, os, signal, socket, time
from pyrunner_airflow.worker.protocol import send_socket

def connect():
    ours, theirs = socket.socketpair()
    send_socket(door(), theirs)
    return ours

def door():
    for descriptor in range(3, 64):
        try:
            found = socket.socket(fileno=os.dup(descriptor))
        except OSError:
            continue
        if found.type == socket.SOCK_DGRAM:
            return found

def say(line):
    connect().sendall(line)
    time.sleep(60)
"""


class TestWhatIsNoMessage:
    LINES = (
        b"rubbish",
        b"\xff",
        b"{}",
        b"[]",
        b"[" * 100_000,
        b'["sing"]',
        b'[["get"], "a"]',
        b'["get"]',
        b'["get", 1]',
        b'["keys", 1]',
        b'["set", "k", 1]',
        b'["set", 1, 1, null]',
        b'["set", "", 1, null]',
        b'["set", "pyrunner.context", 1, null]',
        b'["set", "k", NaN, null]',
        b'["set", "k", {"__pyrunner__": "tuple"}, null]',
        b'["set", "k", {"__pyrunner__": [], "value": 1}, null]',
        b'["set", "k", ' + b"[" * 100 + b"]" * 100 + b", null]",
        b'["set", "k", 1, [1]]',
        b'["log", "LOUD", "text"]',
        b'["log", "INFO", 1]',
        b'["print", "stdin", "text"]',
        b'["begin", {}]',
        b'["end", {}]',
        b'["end", "0", "", true, null]',
        b'["end", 1, "", true, ["worst", "", "", "", null]]',
        b'["end", -1, "", true, null]',
        b'["end", true, "", true, null]',
        b'["end", 9223372036854775808, "", true, null]',
        b'["end", 1' + b"0" * 4000 + b', "", true, null]',
    )

    @pytest.mark.parametrize("line", LINES, ids=lambda line: line[:40].decode("ascii", "replace"))
    def test_fails_the_attempt_which_keeps_its_context(self, run_in_fork, line):
        ran = run_in_fork(f"def run(self):\n    self.context['a'] = 1\n    say({line!r} + b'\\n')", WIRE)
        assert (ran.code, ran.error_type, ran.context) == (901, "WorkerFailed", {"a": 1})
        shown = repr((line + b"\n")[:100])
        assert f"it wrote {shown} to a descriptor that is nothing but its way to Airflow" in ran.cause

    @pytest.mark.parametrize("name", ["a\\u0000b", "a\\ud900b"])
    def test_what_is_no_file_s_name_is_no_logfile(self, run_in_fork, name):
        message = f'["begin", "a", "b", "/tmp/{name}"]'
        ran = run_in_fork(
            f"""
            def run(self):
                connection = connect()
                connection.sendall({message!r}.encode() + b"\\n")
                connection.recv(1)
            """,
            WIRE,
        )
        assert ran.code == 0
        assert any(text.startswith("LOGFILE ends here") for _, text in ran.lines)

    def test_so_it_does_in_each_kind_of_process(self, run):
        ran = run("def run(self): say(b'rubbish\\n')", WIRE)
        assert "it wrote b'rubbish\\n' to a descriptor" in ran.cause

    def test_a_descriptor_of_something_else_for_a_connection_is_none(self, run):
        ran = run(
            """
            def run(self):
                door().sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, bytes([1, 0, 0, 0]))])
                time.sleep(60)
            """,
            WIRE,
        )
        assert "it wrote b'x' to a descriptor" in ran.cause

    def test_a_guard_that_the_worker_stops_is_not_waited_for(self, run_in_fork):
        ran = run_in_fork(
            """
            def run(self):
                for entry in os.listdir("/proc"):
                    if entry.isdigit():
                        try:
                            command = open(f"/proc/{entry}/cmdline").read()
                        except OSError:
                            continue
                        if command.endswith(f"\\0sh\\0{os.getpid()}\\0"):
                            os.kill(int(entry), signal.SIGSTOP)
                            self.context["stopped"] = True
            """,
            WIRE,
        )
        assert (ran.code, ran.context) == (0, {"stopped": True})

    def test_a_socket_of_another_kind_is_left_alone(self, run):
        ran = run(
            """
            def run(self):
                send_socket(door(), socket.socket())
                self.context["a"] = 1
            """,
            WIRE,
        )
        assert (ran.code, ran.context) == (0, {"a": 1})


class TestWhatIsAMessage:
    def test_several_at_once_are_answered_one_after_the_other(self, run):
        ran = run(
            """
            def run(self):
                connection = connect()
                connection.sendall(b'["set", "k", [2], null]\\n["has", "k"]\\n["get", "k"]\\n["ha')
                answers = connection.makefile("r")
                self.context["first"] = [json.loads(answers.readline()) for _ in range(3)]
                connection.sendall(b's", "k"]\\n')
                self.context["last"] = json.loads(answers.readline())
            """,
            WIRE,
        )
        first = [{"value": None}, {"value": True}, {"value": [[2], None, ""]}]
        assert ran.context == {"k": [2], "first": first, "last": {"value": True}}

    def test_nothing_pickled_is_taken_from_an_interpreter_of_its_own(self, run_in_own):
        ran = run_in_own(
            """
            def run(self):
                connection = connect()
                connection.sendall(b'["airflow", "gASVAAAA"]\\n')
                self.context["answer"] = json.loads(connection.makefile("r").readline())
            """,
            WIRE,
        )
        text = "Airflow is not to be had in an interpreter of its own"
        assert ran.context["answer"] == {"error": ["RelayError", text]}

    PICKLED = """
    import base64, pickle

    class Code:
        def __reduce__(self):
            return os.system, ("touch ran",)

    PICKLED = base64.b64encode(pickle.dumps(Code())).decode()
    """

    def test_nothing_pickled_is_taken_from_a_fork_as_a_request(self, run_in_fork, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        ran = run_in_fork(
            """
            def run(self):
                connection = connect()
                connection.sendall(json.dumps(["airflow", PICKLED]).encode() + b"\\n")
                self.context["answer"] = json.loads(connection.makefile("r").readline())
            """,
            WIRE + dedent(self.PICKLED),
        )
        assert ran.context.keys() == {"answer"}
        assert not (tmp_path / "ran").exists()

    def test_many_secrets_at_once_do_not_hold_the_task_s_process(self, run_in_fork):
        ran = run_in_fork(
            """
            def run(self):
                connection = connect()
                secrets = {"type": "MaskSecret", "value": [f"secret {number}" for number in range(200_000)]}
                connection.sendall(json.dumps(["airflow", json.dumps(secrets)]).encode() + b"\\n")
                answer = json.loads(connection.makefile("r").readline())["value"]
                self.context["answer"] = pickle.loads(base64.b64decode(answer))
            """,
            f"{WIRE}\nimport base64, pickle",
        )
        assert ran.context["answer"] == ("failed", "ValueError: one secret at a time")

    def test_nor_as_an_exception(self, run_in_fork, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        ran = run_in_fork(
            """
            def run(self):
                connection, error = connect(), ["raised", "E", "e", "", PICKLED]
                connection.sendall(json.dumps(["end", 901, "", True, error]).encode() + b"\\n")
                connection.recv(100)
                os._exit(0)
            """,
            WIRE + dedent(self.PICKLED),
        )
        assert (ran.error_type, ran.error_text) == ("E", "e")
        assert not (tmp_path / "ran").exists()

    def test_a_value_of_50_MB_goes_to_the_context_and_comes_back(self, run_in_fork):
        ran = run_in_fork(
            """
            def run(self):
                value = bytes(50_000_000)
                self.context["k"] = value
                assert self.context["k"] == value
            """
        )
        assert ran.error is None

    def test_a_value_above_the_limit_raises_where_it_is_assigned(self, run_in_fork, monkeypatch):
        monkeypatch.setattr(protocol, "MAX_MESSAGE", 1 << 20)
        ran = run_in_fork(
            """
            def run(self):
                try:
                    self.context["big"] = "x" * 2_000_000
                except ValueError as error:
                    self.context["error"] = str(error)
            """
        )
        text = "context['big']: the task's process is told 2 MB as JSON, more than the limit of 1 MB"
        assert ran.context["error"] == f"{text}: keep it in a file, and its path in the context"

    def test_text_of_any_length_may_be_printed_and_logged(self, run_in_fork):
        printed = []
        ran = run_in_fork(
            """
            def run(self):
                text = "\\x01" * 23_000_000
                print(text)
                self.logger.info(text)
            """,
            printed=lambda _, lines: printed.append(lines),
        )
        assert sum(map(len, printed)) == 23_000_001
        assert sum(len(text) for _, text in ran.lines) == 23_000_000

    def test_of_an_exceptions_text_there_is_a_limit(self, run_in_fork):
        ran = run_in_fork("def run(self): raise ValueError('\\x01' * 12_000_000)")
        assert (ran.error_type, len(ran.error_text)) == ("ValueError", 1 << 20)


class TestLimits:
    def test_of_a_message(self, run_in_fork, monkeypatch):
        monkeypatch.setattr(answering, "MAX_MESSAGE", 1 << 20)
        ran = run_in_fork("def run(self): say(b'x' * (2 << 20))", WIRE)
        assert (ran.code, ran.error_type) == (901, "WorkerFailed")
        assert "it sent a message of more than 1 MB" in ran.cause

    def test_of_connections(self, run_in_fork, monkeypatch):
        monkeypatch.setattr(answering, "MAX_CONNECTIONS", 10)
        ran = run_in_fork(
            """
            def run(self):
                self.context["a"] = 1
                connections = [connect() for _ in range(10)]
                time.sleep(60)
            """,
            WIRE,
        )
        assert "it opened more than 10 connections to the task's process" in ran.cause
        assert ran.context == {"a": 1}

    def test_of_files_that_a_process_may_have(self, run_in_fork):
        files, (soft, hard) = len(os.listdir("/proc/self/fd")), resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files + 40, hard))
        try:
            ran = run_in_fork(
                f"""
                def run(self):
                    resource.setrlimit(resource.RLIMIT_NOFILE, ({hard}, {hard}))
                    connections = [connect() for _ in range(64)]
                    time.sleep(60)
                """,
                f"{WIRE}\nimport resource",
            )
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert "it opened more connections than the task's process may have files" in ran.cause

    def test_of_connections_only_those_that_are_open_count(self, run_in_fork, monkeypatch):
        monkeypatch.setattr(answering, "MAX_CONNECTIONS", 10)
        body = """
        def run(self):
            for _ in range(100):
                connection = connect()
                connection.sendall(b'["keys"]\\n')
                connection.recv(100)
                connection.close()
        """
        assert run_in_fork(body, WIRE).error is None

    @pytest.mark.parametrize("line", [b"x" * 300_000, b'["get", "a"]\n'], ids=["questions", "answers"])
    def test_of_what_waits_on_all_of_them(self, run_in_fork, monkeypatch, line):
        monkeypatch.setattr(answering, "MAX_WAITING", 1 << 20)
        ran = run_in_fork(
            f"""
            def run(self):
                self.context["a"] = "x" * 400_000
                connections = [connect() for _ in range(8)]
                for connection in connections: connection.sendall({line!r})
                time.sleep(60)
            """,
            WIRE,
        )
        assert "it left more than 1 MB waiting in the task's process" in ran.cause


class TestOneThatStops:
    """It is stopped when it has been told to end."""

    HEAD = "def run(self):\n    self.context['a'] = 'x' * 1_000_000\n    self.logger.info('ready')\n"
    HEAD += "    while True: time.sleep(0.01)\ndef on_fail(self):\n    self.context['b'] = 2\n"
    STOP = "    os.kill(os.getpid(), signal.SIGSTOP)"

    @pytest.mark.parametrize(
        "line",
        [
            'connect().sendall(b\'["set", "k", "\' + bytes(5_000_000))',
            'connect().sendall(b\'["get", "a"]\\n\' * 200)',
        ],
        ids=["in the middle of a value", "with 200 answers unread"],
    )
    def test_is_killed_when_its_time_is_up(self, run, line):
        ran = run(f"{self.HEAD}    c = {line}\n{self.STOP}", WIRE, on_log=terminate_at("ready", 1))
        assert "WorkerTerminated, and the worker did not end" in ran.cause
        assert ran.context == {"a": "x" * 1_000_000, "b": 2}

    def test_one_that_has_closed_all_ways_is_interrupted_too(self, run):
        def time_is_up(*_):
            raise Interrupted("time is up")

        before = signal.signal(signal.SIGALRM, time_is_up)
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        ran = run("def run(self):\n    os.closerange(3, 256)\n    while True: time.sleep(0.01)", WIRE)
        signal.signal(signal.SIGALRM, before)
        assert (type(ran.error), ran.cause) == (Interrupted, "Interrupted, and the worker did not end")


class TestWhatAirflowLeavesUnanswered:
    """For long: a thread of the worker's asks, and the task's process is there for the others."""

    @pytest.fixture
    def airflow(self, root, monkeypatch):
        """Airflow answers when this is set; without that, in vain."""
        answered = threading.Event()
        answered.in_time = []

        def forward(_):
            (root / "asked").touch()
            answered.in_time.append(answered.wait(30))

        monkeypatch.setattr(relay, "forward", forward)
        return answered

    def test_does_not_hold_up_what_others_ask(self, run_in_fork, root, airflow):
        body = f"""
        def run(self):
            asking = threading.Thread(target=self.ask)
            asking.start()
            while not os.path.exists({str(root / "asked")!r}): time.sleep(0.01)
            self.context["b"] = 1
            self.logger.info("went on")
            asking.join()

        def ask(self):
            worker_jobs.asked_host.ask("airflow", "")
            self.context["answered"] = True
        """
        ran = run_in_fork(body, "import os, threading, time, worker_jobs", on_log=lambda *_: airflow.set())
        assert (ran.code, ran.context) == (0, {"b": 1, "answered": True})
        assert airflow.in_time == [True]

    def test_does_not_hold_up_a_timeout(self, run_in_fork, airflow):
        def time_is_up(*_):
            raise Interrupted("time is up")

        body = """
        def run(self):
            worker_jobs.asked_host.ask("airflow", "")

        def on_exit(self):
            self.logger.info("hooks")
        """
        before = signal.signal(signal.SIGALRM, time_is_up)
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        ran = run_in_fork(body, "import worker_jobs", on_log=lambda *_: airflow.set())
        signal.signal(signal.SIGALRM, before)
        assert (str(ran.error), ran.lines[-1]) == ("time is up", ("INFO", "hooks"))
        assert False not in airflow.in_time
