"""A person's own account in a real browser: come by another site, by invitation, change, leave."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.hub.clients import PASSWORD
from tests.hub.openid import CLIENT, SECRET, OpenId

from lamina.hub import Hub, HubSettings
from lamina.hub.oidc import OidcSettings

NEW = "a new long password"


@pytest.fixture
def own(tmp_path) -> Iterator[Hub]:
    """A hub where one registers by invitation, or by another site."""
    with OpenId() as openid:
        settings = HubSettings(
            root=str(tmp_path / "hub"), port=0, shutdown_s=2.0, registration="invitation",
            oidc=OidcSettings(openid.issuer, CLIENT, SECRET, name="Example"),
        )  # fmt: skip
        with Hub(settings=settings) as hub:
            hub.register("chief", PASSWORD)
            yield hub


@pytest.fixture
def pages(chromium: Browser, own: Hub) -> Iterator[list[Page]]:
    """Two people's browsers; nothing may break the policy or fail in a script."""
    contexts = [chromium.new_context(base_url=own.url) for _ in range(2)]
    wrong: list[str] = []
    made = []
    for context in contexts:
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "console",
            lambda line: wrong.append(line.text) if "Content Security" in line.text else None,
        )
        made.append(page)
    yield made
    for context in contexts:
        context.close()
    assert wrong == []


def sign_in(page: Page, name: str, password: str) -> None:
    page.goto("/signin")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_an_invited_person_comes_changes_the_password_and_leaves(pages, own):
    chief, guest = pages
    sign_in(chief, "chief", PASSWORD)
    chief.goto("/admin/accounts")
    chief.get_by_role("button", name="Invite somebody").click()
    link = chief.locator(".notice code").inner_text()
    guest.goto(link)
    guest.get_by_label("Name").fill("carol")
    guest.get_by_label("Password").fill(PASSWORD)
    guest.keyboard.press("Enter")
    expect(guest).to_have_url(re.compile("/carol$"))
    guest.get_by_role("link", name="Settings").click()
    guest.get_by_label("Display name").fill("Carol C.")
    guest.get_by_label("About you").fill("I *like* layers")
    guest.get_by_role("button", name="Save").click()
    guest.get_by_role("link", name="See your page").click()
    expect(guest.get_by_role("heading", name="Carol C.")).to_be_visible()
    guest.goto("/settings/password")
    guest.get_by_label("Your password now").fill(PASSWORD)
    guest.get_by_label("New password").fill(NEW)
    guest.get_by_role("button", name="Change password").click()
    expect(guest.get_by_role("status")).to_contain_text("was changed")
    guest.goto("/settings/delete")
    guest.get_by_label("Your password").fill(NEW)
    guest.get_by_role("button", name="Delete carol").click()
    expect(guest.get_by_role("link", name="Sign in")).to_be_visible()
    assert own.services.accounts.find("carol") is None


def test_a_person_comes_by_another_site_and_an_account_is_connected_with_it(pages, own):
    chief, guest = pages
    sign_in(chief, "chief", PASSWORD)
    chief.goto("/settings/identities")
    chief.get_by_label("Your password").fill(PASSWORD)
    chief.get_by_role("button", name="Connect Example").click()
    chief.get_by_role("link", name="Go on to Example").click()
    expect(chief.get_by_role("cell", name="dana")).to_be_visible()
    guest.goto("/signin")
    guest.get_by_role("link", name="Sign in with Example").click()
    expect(guest.get_by_role("link", name="chief")).to_be_visible()
    chief.get_by_role("button", name="Disconnect").click()
    expect(chief.get_by_text("None.")).to_be_visible()
    guest.get_by_role("button", name="Sign out").click()
    guest.goto("/signin")
    guest.get_by_role("link", name="Sign in with Example").click()
    expect(guest.get_by_label("Name")).to_have_value("dana")
    guest.keyboard.press("Enter")
    expect(guest).to_have_url(re.compile("/dana$"))
