"""Aligning the columns of a list, and changing nothing else."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lst_oracle import ENV, generate, pyrunner_rows
from test_lst_fuzz import LIST
from test_lst_round_trip import row_lists, write

from pyrunner_airflow.tasklist import LstError, parse_lst
from pyrunner_airflow.tasklist.layout import align

EXAMPLES = Path(__file__).parents[2] / "example_lst"
GOOD_FILES = sorted([*Path(__file__).parent.glob("good/*.lst"), *EXAMPLES.rglob("*.lst")])
LINE = re.compile(r"\r\n|\r|\n")
BLANKS = re.compile(r"[ \t]*(\||^|$)[ \t]*")


def meaning(text):
    """Return all that a list says, but not where; None if it has errors."""
    try:
        task_list = parse_lst(text)
    except LstError:
        return None
    warnings = sorted((warning.code, warning.line, warning.message) for warning in task_list.warnings)
    return task_list.rows, task_list.options, warnings


def is_row(line):
    return line.strip() and not line.strip().startswith("#")


class TestColumns:
    def test_they_are_as_wide_as_their_widest_field(self):
        text = (EXAMPLES / "my_sample_app/config/my_sample_app.lst").read_text()
        assert align(re.sub(" *\\| *", "|", text)) == text

    @pytest.mark.parametrize(
        ("text", "aligned"),
        [
            pytest.param("\t1 \t|-1 | 1|0", "1|-1|1|0", id="blanks and tabs around fields"),
            pytest.param("10|-1|a\n1|10|b", "10|-1|a\n1 |10|b", id="no header"),
            pytest.param("1|表|x\n2|ab|x\n3|e\u0301|x", "1|表|x\n2|ab|x\n3|e\u0301 |x", id="wide characters"),
            pytest.param("1|\"a | b\"|c\n2|it's|c", "1|\"a | b\"|c\n2|it's   |c", id="quoted"),
            pytest.param("1|a|||b\n2|a|bb||b", "1|a|  | |b\n2|a|bb| |b", id="never nothing between two |"),
            pytest.param("1|a|  \n2|bb|c|  d\t", "1|a |\n2|bb|c|d", id="last column of a line"),
            pytest.param("1|a|b||\n2|a|bb|c|", "1|a|b | |\n2|a|bb|c|", id="columns that are empty stay"),
        ],
    )  # fmt: skip
    def test_rows(self, text, aligned):
        assert align(text) == aligned

    def test_an_endless_field_sticks_out(self):
        endless = "x" * 201
        assert align(f"1|{endless}|a\n2|bb|a\n3|b|a") == f"1|{endless}|a\n2|bb|a\n3|b |a"

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_line_ends_and_a_byte_order_mark_stay(self, end):
        assert align(f"\ufeff10|a{end}{end}1|b") == f"\ufeff10|a{end}{end}1 |b"

    def test_blanks_before_what_looks_like_a_byte_order_mark_stay(self):
        assert align("\t\ufeff 1 | a") == "\t\ufeff 1 | a"


class TestHeaderLine:
    @pytest.mark.parametrize(
        "header",
        [
            "#ID|PARENT_IDS|MAX_ATTEMPTS|RETRY_WAIT_TIME|PROCESS_NAME|MODULE_NAME|WORKER_NAME",
            "# ID | PARENTS | MAX | WAIT | NAME | MODULE | WORKER | ARGS | LOG  ",
        ],
    )
    def test_it_is_aligned_whatever_its_names(self, header):
        row = "1|-1|1|0|n|m|W|a|b"
        first, second = align(f"{header}\n{row}").split("\n")
        bars = [[match.start() for match in re.finditer(r"\|", line)] for line in (first, second)]
        assert bars[1][: len(bars[0])] == bars[0]

    @pytest.mark.parametrize(
        "comment",
        [
            "#1|-1|1|0|A row|m|W||  ",
            "  # ID | and so on",
            "#ID|of|what|we|do|in|here",
            "#AIRFLOW   schedule =  '0 6 * * *'",
        ],
    )
    def test_no_other_comment_is_touched(self, comment):
        assert align(f"{comment}\n1|-1|1|0|n|m|W").startswith(f"{comment}\n")


TEXTS = [
    pytest.param(st.text(), id="any text"),
    pytest.param(st.text("|\"',0123456789-\r\n #ID\t\ufeff表"), id="separators, quotes, line ends"),
    pytest.param(LIST, id="nearly lists"),
    pytest.param(st.randoms(use_true_random=False).map(generate), id="lists"),
    pytest.param(row_lists().map(write), id="rows of all kinds"),
]


class TestEveryText:
    @pytest.mark.parametrize("texts", TEXTS)
    @settings(max_examples=100, deadline=None)
    @given(data=st.data())
    def test_means_the_same_afterwards(self, texts, data):
        text = data.draw(texts)
        assert meaning(align(text)) == meaning(text)

    @pytest.mark.parametrize("texts", TEXTS)
    @settings(max_examples=100, deadline=None)
    @given(data=st.data())
    def test_stays_as_it_is_once_it_is_aligned(self, texts, data):
        aligned = align(data.draw(texts))
        assert align(aligned) == aligned

    @pytest.mark.parametrize("texts", TEXTS)
    @settings(max_examples=100, deadline=None)
    @given(data=st.data())
    def test_loses_nothing_but_blanks_around_fields(self, texts, data):
        text = data.draw(texts)
        before, after = (LINE.split(part.removeprefix("\ufeff")) for part in (text, align(text)))
        assert len(before) == len(after)
        for old, new in zip(before, after, strict=True):
            if is_row(old):
                assert BLANKS.sub(r"\1", new) == BLANKS.sub(r"\1", old)
            elif "|" not in old:
                assert new == old


@pytest.mark.parametrize("path", GOOD_FILES, ids=lambda path: path.name)
def test_a_good_file_means_the_same_afterwards(path):
    text = path.read_bytes().decode()
    assert meaning(text) is not None
    assert meaning(align(text)) == meaning(text)


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.lst")), ids=lambda path: path.name)
def test_the_examples_are_aligned(path):
    text = path.read_bytes().decode()
    assert align(text) == text


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False).map(generate))
def test_pyrunner_reads_the_same_rows_afterwards(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "aligned.lst"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENV.items():
            patch.setenv(name, value)
        path.write_bytes(text.encode())
        before = pyrunner_rows(path)
        path.write_bytes(align(text).encode())
        assert pyrunner_rows(path) == before
