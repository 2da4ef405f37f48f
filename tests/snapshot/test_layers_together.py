"""Store and layers together, as pulls and removals use them: many processes, and sudden deaths."""

import gzip
import os
import random
import signal
import time

import pytest
from tests.images import Piece, tar
from tests.store.processes import together

from lamina.snapshot.layers import Layers
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest, parse_manifest
from lamina.spec.wire import decode, encode
from lamina.store.store import Store

ROOT = Piece("./", directory=True, mode=0o755)
TARS = [
    tar([ROOT, Piece("base", b"base")]),
    tar([ROOT, Piece("one", b"1" * 40_000)]),
    tar([ROOT, Piece("two", b"2" * 30_000)]),
    tar([Piece("new/implied", b"3")]),
]
IMAGES = [(0,), (0, 1), (0, 2), (0, 1, 3), (0, 2, 3), (0, 1, 2, 3)]


def pull(store, layers, name, rows):
    """Bring an image, trusting what is here; what `lamina pull` does, one layer at a time."""
    with store.lease():
        diff_ids = tuple(Digest.of(TARS[row]) for row in rows)
        config = encode({"rootfs": {"type": "layers", "diff_ids": list(diff_ids)}})
        store.blobs.put(config)
        parts = []
        for i, row in enumerate(rows):
            blob = gzip.compress(TARS[row], mtime=0)
            digest = Digest.of(blob)
            parts.append(Descriptor(MediaType.OCI_LAYER_GZIP, digest, len(blob)))
            bring(store, layers, blob, TARS[row], diff_ids[: i + 1])
        top = Descriptor(MediaType.OCI_CONFIG, Digest.of(config), len(config))
        manifest = Manifest.build(top, tuple(parts))
        store.blobs.put(manifest.raw)
        store.names.set(name, manifest.descriptor, {})


def bring(store, layers, blob, plain, pile):
    digest = Digest.of(blob)
    with store.blobs.writer(digest.hex) as writer:
        if not store.blobs.has(digest):
            for start in range(writer.offset, len(blob), 50):
                writer.write(blob[start : start + 50])
            writer.commit(digest, len(blob))
        if not layers.has(pile):
            with layers.writer(pile) as sealing:
                for start in range(0, len(plain), 7000):
                    sealing.write(plain[start : start + 7000])
                sealing.commit()


def remove(store, layers, name):
    store.names.remove(name)
    with store.sweep() as sweep:
        sweep.blobs()
        layers.sweep(sweep.live.diff_ids, sweep.since_ns)


def work(root, seed, rounds):
    chance = random.Random(seed)
    store, layers = Store.open(root), Layers(root)
    for _ in range(rounds):
        name = f"x/n:{chance.randrange(6)}"
        if chance.randrange(3):
            pull(store, layers, name, chance.choice(IMAGES))
        else:
            remove(store, layers, name)


def check(root):
    """Everything that has a name is whole: blobs by digest, sealed layers by diff ID."""
    store, layers = Store.open(root), Layers(root)
    for row in store.names.all():
        manifest = parse_manifest(store.blobs.read(row.target.digest))
        assert isinstance(manifest, Manifest)
        diff_ids = decode(store.blobs.read(manifest.config.digest))["rootfs"]["diff_ids"]
        for part in manifest.layers:
            assert Digest.of(store.blobs.read(part.digest)) == part.digest
        with layers.opened([Digest(text) for text in diff_ids]) as opened:
            for layer in opened:
                layer.verify()


def check_empty(root):
    """When every name is gone, nothing is left that takes room."""
    store, layers = Store.open(root), Layers(root)
    for row in store.names.all():
        store.names.remove(row.name)
        store.names.drop(row.target.digest)
    store.blobs.drop_partials(before=time.time() + 10)
    remove(store, layers, "x/none")
    locks = ("lock", "names", "names.new", "all")
    left = [
        os.path.join(folder, name)
        for folder, _, files in os.walk(root)
        for name in files
        if name not in ("oci-layout", "index.json", "reserve", *locks)
    ]
    assert left == []


def test_pulls_and_removals_by_many_processes_leave_every_named_image_whole(tmp_path):
    root = str(tmp_path / "root")
    together(work, *[(root, seed, 15) for seed in range(12)])
    check(root)
    check_empty(root)


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_at_any_moment_leaves_a_store_that_is_whole_and_can_be_emptied(tmp_path, seed):
    root = str(tmp_path / "root")
    chance = random.Random(seed)
    for number in range(25):
        children = [os.fork() for _ in range(1)]
        if children == [0]:
            try:
                work(root, f"{seed} {number}", 1000)
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0.0, 0.03))
        os.kill(children[0], signal.SIGKILL)
        _, status = os.waitpid(children[0], 0)
        assert os.WIFSIGNALED(status), "it failed by itself"
        check(root)
    work(root, seed, 5)
    check(root)
    check_empty(root)
