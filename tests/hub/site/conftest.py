"""Browsers of people: one without script, and Chromium."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, expect, sync_playwright
from tests.hub.site.pages import Browser

ARGUMENTS = (
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip


_PATIENCE_MS = 100_000.0


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
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=ARGUMENTS, timeout=_PATIENCE_MS
        )
        make = browser.new_context

        def new_context(**options: Any) -> BrowserContext:
            context = make(**options)
            context.set_default_timeout(_PATIENCE_MS)
            return context

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(browser, "new_context", new_context)
            expect.set_options(timeout=_PATIENCE_MS)  # of five seconds a busy machine has too few
            yield browser
            browser.close()
