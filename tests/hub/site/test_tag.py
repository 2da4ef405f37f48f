"""The page of one tag: what hangs on it, who shares its layers, what changed."""

import re

import pytest
from tests.hub.clients import INDEX, LAYER, MANIFEST, digest, document
from tests.hub.repositories import find
from tests.hub.site.pages import Browser

from lamina.hub.tables import repositories

EMPTY = "application/vnd.oci.empty.v1+json"


def section(text: str, heading: str) -> str:
    """The part of a page below one of its headings."""
    found = re.search(rf"<h2>{heading}.*?</section>", text, re.DOTALL)
    return found[0] if found else ""


def push(client, name: str, tag: str, layers: list[bytes], **fields: object) -> bytes:
    """An image of these very layers."""
    config = client.descriptor(name, "application/vnd.oci.image.config.v1+json", b'{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}')  # fmt: skip
    rows = [client.descriptor(name, LAYER, layer) for layer in layers]
    raw = document({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": rows, **fields})  # fmt: skip
    assert client.put_manifest(name, tag or digest(raw), raw).status == 201
    return raw


@pytest.fixture
def hidden(hub, bob):
    """A private repository of bob's with the layer that is in alice's, too."""
    push(bob, "bob/hidden", "v1", [b"base" * 99, b"bob's"])

    def work(connection) -> None:
        row = find(connection, "bob/hidden")
        repositories.set_private(connection, row, is_private=True)

    hub.services.database.write(work)


def test_layers_tell_who_else_has_them_of_those_the_visitor_may_see(
    hub, visitor, alice, bob, hidden
):
    push(alice, "alice/one", "v1", [b"base" * 99, b"alice's"])
    assert "Also in" not in visitor.get("/alice/one/-/tag/v1").text
    push(bob, "bob/open", "v1", [b"base" * 99])
    bob.push_blob("bob/loose", b"base" * 99)  # no image there names it yet
    text = visitor.get("/alice/one/-/tag/v1").text
    assert text.count('Also in <a href="/bob/open">bob/open</a></p>') == 1
    assert "bob/hidden" not in text
    assert "bob/loose" not in text
    owner = Browser(hub.address)
    owner.sign_in("bob")
    text = owner.get("/alice/one/-/tag/v1").text
    assert '<a href="/bob/hidden">' in text


def test_signatures_and_the_like_are_listed_with_what_they_are_attached_to(visitor, alice):
    raw = push(alice, "alice/signed", "v1", [b"a layer"])
    subject = {"mediaType": MANIFEST, "digest": digest(raw), "size": len(raw)}
    artifact = b""
    for kind in ("application/vnd.dev.cosign.artifact.sig.v1+json", "application/spdx+json"):
        empty = alice.descriptor("alice/signed", EMPTY, b"{}")
        artifact = document(
            {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": empty,
             "layers": [empty], "subject": subject}
        )  # fmt: skip
        assert alice.put_manifest("alice/signed", digest(artifact), artifact).status == 201
    by_name = f"sha256-{digest(raw)[7:]}.att"
    alice.put_manifest("alice/signed", by_name, raw)
    attached = section(visitor.get("/alice/signed/-/tag/v1").text, "Attached")
    assert (
        f'href="/alice/signed/-/manifest/{digest(artifact)}">List of what is inside</a>' in attached
    )
    assert ">Signature</a>" in attached
    assert f'href="/alice/signed/-/tag/{by_name}">Attestation</a>' in attached
    assert by_name not in visitor.get("/alice/signed").text
    page = visitor.get(f"/alice/signed/-/manifest/{digest(artifact)}").text
    assert f'Attached to</dt><dd><a href="/alice/signed/-/manifest/{digest(raw)}">' in page
    assert "oras pull" in page
    assert "docker pull" not in page


def test_changes_are_told_since_the_tag_before_and_any_other(visitor, alice):
    push(alice, "alice/grows", "v1", [b"base" * 99, b"one"])
    push(alice, "alice/grows", "v2", [b"base" * 99, b"twotwo"])
    push(alice, "alice/grows", "v2-again", [b"base" * 99, b"twotwo"])
    push(alice, "alice/grows", "v3", [b"base" * 99, b"twotwo", b"three"])
    told = section(visitor.get("/alice/grows/-/tag/v3").text, "Changes since v2-again")
    assert "fetches <strong>5B</strong> in 1 new layer and has the other 2." in told
    assert "The image grew by 5B" in told
    assert section(visitor.get("/alice/grows/-/tag/v2-again").text, "Changes since v1")
    told = section(visitor.get("/alice/grows/-/tag/v3?against=v1").text, "Changes since v1")
    assert "in 2 new layers" in told
    told = section(visitor.get("/alice/grows/-/tag/v2?against=v2-again").text, "Changes since")
    assert "Nothing: the same layers" in told
    assert "No other tag was pushed before" in visitor.get("/alice/grows/-/tag/v1").text


@pytest.mark.parametrize("against", ["nothing", "%00", "a%2Fb", "sha256:x", "%3Cscript%3Ealert(1)"])
def test_comparing_with_what_is_not_there_says_so(visitor, alice, against):
    push(alice, "alice/grows", "v1", [b"base" * 99, b"one"])
    answer = visitor.get(f"/alice/grows/-/tag/v1?against={against}")
    assert answer.status == 200
    assert "There is no tag" in answer.text
    assert "<script>alert" not in answer.text


def test_members_of_an_index_that_have_no_platform_are_listed(visitor, alice):
    raw = push(alice, "alice/bundle", "", [b"a file"])
    row = {"mediaType": MANIFEST, "digest": digest(raw), "size": len(raw)}
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]})
    assert alice.put_manifest("alice/bundle", "all", index, INDEX).status == 201
    inside = section(visitor.get("/alice/bundle/-/tag/all").text, "In this index")
    assert f"/alice/bundle/-/manifest/{digest(raw)}" in inside
    empty = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
    assert alice.put_manifest("alice/bundle", "none", empty, INDEX).status == 201
    assert "It is empty" in visitor.get("/alice/bundle/-/tag/none").text


