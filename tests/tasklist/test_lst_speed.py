"""The time grows with the size of a list, whatever its shape. How much it is: `make bench`."""

import gc
import random
import time

import pytest
from lst_text import row

from pyrunner_airflow.tasklist import LstError, parse_lst, read_lst
from pyrunner_airflow.tasklist.layout import align


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
    "one cycle": lambda size: graph([[id_ or size * 6] for id_ in range(size * 6)]),
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
    "a key of many parts": lambda size: f"#AIRFLOW {'a.' * size * 10}a = 1\n" + row(),
    "a table of many parts": lambda size: f"#AIRFLOW [{'a.' * size * 10}a]\n" + row(),
    "a key in a table of many parts": lambda size: f"#AIRFLOW x = {{ {'a . ' * size * 10}a = 1 }}\n" + row(),
    "a long name of an option": lambda size: f"#AIRFLOW {'a' * size * 100} = 1\n" + row(),
    "templates that never close": lambda size: row(arguments="{{ a," * (size // 10)),
}


SMALL, GROWTH = 300, 16
ENOUGH = 0.05
"""Seconds in which anything may be done: too short a time to be measured."""


def assert_linear(work, make):
    """Assert that the time of some work grows with the size: quadratic work would take 16 times that."""
    small, large = make(SMALL), make(SMALL * GROWTH)
    work(small)  # imports what it needs
    least = min(processor_time(work, small) for _ in range(5))
    # Once more where something else came between.
    assert any(processor_time(work, large) < 3 * GROWTH * least + ENOUGH for _ in range(3))


def processor_time(work, what):
    """Return how long some work takes, without the garbage collector, which looks at all of it repeatedly."""
    gc.disable()
    start = time.process_time()
    try:
        work(what)
        return time.process_time() - start
    finally:
        gc.enable()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_list_is_parsed_in_a_time_that_grows_with_its_size(shape):
    assert_linear(parse, SHAPES[shape])


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
    assert_linear(align, shape)
    assert len(align(shape(3000))) < 12 * len(align(shape(300)))


def test_links_that_lead_nowhere_take_no_more_in_a_large_folder(tmp_path):
    def make(size):
        folder = tmp_path / str(size)
        folder.mkdir()
        for number in range(size // 4):
            (folder / f"{number}.lst").touch()
            (folder / f"dead{number}.lst").symlink_to("nowhere")
        return folder

    def read(folder):
        for path in folder.glob("dead*"):
            with pytest.raises(LstError):
                read_lst(path)

    assert_linear(read, make)
