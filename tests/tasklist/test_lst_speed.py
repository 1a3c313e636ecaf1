"""The work grows with the size of a list, whatever its shape. How long it takes: `make bench`."""

import random

import pytest
from lst_text import row

from pyrunner_airflow.tasklist import LstError, parse_lst
from pyrunner_airflow.tasklist.layout import align
from tests.counting import count_calls


def parse(text):
    """Parse a list, and draw its problems."""
    try:
        str(parse_lst(text).warnings)
    except LstError as error:
        str(error)


def graph(parents):
    """One row for each list of parents; IDs from 1."""
    return "\n".join(
        row(id=str(id_), parents=",".join(map(str, above)) or "-1", name=f"n{id_}", arguments=f"a,{id_}")
        for id_, above in enumerate(parents, 1)
    )


def random_edges(size):
    chance = random.Random(0)
    return graph([chance.sample(range(1, id_), min(id_ - 1, 2)) for id_ in range(1, size + 1)])


SHAPES = {
    "two random parents each": random_edges,
    "chain": lambda size: graph([[id_] if id_ else [] for id_ in range(size)]),
    "chain, children first": lambda size: graph([[id_ + 1] for id_ in range(1, size)] + [[]]),
    "fan": lambda size: graph([[], *[[1]] * size, range(2, size + 2)]),
    "dense layers": lambda size: graph(
        [range(id_ - id_ % 20 - 19, id_ - id_ % 20 + 1) if id_ >= 20 else [] for id_ in range(size)]
    ),
    "one cycle": lambda size: graph([[id_ or size] for id_ in range(size)]),
    "cycles in a chain": lambda size: graph(
        [
            [id_ + 2 if id_ % 2 == 0 else id_, *range(id_ - 1, id_)[: id_ > 1]]
            for id_ in range(size - size % 2)
        ]
    ),
    "unknown parents": lambda size: graph([[id_ + size] for id_ in range(1, size + 1)]),
    "one row of unknown parents": lambda size: row(parents=",".join(map(str, range(2, size)))),
    "quotes": lambda size: row(arguments="\"'" * size * 10 + "'"),
    "quotes that never close": lambda size: row(name="'", arguments='a"b' + "a,|" * size * 10),
    "pipes": lambda size: "|" * size * 10,
    "digits": lambda size: row(id="9" * size * 100, parents="9" * size * 100),
    "variables that never close": lambda size: row(arguments="$ENV{" * size),
    "options": lambda size: "".join(f"#AIRFLOW params.p{n} = {n}\n" for n in range(size)) + row(),
    "unknown options": lambda size: "".join(f"#AIRFLOW o{n} = {n}\n" for n in range(size)) + row(),
    "unknown tasks": lambda size: (
        "".join(f"#AIRFLOW [tasks.{n + size}]\n" for n in range(1, size)) + graph([[]] * size)
    ),
    "templates that never close": lambda size: row(arguments="{{ a," * (size // 10)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_ten_times_the_size_takes_about_ten_times_the_work(shape):
    small, large = SHAPES[shape](300), SHAPES[shape](3000)
    count_calls(parse, small)  # imports what such a list needs
    assert count_calls(parse, large) < 12 * count_calls(parse, small) + 1000


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(random_edges, id="rows"),
        pytest.param(lambda size: graph([[]] * size) + "|" * size * 10, id="a row of many empty columns"),
        pytest.param(
            lambda size: f"{graph([[]] * size)}\n{row(id='0', arguments='x' * size * 10)}",
            id="a row of one endless column",
        ),
    ],
)
def test_aligning_takes_no_more_than_that_and_makes_no_more_of_it(shape):
    small, large = shape(300), shape(3000)
    assert count_calls(align, large) < 12 * count_calls(align, small) + 1000
    assert len(align(large)) < 12 * len(align(small))
