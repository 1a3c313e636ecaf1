"""The pictures of the pages show what is to be seen today: their texts are compared, not their pixels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page

from scripts import pictures
from scripts.pictures import BAD_LIST, IMAGES, NAME, PAGES, SAMPLE, SHOWN, TERMINALS
from tests.scheduler.apps import Apps, DataServer

ROOT = Path(__file__).parents[2]
IN_THEM: dict[str, list[str]] = json.loads(SHOWN.read_text())


@pytest.fixture(scope="module")
def runs(apps: Apps, sample_server: DataServer) -> None:
    """Have the jobs and the runs that the pictures are of."""
    apps.copy(SAMPLE)
    apps.add_folder(NAME, {f"{NAME}.lst": BAD_LIST})
    sample_server.fail_next("/data2.csv")
    pictures.make_runs(apps.airflow)


def words(lines: list[str]) -> list[str]:
    """Return what they say, in any order.

    Rows side by side begin in any, PostgreSQL sorts a dictionary's keys, and long lines break anywhere.
    """
    return sorted(" ".join(lines).replace(",", " ").split())


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_a_picture_of_airflow_shows_what_is_there(runs, apps, page: Page, name):
    there = pictures.shown(PAGES[name](page).text.inner_text(), apps.airflow.home)
    # There may be errors of other lists, too.
    ours = [line for line in there if name != "import_error" or line in IN_THEM[name]]
    assert words(ours) == words(IN_THEM[name])


@pytest.mark.parametrize(
    "name", [name if name == "check" else pytest.param(name, marks=pytest.mark.slow) for name in TERMINALS]
)
def test_a_picture_of_a_terminal_shows_what_is_printed(tmp_path, name):
    there = pictures.shown(pictures.plain(pictures.typed(tmp_path, *TERMINALS[name])), tmp_path)
    assert words(there) == words(IN_THEM[name])


def test_each_picture_is_on_a_page():
    pages = "".join(path.read_text() for path in (ROOT / "README.md", *ROOT.glob("docs/*.md")))
    taken = {path.name for path in IMAGES.iterdir()} - {SHOWN.name}
    assert taken == {f"{name}.png" for name in PAGES} | {f"{name}.svg" for name in TERMINALS}
    assert [name for name in taken if f"images/{name})" not in pages] == []
