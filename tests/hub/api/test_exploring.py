"""What is in an image by JSON: the same answers as on its pages, for whoever may pull."""

import base64

import pytest
from tests.hub.clients import INDEX, MANIFEST, digest, document
from tests.hub.exploring.images import HOSTILE, explore, push
from tests.hub.site.explored import fill

OF = "/api/v1/repositories/alice/app"


@pytest.fixture(scope="module")
def filled(hub):
    fill(hub)
    return hub


@pytest.fixture(scope="module")
def both(filled, alice):
    """An index of one image."""
    image = alice.get("/v2/alice/app/manifests/v2").body
    platform = {"os": "linux", "architecture": "amd64"}
    row = {"mediaType": MANIFEST, "digest": digest(image), "size": len(image), "platform": platform}
    raw = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]})
    assert alice.put_manifest("alice/app", "both", raw, INDEX).status == 201


def test_the_answers_come_as_one_document_with_secrets_for_those_who_may_push(
    filled, nobody, alice
):
    found = nobody.get(f"{OF}/inside/v2").json
    assert (found["state"], found["answers"]["packages_in_all"]) == ("done", 1)
    assert (found["answers"]["secrets"], found["answers"]["secrets_in_all"]) == ([], 1)
    mine = alice.get(f"{OF}/inside/v2").json["answers"]["secrets"]
    assert [(row["path"], row["layer"], row["hidden_by"]) for row in mine] == [("srv/id_rsa", 1, 2)]
    assert nobody.get(f"{OF}/inside/broken").json["trouble"].startswith("layer 1:")
    assert nobody.get(f"{OF}/inside/fresh").json["state"] == "waiting"


def test_a_directory_and_a_life_come_with_paths_that_are_exact(filled, nobody):
    found = nobody.get(f"{OF}/files/v2?path=etc").json
    exact = [row["path_base64"] for row in found["entries"] if "path_base64" in row]
    assert [base64.b64decode(each) for each in exact] == [HOSTILE]
    life = nobody.get(f"{OF}/files/v2?path=usr/bin/hello").json["life"]
    assert [(row["layer"], row["change"]) for row in life] == [(1, "added"), (2, "changed")]
    assert life[0]["packages"] == ["hello 1.0"]
    hits = nobody.get(f"{OF}/files/v2?q=notes").json
    assert [row["path"] for row in hits["found"]] == ["opt/notes.txt"]


@pytest.mark.parametrize(
    ("question", "status", "words"),
    [
        ("files/v2?layer=abc", 400, "`layer=abc` is no number from 0 on"),
        ("files/v2?layer=3", 404, "2 layers"),
        ("files/v2?page=-1", 400, "`page=-1` is no number from 1 on"),
        ("files/v2?page=0", 400, "from 1 on"),
        ("files/v2?sort=size", 400, "`sort` cannot be asked for here"),
        ("files/v2?q=" + "a" * 201, 400, "201 letters"),
        ("inside/v2?packages=all", 400, "`packages` cannot"),
        ("inside/both?platform=plan9/mips", 404, "not for the platform `plan9/mips`"),
        ("diff/v2?against=v1&page=2", 400, "`page` cannot"),
        ("diff/v2?against=!", 400, "!"),
        ("diff/v2?against=nothere", 404, "nothere"),
    ],
)
def test_questions_that_nobody_understands_are_not_answered_by_others(
    both, nobody, question, status, words
):
    found = nobody.get(f"{OF}/{question}")
    assert found.status == status
    assert words in found.body.decode()


def test_a_platform_that_an_index_has_is_shown(both, nobody):
    assert nobody.get(f"{OF}/inside/both?platform=linux/amd64").json["state"] == "done"


def test_two_images_are_compared(filled, nobody):
    found = nobody.get(f"{OF}/diff/v2?against=v1").json
    assert {row["path"]: row["change"] for row in found["files"]}["srv/large"] == "removed"
    assert found["packages"] == [
        {"kind": "deb", "name": "hello", "before": ["1.0"], "after": ["2.0"]}
    ]
    assert nobody.get(f"{OF}/diff/v2").status == 400


def test_what_nobody_looked_into_or_may_not_be_seen_is_not_there(filled, nobody, bob):
    assert nobody.get(f"{OF}/files/fresh").status == 404
    assert nobody.get("/api/v1/repositories/alice/hidden/inside/v1").status == 401
    for what in ("inside/v1", "files/v1", "diff/v1?against=v1"):
        assert bob.get(f"/api/v1/repositories/alice/hidden/{what}").status == 404


def test_an_image_without_files_has_an_empty_root_and_finds_nothing(filled, nobody, alice):
    push(alice, "alice/empty", "v1", [])
    explore(filled)
    of = "/api/v1/repositories/alice/empty/files/v1"
    assert nobody.get(of).json["entries"] == []
    assert nobody.get(f"{of}?q=a").json == {"found": [], "has_more": False}
    assert nobody.get(f"{of}?path=etc").status == 404
    page = nobody.get("/alice/empty/-/files/v1")
    assert (page.status, b"No layer ever" in page.body) == (200, False)
    assert nobody.get("/alice/empty/-/files/v1?q=a").status == 200
    assert nobody.get("/alice/empty/-/inside/v1").status == 200
