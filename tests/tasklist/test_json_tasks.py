"""PyRunner's other format: lists in JSON."""

import contextlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrunner.serde.json import JsonSerDe

from pyrunner_airflow.tasklist import LstError, parse_lst, read_lst
from pyrunner_airflow.tasklist.json_tasks import is_task_list

SAMPLE = """\
{
  "tasks": {
    "Start": {"module": "workers", "worker": "Start", "logfile": "$ENV{APP_LOG_DIR}/start.log"},
    "Load Table": {
      "dependencies": ["Start"],
      "module": "workers",
      "worker": "Load",
      "arguments": ["a,b", 7, "two\\nlines"],
      "max_attempts": 3,
      "retry_wait_time": 30,
      "timeout": 60
    },
    "End": {"dependencies": ["Load Table", "Start"], "module": "pack.workers", "worker": "End", "argv": ["x"]}
  }
}
"""


def tasks(**more):
    """Return the text of a list of one task, with more of its keys."""
    return json.dumps({"tasks": {"Load": {"module": "workers", "worker": "Load", **more}}})


def errors(text):
    with pytest.raises(LstError) as caught:
        parse_lst(text, "my.json")
    return caught.value.diagnostics


def error(text):
    (found,) = errors(text)
    return found


class TestRows:
    def test_tasks_are_rows_in_the_order_of_the_file(self):
        start, load, end = parse_lst(SAMPLE).rows
        assert start[:10] == (1, (), 1, 0, "Start", "workers", "Start", (), "", "$ENV{APP_LOG_DIR}/start.log")
        assert load[:6] == (2, (1,), 3, 30, "Load Table", "workers")
        assert (load.arguments, load.timeout, load.line) == (("a,b", "7", "two\nlines"), 60, 4)
        assert (end.parent_ids, end.module, end.arguments, end.logfile) == (
            (2, 1),
            "pack.workers",
            ("x",),
            None,
        )

    def test_a_dependency_may_stand_further_down(self):
        text = json.dumps({"tasks": {"B": {**OF_A, "dependencies": ["A"]}, "A": OF_A}})
        assert [(row.id, row.parent_ids) for row in parse_lst(text).rows] == [(1, (2,)), (2, ())]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_any_line_ends_and_a_byte_order_mark(self, end):
        rows = parse_lst("\ufeff" + SAMPLE.replace("\n", end)).rows
        assert [row.line for row in rows] == [3, 4, 13]

    @pytest.mark.parametrize("nothing", [None, "", []])
    def test_nothing_is_as_if_it_were_left_out(self, nothing):
        keys = ("dependencies", "arguments", "logfile", "max_attempts", "retry_wait_time", "timeout")
        assert parse_lst(tasks(**dict.fromkeys(keys, nothing))).rows == parse_lst(tasks()).rows

    def test_a_number_may_be_a_text(self):
        (row,) = parse_lst(tasks(max_attempts="3", retry_wait_time="5", timeout="7")).rows
        assert (row.max_attempts, row.retry_wait_time, row.timeout) == (3, 5, 7)


