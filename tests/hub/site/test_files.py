"""The files of an image: directories, what a layer does there, the life of a path, and a search."""

import re

import pytest
from tests.hub.clients import CONFIG, LAYER, MANIFEST, digest, document
from tests.hub.exploring.images import BOTTOM, HOSTILE, explore, known
from tests.hub.site.explored import fill
from tests.hub.site.pages import Browser

from lamina.hub.exploring.paths import link

MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def filled(hub):
    fill(hub)
    return hub


@pytest.fixture
def visitor(filled) -> Browser:
    return Browser(filled.address)


def rows(text: str) -> list[str]:
    """The rows of the page's table, as text without tags."""
    body = re.search(r"<tbody>(.*?)</tbody>", text, re.DOTALL)
    found = re.findall(r"<tr.*?</tr>", body[1] if body else "", re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", each).split()) for each in found]


def test_a_directory_has_each_name_with_its_layer_and_what_all_below_it_weighs(visitor):
    found = rows(visitor.get("/alice/app/-/files/v2").text)
    assert [row.split()[0] for row in found] == ["etc/", "opt/", "srv/", "usr/", "var/"]
    assert found[1].split() == ["opt/", "2", "drwxr-xr-x", "0:0", "4B"]
    assert found[3].endswith("500B")


def test_a_layer_shows_what_it_adds_changes_and_removes(visitor):
    text = visitor.get("/alice/app/-/files/v2?layer=2&path=srv").text
    assert [row.split()[:3] for row in rows(text)] == [
        ["id_rsa", MINUS, "removed"], ["large", MINUS, "removed"],
    ]  # fmt: skip
    assert "<del>" in text
    assert "~ changed content" in " ".join(
        rows(visitor.get("/alice/app/-/files/v2?layer=2&path=usr/bin").text)
    )
    assert "+ added" in " ".join(rows(visitor.get("/alice/app/-/files/v2?layer=2&path=opt").text))
    assert "RUN step 1" in text


def test_a_path_has_its_life_with_instruction_and_package(visitor):
    text = visitor.get("/alice/app/-/files/v2?path=usr/bin/hello").text
    assert "Changed: content" in text
    assert "hello 1.0" in text
    gone = visitor.get("/alice/app/-/files/v2?path=/srv/large").text
    assert "Removed" in gone
    assert visitor.get("/alice/app/-/files/v2?path=never/was").status == 404
    assert visitor.get("/alice/app/-/files/v2?layer=9").status == 404


def test_hostile_names_are_shown_harmless_and_can_be_followed(visitor):
    text = visitor.get("/alice/app/-/files/v2?path=etc").text
    assert "<img" not in text.split("<main")[1]
    assert "\x1b" not in text
    there = link("/alice/app/-/files/v2", b"etc/" + HOSTILE)
    assert there in text
    assert "Added" in visitor.get(there).text


def test_a_search_finds_paths_and_says_how_many(visitor):
    text = visitor.get("/alice/app/-/files/v2?q=HELLO").text
    assert [row.split()[0] for row in rows(text)] == [
        "/usr/bin/hello",
        "/var/lib/dpkg/info/hello.list",
    ]
    assert "No path has that" in visitor.get("/alice/app/-/files/v2?q=large").text
    assert "The first 200" in visitor.get("/alice/app/-/files/many?q=many").text


def test_a_huge_directory_comes_in_pages(visitor):
    first = visitor.get("/alice/app/-/files/many?path=many").text
    assert len(rows(first)) == 500
    assert "1201 entries" in first
    last = visitor.get("/alice/app/-/files/many?path=many&page=3").text
    assert len(rows(last)) == 201
    assert 'rel="prev"' in last
    assert 'rel="next"' not in last


def test_another_replica_or_one_that_lost_its_files_fetches_them_again(filled, visitor):
    shelf = filled.services.explorer.places.shelf
    digest = known(filled, "alice/app", "v2").parts[0]
    path = shelf.index(digest, filled.services.explorer.places.fetch)
    with open(path, "wb"):
        pass
    assert visitor.get("/alice/app/-/files/v2?path=etc").status == 200


def test_a_page_after_the_last_is_the_last(visitor):
    text = visitor.get("/alice/app/-/files/many?path=many&page=99").text
    assert (len(rows(text)), "3 of 3" in text, "It is empty" in text) == (201, True, False)


@pytest.mark.parametrize("query", ["layer=abc", "page=-1", "page=0", "platform=plan9/mips"])
def test_what_cannot_be_asked_for_is_said(visitor, query):
    found = visitor.get(f"/alice/app/-/files/v2?{query}")
    assert found.status == 404
    assert query.partition("=")[2] in found.text


def test_layers_that_only_the_configuration_speaks_of_are_not_offered(filled, alice, visitor):
    count = 3000
    config = document(
        {
            "os": "linux", "architecture": "amd64",
            "rootfs": {"type": "layers", "diff_ids": [digest(b"%d" % n) for n in range(count)]},
            "history": [{"created_by": f"RUN {n}"} for n in range(count)],
        }
    )  # fmt: skip
    for blob in (config, BOTTOM):
        alice.push_blob("alice/boasting", blob)
    raw = document(
        {
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest(config), "size": len(config)},
            "layers": [{"mediaType": LAYER, "digest": digest(BOTTOM), "size": len(BOTTOM)}],
        }
    )  # fmt: skip
    assert alice.put_manifest("alice/boasting", "v1", raw).status == 201
    explore(filled)
    text = visitor.get("/alice/boasting/-/files/v1").text
    assert re.findall(r"layer=([0-9]+)", text.split("<table")[0]) == ["1"]
