"""ShellWorker: one command, what it prints, how it ends, and that it never outlives its worker."""

import signal
import subprocess

import pytest
from worker_jobs import json_of, processes, python, run_row, terminate_at, wait_until

from pyrunner_airflow import ShellWorker


@pytest.fixture
def shell(root):
    """Run a row of module pyrunner, worker ShellWorker."""

    def run_command(*arguments, **columns):
        columns = {"module": "pyrunner", "worker": "ShellWorker", **columns}
        return run_row(root, arguments=list(arguments), **columns)

    return run_command


class TestCommand:
    @pytest.mark.parametrize("module", ["pyrunner", "pyrunner.worker.shellworker", "pyrunner.worker"])
    def test_it_runs(self, shell, module):
        ran = shell("echo hello", module=module)
        assert (ran.code, ran.lines) == (0, [("INFO", "hello")])

    def test_a_quoted_argument_is_the_command(self, shell):
        assert shell("echo one, two", arguments_text='"echo one, two"').lines == [("INFO", "one, two")]

    def test_several_arguments_are_one_command_as_written(self, shell):
        ran = shell("echo one", "two  three", "four", arguments_text="echo one,two  three, four")
        assert ran.lines == [("INFO", "one,two three, four")]

    def test_several_arguments_without_their_text_are_joined(self, shell):
        assert shell("echo one", "two").lines == [("INFO", "one,two")]

    def test_single_quotes_are_the_shells(self, shell):
        assert shell("echo 'a  b'").lines == [("INFO", "a  b")]

    def test_shell_syntax(self, shell):
        assert shell("for i in 1 2; do echo $i; done | tac && echo end").lines == [
            ("INFO", "2"),
            ("INFO", "1"),
            ("INFO", "end"),
        ]

    def test_no_command_is_a_failure(self, shell):
        """As under PyRunner, where the shell misses its argument."""
        ran = shell()
        assert (ran.code, str(ran.error)) == (
            901,
            "ShellWorker has no command: the ARGUMENTS column of its row is empty",
        )

    def test_environment_references(self, shell):
        ran = shell("echo $ENV{APP_X} $APP_X", env={"APP_X": "x y"})
        assert ran.lines == [("INFO", "x y x y")]

    def test_its_working_directory_is_the_root(self, shell, root):
        assert shell("pwd").lines == [("INFO", str(root))]

    def test_a_class_of_the_jobs_own_may_extend_it(self, root, run):
        ran = run(
            "pass",
            preamble="from pyrunner_airflow import ShellWorker\n"
            "class Mine(ShellWorker):\n"
            "    def run(self):\n"
            "        self.argv = ['echo ' + self.argv[0]]\n"
            "        return super().run()\n",
            worker="Mine",
            arguments=["hello"],
        )
        assert ran.lines == [("INFO", "hello")]

    def test_it_runs_by_hand(self, capsys):
        assert ShellWorker({}, None, ["echo hello; exit 3"]).run() == 3
        assert capsys.readouterr().out.endswith(" - hello\n")


class TestOutput:
    def test_stdout_and_stderr_come_in_order(self, shell):
        ran = shell("echo 1; echo 2 >&2; echo 3")
        assert ran.lines == [("INFO", "1"), ("INFO", "2"), ("INFO", "3")]

    def test_blank_lines_and_indents_stay(self, shell):
        assert shell(r"printf 'a\n\n  b  \nc'").lines == [("INFO", line) for line in ("a", "", "  b  ", "c")]

    def test_bytes_that_are_not_utf_8(self, shell):
        assert shell(r"printf 'a\377b\n'").lines == [("INFO", "a\ufffdb")]

    def test_lines_come_while_it_runs(self, shell, tmp_path):
        """The command ends only after its first line was seen."""

        def on_log(*_):
            (tmp_path / "seen").touch()

        command = f"echo first; until test -e {tmp_path}/seen; do sleep 0.01; done; echo last"
        ran = shell(command, on_log=on_log)
        assert [text for _, text in ran.lines] == ["first", "last"]

    def test_it_reaches_the_log_file(self, shell):
        assert " - hello\n" in shell("echo hello", logfile="x.log").log

    def test_much_of_it(self, shell):
        assert len(shell("seq 50000; seq 50000 >&2").lines) == 100_000

    def test_standard_input_is_empty(self, shell):
        ran = shell("cat; echo end")
        assert (ran.code, ran.lines) == (0, [("INFO", "end")])


