"""What a problem looks like, word for word."""

import ast
import os
import pickle
import re
from pathlib import Path

import pytest
from lst_text import problems, row, rows

from pyrunner_airflow import tasklist
from pyrunner_airflow.tasklist import Diagnostic, LstError, Severity, parse_lst, read_lst

ROW = "1|-1|1|0|Start|workers|Start||"
CODE = re.compile("[a-z0-9]+(?:-[a-z0-9]+)+|cycle")

ERRORS = {
    "unknown-parent": (
        "1|-1|1|0|Start|workers|Start||\n2|1,12|1|0|End|workers|End||",
        """\
my.lst:2:5: error[unknown-parent]: PARENT_IDS names 12, but no row has that ID
    2|1,12|1|0|End|workers|End||
        ^^
    hint: Did you mean 2 or 1? IDs in this list: 1 to 2.""",
    ),
    "invalid-parent": (
        "1|none|1|0|Start|workers|Start||",
        """\
my.lst:1:3: error[invalid-parent]: PARENT_IDS contains 'none', which is no ID
    1|none|1|0|Start|workers|Start||
      ^^^^
    hint: Write the IDs of the rows to wait for, separated by commas, or -1 for none. IDs begin at 1.""",
    ),
    "self-parent": (
        "1 | 1 |1|0|Start|workers|Start||",
        """\
my.lst:1:5: error[self-parent]: row 1 is its own parent, and would wait for itself for ever
    1 | 1 |1|0|Start|workers|Start||
        ^
    hint: Remove 1 from PARENT_IDS; -1 means no parents.""",
    ),
    "cycle": (
        rows("-1", "5,1", "1", "1", "2"),
        """\
my.lst:2:3: error[cycle]: 2 rows wait for each other for ever: 2 -> 5 -> 2
    2|5,1|1|0|n2|workers|Start||
      ^
    hint: Remove one of these rows from the PARENT_IDS of the one after it.""",
    ),
    "duplicate-id": (
        "1|-1|1|0|Start|workers|Start||\n# comment\n 01 |-1|1|0|End|workers|End||",
        """\
my.lst:3:2: error[duplicate-id]: ID 1 is used already in line 1
     01 |-1|1|0|End|workers|End||
     ^^
    hint: Give each row an ID of its own, and adapt the PARENT_IDS that mean it.""",
    ),
    "invalid-integer": (
        "1|-1|once|0|Start|workers|Start||",
        """\
my.lst:1:6: error[invalid-integer]: MAX_ATTEMPTS 'once' is not a whole number
    1|-1|once|0|Start|workers|Start||
         ^^^^
    hint: Write a number of 1 or higher.""",
    ),
    "integer-out-of-range": (
        "1|-1|0|0|Start|workers|Start||",
        """\
my.lst:1:6: error[integer-out-of-range]: MAX_ATTEMPTS '0' is out of range
    1|-1|0|0|Start|workers|Start||
         ^
    hint: Write a number from 1 to 2147483647.""",
    ),
    "missing-value": (
        "1||1|0|Start|workers|Start||",
        """\
my.lst:1:3: error[missing-value]: PARENT_IDS is empty
    1||1|0|Start|workers|Start||
      ^
    hint: Write -1 for a row without parents.""",
    ),
    "missing-columns": (
        "1|-1|1|0|Start|workers",
        """\
my.lst:1:23: error[missing-columns]: the row has 6 columns, and lacks WORKER_NAME
    1|-1|1|0|Start|workers
                          ^
    hint: A row is ID|PARENT_IDS|MAX_ATTEMPTS|RETRY_WAIT_TIME|PROCESS_NAME|MODULE_NAME|WORKER_NAME|ARGUMENTS|LOGFILE; \
ARGUMENTS and LOGFILE may be left out.""",  # noqa: E501
    ),
    "extra-columns": (
        "1|-1|1|0|Start|workers|Start|a|b|x.log|",
        """\
my.lst:1:34: error[extra-columns]: the row has 11 columns, but LOGFILE, the 9th, is the last
    1|-1|1|0|Start|workers|Start|a|b|x.log|
                                     ^^^^^
    hint: Remove what is too much, or put double quotes around a text that contains |.""",
    ),
    "invalid-name": (
        "1|-1|1|0|Start|python/workers.py|Start||",
        """\
my.lst:1:16: error[invalid-name]: MODULE_NAME 'python/workers.py' is not a dotted name that Python can import
    1|-1|1|0|Start|python/workers.py|Start||
                   ^^^^^^^^^^^^^^^^^
    hint: Did you mean 'python.workers'? Write the worker's module, such as workers.""",
    ),
    "env-not-allowed": (
        "1|-1|1|0|Start $ENV{DAY}|workers|Start||",
        """\
my.lst:1:16: error[env-not-allowed]: PROCESS_NAME must not depend on the environment
    1|-1|1|0|Start $ENV{DAY}|workers|Start||
                   ^^^^^^^^^
    hint: Write the value itself. $ENV{NAME} stands in MODULE_NAME, WORKER_NAME, ARGUMENTS and LOGFILE, \
because only the machine that runs the task knows its variables.""",
    ),
    "env-not-closed": (
        "1|-1|1|0|Start|workers|Start|a|$ENV{APP_LOG_DIR/a.log",
        """\
my.lst:1:32: error[env-not-closed]: $ENV{ in LOGFILE is never closed
    1|-1|1|0|Start|workers|Start|a|$ENV{APP_LOG_DIR/a.log
                                   ^^^^^
    hint: Write $ENV{NAME}, with the name of a variable.""",
    ),
    "env-without-name": (
        "1|-1|1|0|Start|workers|Start|$ENV{}|",
        """\
my.lst:1:30: error[env-without-name]: $ENV{} in ARGUMENTS names no variable
    1|-1|1|0|Start|workers|Start|$ENV{}|
                                 ^^^^^^
    hint: Write $ENV{NAME}, with the name of a variable.""",
    ),
    "control-character": (
        "1|-1|1|0|Start|workers|Start|a\x1b[0m|",
        """\
my.lst:1:31: error[control-character]: ARGUMENTS contains the control character '\\x1b'
    1|-1|1|0|Start|workers|Start|a\u241b[0m|
                                  ^
    hint: Remove it, or retype the field: such characters are invisible in most editors.""",
    ),
    "invalid-template": (
        "1|-1|1|0|Start|workers|Start|x, job_{#1}|",
        """\
my.lst:1:33: error[invalid-template]: ARGUMENTS: 'job_{#1}' is no valid Jinja template: Missing end of comment tag
    1|-1|1|0|Start|workers|Start|x, job_{#1}|
                                    ^^^^^^^^
    hint: For text that is meant literally write {{ "{#" }} in place of {#, or templates = false below [pyrunner]; \
a template that contains a comma or | needs double quotes around the whole argument.""",  # noqa: E501
    ),
    "no-rows": (
        "#PYTHON\n",
        """\
my.lst: error[no-rows]: the list has no rows
    hint: Write one row for each task:
        ID|PARENT_IDS|MAX_ATTEMPTS|RETRY_WAIT_TIME|PROCESS_NAME|MODULE_NAME|WORKER_NAME|ARGUMENTS|LOGFILE""",
    ),
    "shell-list": (
        "#SHELL\n1|-1|1|0|List|ls -l|list.log",
        """\
my.lst:1:1: error[shell-list]: lists of shell commands, from before PyRunner 5, are not supported
    #SHELL
    ^^^^^^
    hint: Remove this line, and write each command as a row of ShellWorker:
        ID|PARENT_IDS|MAX_ATTEMPTS|RETRY_WAIT_TIME|PROCESS_NAME|pyrunner|ShellWorker|<command>|LOGFILE""",
    ),
    "invalid-toml": (
        f"#AIRFLOW catchup = True\n{ROW}",
        """\
my.lst:1:20: error[invalid-toml]: Invalid value
    #AIRFLOW catchup = True
                       ^
    hint: Write texts in quotes, "like this", and truth values as true or false.""",
    ),
    "unknown-option": (
        f"#AIRFLOW [pyrunner]\n#AIRFLOW time_zone = 'UTC'\n{ROW}",
        """\
my.lst:2:10: error[unknown-option]: [pyrunner] has no option 'time_zone'
    #AIRFLOW time_zone = 'UTC'
             ^^^^^^^^^
    hint: Did you mean timezone? There are: timezone, env, cvar, notify_email, templates, app_root, cwd.""",
    ),
    "invalid-option": (
        f"#AIRFLOW tags = [\n#AIRFLOW   'etl', 1,\n#AIRFLOW ]\n{ROW}",
        """\
my.lst:1:10: error[invalid-option]: tags.1 cannot have this value
    #AIRFLOW tags = [
             ^^^^
    hint: It should be a text, in quotes.""",
    ),
    "unknown-task": (
        f"#AIRFLOW [tasks.11]\n#AIRFLOW pool = 'mysql'\n{ROW}",
        """\
my.lst:1:10: error[unknown-task]: [tasks.11]: the list has no row with that ID
    #AIRFLOW [tasks.11]
             ^^^^^^^^^^
    hint: Did you mean 1? IDs in this list: 1.""",
    ),
}

