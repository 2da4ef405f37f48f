"""The pages in a real browser, as a person uses them."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.containers import eventually
from tests.hub.clients import PASSWORD, Client


@pytest.fixture
def page(chromium, hub) -> Iterator[Page]:
    """A fresh visitor on the front page; nothing may break the policy or fail in a script."""
    context = chromium.new_context(
        base_url=hub.url, permissions=["clipboard-read", "clipboard-write"]
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda line: wrong.append(line.text) if "Content Security" in line.text else None
    )
    page.goto("/")
    yield page
    context.close()
    assert wrong == []


def copied(page: Page, start: str) -> str:
    """Give what was copied, which the browser does a moment after the click."""
    found = ""

    def is_there() -> bool:
        nonlocal found
        found = str(page.evaluate("navigator.clipboard.readText()"))
        return found.startswith(start)

    eventually(is_there)
    return found


def test_a_person_registers_after_being_told_what_is_wrong(page):
    page.get_by_role("link", name="Register", exact=True).first.click()
    page.get_by_label("Name").fill("Bad Name")
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text("Use lower-case letters only")).to_be_visible()
    expect(page.get_by_text("at least 8 characters")).to_be_visible()
    expect(page.get_by_label("Name")).to_be_focused()
    page.get_by_label("Name").fill("carol")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/carol$"))
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Name").fill("carol")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not match")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="carol")).to_be_visible()


def test_a_person_finds_an_image_reads_its_layers_and_copies_the_command(page, hub, alice):
    alice.image("alice/webapp", "v1")
    page.keyboard.press("/")
    page.keyboard.type("webapp")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="alice/webapp").click()
    page.evaluate("window.setTimeout = () => 0")  # what it says now it says until we have looked
    page.get_by_role("button", name="Copy: lamina pull").click()
    expect(page.get_by_role("button", name="Copy: lamina pull")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == (
        f"lamina pull {hub.address}/alice/webapp:v1"
    )
    page.get_by_role("link", name="v1").click()
    expect(page.get_by_role("heading", name="Layers")).to_be_visible()
    expect(page.get_by_text("RUN apt-get install -y <python3>")).to_be_visible()
    expect(page.get_by_role("img", name="2 layers as a stack")).to_be_visible()


def test_an_owner_describes_hides_and_deletes_an_image(page, alice):
    alice.image("alice/owned", "v1")
    page.goto("/signin?next=/alice/owned")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Edit text").click()
    page.get_by_label("In one line").fill("Mine")
    page.get_by_label("Description").fill("# Title\n\n- point\n\n<img src=x onerror=alert(1)>")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Title")).to_be_visible()
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Only alice").check()
    page.get_by_role("button", name="Save").click()
    page.goto("/alice/owned")
    expect(page.get_by_text("private", exact=True)).to_be_visible()
    page.get_by_role("link", name="Find or delete").click()
    page.get_by_label("Choose tag v1").check()
    page.get_by_role("button", name="Delete the chosen tags").click()
    expect(page.get_by_text("No tags yet")).to_be_visible()
    page.goto("/alice/owned/-/settings")
    page.get_by_label("Type alice/owned to confirm").fill("alice/owned")
    page.get_by_role("button", name="Delete alice/owned").click()
    expect(page).to_have_url(re.compile("/alice$"))


def test_a_person_makes_copies_and_revokes_an_access_token(page):
    page.goto("/signin?next=/settings/tokens")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_label("Only in").fill("not/ok!")
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_role("alert")).to_contain_text("neither a namespace")
    page.get_by_label("Only in").fill("alice")
    page.get_by_label("Push").check()
    page.get_by_role("button", name="Make token").click()
    page.get_by_role("button", name="Copy: lamina_pat_").click()
    assert copied(page, "lamina_pat_")
    expect(page.get_by_role("row", name="laptop")).to_contain_text("pull, push in alice")
    page.get_by_role("button", name="Revoke laptop").click()
    expect(page.get_by_role("button", name="Revoke laptop")).to_have_count(0)


def test_an_organisation_is_made_shared_and_given_a_robot(hub, page):
    page.goto("/signin?next=/settings/organisations")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="New organisation").click()
    page.get_by_label("Name").fill("bob")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The name 'bob' is taken")).to_be_visible()
    page.get_by_label("Name").fill("crew")
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="Account").fill("bob")
    page.get_by_role("button", name="Take in").click()
    page.get_by_role("button", name="Make an owner: bob").click()
    expect(page.get_by_role("row", name="bob")).to_contain_text("owner")
    menu = page.get_by_role("navigation", name="Settings")
    menu.get_by_role("link", name="Teams").click()
    page.get_by_label("Name").fill("deck")
    page.get_by_role("button", name="Make team").click()
    page.get_by_label("Add a member of crew").select_option("bob")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("row", name="bob")).to_be_visible()
    expect(menu.get_by_role("link", name="Teams")).to_have_attribute("aria-current", "page")
    menu.get_by_role("link", name="Robots").click()
    page.get_by_label("Name").fill("ci")
    page.get_by_label("Push").check()
    page.get_by_role("button", name="Make robot").click()
    page.get_by_role("button", name=re.compile("Copy: lamina_robot_")).click()
    token = copied(page, "lamina_robot_")
    assert Client(hub.address, "crew+ci", token).get("/v2/").status == 200
    page.get_by_role("button", name="Revoke crew+ci").click()
    expect(page.get_by_text("crew+ci")).to_have_count(0)
    assert Client(hub.address, "crew+ci", token).get("/v2/").status == 401
