"""Whatever the text: a TaskList or LstError, nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyrunner_airflow.tasklist import LstError, TaskList, parse_lst, read_lst


def field(*plain):
    noise = st.text("0123456789-+_,|\"'${}%#E NV\t\0\\.aé٣日\u0301\ud800\x85\u2028", max_size=8)
    return st.one_of(*[st.sampled_from(plain)] * 4, noise, st.text(max_size=5))


ROW = st.tuples(
    field("1", "2", "3", "01"),
    field("-1", "1", "2", "1,2", "3"),
    field("1", ""),
    field("0", ""),
    field("n", "it's"),
    field("m", "a.b", "$ENV{M}"),
    field("W", "$ENV{"),
    field("", "a,b", "{{ ds }}", "{{ f(a, b) }}", "{#", '"a|b"'),
    field("", "/x.log"),
).map("|".join)
LIST = st.lists(st.one_of(ROW, field("#SHELL", "#PYTHON", ""))).map("\n".join)


def check(text):
    try:
        task_list = parse_lst(text)
    except LstError as error:
        lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert error.diagnostics
        for found in error.diagnostics:
            assert str(found) in str(error)
            assert found.hint
            if found.line:
                assert found.text == lines[found.line - 1]
                assert 1 <= found.column <= len(found.text) + 1
                assert found.column - 1 + found.length <= len(found.text)
    else:
        assert isinstance(task_list, TaskList)
        assert task_list.rows


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(st.text(), id="any text"),
        pytest.param(st.text("|\"',0123456789-\n"), id="separators, quotes, digits"),
        pytest.param(st.text("|{}%#$ENV,\"' \n"), id="templates and variables"),
        pytest.param(LIST, id="nearly lists"),
    ],
)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_text_is_a_list_or_an_lst_error(texts, data):
    check(data.draw(texts))


@settings(max_examples=100, deadline=None)
@given(st.binary() | LIST.map(lambda text: text.encode(errors="surrogatepass")))
def test_so_are_any_bytes(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.lst"
    path.write_bytes(data)
    try:
        assert read_lst(path).rows
    except LstError as error:
        assert str(error)
