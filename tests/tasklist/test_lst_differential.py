"""The same lists through PyRunner's parser and ours: the same rows, or one of the differences listed here."""

import random
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lst_oracle import ENV, Refused, generate, our_rows, pyrunner_rows

from pyrunner_airflow.tasklist import LstError, parse_lst

EXAMPLES = Path(__file__).parents[2] / "example_lst"
GOOD_FILES = [*sorted(Path(__file__).parent.glob("good/*.lst")), *sorted(EXAMPLES.rglob("*.lst"))]
ROW = "1|-1|1|0|n|m|W"
SECOND = "2|1|1|0|n2|m|W"


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def write(tmp_path_factory):
    """Write a list to a file as it stands."""

    def write(text):
        path = tmp_path_factory.getbasetemp() / "differential.lst"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


class TestTheSameRows:
    @pytest.mark.parametrize("seed", range(80))
    def test_of_generated_lists(self, write, seed):
        text = generate(random.Random(seed))
        assert our_rows(text) == pyrunner_rows(write(text))

    @settings(max_examples=100, deadline=None)
    @given(st.randoms(use_true_random=False).map(generate))
    def test_of_any_list_that_the_generator_makes(self, write, text):
        assert our_rows(text) == pyrunner_rows(write(text))

    @pytest.mark.parametrize("path", GOOD_FILES, ids=lambda path: path.stem)
    def test_of_files(self, monkeypatch, path):
        text = path.read_bytes().decode()
        variables = {name: f"/{name}" for name in re.findall(r"\$ENV\{([^{}]*)\}", text)}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert our_rows(text, variables) == pyrunner_rows(path)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(f"{ROW}\n{ROW.replace('1', '2', 1)}", id="two rows without parents, of one name"),
            pytest.param(f"{ROW}|/var/log/x.log", id="a path in the last of eight columns"),
            pytest.param(f"{ROW}| |x.log", id="blank ARGUMENTS"),
            pytest.param(f"{ROW}||x.log", id="empty ARGUMENTS"),
            pytest.param(f"{ROW}|a|  ", id="blank LOGFILE"),
            pytest.param("1|-1||0|n|m|W", id="empty MAX_ATTEMPTS"),
            pytest.param("1|-1|1||n|m|W", id="empty RETRY_WAIT_TIME"),
            pytest.param(f"{ROW}|a,,b", id="two commas"),
            pytest.param(f"{ROW}|,a,", id="commas at the ends"),
            pytest.param(f"{ROW}|a, ,b", id="a blank between commas"),
            pytest.param(f"{ROW}|,|x", id="a comma alone"),
            pytest.param(f"{ROW}|'a,b',c|x", id="single quotes"),
            pytest.param(f'{ROW}|" a ",""|x', id="blanks and nothing in quotes"),
            pytest.param(f'{ROW}|"a,b"x,c', id="quotes in an argument's midst"),
            pytest.param(f'{ROW}|""a""', id="quotes in quotes"),
            pytest.param(f"{ROW}|'\"',\"'\"", id="a quote in quotes of the other kind"),
            pytest.param(f"{ROW}|\"it's\"|'5\"'", id="a lone quote in quotes of the other kind"),
            pytest.param(f"{ROW}|a#b # c", id="a number sign is no comment"),
            pytest.param(f"{ROW}|$ENV{{DAY}}|$ENV{{LOG_DIR}}/$ENV{{DAY}}.log", id="variables"),
            pytest.param("1|-1|1|0|n|$ENV{M}.x|A$ENV{W}", id="variables in names"),
            pytest.param("1_0|-1|+2|00|n|m|W", id="numbers as int() reads them"),
            pytest.param("٣|-1|1|0|n|m|W\n4|٣|1|0|n2|m|W", id="digits of other scripts"),
            pytest.param("1|-1|1|0|n|m|W\n2|-1,1|1|0|n2|m|W", id="-1 beside a parent"),
            pytest.param("9|-1|1|0|n|m|W\n5|9|1|0|n2|m|W", id="a parent with the higher ID"),
            pytest.param(f"\n\n{ROW}\n\n# 2\n\n", id="blank lines and comments"),
            pytest.param(f"#PYTHON\r{ROW}\r", id="CR"),
            pytest.param(f"#PYTHON\r\n{ROW}\n{SECOND}\r", id="line ends of all kinds"),
            pytest.param(f" \t {ROW} \t ", id="blanks around a row"),
            pytest.param(f"{ROW}||||", id="pipes behind a row"),
            pytest.param(f"{ROW} | | | ", id="blank columns behind a row"),
            pytest.param("1|-1|1|0|Lädt 表 \U0001f600|m|Größe", id="text that is not ASCII"),
            pytest.param("1|-1|1|0|a  b\tc|m|W", id="blanks within a name"),
        ],
    )
    def test_of_single_cases(self, write, text):
        rows = pyrunner_rows(write(text))
        assert rows
        assert our_rows(text) == rows

    # Not with blanks around quotes: see the differences.
    @settings(deadline=None)
    @given(
        st.lists(
            st.from_regex(r"([a-z ]|\"[a-z,|]*\"|'[a-z,|]*')*[a-z]", fullmatch=True), min_size=1, max_size=4
        )
    )
    def test_of_any_arguments_with_balanced_quotes(self, write, arguments):
        text = f"{ROW}|{','.join(argument.strip() for argument in arguments)}|x"
        assert our_rows(text) == pyrunner_rows(write(text))

    def test_of_a_chain_of_300_rows(self, write):
        """PyRunner's recursion ends near 1,000 rows."""
        text = "\n".join(f"{id_}\t|\t{id_ - 1 or -1}\t|1\t|0\t|n{id_}\t|m\t|W\t" for id_ in range(1, 301))
        assert our_rows(text) == pyrunner_rows(write(text))


