"""The page about shared layers."""

from html.parser import HTMLParser

from tests.cli.test_sharing_columns import forest, image, part

from lamina.cli.sharing_page import page
from lamina.engine.sharing import Sharing, Standing


class Seen(HTMLParser):
    """What a page is made of: its tags, what it would load, and its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [name for name, _ in attrs if name in ("src", "href", "xlink:href", "onload")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self.rows.append([])

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def test_the_page_has_the_picture_and_every_number_and_loads_nothing():
    seen = Seen(page(forest(4)))
    assert seen.tags.count("svg") == 1
    assert seen.tags.count("table") == 2
    assert "script" not in seen.tags
    assert seen.loads == []
    assert ["app1:1", "000000000000", "3", "100B", "1kB", "0"] in seen.rows
    assert ["B", "1", "1kB", "1.02kB", "app0:1, app1:1"] in seen.rows


def test_containers_have_a_table_and_names_stay_text():
    images = (image("<b>:1"), image("b:1"))
    standing = (Standing("0" * 64, "<i>", images[0].id, 5, running=True),)
    sharing = Sharing(images, (part(0, 1, size=9, held=True),), standing, alone=1, size=1, held=9)
    seen = Seen(page(sharing))
    assert ["<i>", "<b>:1", "running", "5B"] in seen.rows
    assert not {"b", "i"} & set(seen.tags)
    assert ["A", "1", "9B", "29B", "<b>:1, b:1 — and what is not shown here"] in seen.rows
