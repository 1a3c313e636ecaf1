"""The pages that are made from the code are those of today's code."""

import pytest

from scripts.reference_pages import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_says(name):
    committed = (DOCS / name).read_text("utf-8")
    assert committed == PAGES[name](), f"docs/{name} is out of date: python -m scripts.reference_pages"