class Difference(NamedTuple):
    """What PyRunner makes of a text, and what we do: rows, as far as they matter, or an error.

    theirs: the rows that it runs, or Refused.
    ours: the rows, or the codes of our diagnostics.
    """

    name: str
    text: str | bytes
    theirs: dict | type[Refused]
    ours: dict | list[str]


DIFFERENCES = [
    # PyRunner drops rows, or lets them wait for ever, without a word.
    Difference("an unknown parent", f"{ROW}\n2|7|1|0|n2|m|W", {1: {}}, ["unknown-parent"]),
    Difference("rows below it", f"{ROW}\n2|7|1|0|n2|m|W\n3|2|1|0|n3|m|W", {1: {}}, ["unknown-parent"]),
    Difference(
        "a parent that is known beside one that is not: the row is dropped, its child waits for ever",
        f"{ROW}\n2|1,7|1|0|n2|m|W\n3|2|1|0|n3|m|W",
        {1: {}, 3: {"parents": {2}}},
        ["unknown-parent"],
    ),
    Difference(
        "a parent declared further down",
        f"2|1|1|0|n2|m|W\n{ROW}",
        {1: {}},
        {1: {"parents": set()}, 2: {"parents": {1}}},
    ),
    Difference("a row that is its own parent", "1|1|1|0|n|m|W", {}, ["self-parent"]),
    Difference("parent 0", f"{ROW}\n2|0|1|0|n2|m|W", {1: {}}, ["invalid-parent"]),
    Difference("parent -2", f"{ROW}\n2|-2|1|0|n2|m|W", {1: {}}, ["invalid-parent"]),
    Difference(
        "the same parent twice",
        f"{ROW}\n2|1,1|1|0|n2|m|W",
        {1: {}},
        {1: {"parents": set()}, 2: {"parents": {1}}},
    ),
    Difference("-1 twice", "1|-1,-1|1|0|n|m|W", {}, {1: {"parents": set()}}),
    Difference("a cycle", f"{ROW}\n2|3|1|0|a|m|W\n3|2|1|0|b|m|W", {1: {}}, ["cycle"]),
    Difference("a list that is one cycle", "1|2|1|0|a|m|W\n2|1|1|0|b|m|W", {}, ["cycle"]),
    Difference("a list of comments", "#PYTHON\n# none", {}, ["no-rows"]),
    # It takes texts apart in the wrong place.
    Difference(
        "two empty columns side by side: |||",
        "1|-1|||n|m|W|a|x.log",
        Refused,
        {1: {"attempts": 1, "wait": 0, "name": "n", "arguments": ["a"], "logfile": "x.log"}},
    ),
    Difference(
        "||| before a LOGFILE",
        f"{ROW}|||x.log",
        {1: {"arguments": [], "logfile": "x.log"}},
        ["extra-columns"],
    ),
    Difference("a tenth column", f"{ROW}|a|x.log|b", {1: {"logfile": "x.log"}}, ["extra-columns"]),
    Difference(
        "a quote that never closes, in ARGUMENTS",
        f"{ROW}|it's,b|x.log",
        {1: {}},
        {1: {"arguments": ["it's", "b"], "logfile": "x.log"}},
    ),
    Difference(
        "a quote that never closes, in PROCESS_NAME",
        "1|-1|1|0|Bob's|m|W|a|x.log",
        {1: {}},
        {1: {"name": "Bob's", "module": "m", "worker": "W", "arguments": ["a"], "logfile": "x.log"}},
    ),
    Difference("tabs for empty ARGUMENTS", f"{ROW}|\t|x", {1: {"arguments": [""]}}, {1: {"arguments": []}}),
    Difference("tabs for an empty LOGFILE", f"{ROW}|a|\t|", Refused, {1: {"logfile": None}}),
    Difference("tabs for an empty MAX_ATTEMPTS", "1|-1|\t|0|n|m|W", Refused, {1: {"attempts": 1}}),
    Difference("tabs for an empty RETRY_WAIT_TIME", "1|-1|1|\t|n|m|W", Refused, {1: {"wait": 0}}),
    Difference(
        "blanks before a quoted argument",
        f'{ROW}|a, "b"|x',
        {1: {"arguments": ["a", ' "b']}},
        {1: {"arguments": ["a", "b"]}},
    ),
    Difference(
        "tabs around a quoted argument",
        f'{ROW}|\t"b"\t|x',
        {1: {"arguments": ['\t"b"\t']}},
        {1: {"arguments": ["b"]}},
    ),
    Difference(
        "tabs before a comma",
        f"{ROW}|\t,a|x",
        {1: {"arguments": ["", "a"]}},
        {1: {"arguments": ["a"]}},
    ),
    Difference("a line separator in a name", "1|-1|1|0|a\u2028b|m|W", Refused, {1: {"name": "a\u2028b"}}),
    Difference(
        "a no-break space around a name",
        "1|-1|1|0|\u00a0n\u00a0|m|W",
        {1: {"name": "n"}},
        {1: {"name": "\u00a0n\u00a0"}},
    ),
    Difference("a control character", "1|-1|1|0|a\x1bb|m|W", {1: {"name": "a\x1bb"}}, ["control-character"]),
    Difference("a byte order mark before a row", f"\ufeff{ROW}", Refused, {1: {"name": "n"}}),
    Difference("a byte order mark before a comment", f"\ufeff#PYTHON\n{ROW}", Refused, {1: {"name": "n"}}),
    # It looks for variables where and when the list is read.
    Difference(
        "a variable that is not set (fails its task alone)",
        f"{ROW}|a|$ENV{{NO_SUCH_NAME}}/x.log",
        Refused,
        {1: {"logfile": "$ENV{NO_SUCH_NAME}/x.log"}},
    ),
    Difference("a variable in ID", "$ENV{ONE}|-1|1|0|n|m|W", {1: {}}, ["env-not-allowed"]),
    Difference(
        "a variable in PARENT_IDS", f"{ROW}\n2|$ENV{{ONE}}|1|0|a|m|W", {1: {}, 2: {}}, ["env-not-allowed"]
    ),
    Difference("a variable in MAX_ATTEMPTS", "1|-1|$ENV{ONE}|0|n|m|W", {1: {}}, ["env-not-allowed"]),
    Difference(
        "a variable in RETRY_WAIT_TIME", "1|-1|1|$ENV{ONE}|n|m|W", {1: {"wait": 1}}, ["env-not-allowed"]
    ),
    Difference(
        "a variable in PROCESS_NAME",
        "1|-1|1|0|n $ENV{DAY}|m|W",
        {1: {"name": "n 2024-01-31"}},
        ["env-not-allowed"],
    ),
    Difference(
        "a comma in a variable's value",
        f"{ROW}|$ENV{{PAIR}}|x",
        {1: {"arguments": ["left", "right"]}},
        {1: {"arguments": ["$ENV{PAIR}"]}},
    ),
    Difference(
        "a brace behind a variable",
        f"{ROW}|$ENV{{DAY}}}}|x",
        {1: {"arguments": ["2024-01-31"]}},
        {1: {"arguments": ["$ENV{DAY}}"]}},
    ),
    Difference(
        "a template beside a variable",
        f"{ROW}|{{{{ ds }}}}_$ENV{{DAY}}|x",
        Refused,
        {1: {"arguments": ["{{ ds }}_$ENV{DAY}"]}},
    ),
    Difference(
        "a variable that is never closed",
        f"{ROW}|$ENV{{DAY|x",
        {1: {"arguments": ["2024-01-31"]}},
        ["env-not-closed"],
    ),
    # It does not look at what it can't import, or what Airflow can't render or store.
    Difference("ID 0", "0|-1|1|0|n|m|W", {0: {}}, ["integer-out-of-range"]),
    Difference("an ID of 19 digits", f"{10**18}|-1|1|0|n|m|W", {10**18: {}}, ["integer-out-of-range"]),
    Difference(
        "attempts beyond a database's integers",
        f"1|-1|{2**31}|0|n|m|W",
        {1: {"attempts": 2**31}},
        ["integer-out-of-range"],
    ),
    Difference(
        "a module that is a path", "1|-1|1|0|n|../m.py|W", {1: {"module": "../m.py"}}, ["invalid-name"]
    ),
    Difference("a worker that is no name", "1|-1|1|0|n|m|a.W", {1: {"worker": "a.W"}}, ["invalid-name"]),
    Difference(
        "an argument that is no template",
        f"{ROW}|job_{{#1}}|x",
        {1: {"arguments": ["job_{#1}"]}},
        ["invalid-template"],
    ),
    Difference(
        "a list of shell commands",
        "#SHELL\n1|-1|1|0|List|ls -l|list.log",
        {1: {"module": "ls -l", "worker": "list.log"}},
        ["shell-list"],
    ),
]


