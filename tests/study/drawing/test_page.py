"""The page of an image: whole for a browser without scripts, and nothing of the image runs in it."""

import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.layer.test_view import ROOT, file, folder
from tests.study.explored import explored
from tests.study.piles import Items

from lamina.study.drawing.page import page
from lamina.study.exploration import Exploration

if TYPE_CHECKING:
    from lamina.layer.entry import Entry

EVIL = (
    "</style></title></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x00\x1b[31m"
)
LOW: Items = [
    ROOT, folder(b"a"), file(b"a/one", b"1" * 5000), file(b"a/two", b"2" * 3000),
    file(EVIL.replace("/", "\\").encode()[:200].replace(b"\0", b"") + b"\xff", b"e" * 4000),
    folder(b"var"), folder(b"var/lib"), folder(b"var/lib/dpkg"),
    file(b"var/lib/dpkg/status", b"Package: <i>tool</i>\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n"),
    file(b"srv.env", b""), folder(b"srv"), file(b"srv/.env", b"API_TOKEN=abcdefgh12345678\n"),
]  # fmt: skip
HIGH: Items = [ROOT, folder(b"a"), file(b"a/.wh.two"), file(b"a/one", b"!" * 5000)]
STEPS = (f"ADD {EVIL}", "-CMD sh", "RUN rm two")
SETTINGS: dict[str, object] = {
    "Env": ["PATH=/bin", EVIL], "Cmd": ["sh", "-c", EVIL], "Labels": {EVIL: EVIL},
    "ExposedPorts": {"80/tcp": {}}, "User": "", "Deep": {"x": [1, {"y": EVIL}]},
}  # fmt: skip
VOID = {"meta", "br", "col", "hr", "link"}


class Reader(HTMLParser):
    """A browser's view: elements with attributes, texts, and whether each that opened was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def found(tmp_path: Path) -> Exploration:
    return explored(tmp_path, LOW, HIGH, steps=STEPS, settings=SETTINGS, name=f"evil:{EVIL}")


def test_nothing_of_the_image_becomes_an_element_or_an_attribute(found: Exploration):
    reader = Reader(page(found, version="1.0"))
    assert reader.open == []
    tags = {name for name, _ in reader.elements}
    assert not tags & {"script", "img", "iframe", "object", "form", "link", "button", "input"}
    names = {name for _, attributes in reader.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")} | names & {
        "style",
        "src",
        "srcset",
    }
    addresses = [attributes["href"] for _, attributes in reader.elements if "href" in attributes]
    assert addresses
    assert all((one or "").startswith("#") for one in addresses)
    told = "".join(reader.texts)
    assert told.count("<script>alert(1)</script>") > 5  # as text: the name, steps, labels, paths
    assert "\x1b" not in told
    assert "\x00" not in told


def test_each_link_leads_to_a_part_of_the_page_and_no_name_is_given_twice(found: Exploration):
    reader = Reader(page(found, version="1.0"))
    names = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(set(names)) == len(names)
    links = {attributes["href"] for _, attributes in reader.elements if "href" in attributes}
    assert links <= {f"#{name}" for name in names}
    assert {"#layer-1", "#layer-2", "#waste", "#secrets"} <= links


def test_its_policy_allows_its_own_style_alone(found: Exploration):
    text = page(found, version="1.0")
    reader = Reader(text)
    (policy,) = [
        attributes["content"] or ""
        for name, attributes in reader.elements
        if name == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)[0]
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"url\(|@import|https?:", style)


def test_the_figures_are_told(found: Exploration):
    texts = Reader(page(found, version="1.0")).texts
    told = dict(reversed(list(pairwise(texts))))  # the first of each counts
    assert told["Size"] == "17.1kB"
    assert told["To download"] == "300B"
    assert told["Efficiency"] == "53.2%"
    assert told["Wasted"] == "8kB"
    assert told["Packages"] == "1"
    assert told["Secrets"] == "1"
    whole = " ".join(texts)
    assert "remove them in the step that brings them, layer 1" in whole
    assert "1 path changed, 5kB" in whole
    assert "/srv/.env" in whole
    assert "<i>tool</i>" in whole


def test_the_same_image_gives_the_same_bytes(found: Exploration):
    assert page(found, version="1.0") == page(found, version="1.0")


def test_an_image_without_anything_has_a_page_that_says_so(tmp_path: Path):
    bare = explored(tmp_path / "bare")
    told = " ".join(Reader(page(bare, version="1.0")).texts)
    assert "The image has no layers." in told
    assert "Nothing is wasted." in told
    assert "Nothing that looks like a key" in told
    empty = explored(tmp_path / "empty", [ROOT], [ROOT, folder(b"a")])
    assert Reader(page(empty, version="1.0")).open == []


def test_the_page_of_a_huge_image_stays_small(tmp_path: Path):
    row = b"Package: p%d\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n"
    status = b"".join(row % number for number in range(3000))
    many: list[Entry | tuple[Entry, bytes]] = [
        ROOT, folder(b"var"), folder(b"var/lib"), folder(b"var/lib/dpkg"), file(b"var/lib/dpkg/status", status),
    ]  # fmt: skip
    for number in range(40):
        many.append(folder(b"d%02d" % number))
        many += [file(b"d%02d/f%03d" % (number, each), b"x" * 100) for each in range(100)]
    top: Items = [ROOT, *(file(b".wh.d%02d" % number) for number in range(40))]
    steps = ("RUN " + "x" * 100_000, *("-ENV A=b" for _ in range(700)), "RUN rm")
    text = page(explored(tmp_path, many, top, steps=steps), version="1.0")
    assert len(text) < 700_000
    told = " ".join(Reader(text).texts)
    assert "and 1,000 more packages" in told
    assert "and 202 more steps" in told
    assert "(97,004 more letters)" in told