def test_variants_of_a_platform_are_told_apart_by_the_index(visitor, alice):
    rows = []
    for variant in ("v6", "v7"):
        raw = alice.manifest("alice/arms", seed=variant, arch="arm")
        alice.put_manifest("alice/arms", digest(raw), raw)
        platform = {"os": "linux", "architecture": "arm", "variant": variant}
        rows.append({"mediaType": MANIFEST, "digest": digest(raw), "size": len(raw), "platform": platform})  # fmt: skip
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})
    alice.put_manifest("alice/arms", "v1", index, INDEX)
    text = visitor.get("/alice/arms/-/tag/v1?platform=linux/arm/v7").text
    assert str(rows[1]["digest"]) in text
    assert str(rows[0]["digest"]) not in text


def test_texts_that_no_page_can_hold_are_shown_all_the_same(visitor, alice):
    config = b'{"os":"linux","architecture":"amd64","author":"\\ud800","rootfs":{"type":"layers","diff_ids":[]},"config":{"Env":["A=\\u202e\\u0000"]}}'
    pointer = alice.descriptor("alice/odd", "application/vnd.oci.image.config.v1+json", config)
    raw = document({"schemaVersion": 2, "mediaType": MANIFEST, "config": pointer, "layers": []})
    assert alice.put_manifest("alice/odd", "v1", raw).status == 201
    answer = visitor.get("/alice/odd/-/tag/v1")
    assert answer.status == 200
    assert r"A=\u202e\u0000" in answer.text
    assert r"\ud800" in answer.text


def test_what_buildkit_attests_is_attached_to_its_platform_and_of_many_the_first_are_shown(
    visitor, alice
):
    raw = alice.manifest("alice/attested")
    alice.put_manifest("alice/attested", digest(raw), raw)
    platform = {"os": "linux", "architecture": "amd64"}
    rows: list[dict[str, object]] = [
        {"mediaType": MANIFEST, "digest": digest(raw), "size": len(raw), "platform": platform}
    ]
    about = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": digest(raw),
    }
    for number in range(60):
        other = alice.manifest("alice/attested", annotations={"n": str(number)})
        alice.put_manifest("alice/attested", digest(other), other)
        unknown = {"os": "unknown", "architecture": "unknown"}
        rows.append(
            {"mediaType": MANIFEST, "digest": digest(other), "size": len(other), "platform": unknown, "annotations": about}
        )  # fmt: skip
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})
    assert alice.put_manifest("alice/attested", "v1", index, INDEX).status == 201
    text = visitor.get("/alice/attested/-/tag/v1").text
    assert section(text, "Attached").count(">Attestation</a>") == 50
    assert 'aria-label="Platforms"' not in text  # there is but one
    assert section(text, "Layers")
