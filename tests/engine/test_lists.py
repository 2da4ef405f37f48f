"""Manifest lists are put together from images of any place, and pushed whole."""

import io
import os

import pytest
from tests.engine.worlds import import_image
from tests.images import Piece, tar

from lamina.engine.archives import ImportRequest
from lamina.engine.images import Images
from lamina.engine.lists import ListExists, Lists, ListUnknown
from lamina.errors import NotFound
from lamina.remote.repository import Repository
from lamina.spec.manifest import Index, parse_manifest
from lamina.spec.wire import decode
from lamina.stream.files import acquire


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


def test_a_list_that_is_begun_meanwhile_is_not_amended(engine, monkeypatch):
    import_image(engine, "one")
    look = Images.look

    def late(images, *arguments):
        found = look(images, *arguments)
        monkeypatch.undo()
        Lists(engine).create("both", [])
        return found

    monkeypatch.setattr(Images, "look", late)
    with pytest.raises(ListExists, match="--amend"):
        Lists(engine).create("both", ["one"])
    assert Lists(engine).members("both") == ()


def test_an_image_removed_meanwhile_is_looked_for_at_its_registry(hub, alice, monkeypatch):
    name = f"{hub.address}/alice/leaves:1"
    for_platform(alice, name, "linux/arm64")
    alice.images.push(name)
    find = Images.find

    def late(images, text):
        found = find(images, text)
        monkeypatch.undo()
        alice.images.remove(name, now=True)
        return found

    monkeypatch.setattr(Images, "find", late)
    lists = Lists(alice)
    lists.create("both", [name])
    assert [member.home for member in lists.members("both")] == [name]


@pytest.mark.parametrize("amended", [False, True])
def test_what_was_copied_is_what_the_list_says_and_later_changes_are_kept(
    hub, alice, bob, monkeypatch, amended: bool
):
    name = f"{hub.address}/alice/list{int(amended)}:1"
    for_platform(alice, "one", "linux/arm64")
    for_platform(alice, "two", "linux/amd64")
    lists = Lists(alice)
    lists.create(name, ["one"])
    put = Repository.put_manifest

    def late(repository, target, *arguments):
        if target == "1" and amended:
            lists.create(name, ["two"], amend=True)
        elif target == "1":
            lists.remove(name)
        return put(repository, target, *arguments)

    monkeypatch.setattr(Repository, "put_manifest", late)
    lists.push(name, purge=True)
    index = parse_manifest(bob.images.manifest(name)[1])
    assert isinstance(index, Index)
    assert [str(row.platform) for row in index.manifests] == ["linux/arm64"]
    if amended:
        assert len(lists.members(name)) == 2
    else:
        with pytest.raises(ListUnknown):
            lists.members(name)


def test_a_list_is_forgotten_while_nobody_changes_it(engine, monkeypatch):
    lists = Lists(engine)
    lists.create("both", [])
    unlink = os.unlink
    held = []

    def look(path):
        with pytest.raises(BlockingIOError):
            acquire(f"{engine.settings.root}/lists/lock", wait=False)
        held.append(path)
        unlink(path)

    monkeypatch.setattr(os, "unlink", look)
    lists.remove("both")
    assert len(held) == 1
