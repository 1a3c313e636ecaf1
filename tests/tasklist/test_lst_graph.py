"""What must hold between the rows of a list."""

from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lst_text import codes, problems, row, rows

from pyrunner_airflow.tasklist import parse_lst
from pyrunner_airflow.tasklist.graph import find_cycles


class TestIds:
    def test_gaps_and_any_order_are_fine(self):
        text = "\n".join(
            [row(id="1000", parents="7"), row(id="7", name="b"), row(id="30", parents="1000,7", name="c")]
        )
        assert [(task.id, task.parent_ids) for task in parse_lst(text).rows] == [
            (1000, (7,)),
            (7, ()),
            (30, (1000, 7)),
        ]

    def test_a_duplicate_is_reported_at_each_later_row(self):
        text = "\n".join([row(name="a"), row(name="b"), row(id="01", name="c")])
        assert [(found.code, found.line) for found in problems(text)] == [
            ("duplicate-id", 2),
            ("duplicate-id", 3),
        ]


class TestParents:
    def test_an_unknown_parent_is_reported_where_it_stands(self):
        (found,) = problems(rows("-1", "-1, 17 ,1"))
        assert (found.code, found.line, found.column, found.length) == ("unknown-parent", 2, 7, 2)

    def test_each_one_once(self):
        assert [found.column for found in problems(rows("7,8,7"))] == [3, 5]

    @pytest.mark.parametrize(
        "broken", [{"module": "1"}, {"attempts": "x"}, {"parents": "x"}, {"logfile": "$ENV{"}]
    )
    def test_a_parent_that_is_broken_elsewhere_is_not_unknown(self, broken):
        assert "unknown-parent" not in codes("\n".join([row(**broken), row(id="2", name="b", parents="1")]))

    def test_nor_is_one_whose_row_is_too_short(self):
        assert codes(f"1|-1\n{row(id='2', parents='1')}") == ["missing-columns"]

    def test_near_matches_and_the_ids_there_are(self):
        text = "\n".join(row(id=str(id_), name=str(id_)) for id_ in [1, 2, 3, 10, 20, 21])
        (found,) = problems(f"{text}\n{row(id='30', parents='201')}")
        assert found.hint == "Did you mean 21 or 20? IDs in this list: 1 to 3, 10, 20 to 21, 30."

    def test_many_ids_are_shortened(self):
        text = "\n".join(row(id=str(id_), name=str(id_)) for id_ in range(1, 1000, 2))
        (found,) = problems(f"{text}\n{row(id='1000', parents='5000')}")
        assert found.hint.endswith("IDs in this list: 1, 3, 5, 7, 9, ..., 991, 993, 995, 997, 999 to 1000.")

    def test_an_id_that_could_not_be_read_is_pointed_at(self):
        found = problems(f"{row(id='1x')}\n{row(id='2', name='b', parents='1')}")
        assert found[1].hint == "IDs in this list: 2. The ID in line 1 could not be read."

    def test_a_self_parent_is_one_error_and_no_cycle(self):
        assert codes(rows("-1", "1,2")) == ["self-parent"]


def cycles_of(text):
    return [found.message for found in problems(text) if found.code == "cycle"]


class TestCycles:
    @pytest.mark.parametrize(
        ("parents", "path"),
        [
            (["2", "1"], "1 -> 2 -> 1"),
            (["-1", "3,1", "2"], "2 -> 3 -> 2"),
            (["3", "1", "2"], "1 -> 2 -> 3 -> 1"),
            (["2", "3", "1"], "1 -> 3 -> 2 -> 1"),
            (["-1", "1", "2,5", "3", "4", "5"], "3 -> 4 -> 5 -> 3"),
        ],
    )
    def test_the_path_runs_from_parent_to_child_and_back(self, parents, path):
        (message,) = cycles_of(rows(*parents))
        assert message.endswith(f": {path}")

    def test_it_begins_at_the_row_that_comes_first_in_the_file(self):
        text = "\n".join([row(id="9", parents="4"), row(id="4", parents="9", name="b")])
        assert cycles_of(text) == ["2 rows wait for each other for ever: 9 -> 4 -> 9"]

    def test_the_caret_is_under_the_parent_that_closes_it(self):
        (found,) = problems(rows("-1", "1, 3", "2"))
        assert (found.line, found.column, found.length, found.column_name) == (2, 6, 1, "PARENT_IDS")

    def test_each_independent_cycle_is_reported_once(self):
        assert [
            message.rpartition(": ")[2]
            for message in cycles_of(rows("2", "1", "2,5", "3", "4", "5,6", "8", "7"))
        ] == [
            "1 -> 2 -> 1",
            "3 -> 4 -> 5 -> 3",
            "7 -> 8 -> 7",
        ]

    def test_a_long_path_is_shortened(self):
        (message,) = cycles_of(rows("100", *map(str, range(1, 100))))
        assert message == (
            "100 rows wait for each other for ever: "
            "1 -> 2 -> 3 -> 4 -> 5 -> 6 -> ... -> 96 -> 97 -> 98 -> 99 -> 100 -> 1"
        )

    @given(st.dictionaries(st.integers(1, 9), st.lists(st.integers(1, 9), max_size=4), max_size=9))
    def test_any_graph(self, parents):
        """Each path is a cycle, none shares a row, and without their rows graphlib finds no other."""
        cycles = find_cycles(parents)
        for cycle in cycles:
            assert len(cycle) > 1
            for before, after in zip(cycle, cycle[1:] + cycle[:1], strict=True):
                assert before in parents[after]
        members = [member for cycle in cycles for member in cycle]
        assert len(set(members)) == len(members)
        TopologicalSorter(
            {
                child: [parent for parent in above if parent not in {child, *members}]
                for child, above in parents.items()
                if child not in members
            }
        ).prepare()