class TestStatus:
    @pytest.mark.parametrize(
        ("command", "code"),
        [
            ("true", 0),
            ("false", 1),
            ("exit 7", 7),
            ("exit 255", 255),
            ("no_such_command", 127),
            ("kill -TERM $$", 128 + 15),
            ("kill -KILL $$", 128 + 9),
            ("sh -c 'kill -KILL $$'; exit $?", 128 + 9),
            ("false; true", 0),
            ("if", 2),
        ],
    )
    def test_code(self, shell, command, code):
        assert shell(command).code == code


class TestBackground:
    def test_one_that_keeps_the_output_open_is_waited_for(self, shell):
        """As under PyRunner: its lines are wanted."""
        assert shell("(sleep 0.1; echo late) & echo early").lines == [("INFO", "early"), ("INFO", "late")]

    def test_nothing_else_is_left(self, shell, sleep):
        shell(f": {sleep}; echo end")
        assert wait_until(lambda: not processes(sleep))


class TestEnd:
    """However the worker ends, its command ends too, and the command's own children."""

    COMMAND = "sh -c '{0}; echo never'; echo never"

    def test_an_exception_ends_the_whole_group(self, shell, sleep):
        ran = shell(
            f"echo ready; {self.COMMAND.format(sleep)}", on_log=terminate_when_running("ready", sleep)
        )
        assert ran.error_type == "WorkerTerminated"
        assert wait_until(lambda: not processes(sleep))

    def test_an_exception_lets_the_command_clean_up(self, shell, sleep, tmp_path):
        command = f"trap 'touch {tmp_path}/cleaned; exit' TERM; echo ready; {sleep} & wait"
        shell(command, on_log=terminate_when_running("ready", sleep))
        assert (tmp_path / "cleaned").exists()

    def test_an_exception_lets_the_commands_children_clean_up(self, shell, sleep, tmp_path):
        script = tmp_path / "clean.sh"
        script.write_text(
            f"trap 'sleep 0.2; touch {tmp_path}/cleaned; exit' TERM\necho ready\n{sleep} &\nwait\n"
        )
        shell(f"sh {script}; echo never", on_log=terminate_when_running("ready", sleep))
        assert (tmp_path / "cleaned").exists()

    def test_a_command_that_ignores_sigterm_is_killed(self, shell, sleep):
        command = f"trap '' TERM; echo ready; {sleep}; {sleep}"
        shell(command, on_log=terminate_when_running("ready", sleep))
        assert wait_until(lambda: not processes(sleep))

    @pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
    def test_when_the_worker_is_killed_all_of_it_dies(self, tmp_path, sleep, signum):
        process = python(RUN_COMMAND, tmp_path, self.COMMAND.format(sleep))
        assert wait_until(lambda: any(is_sleep(pid) for pid in processes(sleep)))
        process.send_signal(signum)
        process.wait(10)
        assert wait_until(lambda: not processes(sleep))

    def test_a_sibling_of_the_worker_is_left_alone(self, tmp_path, sleep):
        bystander = subprocess.Popen(sleep.split())
        process = python(RUN_COMMAND, tmp_path, f"echo {sleep}; sleep 60")
        assert wait_until(lambda: len(processes(sleep)) > 2)
        process.kill()
        process.wait(10)
        assert wait_until(lambda: len(processes(sleep)) == 1)
        assert bystander.poll() is None
        bystander.kill()
        bystander.wait()

    def test_a_command_that_kills_its_own_group_is_a_failure(self, shell):
        assert shell("kill -KILL 0").code == 128 + 9


def terminate_when_running(line, command):
    """Return what ends the worker when the line was logged and the command runs, for ``on_log``."""

    def on_log(host, text):
        if text == line:
            assert wait_until(lambda: any(is_sleep(pid) for pid in processes(command)))
        terminate_at(line)(host, text)

    return on_log


def is_sleep(pid):
    try:
        with open(f"/proc/{pid}/comm") as name:
            return name.read() == "sleep\n"
    except OSError:
        return False


# Under nohup, SIGHUP is ignored by all that the tests start.
RUN_COMMAND = """
import json
import signal
from pathlib import Path
from worker_jobs import run_row
signal.signal(signal.SIGHUP, signal.SIG_DFL)
ran = run_row(Path(sys.argv[1]), module="pyrunner", worker="ShellWorker", arguments=sys.argv[2:])
print(json.dumps(ran.code))
"""


def test_the_script_that_is_killed_above_runs_a_command(tmp_path):
    assert json_of(python(RUN_COMMAND, tmp_path, "exit 4")) == 4
