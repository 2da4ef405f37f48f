"""Two tags beside each other: files, packages, configuration and history."""

import pytest
from tests.hub.site.explored import fill
from tests.hub.site.pages import Browser
from tests.hub.site.test_files import MINUS, rows


@pytest.fixture(scope="module")
def filled(hub):
    fill(hub)
    return hub


@pytest.fixture
def visitor(filled) -> Browser:
    return Browser(filled.address)


def test_it_tells_files_packages_settings_and_steps(visitor):
    text = visitor.get("/alice/app/-/diff/v2?against=v1").text
    found = rows(text)
    assert any(row.startswith("/opt/notes.txt + added") for row in found)
    assert any(row.startswith(f"/srv/large {MINUS} removed") for row in found)
    assert any(row.startswith("/usr/bin/hello ~ changed content") for row in found)
    assert "Env MODE" in text
    assert "[&#34;sh&#34;,&#34;-l&#34;]" in text
    assert "RUN step 1" in text
    packages = text.partition("<h2>Packages")[2]
    assert [" ".join(row.split()) for row in rows(packages)] == ["hello deb 1.0 2.0"]


def test_an_image_is_like_itself(visitor):
    text = visitor.get("/alice/app/-/diff/v2?against=v2").text
    assert "All files are the same" in text
    assert "The same packages" in text


@pytest.mark.parametrize(
    ("against", "words"),
    [
        ("nothing", "There is no nothing here"),
        ("fresh", "Nobody has looked into fresh yet"),
        ("<b>", "There is no &lt;b&gt;"),
    ],
)
def test_what_cannot_be_compared_is_said(visitor, against, words):
    assert words in visitor.get(f"/alice/app/-/diff/v2?against={against}").text
