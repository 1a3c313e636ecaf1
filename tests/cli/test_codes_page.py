"""Each code is explained on a page, with an example that is what `check` prints."""

import ast
import re
from pathlib import Path

import pytest

import pyrunner_airflow
from pyrunner_airflow.cli.codes import CODES
from scripts.codes_page import PAGE, check, examples

EXAMPLES = {example.code: example for example in examples(PAGE.read_text("utf-8"))}
CODE = re.compile("[a-z0-9]+(?:-[a-z0-9]+)+|cycle")


def test_what_looks_like_a_code_in_the_source_is_one():
    package = Path(pyrunner_airflow.__file__).parent
    places = ("tasklist/*.py", "check/*.py", "cli/app_profile.py")
    files = [file for place in places for file in package.glob(place)]
    trees = [ast.parse(file.read_text("utf-8")) for file in files]
    constants = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    assert {text for text in constants if isinstance(text, str) and CODE.fullmatch(text)} == CODES


def test_each_code_has_an_example():
    assert EXAMPLES.keys() == CODES


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_has_one_problem_which_is_printed_as_the_page_says(code):
    printed = check(EXAMPLES[code])
    assert re.findall(r"(?:error|warning)\[([a-z0-9-]+)\]", printed) == [code]
    assert printed == EXAMPLES[code].printed, "docs/codes.md is out of date: python -m scripts.codes_page"
