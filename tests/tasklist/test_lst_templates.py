"""ARGUMENTS and LOGFILE must be templates that Airflow can render."""

import subprocess
import sys

import pytest
from lst_text import codes, problems, read_row, row


@pytest.mark.parametrize(
    "text",
    [
        "{{ ds }}",
        '"{{ macros.ds_add(ds, -1) }}"',
        "{{ 'a,b' }}",
        '"{{ ds | upper }}"',
        "{% if params.x %}a{% endif %}",
        "{% do 1 %}",
        "a{# comment #}b",
        '{{ "{#" }}',
        "{ a }",
        "{",
        "}}",
        "%}",
        "{{ no_such_name }}",
    ],
)
@pytest.mark.parametrize("column", ["arguments", "logfile"])
def test_valid_templates_and_other_text_pass(column, text):
    assert getattr(read_row(**{column: text}), column)


@pytest.mark.parametrize(
    "text",
    [
        "job_{#1}",
        "{{ ds",
        "{{ }}",
        "{% if x %}",
        "{% no_such_tag %}",
        "{{ ds }} {#x",
        "{{ 1 + }}",
        "{{" + "(" * 10_000,
        "{{ " + "9" * 5000 + " }}",
    ],
)
@pytest.mark.parametrize("column", ["arguments", "logfile"])
def test_invalid_templates_are_errors(column, text):
    (found,) = problems(row(**{column: text}))
    assert (found.code, found.column_name) == ("invalid-template", column.upper())


def test_the_caret_is_under_the_argument():
    (found,) = problems(row(arguments="{{ ds }}, job_{#1} ,c"))
    assert (found.column, found.length) == (40, 8)


def test_each_argument_is_a_template_of_its_own():
    found = problems(row(arguments="{% if a %},x,{% endif %}"))
    assert [problem.code for problem in found] == ["invalid-template", "invalid-template"]


def test_text_that_is_meant_literally_can_be_written():
    (found,) = problems(row(arguments="job_{#1}"))
    assert found.hint.startswith('For text that is meant literally write {{ "{#" }} in place of {#')
    assert read_row(arguments='job_{{ "{#" }}1}').arguments == ('job_{{ "{#" }}1}',)


@pytest.mark.parametrize(
    ("text", "knife", "mended"),
    [
        ("{{ macros.ds_add(ds, -1) }}", "comma", '"{{ macros.ds_add(ds, -1) }}"'),
        ("a,x_{{ f(1, 2, 3) }}.csv,b", "comma", '"x_{{ f(1, 2, 3) }}.csv"'),
        ('{{ f("a", 1) }}', "comma", "\"{{ f('a', 1) }}\""),
        ("{{ ds | upper }}", "|", '"{{ ds | upper }}"'),
        ("{% if a in (1, 2) %}x{% endif %}", "comma", '"{% if a in (1, 2) %}x{% endif %}"'),
    ],
)
def test_a_template_cut_in_two_is_shown_whole_and_in_quotes(text, knife, mended):
    found = next(problem for problem in problems(row(arguments=text)) if problem.code == "invalid-template")
    assert (
        found.hint
        == f"The {knife} cuts the template in two. Put double quotes around the whole argument: {mended}"
    )
    assert read_row(arguments=mended).arguments == (mended.strip('"'),)


@pytest.mark.parametrize(
    ("text", "literal"), [("{{ ds }} {#1}", "{#"), ("{#1} {{ ds }}", "{#"), ("{% x %}", "{%"), ("{{ a", "{{")]
)
def test_the_hint_is_about_what_is_not_closed(text, literal):
    (found,) = problems(row(arguments=text))
    assert f'write {{{{ "{literal}" }}}} in place of {literal},' in found.hint


def test_other_columns_are_no_templates():
    assert read_row(name="{{ ds").name == "{{ ds"
    assert codes(row(module="{{ds}}")) == ["invalid-name"]


def test_jinja_is_imported_for_templates_alone():
    program = (
        "import sys; from pyrunner_airflow.tasklist import parse_lst\n"
        "parse_lst(sys.argv[1]); assert 'jinja2' not in sys.modules\n"
        "assert not {'airflow', 'pydantic'} & set(sys.modules)\n"
        "parse_lst(sys.argv[2]); assert 'jinja2' in sys.modules\n"
        "assert not {'airflow', 'pydantic'} & set(sys.modules)\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, row(logfile="$ENV{A}/x"), row(arguments="{{ ds }}")], check=True
    )
