"""How a file falls into lines, a line into columns, and ARGUMENTS into arguments."""

import pytest
from lst_text import codes, problems, read_row, row

from pyrunner_airflow.tasklist import TaskRow, parse_lst


def lines_of(text):
    return [task.line for task in parse_lst(text).rows]


class TestLines:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_lf_crlf_and_cr_end_a_line(self, end):
        text = end.join(["#PYTHON", row(id="1"), row(id="2", name="b"), ""])
        assert lines_of(text) == [2, 3]

    @pytest.mark.parametrize("char", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
    def test_nothing_else_ends_a_line(self, char):
        text = row(name=f"a{char}b")
        if char > "\x85":
            assert parse_lst(text).rows[0].name == f"a{char}b"
        else:
            assert codes(text) == ["control-character"]

    def test_the_last_line_needs_no_line_end(self):
        assert lines_of(row()) == lines_of(row() + "\n") == [1]

    def test_a_byte_order_mark_is_tolerated(self):
        assert lines_of("\ufeff" + row()) == [1]

    @pytest.mark.parametrize(
        "skipped",
        [
            "",
            "   ",
            "\t",
            "#",
            "# text",
            "  \t# text",
            "#PYTHON",
            "#ID|PARENT_IDS|MAX_ATTEMPTS",
            "#AIRFLOW",
        ],
    )
    def test_blank_lines_and_comments_are_skipped(self, skipped):
        assert lines_of(f"{skipped}\n{row()}\n{skipped}") == [2]

    def test_a_comment_begins_only_where_a_line_does(self):
        assert read_row(arguments="a # b").arguments == ("a # b",)


class TestColumns:
    def test_a_row_of_nine_columns(self):
        assert parse_lst("4|-1|3|60|Load Table|etl.load|Load|a,b|/tmp/x.log").rows == (
            TaskRow(4, (), 3, 60, "Load Table", "etl.load", "Load", ("a", "b"), "a,b", "/tmp/x.log", 1),
        )

    @pytest.mark.parametrize(
        "text", ["1|-1|1|0|n|m|W", "1|-1|1|0|n|m|W|", "1|-1|1|0|n|m|W||", "1|-1|1|0|n|m|W|||| | "]
    )
    def test_arguments_and_logfile_may_be_missing(self, text):
        assert parse_lst(text).rows == (TaskRow(1, (), 1, 0, "n", "m", "W", (), "", None, 1),)

    def test_spaces_and_tabs_around_fields_are_trimmed(self):
        text = " \t1 \t|\t-1 | 1|0\t| a  b |\tm|W |\t|\tx.log \t"
        assert parse_lst(text).rows == (TaskRow(1, (), 1, 0, "a  b", "m", "W", (), "", "x.log", 1),)

    @pytest.mark.parametrize(
        ("field", "kept"),
        [
            ('"b|c"', '"b|c"'),
            ("'b|c'", "'b|c'"),
            ('x"b|c"y', 'x"b|c"y'),
            ('"it\'s|b"', '"it\'s|b"'),
            ("'\"|\"'", "'\"|\"'"),
            ("it's", "it's"),
            ('5" pipe', '5" pipe'),
            ("\"it's", "\"it's"),
        ],
    )
    def test_a_pipe_in_balanced_quotes_does_not_separate(self, field, kept):
        task = read_row(name=field, arguments="x")
        assert (task.name, task.arguments) == (kept, ("x",))

    def test_a_pair_of_quotes_may_reach_over_columns(self):
        found = problems(row(name="Bob's", arguments="it's"))
        assert [problem.code for problem in found] == ["missing-columns", "missing-value"]
        for problem in found:
            assert problem.hint.endswith(" The quotes in columns 13 and 32 are a pair: no | separates there.")

    @pytest.mark.parametrize(
        ("text", "missing"),
        [
            ("1", "PARENT_IDS, MAX_ATTEMPTS, RETRY_WAIT_TIME, PROCESS_NAME, MODULE_NAME, WORKER_NAME"),
            ("1|-1|1|0|n", "MODULE_NAME, WORKER_NAME"),
            ("1|-1|1|0|n|m", "WORKER_NAME"),
        ],
    )
    def test_fewer_than_seven_columns_are_one_error(self, text, missing):
        (found,) = problems(text)
        assert found.code == "missing-columns"
        assert found.message.endswith(f"lacks {missing}")

    def test_a_tenth_column_is_an_error(self):
        assert codes("1|-1|1|0|n|m|W|a|b||c|") == ["extra-columns"]


ARGUMENTS = [
    ("", ()),
    ("a", ("a",)),
    ("a,b", ("a", "b")),
    ("a , b", ("a", "b")),
    ("a,,b", ("a", "b")),
    ("a, ,b", ("a", "", "b")),
    (",", ()),
    ("a,", ("a",)),
    ('"a,b"', ("a,b",)),
    ('"a|b"', ("a|b",)),
    ('"a,b",c', ("a,b", "c")),
    ("'a,b',c", ("'a,b'", "c")),
    ('""', ("",)),
    ('" a "', (" a ",)),
    ('""a""', ("a",)),
    ('x"a,b"y', ('x"a,b"y',)),
    ("1,aaaaab", ("1", "aaaaab")),
    ('"it\'s",b', ("it's", "b")),
]


class TestArguments:
    @pytest.mark.parametrize(("text", "arguments"), ARGUMENTS)
    def test_arguments_are_split_at_commas_outside_quotes(self, text, arguments):
        assert read_row(arguments=text).arguments == arguments

    @pytest.mark.parametrize("text", [text for text, _ in ARGUMENTS])
    def test_the_unsplit_text_is_kept(self, text):
        assert read_row(arguments=f"  {text}\t").arguments_text == text

    def test_a_quote_that_never_closes_is_an_ordinary_character(self):
        assert read_row(arguments="it's,b").arguments == ("it's", "b")

    def test_quotes_come_off_after_trimming(self):
        assert read_row(arguments='a, "b"').arguments == ("a", "b")

    def test_a_blank_field_holds_no_arguments_whatever_pads_it(self):
        assert read_row(arguments="\t ").arguments == ()
