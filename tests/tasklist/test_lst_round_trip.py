"""Rows that are written back as text are read as the same rows."""

from keyword import iskeyword

from hypothesis import given, settings
from hypothesis import strategies as st
from lst_oracle import generate

from pyrunner_airflow.tasklist import TaskRow, parse_lst
from pyrunner_airflow.tasklist.columns import MAX_ID, MAX_NUMBER


def write(rows):
    """Write each row into its own line of a list; the lines between them stay empty."""
    lines = [""] * max(row.line for row in rows)
    for row in rows:
        parents = ",".join(map(str, row.parent_ids)) or "-1"
        fields = [row.id, parents, row.max_attempts, row.retry_wait_time, row.name, row.module, row.worker]
        lines[row.line - 1] = "|".join([*map(str, fields), row.arguments_text, row.logfile or ""])
    return "\n".join(lines)


def characters(exclude):
    return st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=exclude)


# Each quote has its partner, and | stands in quotes. { might begin a template or a variable.
TEXTS = st.lists(
    st.text(characters("|\"'{"))
    | st.text(characters('"{')).map('"{}"'.format)
    | st.text(characters("'{")).map("'{}'".format),
    max_size=4,
).map(lambda parts: "".join(parts).strip(" \t"))
ARGUMENTS = st.lists(st.text(characters('"{')))
IDENTIFIERS = st.from_regex(r"[^\W\d]\w*", fullmatch=True).filter(
    lambda text: text.isidentifier() and not iskeyword(text)
)


@st.composite
def row_lists(draw):
    ids = draw(st.lists(st.integers(1, MAX_ID), min_size=1, max_size=6, unique=True))
    rows = []
    for number, id_ in enumerate(ids, 1):
        parents = st.lists(st.sampled_from(ids[: number - 1]), unique=True) if number > 1 else st.just([])
        arguments = draw(ARGUMENTS)
        rows.append(
            TaskRow(
                id=id_,
                parent_ids=tuple(draw(parents)),
                max_attempts=draw(st.integers(1, MAX_NUMBER)),
                retry_wait_time=draw(st.integers(0, MAX_NUMBER)),
                name=draw(TEXTS.filter(str.strip)),
                module=".".join(draw(st.lists(IDENTIFIERS, min_size=1, max_size=3))),
                worker=draw(IDENTIFIERS),
                arguments=tuple(arguments),
                arguments_text=",".join(f'"{argument}"' for argument in arguments),
                logfile=draw(TEXTS) or None,
                line=0,
            )
        )
    lines = draw(st.permutations(range(1, len(rows) + 1)))
    placed = [row._replace(line=line) for row, line in zip(rows, lines, strict=True)]
    return tuple(sorted(placed, key=lambda row: row.line))


@settings(max_examples=200, deadline=None)
@given(row_lists())
def test_any_rows(rows):
    assert parse_lst(write(rows)).rows == rows


@settings(deadline=None)
@given(st.randoms(use_true_random=False).map(generate))
def test_rows_that_were_read(text):
    rows = parse_lst(text).rows
    assert parse_lst(write(rows)).rows == rows
