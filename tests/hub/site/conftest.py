"""Browsers of people."""

import pytest
from tests.hub.site.pages import Browser


@pytest.fixture
def visitor(hub) -> Browser:
    return Browser(hub.address)


@pytest.fixture
def owner(hub) -> Browser:
    """Alice, signed in."""
    browser = Browser(hub.address)
    assert browser.sign_in("alice").status == 303
    return browser
