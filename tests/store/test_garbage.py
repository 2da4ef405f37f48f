"""Garbage collection takes what nothing reaches, and only that."""

import json
import os
import random
import threading

import pytest
from tests.store.layouts import put_image
from tests.store.processes import killed_after, together

from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Index
from lamina.spec.wire import encode
from lamina.store.garbage import ManifestDamaged, reach
from lamina.store.names import TargetUnknown
from lamina.store.store import Store


@pytest.fixture
def store(tmp_path):
    return Store.open(str(tmp_path / "root"))


def parts(manifest):
    return {manifest.digest, manifest.config.digest, *(row.digest for row in manifest.layers)}


def test_a_named_image_stays_whole_and_everything_else_goes(store):
    one = put_image(store, {"a": b"1"}, {"b": b"2"})
    two = put_image(store, {"a": b"1"}, {"c": b"3"})
    store.names.set("x.io/one:1", one.descriptor, {})
    only_two = parts(two) - parts(one)
    size = sum(store.blobs.size(row) for row in only_two)
    collected = store.collect()
    assert set(collected.digests) == only_two
    assert (collected.count, collected.size) == (3, size)
    assert set(store.blobs) == parts(one)
    assert store.collect().count == 0


def test_untagged_entries_and_given_roots_stay(store):
    one = put_image(store, {"a": b"1"})
    two = put_image(store, {"b": b"2"})
    three = put_image(store, {"c": b"3"})
    store.names.keep(one.descriptor, {})
    store.collect([two.digest, three.config.digest])
    assert set(store.blobs) == parts(one) | parts(two) | {three.config.digest}


def test_removing_everything_leaves_no_byte_of_content(store):
    one = put_image(store, {"a": b"1" * 1000})
    store.names.set("x.io/one:1", one.descriptor, {})
    store.names.remove("x.io/one:1")
    store.collect()
    assert list(store.blobs) == []
    for folder in (store.disk.uploads, store.disk.blobs + "/sha256"):
        assert os.listdir(folder) == []


def test_an_index_keeps_the_children_that_are_here(store):
    one = put_image(store, {"a": b"1"})
    absent = Descriptor(MediaType.OCI_MANIFEST, Digest.of(b"absent"), 6)
    raw = encode(
        {
            "schemaVersion": 2,
            "mediaType": MediaType.OCI_INDEX,
            "manifests": [absent.to_json(), one.descriptor.to_json()],
        }
    )
    index = Index(MediaType.OCI_INDEX, (absent, one.descriptor), raw)
    store.blobs.put(raw)
    store.names.set("x.io/many:1", index.descriptor, {})
    assert store.collect().count == 0
    assert set(store.blobs) == parts(one) | {index.digest}


def test_reach_tells_the_diff_ids_of_every_image(store):
    one = put_image(store, {"a": b"1"}, {"b": b"2"})
    config = json.loads(store.blobs.read(one.config.digest))
    wanted = set(config["rootfs"]["diff_ids"])
    for root in (one.digest, one.config.digest):
        assert reach(store.blobs, [root]).diff_ids == wanted
    assert reach(store.blobs, [one.layers[0].digest]).diff_ids == set()


@pytest.mark.parametrize("damage", [b"", b"{", b'{"layers": []}'])
def test_a_damaged_manifest_in_use_stops_the_collection(store, damage):
    one = put_image(store, {"a": b"1"})
    raw = encode({"schemaVersion": 2, "manifests": [one.descriptor.to_json()]})
    store.blobs.put(raw)
    store.names.set("x.io/i:1", Descriptor(MediaType.OCI_INDEX, Digest.of(raw), len(raw)), {})
    with open(store.blobs.path(one.digest), "wb") as file:
        file.write(damage)
    with pytest.raises(ManifestDamaged, match=str(one.digest)) as error:
        store.collect()
    assert "rmi" in error.value.hint
    assert store.blobs.has(one.layers[0].digest)
    store.names.remove("x.io/i:1")
    assert store.collect().count == 4


def test_layers_that_look_like_documents_are_only_bytes(store):
    for raw in (b"{ not json", b'{"manifests": 5}', b'{"layers": "no", "config": 3}', b"{}"):
        digest = store.blobs.put(raw)
        assert reach(store.blobs, [digest]).blobs == {digest}


def test_what_a_running_lease_was_told_is_here_stays(store):
    one = put_image(store, {"a": b"1"})
    puller, other = Store.open(store.root), Store.open(store.root)
    with puller.lease():
        assert puller.blobs.has(one.digest)
        new = puller.blobs.put(b"new")
        with puller.blobs.writer("up") as writer:
            writer.write(b"more")
            writer.commit(Digest.of(b"more"), 4)
        put_image(other, {"b": b"2"})
        other.collect()
        assert set(store.blobs) == parts(one) | {new, Digest.of(b"more")}
    other.collect()
    assert list(store.blobs) == []


def test_the_lease_of_a_killed_process_keeps_nothing(store):
    def run(root, told):
        mine = Store.open(root)
        with mine.lease():
            mine.blobs.put(b"new")
            told()
            threading.Event().wait(60)

    killed_after(run, store.root, sign="put")
    assert store.collect().count == 1


def test_a_collecting_process_may_hold_a_lease_itself(store):
    with store.lease():
        store.blobs.put(b"new")
        assert store.collect().count == 0


def test_pulls_tags_removals_and_collections_at_once_break_no_named_image(store):
    """Twenty processes on one root: what has a name is always whole."""
    seeds = range(20)

    def run(seed):
        chance = random.Random(seed)
        mine = Store.open(store.root)
        for _ in range(12):
            name = f"x.io/n:{chance.randrange(4)}"
            act = chance.randrange(5)
            if act <= 1:
                with mine.lease():
                    _pull(mine, name, chance.randrange(5))
            elif act == 2:
                _tag(mine, name, f"x.io/n:{chance.randrange(4)}")
            elif act == 3:
                mine.names.remove(name)
                mine.collect()
            else:
                mine.collect()

    together(run, *[(seed,) for seed in seeds])
    for row in store.names.all():
        for digest in reach(store.blobs, [row.target.digest]).blobs:
            store.blobs.read(digest)
    assert os.listdir(store.disk.uploads) == []


def _pull(store, name, number):
    """Trust what is here, bring the rest: what a pull does."""
    raw = b"layer %d" % number
    if not store.blobs.has(Digest.of(raw)):
        with store.blobs.writer(f"layer{number}") as writer:
            if store.blobs.has(Digest.of(raw)):
                writer.discard()
            else:
                writer.truncate(0)
                writer.write(raw)
                writer.commit(Digest.of(raw), len(raw))
    manifest = encode(
        {
            "schemaVersion": 2,
            "mediaType": MediaType.OCI_MANIFEST,
            "layers": [Descriptor(MediaType.OCI_LAYER, Digest.of(raw), len(raw)).to_json()],
        }
    )
    digest = store.blobs.put(manifest)
    store.names.set(name, Descriptor(MediaType.OCI_MANIFEST, digest, len(manifest)), {})


def _tag(store, source, target):
    row = store.names.get(source)
    if row is not None:
        try:
            store.names.set(target, row.target, {})
        except TargetUnknown:
            return
