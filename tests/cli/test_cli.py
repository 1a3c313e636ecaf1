"""What all commands have in common: help, completion, errors, and how little they load."""

import os
import re
import subprocess
import sys

import pytest
from command import PROGRAM, on_terminal, run

COMMANDS = [
    "check",
    "fmt",
    "show",
    "run",
    "init",
    "trigger",
    "restart",
    "context",
    "migrate",
    "schema",
    "doctor",
]


@pytest.fixture
def program(tmp_path):
    """A folder for PATH, with the console script in it."""
    script = tmp_path / "bin" / "pyrunner-airflow"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {" ".join(PROGRAM)} "$@"\n')
    script.chmod(0o755)
    return script.parent


class TestHelp:
    def test_names_the_commands(self):
        done = run("--help")
        assert done.code == 0
        assert re.findall(r"^  (\w+)  ", done.out.partition("Commands:")[2], re.MULTILINE) == COMMANDS

    @pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=" ".join)
    def test_has_examples(self, command):
        shown = run(*command, "-h").out
        assert "\n  Examples:\n    " in shown
        assert "  pyrunner-airflow " in shown.partition("Examples:")[2]

    @pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=" ".join)
    def test_goes_into_a_narrow_terminal(self, command):
        code, shown = on_terminal(*command, "--help", columns=52)
        assert code == 0
        text = shown.partition("Examples:")[0]
        assert max(map(len, text.splitlines())) <= 52


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["fmtt"], "Error: No such command 'fmtt'"),
            (["fmt"], "Error: Missing argument 'PATHS...'."),
            (["fmt", "--dif", "x"], "Did you mean"),
            (["show", "--format", "pdf", "x"], "'pdf' is not one of 'text', 'mermaid'."),
        ],
    )
    def test_are_told_with_exit_code_2(self, arguments, message):
        done = run(*arguments)
        assert (done.code, done.out) == (2, "")
        assert message in done.err

    def test_a_reader_that_has_had_enough_is_none(self, tmp_path):
        path = tmp_path / "my.lst"
        path.write_text("".join(f"{id_}|-1|1|0|n{id_}|w|W\n" for id_ in range(1, 5001)))
        line = f"{' '.join(PROGRAM)} show {path} | head -1"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("my: 5000 rows in 1 layer\n", "")


class TestCompletion:
    def complete(self, program, typed):
        """Press Tab in a bash that was set up as the help says, and return what bash offers."""
        help_text = run("--help").out
        setup = re.search(r'eval "\$\(.*\)"', help_text)[0]
        words = typed.split(" ")
        script = (
            f"{setup}\n"
            f"COMP_WORDS=({' '.join(map(repr, words))}); COMP_CWORD={len(words) - 1}\n"
            '_pyrunner_airflow_completion pyrunner-airflow; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        env = {**os.environ, "PATH": f"{program}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-c", f"compopt() {{ :; }}\n{script}"], env=env, capture_output=True, text=True
        )
        assert done.stderr == ""
        return done.stdout.split()

    @pytest.mark.parametrize(
        ("typed", "offers"),
        [
            ("pyrunner-airflow f", ["fmt"]),
            ("pyrunner-airflow ", COMMANDS),
            ("pyrunner-airflow fmt --d", ["--diff"]),
            ("pyrunner-airflow show --format m", ["mermaid"]),
        ],
    )
    def test_bash_knows_commands_options_and_their_values(self, program, typed, offers):
        assert self.complete(program, typed) == offers


class TestWhatIsLoaded:
    @pytest.mark.parametrize(
        ("arguments", "stdin"),
        [
            (["--help"], ""),
            (["fmt", "-"], "1|-1|1|0|A|workers|A|{{ ds }}"),
            (["show", "-"], "#AIRFLOW schedule = '@daily'\n1|-1|1|0|A|workers|A"),
            (["show", "--format", "mermaid", "-"], "1|-1|1|0|A|workers|A"),
            (["init", "--schedule", "@daily", "load_orders"], ""),
            (["migrate", "-", ".", "--into", "."], "@daily true"),
            (["schema"], ""),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_no_airflow_and_nothing_for_terminals(self, tmp_path, arguments, stdin):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", *PROGRAM[1:], *arguments],
            input=stdin,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        loaded = {name.partition(".")[0] for name in re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE)}
        assert "pyrunner_airflow" in loaded
        assert loaded.isdisjoint({"airflow", "rich"})
