"""What a worker's process may say to the task's process, and what becomes of one that says something else."""

import os
import resource
import signal

import pytest
from worker_jobs import Interrupted, terminate_at

from pyrunner_airflow.dag import answering
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
        ran = run_in_fork(f"def run(self): say({message!r}.encode() + b'\\n')", WIRE)
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