OF_A = {"module": "workers", "worker": "A", "logfile": "a.log"}
ACCEPTED = {
    "a diamond": {
        "A": OF_A,
        "B": {**OF_A, "dependencies": ["A"]},
        "C": {**OF_A, "dependencies": ["A"]},
        "D": {**OF_A, "dependencies": ["B", "C"]},
    },
    "attempts": {"A": {**OF_A, "max_attempts": 4, "retry_wait_time": "9", "timeout": 5}},
    "old names": {"A": {**OF_A, "retries": 2, "argv": ["x"]}},
    "both names": {"A": {**OF_A, "retries": 2, "max_attempts": 3, "argv": ["x"], "arguments": ["y", "z"]}},
    "arguments": {"A": {**OF_A, "arguments": ["a,b", '"q"', " ", 1, True, 2.5]}},
    "blanks": {" A ": {**OF_A, "module": " workers ", "logfile": " a.log "}},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_pyrunner_reads_is_read_as_pyrunner_does(name, tmp_path):
    path = tmp_path / "my.json"
    path.write_text(json.dumps({"tasks": ACCEPTED[name]}))
    with contextlib.redirect_stdout(io.StringIO()):
        nodes = JsonSerDe().deserialize(str(path)).pending_nodes
    assert [
        (
            node.id,
            {parent.id for parent in node.parent_nodes} - {-1},
            (node.max_attempts, node.retry_wait_time, node.name, node.module, node.worker),
            node.arguments,
            node.logfile,
            node.timeout,
        )
        for node in sorted(nodes)
    ] == [
        (row.id, set(row.parent_ids), row[2:7], list(row.arguments), row.logfile, row.timeout or float("inf"))
        for row in read_lst(path).rows
    ]


class TestProblems:
    @pytest.mark.parametrize(
        ("text", "place", "message"),
        [
            ('{"tasks": {\n  "A": {"module": "w" "worker": "A"}}}', (2, 23), "Expecting ',' delimiter"),
            ('{"tasks": {\n', (2, 1), "Expecting property name enclosed in double quotes"),
        ],
    )
    def test_what_is_no_json(self, text, place, message):
        found = error(text)
        assert (found.code, (found.line, found.column)) == ("invalid-json", place)
        assert found.message == f"this is no JSON: {message}"

    @pytest.mark.parametrize(
        "text",
        [
            '{"tasks": ' + "[" * 100_000,
            '{"tasks": ' + '{"a":' * 100_000,
            '{"tasks": {"A": ' + "9" * 5000 + "}}",
        ],
    )
    def test_what_is_too_much(self, text):
        assert error(text).code == "invalid-json"

    @pytest.mark.parametrize("text", ["{}", '{"tasks": {}}', '{"tasks": []}'])
    def test_a_list_without_tasks(self, text):
        assert error(text).code == "no-rows"

    @pytest.mark.parametrize(
        ("more", "code", "marked", "message"),
        [
            (
                {"dependencies": ["Laod"]},
                "unknown-parent",
                '"Laod"',
                "dependencies names 'Laod', but no task has that name",
            ),
            (
                {"dependencies": ["Load"]},
                "self-parent",
                '"Load"',
                "the task depends on itself, and would wait for itself",
            ),
            ({"dependencies": "Load"}, "invalid-json", '"Load"', "dependencies is not an array of names"),
            ({"arguments": "a"}, "invalid-json", '"a"', "arguments is not an array"),
            ({"logfile": 1}, "invalid-json", "1", "logfile is not a text"),
            ({"module": 1}, "invalid-json", "1", "module is not a text"),
            ({"timeout": True}, "invalid-json", "true", "timeout is not a whole number"),
            ({"timeout": -1}, "integer-out-of-range", "-1", "timeout is out of range"),
            ({"max_attempts": 0}, "integer-out-of-range", "0", "max_attempts '0' is out of range"),
            ({"retry_wait_time": "x"}, "invalid-integer", '"x"', "retry_wait_time 'x' is not a whole number"),
            (
                {"module": "workers.py/x"},
                "invalid-name",
                '"workers.py/x"',
                "module 'workers.py/x' is not a dotted",
            ),
            ({"worker": ""}, "missing-value", '"Load"', "worker is empty"),
            ({"logfile": "$ENV{"}, "env-not-closed", '"$ENV{"', "$ENV{ in logfile is never closed"),
            (
                {"arguments": ["a", "{{ x"]},
                "invalid-template",
                '"{{ x"',
                "arguments: '{{ x' is no valid Jinja",
            ),
            ({"worker": "a\x00"}, "control-character", '"a\\u0000"', "worker contains the control character"),
            (
                {"dependancies": ["A"]},
                "unknown-key",
                '"dependancies"',
                "PyRunner knows no 'dependancies', which",
            ),
        ],
    )
    def test_of_a_task_are_told_with_their_place(self, more, code, marked, message):
        text = tasks(**more)
        found = errors(text)[0]
        assert found.code == code
        assert text[found.column - 1 : found.column - 1 + found.length] == marked
        assert found.message.startswith(message)

    def test_a_key_that_is_like_no_other_is_a_warning(self):
        assert [found.code for found in parse_lst(tasks(comment="mine")).warnings] == ["unknown-key"]

    def test_names_that_differ_in_blanks_are_one(self):
        found = error(json.dumps({"tasks": {"A": OF_A, " A ": OF_A}}))
        assert (found.code, found.message) == ("repeated-key", "'A' is there already")

    def test_a_mistyped_key_is_an_error_however_many_others_there_are(self):
        many = {f"T{number}": {**OF_A, f"comment{number}": 1} for number in range(50)}
        text = json.dumps({"tasks": {**many, "Last": {**OF_A, "dependancies": ["T1"]}}})
        assert [found.severity for found in errors(text)] == ["warning"] * 50 + ["error"]

    def test_more_tasks_than_airflow_can_bear(self):
        text = json.dumps({"tasks": {str(number): OF_A for number in range(20_001)}})
        assert error(text).message == "the file can't be read: it has more than 20000 rows"

    def test_a_cycle(self):
        text = json.dumps({"tasks": {name: {**OF_A, "dependencies": [name.swapcase()]} for name in "Aa"}})
        found = error(text)
        assert (found.code, found.message) == ("cycle", "these tasks wait for each other: 'A' -> 'a' -> 'A'")

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            (
                tasks()[:-2] + ', "Load": {"module": "w", "worker": "W"}}}',
                "Give each task a name of its own.",
            ),
            (tasks()[:-3] + ', "worker": "W"}}}', "Remove one of the two."),
            (tasks()[:-1] + ', "tasks": {"A": {"module": "w", "worker": "W"}}}', "Remove one of the two."),
        ],
    )
    def test_what_is_there_already(self, text, hint):
        found = error(text)
        assert (found.code, found.column, found.hint) == (
            "repeated-key",
            text.rindex(found.message[1:5]),
            hint,
        )

    def test_all_at_once(self):
        text = json.dumps(
            {"tasks": {"A": {"module": "", "worker": "1"}, "B": 1, "C": {**OF_A, "arguments": 1}}}
        )
        assert {found.code for found in errors(text)} == {"missing-value", "invalid-name", "invalid-json"}

    def test_options_stand_in_pyrunner_toml(self, tmp_path):
        (tmp_path / "my.json").write_text(SAMPLE)
        (tmp_path / "pyrunner.toml").write_text('["my.json".tasks.2]\npool = "a"')
        assert read_lst(tmp_path / "my.json").options.tasks == {2: {"pool": "a"}}


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
KEYS = st.sampled_from([*ACCEPTED["both names"]["A"], "dependencies", "timeout", "retry_wait_time", "x"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
TASKS = st.dictionaries(st.text(), st.dictionaries(KEYS, VALUES) | VALUES)


@given(st.fixed_dictionaries({"tasks": TASKS | VALUES}), st.sampled_from([None, 1]))
def test_any_json_is_a_list_or_an_lst_error(document, indent):
    try:
        found = parse_lst(json.dumps(document, indent=indent)).warnings
    except LstError as error:
        found = error.diagnostics
        assert str(error)
    for problem in found:
        assert 1 <= problem.column <= problem.column - 1 + max(1, problem.length) <= max(1, len(problem.text))


class TestShape:
    @pytest.mark.parametrize(
        ("text", "is_one"),
        [
            (SAMPLE, True),
            ("\ufeff" + SAMPLE, True),
            (SAMPLE.replace("}", "", 1), True),
            ('{"tasks": {"A": {"module": 1}, "B": {"module": "m", "worker": "W"}}}', True),
            ("{}", False),
            ("[]", False),
            ("", False),
            ('{"tasks": []}', False),
            ('{"tasks": {"build": {"dependsOn": ["^build"], "outputs": []}}}', False),
            ('{"version": "2.0.0", "tasks": [{"module": "a", "worker": "b"}]}', False),
            ('{"tasks": {"A": {"module": "m"}, "B": {"worker": "W"}}}', False),
            ('{"other": {"tasks": {"A": {"module": "m", "worker": "W"}}}}', False),
            ('{"tasks": {}, "module": 1, "worker": 2}', False),
            ('{"tasks": ', False),
        ],
    )
    def test_of_a_task_list(self, tmp_path, text, is_one):
        (tmp_path / "a.json").write_text(text)
        assert is_task_list(tmp_path / "a.json") is is_one

    def test_one_that_is_too_large_is_told_as_a_list(self, tmp_path):
        (tmp_path / "a.json").write_text(SAMPLE + " " * 10_000_000)
        assert is_task_list(tmp_path / "a.json")

    def test_what_cannot_be_read_is_none(self, tmp_path):
        assert not is_task_list(tmp_path / "a.json")
        assert not is_task_list(tmp_path)
