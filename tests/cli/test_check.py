"""`pyrunner-airflow check`, as somebody runs it, a program reads it, and a pull request shows it."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest

GOOD = "1|-1|1|0|Start|workers|Start||\n"
WORKERS = "from pyrunner import Worker\n\nclass Start(Worker):\n    def run(self):\n        pass\n"
APP = {"my_app/config/my.lst": GOOD, "my_app/workers/workers.py": WORKERS}
UNKNOWN_CLASS = {**APP, "my_app/config/my.lst": GOOD.replace("|Start||", "|Strat||")}
COMMAND = [sys.executable, "-m", "pyrunner_airflow", "check"]


@pytest.fixture
def check(tmp_path):
    """Write files, and check paths in their folder; returns the exit code, the output and the errors."""

    def check(files, *arguments, stdin=None, **env):
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env={**os.environ, **env},
            input=stdin,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    return check


class TestText:
    def test_a_good_list_has_no_problems(self, check):
        assert check(APP, "my_app/config/my.lst") == (0, "No problems in 1 list.\n", "")

    def test_a_problem_is_drawn_and_counted(self, check):
        code, output, errors = check(UNKNOWN_CLASS, "my_app/config/my.lst")
        assert (code, errors) == (1, "")
        assert output == (
            "my_app/config/my.lst:1:24: error[class-not-found]: "
            "there is no class Strat in my_app/workers/workers.py\n"
            "    1|-1|1|0|Start|workers|Strat||\n"
            "                           ^^^^^\n"
            "    hint: Did you mean Start? Its classes: Start.\n"
            "\n"
            "1 error in 1 list.\n"
        )

    def test_errors_and_warnings_are_counted_apart(self, check):
        rows = GOOD.replace("|Start||", "|Strat||") + GOOD.replace("1|", "2|", 1)
        assert check({**APP, "my_app/config/my.lst": rows}, ".")[1].endswith(
            "\n1 error and 1 warning in 1 list.\n"
        )

    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            ("1|-1|x|0|Start|workers|Strat||", ["invalid-integer", "class-not-found"]),
            (
                "1|2,3|1|0|Start|workers|Start||\n2|1|1|0|Next|nowhere|W||",
                ["cycle", "unknown-parent", "module-not-found"],
            ),
            (
                "1|-1|1|0|Start|workers|St art||\nx|-1|1|0|Next|nowhere/|W||",
                ["invalid-name", "invalid-integer", "invalid-name"],
            ),
            (
                "1|-1|1|0|Start|workers\n1|-1|1|0|Next|workers|Strat||",
                ["missing-columns", "duplicate-id", "class-not-found"],
            ),
        ],
    )
    def test_workers_are_looked_at_also_in_a_list_that_has_errors_itself(self, check, text, codes):
        """Of the rows that can be read, and without saying once more what is wrong with a row."""
        code, output, _ = check({"my.lst": text, "workers.py": WORKERS}, "my.lst")
        assert (code, sorted(re.findall(r"\w\[([a-z-]+)\]", output))) == (1, sorted(codes))

    def test_where_the_options_have_errors_it_is_not_sure_where_workers_lie(self, check):
        text = "#AIRFLOW [pyrunner]\n#AIRFLOW ap_root = '/srv'\n" + GOOD.replace("|workers|", "|nowhere|")
        code, output, errors = check({"my.lst": text}, "my.lst")
        assert (code, re.findall(r"\w\[([a-z-]+)\]", output)) == (1, ["unknown-option"])
        assert errors.startswith("note: my.lst: its options have errors, and may say where its workers lie")
        assert errors.endswith("; not found there: nowhere\n")


class TestPaths:
    def test_a_folder_is_all_lists_in_it_and_below(self, check):
        files = {**APP, "other/config/other.lst": GOOD, "other/python/workers.py": WORKERS}
        assert check(files, ".") == (0, "No problems in 2 lists.\n", "")

    @pytest.mark.parametrize(("syntax", "count"), [("glob", 2), ("regexp", 1)])
    def test_unless_airflowignore_leaves_them_out(self, check, syntax, count):
        files = {**APP, "a.lst": "", "b1.lst": "", ".airflowignore": r"^b\d.lst$|a.lst"}
        files |= {"a.lst": GOOD, "workers.py": WORKERS, "b1.lst": GOOD}
        files[".airflowignore"] = "b*.lst" if syntax == "glob" else r"^(a|b\d)\.lst"
        _, output, _ = check(files, ".", AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX=syntax)
        assert output == f"No problems in {count} list{'s' if count > 1 else ''}.\n"

    def test_a_list_that_is_named_is_checked_even_so(self, check):
        assert check({**UNKNOWN_CLASS, ".airflowignore": "my_app/"}, "my_app/config/my.lst")[0] == 1

    def test_a_problem_that_several_lists_share_is_told_once(self, check):
        files = {**APP, "my_app/config/other.lst": GOOD, "my_app/workers/workers.py": "def"}
        assert check(files, "my_app")[1].count("[invalid-python]") == 1

    def test_a_dash_is_a_list_in_the_current_folder(self, check):
        assert check({"workers/workers.py": WORKERS}, "-", stdin=GOOD)[0] == 0
        code, output, _ = check({}, "-", stdin=GOOD.replace("|Start||", "|Strat||"))
        assert (code, output.partition(": ")[0]) == (1, "<stdin>:1:24")

    def test_the_options_files_of_that_folder_count_too(self, check):
        files = {"workers.py": WORKERS, "pyrunner.toml": "[pyrunner]\ntemplates = false\n"}
        assert check(files, "-", stdin='1|-1|1|0|Start|workers|Start|{{ "|')[0] == 0

    def test_the_options_files_of_all_folders_above_count(self, check, tmp_path):
        row = '1|-1|1|0|Start|workers|Start|{{ "|\n'
        files = {**APP, "my_app/config/my.lst": row, "pyrunner.toml": "[pyrunner]\ntemplates = false\n"}
        assert check(files, str(tmp_path / "my_app/config/my.lst"))[0] == 0
        (tmp_path / "pyrunner.toml").unlink()
        assert check({}, "my_app/config/my.lst")[0] == 1

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["my.ls"], "my.ls: error[unreadable-file]: the file can't be read: No such file or directory\n"),
            ([], "Error: Missing argument 'PATH...'."),
            (["empty"], "Error: there is no task list in the folder empty"),
            (["--select", "no-rnu", "my.lst"], "there is no code 'no-rnu'. Did you mean no-run"),
            (["--format", "xml", "my.lst"], "'xml' is not one of 'text', 'json', 'github'."),
        ],
    )
    def test_what_cannot_be_checked_ends_with_2(self, check, arguments, told):
        code, output, errors = check({"my.lst": GOOD, "empty/a.txt": ""}, *arguments)
        assert code == 2
        assert told in output + errors
        assert "Traceback" not in errors

    def test_text_that_is_not_utf8_is_a_problem(self):
        done = subprocess.run([*COMMAND, "-"], input=b"1|-1|1|0|B\xfccher|m|W", capture_output=True)
        assert (done.returncode, b"<stdin>: error[not-utf8]: " in done.stdout) == (1, True)


BAD = {"a.lst": "1|-1|x|0|Start|workers|Start||\n2|1|y|0|Start|workers.py/|Start||", "workers.py": WORKERS}


class TestChoice:
    @pytest.mark.parametrize(
        ("options", "shown"),
        [
            ([], {"invalid-integer", "invalid-name", "duplicate-name"}),
            (["--select", "invalid-name"], {"invalid-name"}),
            (["--select", "invalid-name,duplicate-name"], {"invalid-name", "duplicate-name"}),
            (["--select", "class-not-found"], set()),
            (["--ignore", "invalid-integer", "--ignore", "duplicate-name"], {"invalid-name"}),
            (["--select", "invalid-name", "--ignore", "invalid-name"], set()),
        ],
    )
    def test_codes_are_selected_and_ignored(self, check, options, shown):
        code, output, _ = check(BAD, *options, "a.lst")
        assert set(re.findall(r"\w\[([a-z-]+)\]", output)) == shown
        assert code == 1

    def test_what_is_left_out_is_counted(self, check):
        files = {**APP, "my_app/config/my.lst": GOOD + GOOD.replace("1|", "2|", 1)}
        note = "note: 1 problem not shown, as --select and --ignore say\n"
        assert check(files, "--ignore", "duplicate-name", ".") == (0, "No other problems in 1 list.\n", note)
        assert check(files, "--select", "cycle", "--format", "json", ".") == (0, "[]\n", note)

    def test_a_list_that_cannot_be_used_does_not_pass_by_leaving_its_errors_out(self, check):
        code, output, errors = check(
            {"a.lst": "1|-1|x|0|Start|workers|Start||", "workers.py": WORKERS}, "--select", "no-run", "a.lst"
        )
        assert (code, output) == (1, "No other problems in 1 list.\n")
        assert errors == "note: 1 problem not shown, as --select and --ignore say\n"


class TestForPrograms:
    def test_json_has_an_object_for_each_problem(self, check):
        code, output, _ = check(UNKNOWN_CLASS, "--format", "json", ".")
        assert code == 1
        assert json.loads(output) == [
            {
                "file": "my_app/config/my.lst",
                "line": 1,
                "column": 24,
                "length": 5,
                "column_name": "WORKER_NAME",
                "severity": "error",
                "code": "class-not-found",
                "message": "there is no class Strat in my_app/workers/workers.py",
                "hint": "Did you mean Start? Its classes: Start.",
            }
        ]

    def test_without_problems_it_is_an_empty_array(self, check):
        assert check(APP, "--format", "json", ".") == (0, "[]\n", "")

    def test_github_gets_a_command_for_each_problem(self, check):
        assert check(UNKNOWN_CLASS, "--format", "github", ".")[1] == (
            "::error file=my_app/config/my.lst,title=class-not-found,line=1,col=24,endColumn=29::"
            "there is no class Strat in my_app/workers/workers.py%0ADid you mean Start? Its classes: Start.\n"
        )

    def test_what_would_end_a_part_of_the_command_is_escaped(self, check):
        files = {"a,b:100%.lst": "#SHELL\n1|-1|1|0|List|ls|"}
        assert "file=a%2Cb%3A100%25.lst,title=" in check(files, "--format", "github", ".")[1]

    def test_what_would_act_on_a_terminal_is_replaced(self, check):
        output = check({"a.lst": "1|-1|\x1b|0|List|m|W"}, "--format", "github", "a.lst")[1]
        assert "\x1b" not in output
        assert output.count("::error ") == output.count("\n")

    def test_of_a_file_elsewhere_to_which_a_link_leads_github_shows_nothing(self, check, tmp_path):
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "secret.txt").write_text("root:x:0:hunter2|y")
        (tmp_path / "repository").mkdir()
        (tmp_path / "repository" / "a.lst").symlink_to("../elsewhere/secret.txt")
        command = [*COMMAND, "--format", "github", "."]
        done = subprocess.run(command, cwd=tmp_path / "repository", capture_output=True, text=True)
        assert done.stdout.startswith("::error file=a.lst,title=problems-elsewhere::it is a link to ")
        assert "hunter2" not in done.stdout
        assert done.returncode == 1

    def test_a_problem_of_a_whole_file_has_no_line(self, check):
        assert "file=a.lst,title=no-rows::" in check({"a.lst": ""}, "--format", "github", "a.lst")[1]


class TestTerminal:
    def printed(self, folder, **env):
        """Return what is printed in a terminal."""
        (folder / "a.lst").write_text("1|-1|x|0|Start|workers|Start||")
        main, terminal = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        process = subprocess.Popen(
            [*COMMAND, "a.lst"], cwd=folder, stdout=terminal, env={**environment, "TERM": "xterm", **env}
        )
        os.close(terminal)
        printed = b""
        try:
            while part := os.read(main, 1 << 16):
                printed += part
        except OSError:  # Linux's way to say that nobody has the terminal open any more
            pass
        os.close(main)
        assert process.wait() == 1
        return printed.decode().replace("\r\n", "\n")

    def test_problems_have_colours(self, tmp_path):
        printed = self.printed(tmp_path)
        assert "\x1b[31m\x1b[1merror[invalid-integer]\x1b[0m: MAX_ATTEMPTS" in printed
        assert "\x1b[31m\x1b[1m^\x1b[0m\n" in printed

    def test_but_not_where_no_color_is_set(self, tmp_path):
        assert "\x1b" not in self.printed(tmp_path, NO_COLOR="1")

    def test_nor_where_it_is_no_terminal(self, check):
        assert "\x1b" not in check({"a.lst": "1|-1|x|0|Start|workers|Start||"}, "a.lst")[1]


class TestOptionsFile:
    """Tables of `pyrunner.toml` that are named after lists."""

    def unknown(self, output):
        return re.findall(r"^(\S+): warning\[unknown-list\]: .*reads no '(.*)' in", output, re.MULTILINE)

    def test_one_of_a_list_that_is_not_there_is_a_warning_with_what_may_be_meant(self, check):
        files = {
            **APP,
            "pyrunner.toml": '["my_.lst"]\ncatchup = true\n["my_app/conf/my.lst"]\ncatchup = true',
        }
        code, output, _ = check(files, ".")
        assert (code, self.unknown(output)) == (
            1,
            [("pyrunner.toml:1:1", "my_.lst"), ("pyrunner.toml:3:1", "my_app/conf/my.lst")],
        )
        assert "hint: Did you mean 'my.lst'? " in output
        assert "hint: Did you mean 'my_app/config/my.lst'" in output

    def test_one_of_a_list_that_is_there_is_none(self, check):
        """Also if the list is not among those that are checked."""
        tables = "".join(f'["{name}"]\ntags = ["x"]\n' for name in ("my.lst", "my_app/config/other.lst"))
        files = {**APP, "my_app/config/other.lst": GOOD, "pyrunner.toml": tables}
        assert check(files, "my_app/config/my.lst") == (0, "No problems in 1 list.\n", "")
        assert check(files, ".")[0] == 0

    def test_nor_if_it_is_left_out_for_a_dag_file_to_name(self, check):
        ignored = {**APP, ".airflowignore": "my_app/", "other/b.lst": GOOD, "other/workers.py": WORKERS}
        assert check({**ignored, "pyrunner.toml": '["my.lst"]\ncatchup = true'}, ".")[0] == 0

    def test_a_list_beside_the_folder_does_not_count(self, check):
        files = {**APP, "other/b.lst": GOOD, "my_app/pyrunner.toml": '["b.lst"]\ncatchup = true'}
        assert self.unknown(check({**files, "other/workers.py": WORKERS}, ".")[1]) == [
            ("my_app/pyrunner.toml:1:1", "b.lst")
        ]


class TestHostileText:
    """Nothing that acts on a terminal is printed."""

    def test_a_note_is_one_line_without_controls(self, check):
        files = {f"a\x1b[31m\nb/{name}": text for name, text in APP.items()}
        files["a\x1b[31m\nb/my_app/config/app_profile"] = TestProfile.PROFILE
        errors = check(files, ".")[2]
        assert errors.startswith("note: a\N{SYMBOL FOR ESCAPE}[31m\N{SYMBOL FOR LINE FEED}b/my_app/config/")
        assert errors.count("\n") == 1

    def test_nor_is_there_one_in_a_hint_or_in_what_stops_a_command(self, check):
        files = {"a\x1b[31m/my.lst": GOOD, "a\x1b[31m/workerz\x1b.py": ""}
        for arguments in (["a\x1b[31m"], ["a\x1b[31m/my.lst"], ["no\x1b[31m"], ["--select", "no\x1b", "x"]):
            code, output, errors = check(files, *arguments)
            assert code
            assert "\x1b" not in output + errors


class TestProfile:
    PROFILE = 'export APP_WORKER_DIR="$(hostname)/workers"\n'

    def test_where_only_running_it_tells_the_folder_it_is_said_once(self, check):
        files = {**APP, "my_app/config/app_profile": self.PROFILE, "my_app/config/other.lst": GOOD}
        assert check(files, ".") == (
            0,
            "No problems in 2 lists.\n",
            "note: my_app/config/app_profile: only running it shows what APP_WORKER_DIR is; "
            "looked for workers in my_app/workers, my_app/python, my_app/worker, my_app/config\n",
        )

    def test_what_is_said_acts_on_no_terminal(self, check):
        files = {**APP, "my_app/config/app_profile": self.PROFILE}
        errors = check({name.replace("my_app", "my\x1bapp"): text for name, text in files.items()}, ".")[2]
        assert errors.startswith("note: my\N{SYMBOL FOR ESCAPE}app/config/app_profile: ")

    def test_a_module_that_is_not_there_is_then_no_error(self, check):
        files = {"my.lst": GOOD + "2|1|1|0|End|ends|End||", "app_profile": self.PROFILE}
        code, _, errors = check(files, "my.lst")
        assert (code, errors.partition("; not found there: ")[2]) == (0, "workers, ends\n")

    def test_and_other_problems_are_warnings(self, check):
        files = {**UNKNOWN_CLASS, "my_app/config/app_profile": self.PROFILE}
        assert "warning[class-not-found]" in check(files, ".")[1]


@pytest.mark.parametrize(
    ("files", "unwanted"),
    [
        (APP, {"airflow", "pydantic", "jinja2", "pathspec", "croniter", "pendulum", "rich"}),
        ({**APP, ".airflowignore": "x"}, {"airflow", "pydantic"}),
        ({**APP, "pyrunner.toml": "schedule = '@daily'"}, {"airflow"}),
    ],
    ids=["plain", "airflowignore", "options"],
)
def test_what_a_list_does_not_need_is_not_imported(check, tmp_path, files, unwanted):
    check(files, ".")
    script = (
        "import sys; from pyrunner_airflow.cli.main import main; main(['check', '.'], standalone_mode=False);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    printed = subprocess.check_output([sys.executable, "-c", script], cwd=tmp_path, text=True)
    assert set(printed.split()).isdisjoint(unwanted)


def test_workers_are_not_imported(check):
    files = {**APP, "my_app/workers/workers.py": f"{WORKERS}\nraise SystemExit('imported')\n"}
    assert check(files, ".")[0] == 0


def test_help_has_examples(check):
    code, output, _ = check({}, "--help")
    assert code == 0
    assert "pyrunner-airflow check dags\n" in output
