"""The pages about what is in an image, in a real browser: readable for everyone, with the worst of names."""

import pytest
from tests.hub.exploring.images import HOSTILE
from tests.hub.site.explored import fill
from tests.hub.site.test_accessible import go_through, sign_in

from lamina.hub.exploring.paths import link

FILES = "/alice/app/-/files/v2"
OPEN = (
    "/alice/app/-/tag/v2", "/alice/app/-/inside/v2", "/alice/app/-/inside/broken", "/alice/app/-/inside/fresh",
    FILES, f"{FILES}?path=etc", f"{FILES}?layer=2&path=srv", f"{FILES}?path=usr/bin/hello", f"{FILES}?q=hello",
    f"{FILES}?q=nothing-like-it", link(FILES, b"etc/" + HOSTILE), "/alice/app/-/files/many?path=many&page=2",
    "/alice/app/-/diff/v2", "/alice/app/-/diff/v2?against=v1", "/alice/app/-/diff/v2?against=none",
)  # fmt: skip


@pytest.fixture(scope="module")
def filled(hub):
    fill(hub)
    return hub


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 360)])
def test_pages_about_an_image_are_readable_and_no_wider_than_the_window(
    chromium, filled, scheme, width
):
    context = chromium.new_context(
        base_url=filled.url, color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    page = context.new_page()
    go_through(page, OPEN)
    sign_in(page, "alice")
    go_through(page, ("/alice/app/-/inside/v2", "/alice/app/-/inside/broken"))
    context.close()
