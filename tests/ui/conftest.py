"""What the tests of Airflow's UI share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from scripts.chromium import MISSING, chromium, find_chromium
from scripts.local_airflow import LocalAirflow
from tests.ui.browser import TIMEOUT


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; skip where it is not installed. Its event loop goes with the module's tests."""
    command = find_chromium()
    if command is None:
        pytest.skip(MISSING)
    with chromium(command) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, airflow: LocalAirflow) -> Iterator[Page]:
    """Give a window of its own, as of a browser that was never used."""
    context = browser.new_context(
        base_url=f"{airflow.url}/",
        viewport={"width": 1400, "height": 1200},
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(TIMEOUT)
    yield context.new_page()
    context.close()
