"""The page in a real browser: nothing runs, nothing is fetched, it fits, and links open what they lead to."""

from pathlib import Path

from playwright.sync_api import sync_playwright
from tests.study.drawing.test_page import EVIL, HIGH, LOW, SETTINGS, STEPS
from tests.study.explored import explored

from lamina.study.drawing.page import page

_PATIENCE_MS = 200_000
ARGUMENTS = (
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip


def test_a_browser_shows_the_page_of_a_hostile_image_and_runs_nothing_of_it(tmp_path: Path):
    found = explored(tmp_path, LOW, HIGH, steps=STEPS, settings=SETTINGS, name=f"evil:{EVIL}")
    place = tmp_path / "page.html"
    place.write_text(page(found, version="1.0"), encoding="utf-8")
    said: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=ARGUMENTS, timeout=_PATIENCE_MS
        )
        shown = browser.new_page(viewport={"width": 1200, "height": 900})
        shown.set_default_timeout(_PATIENCE_MS)
        shown.on("console", lambda line: said.append(line.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.on("dialog", lambda dialog: said.append(dialog.message))
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto(place.as_uri())
        assert shown.locator("h1").inner_text().startswith("evil:</style>")
        light = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        for width in (1200, 800, 390):
            shown.set_viewport_size({"width": width, "height": 900})
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            is_narrow = width == 390
            assert shown.locator("#stack .narrow svg").is_visible() is is_narrow
            assert shown.locator("#stack .broad svg").is_visible() is not is_narrow
        shown.emulate_media(color_scheme="dark")
        assert shown.evaluate("getComputedStyle(document.body).backgroundColor") != light
        second = shown.locator("details", has=shown.locator("#layer-2"))
        assert second.get_attribute("open") is None
        shown.locator("#stack .narrow a[href='#layer-2'] .reach").click()
        second.locator("svg.treemap").wait_for(state="visible")
        shown.emulate_media(media="print")
        assert shown.locator("nav").is_hidden()
        browser.close()
    assert (said, asked) == ([], [place.as_uri()])
