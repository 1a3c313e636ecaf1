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
        str(task_list.warnings)


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


KEYS = [
    "schedule",
    "start_date",
    "tags",
    "params",
    "pool",
    "execution_timeout",
    "timezone",
    "env",
    "notify_email",
    "notify",
    "outlets",
]
VALUE = st.recursive(
    st.sampled_from(
        ["1", "-0.5", "inf", "true", "2024-01-31", "10:00:00", "2024-01-31T06:00:00Z", "'@daily'"]
    )
    | st.text("0123456789*/,-#LWH? @adily", max_size=12).map("'{}'".format)
    | st.text(max_size=5).map("'{}'".format)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(field(*KEYS, "to", "A"), inner, max_size=3).map(
            lambda table: f"{{ {', '.join(f'{key} = {value}' for key, value in table.items())} }}"
        )
    ),
    max_leaves=5,
)
TOML = st.lists(
    st.builds("{} = {}".format, st.sampled_from([*KEYS, "a.b", "'my.lst'", '"""']), VALUE)
    | field(
        "[pyrunner]", "[tasks.1]", "[tasks.9]", "[default_args]", "['my.lst'.tasks.1]", "[[tasks]]", "'''"
    ),
    max_size=6,
).map("\n".join)


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(st.text(), id="any text"),
        pytest.param(st.text("[]{}=.,\"'#\\ \tab1-:T\n"), id="TOML's characters"),
        pytest.param(TOML, id="nearly TOML"),
    ],
)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_so_is_any_front_matter(texts, data):
    lines = data.draw(texts).split("\n")
    check("".join(f"#AIRFLOW {line}\n" for line in lines) + "1|-1|1|0|n|m|W")


@settings(max_examples=100, deadline=None)
@given(st.binary() | TOML.map(lambda text: text.encode(errors="surrogatepass")))
def test_so_is_any_pyrunner_toml(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "options"
    folder.mkdir(exist_ok=True)
    (folder / "pyrunner.toml").write_bytes(data)
    path = folder / "my.lst"
    path.write_text("1|-1|1|0|n|m|W")
    try:
        assert read_lst(path).rows
    except LstError as error:
        assert str(error)


@settings(max_examples=100, deadline=None)
@given(st.binary() | LIST.map(lambda text: text.encode(errors="surrogatepass")))
def test_so_are_any_bytes(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.lst"
    path.write_bytes(data)
    try:
        assert read_lst(path).rows
    except LstError as error:
        assert str(error)
