"""Use cases of manifests and names that HTTP does not show: pulls are counted, facts are noted."""

import pytest
from tests.hub.clients import INDEX, MANIFEST, digest, document
from tests.hub.repositories import repository

from lamina.errors import Invalid
from lamina.hub.registry import check_reference
from lamina.hub.tables import tag_lists


def pulls(hub, name: str) -> int:
    return repository(hub, name).pulls


def test_a_manifest_that_is_fetched_counts_as_a_pull_and_a_head_does_not(hub, alice, nobody):
    named = alice.image("alice/counted")
    nobody.head("/v2/alice/counted/manifests/v1")
    assert pulls(hub, "alice/counted") == 0
    nobody.get("/v2/alice/counted/manifests/v1")
    nobody.get(f"/v2/alice/counted/manifests/{named}")
    assert pulls(hub, "alice/counted") == 2


def test_an_index_and_its_child_are_one_pull(hub, alice, nobody):
    raw = alice.manifest("alice/multi")
    alice.put_manifest("alice/multi", digest(raw), raw)
    rows = [{"mediaType": MANIFEST, "digest": digest(raw), "size": len(raw)}]
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})
    alice.put_manifest("alice/multi", "v1", index, INDEX)
    nobody.get("/v2/alice/multi/manifests/v1")
    nobody.get(f"/v2/alice/multi/manifests/{digest(raw)}")
    assert pulls(hub, "alice/multi") == 1


def test_a_push_notes_who_when_for_which_platform_and_how_large(hub, alice):
    alice.image("alice/noted", arch="arm64")

    found = repository(hub, "alice/noted")
    (tag,) = hub.services.database.read(
        lambda connection: tag_lists.page(connection, found.id, limit=10)
    )
    assert (tag.name, tag.pushed_by, tag.platforms) == ("v1", "alice", ("linux/arm64",))
    assert tag.content_size > 5000
    assert abs(tag.pushed_at - hub.services.clock()) < 60


def test_references_are_tags_or_digests():
    assert check_reference("v1") == "v1"
    assert check_reference(digest(b"x")) == digest(b"x")
    for text in ("", "a b", "sha256:x"):
        with pytest.raises(Invalid):
            check_reference(text)