WARNINGS = {
    "path-in-arguments": (
        "1|-1|1|0|Start|workers|Start|$ENV{APP_LOG_DIR}/start.log",
        """\
my.lst:1:30: warning[path-in-arguments]: the last of 8 columns is ARGUMENTS, but looks like a LOGFILE
    1|-1|1|0|Start|workers|Start|$ENV{APP_LOG_DIR}/start.log
                                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^
    hint: Write || before a LOGFILE without ARGUMENTS; end the row with | if it is an argument.""",
    ),
    "duplicate-name": (
        "1|-1|1|0|Load|workers|A||\n2|-1|1|0|Load|workers|B||",
        """\
my.lst:2:10: warning[duplicate-name]: PROCESS_NAME 'Load' is used already in line 1
    2|-1|1|0|Load|workers|B||
             ^^^^
    hint: Give each row a name of its own, to tell them apart in Airflow.""",
    ),
    "not-front-matter": (
        f"# airflow schedule = '@daily'\n{ROW}",
        """\
my.lst:1:1: warning[not-front-matter]: this is a comment without effect, though it looks like an option
    # airflow schedule = '@daily'
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    hint: If it is meant as one, begin the line like this one: #AIRFLOW catchup = true""",
    ),
}

BAD = Path(__file__).parent / "bad"
# One of them has no list beside it.
REPORTS = sorted(BAD.rglob("*.txt"))


