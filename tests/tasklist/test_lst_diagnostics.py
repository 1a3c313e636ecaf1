"""What a problem looks like, word for word; of each code there is an example in docs/codes.md."""

import json
import os
import pickle
import re
from pathlib import Path

import pytest
from lst_text import problems, row

from pyrunner_airflow.tasklist import Diagnostic, LstError, Severity, parse_lst, read_lst

ROW = "1|-1|1|0|Start|workers|Start||"
CODE = re.compile("[a-z0-9]+(?:-[a-z0-9]+)+|cycle")

BAD = Path(__file__).parent / "bad"
# One of them has no list beside it.
REPORTS = sorted(BAD.rglob("*.txt"))


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: str(report.relative_to(BAD)))
def test_each_bad_file_has_its_report(report):
    with pytest.raises(LstError) as caught:
        read_lst(report.with_suffix(".lst"))
    assert str(caught.value).replace(f"{report.parent}{os.sep}", "") + "\n" == report.read_text("utf-8")


def test_no_bad_file_lacks_one():
    assert {path.with_suffix(".txt") for path in BAD.rglob("*.lst")} <= set(REPORTS)


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


class TestWhatIsDrawn:
    """Whatever a list, its options or their names contain: it is text, and acts on nobody's screen."""

    ODD = "\x1b[31m\n\r::error::x\u2028##[error]x"

    @pytest.mark.parametrize(
        "text",
        [
            f"::error::x|{row()}",
            f" \t::error::x|{row()}",
            f"##[error]x|{row()}",
            f"{ODD}|{row()}",
            f"#AIRFLOW [pyrunner]\n#AIRFLOW app_root = {json.dumps(ODD)}\n",
            f"#AIRFLOW {json.dumps(ODD)} = 1\n",
            f"#AIRFLOW {json.dumps(ODD)} = {{ lst = 1 }}\n",
            f"#AIRFLOW {json.dumps(ODD + '.lst')} = {{ a = 1 }}\n",
            f"#AIRFLOW [tasks.{json.dumps(ODD)}]\n",
            f"#AIRFLOW [pyrunner.env]\n#AIRFLOW {json.dumps(ODD)} = 1\n",
            f"#AIRFLOW [pyrunner]\n#AIRFLOW timezone = {json.dumps(ODD)}\n",
            f"#AIRFLOW schedule = {json.dumps(ODD)}\n",
        ],
    )
    @pytest.mark.parametrize("name", ["my.lst", f"{ODD}.lst", "::error::x.lst"])
    def test_has_nothing_that_a_terminal_or_github_acts_on(self, text, name):
        with pytest.raises(LstError) as caught:
            parse_lst(text, name)
        lines = str(caught.value).split("\n")
        assert [line for line in lines if line.lstrip().startswith("::") or "##[" in line] == []
        assert [line for line in lines if not line.replace("\t", "").isprintable()] == []
        assert [line for line in lines if not re.match("    |$|.*: (error|warning)[[]", line)] == []

    def test_a_hint_may_have_lines_of_its_own(self):
        assert str(problems("")[0]).split("\n")[-1].startswith("        ID|PARENT_IDS|")

    def test_what_looks_like_a_command_is_still_read_as_it_stands(self):
        assert str(problems("::error::x|-1|1|0|a|m|W")[0]).split("\n")[1:3] == [
            "    \N{RATIO}:error::x|-1|1|0|a|m|W",
            "    ^^^^^^^^^^",
        ]

    def test_a_file_whose_name_is_near_is_named_so_too(self, tmp_path):
        (tmp_path / "my\x1b.lst").touch()
        with pytest.raises(LstError) as caught:
            read_lst(tmp_path / "my.lst")
        assert "Did you mean my\N{SYMBOL FOR ESCAPE}.lst?" in str(caught.value)
