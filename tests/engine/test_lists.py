"""Manifest lists are put together from images of any place, and pushed whole."""

import io

import pytest
from tests.engine.worlds import import_image
from tests.images import Piece, tar

from lamina.engine.archives import ImportRequest
from lamina.engine.lists import ListExists, Lists, ListUnknown
from lamina.errors import NotFound
from lamina.spec.manifest import Index, parse_manifest
from lamina.spec.wire import decode


def for_platform(engine, name: str, platform: str) -> None:
    request = ImportRequest(name=name, platform=platform)
    engine.images.import_(io.BytesIO(tar([Piece("etc/arch", platform.encode())])), request)


def test_a_list_of_images_here_and_elsewhere_is_pushed_and_pulled_by_platform(hub, alice, bob):
    far, here = f"{hub.address}/alice/far:1", "here:1"
    for_platform(alice, far, "linux/arm64")
    for_platform(alice, here, "linux/amd64")
    alice.images.push(far)
    alice.images.remove(far)
    name = f"{hub.address}/alice/both:1"
    lists = Lists(alice)
    assert str(lists.create(name, [far, here])) == name
    digest = lists.push(name)
    index = parse_manifest(alice.images.manifest(name)[1])
    assert isinstance(index, Index)
    assert index.digest == digest
    assert [str(row.platform) for row in index.manifests] == ["linux/arm64", "linux/amd64"]
    for platform in ("linux/arm64", "linux/amd64"):
        (outcome,) = bob.images.pull(name, platform=platform)
        with bob.images.tree(str(outcome.image_id)) as tree:
            assert tree.read(tree.lookup(b"etc/arch")) == platform.encode()


def test_a_list_exists_once_is_amended_annotated_and_forgotten(alice, engine):
    lists = Lists(engine)
    import_image(engine, "one")
    import_image(engine, "two", [Piece("two", b"2")])
    lists.create("both", ["one"])
    with pytest.raises(ListExists, match="--amend"):
        lists.create("both", ["two"])
    lists.create("both", ["two", "one"], amend=True)
    assert len(lists.members("both")) == 2
    lists.annotate("both", "two", {"architecture": "arm", "variant": "v7", "os.version": "11"})
    rows = decode(lists.document("both"))["manifests"]
    assert rows[1]["platform"] == {
        "architecture": "arm", "os": "linux", "variant": "v7", "os.version": "11",
    }  # fmt: skip
    with pytest.raises(NotFound, match="does not exist in both"):
        lists.annotate("both", "three", {"architecture": "arm"})
    lists.remove("both")
    for forgotten in (lists.members, lists.remove, lists.push):
        with pytest.raises(ListUnknown, match="No such manifest"):
            forgotten("both")


def test_the_images_of_an_index_at_a_registry_are_taken_one_by_one(hub, alice):
    parts = [f"{hub.address}/alice/part:{n}" for n in (1, 2)]
    for name, platform in zip(parts, ("linux/amd64", "linux/s390x"), strict=True):
        for_platform(alice, name, platform)
    lists = Lists(alice)
    whole, again = f"{hub.address}/alice/whole:1", f"{hub.address}/alice/again:1"
    lists.create(whole, parts)
    first = lists.push(whole, purge=True)
    with pytest.raises(ListUnknown):
        lists.members(whole)
    lists.create(again, [whole])
    assert lists.push(again) == first
