"""Chromium without a window, as Debian installs it, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

MISSING = "Chromium is not installed (Debian: apt-get install chromium)"


def find_chromium() -> str | None:
    """Return where Chromium is, None where it is not installed."""
    return shutil.which("chromium")


@contextmanager
def chromium(command: str) -> Iterator[Browser]:
    """Start the Chromium at `command` with an empty profile, and end it afterwards."""
    with sync_playwright() as playwright:
        # Its sandbox does not work for root.
        browser = playwright.chromium.launch(executable_path=command, chromium_sandbox=False)
        try:
            yield browser
        finally:
            browser.close()