@pytest.mark.parametrize("code", ERRORS)
def test_each_error_says_where_what_and_what_to_do(code):
    text, shown = ERRORS[code]
    (found,) = problems(text)
    assert str(found) == shown
    assert (found.severity, found.code) == (Severity.ERROR, code)


@pytest.mark.parametrize("code", WARNINGS)
def test_so_does_each_warning(code):
    text, shown = WARNINGS[code]
    (found,) = parse_lst(text, "my.lst").warnings
    assert str(found) == shown
    assert (found.severity, found.code) == (Severity.WARNING, code)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: str(report.relative_to(BAD)))
def test_each_bad_file_has_its_report(report):
    with pytest.raises(LstError) as caught:
        read_lst(report.with_suffix(".lst"))
    assert str(caught.value).replace(f"{report.parent}{os.sep}", "") + "\n" == report.read_text("utf-8")


def test_no_bad_file_lacks_one():
    assert {path.with_suffix(".txt") for path in BAD.rglob("*.lst")} <= set(REPORTS)


def test_each_code_has_an_example():
    """What looks like a code in the source is one."""
    source = [ast.parse(path.read_text("utf-8")) for path in Path(tasklist.__file__).parent.glob("*.py")]
    constants = (node.value for tree in source for node in ast.walk(tree) if isinstance(node, ast.Constant))
    codes = {text for text in constants if isinstance(text, str) and CODE.fullmatch(text)}
    reported = {
        code
        for path in REPORTS
        for code in re.findall(rf"(?:error|warning)\[({CODE.pattern})\]", path.read_text("utf-8"))
    }
    assert codes == {*ERRORS, *WARNINGS, *reported}


