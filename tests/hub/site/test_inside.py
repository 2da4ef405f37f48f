"""The page about what is in an image: its figures, for whom, and why there are none."""

import pytest
from tests.hub.clients import INDEX, MANIFEST, PASSWORD, document
from tests.hub.exploring.images import BOTTOM, TOP, explore, known, push
from tests.hub.site.explored import fill
from tests.hub.site.pages import Browser


@pytest.fixture(scope="module")
def filled(hub):
    fill(hub)
    return hub


@pytest.fixture
def visitor(filled) -> Browser:
    return Browser(filled.address)


@pytest.fixture
def owner(filled) -> Browser:
    browser = Browser(filled.address)
    browser.sign_in("alice", PASSWORD)
    return browser


def test_it_tells_waste_by_cause_with_its_cure_and_the_packages(visitor):
    text = visitor.get("/alice/app/-/inside/v2").text
    assert "deleted later" in text
    assert "a later one only hides them" in text
    assert ">hello</td>" in text
    assert "<code>2.0</code>" in text
    assert "style=" not in text


def test_a_layer_without_an_instruction_has_its_comment(visitor):
    assert "<code>all of them</code>" in visitor.get("/alice/app/-/inside/many").text


def test_where_secrets_are_is_told_to_those_who_may_push_alone(visitor, owner):
    place = "/-/inside/v2"
    assert "Those who may push here are shown where" in visitor.get(f"/alice/app{place}").text
    assert "id_rsa" not in visitor.get(f"/alice/app{place}").text.split("<h2>Waste")[0]
    assert "/srv/id_rsa" in owner.get(f"/alice/app{place}").text.split("<h2>Waste")[0]


def test_the_tags_page_has_the_figures_in_a_line(visitor):
    text = visitor.get("/alice/app/-/tag/v2").text
    assert "/alice/app/-/inside/v2" in text
    assert "1 possible secret<" in text
    assert "/alice/app/-/diff/v2?against=v1" in text
    assert "Index of all files" in text
    assert "by the hub" in text


def test_lists_of_tags_name_what_is_wasted_where_it_is_much(visitor):
    text = visitor.get("/alice/app").text
    assert '/-/inside/v2">103kB to gain</a>' in text
    assert "/-/inside/v1" not in text


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("broken", "It could not be looked into: layer 1:"),
        ("fresh", "This hub does not look into images"),
    ],
)
def test_where_there_is_nothing_to_see_it_says_why(visitor, tag, words):
    for what in ("inside", "files", "diff"):
        assert words in visitor.get(f"/alice/app/-/{what}/{tag}").text


def test_a_stranger_sees_nothing_of_a_private_image_also_not_by_what_is_attached(
    filled, visitor, bob
):
    for what in ("inside", "files", "diff"):
        assert visitor.get(f"/alice/hidden/-/{what}/v1").status == 303  # to sign in, as any address
    digest = known(filled, "alice/hidden", "v1").parts[0]
    assert bob.get(f"/v2/alice/hidden/blobs/{digest}").status == 404
    assert bob.get("/api/v1/repositories/alice/hidden/inside/v1").status == 404
    # alice/app is public and has the very layer: that one may be pulled there
    assert bob.get(f"/v2/alice/app/blobs/{digest}").status == 200


def test_who_may_push_has_an_image_looked_into_again(filled, owner):
    assert "Look into it again" in owner.get("/alice/app/-/inside/broken").text
    assert "Look into it again" in owner.get("/alice/app/-/inside/v2").text
    assert "Look into it again" not in Browser(filled.address).get("/alice/app/-/inside/v2").text
    assert owner.post("/alice/app/-/inside/broken").status == 303
    row = filled.services.database.read(
        lambda connection: connection.execute(
            "SELECT look_at FROM manifests JOIN tags ON manifest_id = manifests.id WHERE name = 'broken'"
        ).fetchone()
    )
    assert row[0] == 0


def test_each_platform_of_an_index_is_looked_into(filled, visitor, alice):
    rows = []
    for arch, layers in (("amd64", [BOTTOM]), ("arm64", [BOTTOM, TOP])):
        named = push(alice, "alice/multi", "", layers, architecture=arch)
        size = len(alice.get(f"/v2/alice/multi/manifests/{named}").body)
        platform = {"os": "linux", "architecture": arch}
        rows.append({"mediaType": MANIFEST, "digest": named, "size": size, "platform": platform})
    raw = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})
    assert alice.put_manifest("alice/multi", "v1", raw, INDEX).status == 201
    explore(filled)
    assert "<code>1.0</code>" in visitor.get("/alice/multi/-/inside/v1").text
    other = visitor.get("/alice/multi/-/inside/v1?platform=linux/arm64").text
    assert "<code>2.0</code>" in other
    assert f"/alice/multi/-/files/{rows[1]['digest']}" in other
    assert (
        alice.get("/api/v1/repositories/alice/multi/inside/v1?platform=linux/arm64").json[
            "platform"
        ]
        == "linux/arm64"
    )
