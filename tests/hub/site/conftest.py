"""Browsers of people: one without script, and Chromium."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import sync_playwright
from tests.hub.site.pages import Browser

ARGUMENTS = (
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip


@pytest.fixture
def visitor(hub) -> Browser:
    return Browser(hub.address)


@pytest.fixture
def owner(hub) -> Browser:
    """Alice, signed in."""
    browser = Browser(hub.address)
    assert browser.sign_in("alice").status == 303
    return browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield browser
        browser.close()
