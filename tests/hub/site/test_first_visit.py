"""A hub on its first day, in Chromium: from nothing to an image on the front page, by what the page says."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from tests.commands import Lamina
from tests.engine.worlds import import_image, make_engine
from tests.hub.clients import PASSWORD
from tests.images import Piece

from lamina.hub import Hub


@pytest.fixture
def first_day(tmp_path) -> Iterator[Hub]:
    with Hub(root=str(tmp_path / "hub")) as hub:
        yield hub


@pytest.fixture
def lamina(tmp_path) -> Iterator[Lamina]:
    """The command of someone who has the image `mine:v1`."""
    with make_engine(tmp_path / "engine") as engine:
        import_image(engine, "mine:v1", [Piece("motd", b"hello")])
        yield Lamina(engine.settings)


def test_the_first_visitor_registers_and_pushes_by_the_words_of_the_page(
    chromium, first_day, lamina
):
    context = chromium.new_context(base_url=first_day.url)
    page = context.new_page()
    page.goto("/")
    expect(page.get_by_text("Nothing here is public yet")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Register").click()
    page.get_by_label("Name").fill("dora")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Register").click()
    expect(page).to_have_url(re.compile("/dora$"))
    login, tag, push = page.locator(".empty .command code").all_text_contents()
    assert login == f"lamina login -u dora {first_day.address}"
    lamina(*login.split()[1:], "--password-stdin", stdin=PASSWORD)
    lamina(*tag.replace(" IMAGE ", " mine:v1 ").split()[1:])
    lamina(*push.split()[1:])
    page.goto("/")
    page.get_by_role("link", name="dora/image").click()
    expect(page.get_by_role("link", name="v1", exact=True)).to_be_visible()
    context.close()