def matches(rows, expected):
    """Whether the rows are the expected ones, in those columns that are named."""
    return rows.keys() == expected.keys() and all(
        rows[id_].items() >= columns.items() for id_, columns in expected.items()
    )


class TestDifferences:
    @pytest.mark.parametrize("case", DIFFERENCES, ids=lambda case: case.name)
    def test_pyrunner(self, write, case):
        if case.theirs is Refused:
            with pytest.raises(Refused):
                pyrunner_rows(write(case.text))
        else:
            assert matches(pyrunner_rows(write(case.text)), case.theirs)

    @pytest.mark.parametrize("case", DIFFERENCES, ids=lambda case: case.name)
    def test_ours(self, case):
        if isinstance(case.ours, list):
            with pytest.raises(LstError) as caught:
                parse_lst(case.text)
            assert [found.code for found in caught.value.diagnostics] == case.ours
        else:
            assert matches(our_rows(case.text, variables={}), case.ours)

    @pytest.mark.parametrize("case", DIFFERENCES, ids=lambda case: case.name)
    def test_is_one_still(self, write, case):
        """What PyRunner and we have come to agree on does not belong here."""
        try:
            theirs = pyrunner_rows(write(case.text))
        except Refused:
            theirs = None
        try:
            ours = our_rows(case.text)
        except LstError:
            ours = None
        assert theirs != ours


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "no-rows"),
        ("1|-1|1|0|n|m", "missing-columns"),
        ("1", "missing-columns"),
        ("x|-1|1|0|n|m|W", "invalid-integer"),
        ("|-1|1|0|n|m|W", "missing-value"),
        ("-1|-1|1|0|n|m|W", "integer-out-of-range"),
        ("-2|-1|1|0|n|m|W", "integer-out-of-range"),
        (f"{ROW}\n01|-1|1|0|n2|m|W", "duplicate-id"),
        ("1| |1|0|n|m|W", "missing-value"),
        ("1|none|1|0|n|m|W", "invalid-parent"),
        (f"{ROW}\n2|1,|1|0|n2|m|W", "invalid-parent"),
        ("1|-1|0|0|n|m|W", "integer-out-of-range"),
        ("1|-1|once|0|n|m|W", "invalid-integer"),
        ("1|-1|1|-1|n|m|W", "integer-out-of-range"),
        ("1|-1|1|0.5|n|m|W", "invalid-integer"),
        ("1|-1|1|0| |m|W", "missing-value"),
        ("1|-1|1|0|n| |W", "missing-value"),
        ("1|-1|1|0|n|m| |a|x", "missing-value"),
        (f"{ROW}|$ENV{{}}|x", "env-without-name"),
        ("1|-1|1|0|a\x0cb|m|W", "control-character"),
    ],
)
def test_what_both_refuse(write, text, code):
    with pytest.raises(Refused):
        pyrunner_rows(write(text))
    with pytest.raises(LstError) as caught:
        parse_lst(text)
    assert code in [found.code for found in caught.value.diagnostics]