def test_ten_problems_in_one_file_are_ten_diagnostics():
    with pytest.raises(LstError) as caught:
        read_lst(BAD / "ten_problems.lst")
    assert [found.line for found in caught.value.diagnostics] == list(range(3, 13))


def test_a_problem_is_data():
    text = row(attempts="x")
    assert problems(text) == (
        Diagnostic(
            severity=Severity.ERROR,
            code="invalid-integer",
            source="my.lst",
            line=1,
            column=6,
            length=1,
            column_name="MAX_ATTEMPTS",
            text=text,
            message="MAX_ATTEMPTS 'x' is not a whole number",
            hint="Write a number of 1 or higher.",
        ),
    )


def test_the_text_of_an_error_is_all_of_its_problems():
    found = problems(row(attempts="x", wait="y"))
    assert str(LstError(found)) == f"{found[0]}\n\n{found[1]}"


def test_of_a_file_with_very_many_it_is_the_first_hundred():
    found = problems("\n".join(row(id=str(id_), name=str(id_), attempts="x") for id_ in range(1, 10_001)))
    with pytest.raises(LstError) as other:
        parse_lst(row(attempts="y"), "other.lst")
    text = str(LstError((*found, *other.value.diagnostics)))
    assert text.count("MAX_ATTEMPTS 'x'") == 100
    assert "my.lst: 9900 more: mend these first.\n\nother.lst:1:6: error" in text


def test_an_error_survives_pickling():
    error = LstError(problems(row(attempts="x")))
    assert pickle.loads(pickle.dumps(error)).diagnostics == error.diagnostics


class TestCaret:
    def lines(self, text):
        _, line, carets, *_ = str(problems(text)[0]).split("\n")
        return line, carets

    def test_tabs_before_it_are_kept(self):
        assert self.lines("\t1\t|\t-1|x|0|a|m|W") == ("    \t1\t|\t-1|x|0|a|m|W", "    \t \t \t   ^")

    def test_wide_characters_before_it_count_double(self):
        assert self.lines("1|-1|1|0|日本|1|W")[1] == "    " + " " * len("1|-1|1|0|xxxx|") + "^"

    def test_so_do_they_under_it(self):
        assert self.lines("1|-1|1|0|a|日-本|W")[1] == "    " + " " * len("1|-1|1|0|a|") + "^^^^^"

    def test_combining_characters_take_no_room(self):
        assert self.lines("1|-1|1|0|e\u0301\u200b|1|W")[1] == "    " + " " * len("1|-1|1|0|e|") + "^"

    def test_what_would_disturb_a_terminal_is_replaced(self):
        line, carets = self.lines("1|-1|1|0|a\0\u202eb|m|W")
        assert (line, carets) == ("    1|-1|1|0|a\u2400\ufffdb|m|W", "    " + " " * len("1|-1|1|0|a") + "^")

    def test_of_a_long_line_the_part_around_it_is_shown(self):
        line, carets = self.lines(row(name="n" * 500, worker="1", arguments="a" * 500))
        assert len(line) < 200
        assert line[carets.index("^")] == "1"
        assert line.startswith("    ...")
        assert line.endswith("...")

    def test_a_long_value_is_cut_in_the_message(self):
        assert len(problems(row(attempts="x" * 10_000))[0].message) < 120
