"""Disk use: the shares add up to `du`, and each removal frees what was said."""

import io
import os
from dataclasses import replace

import pytest
from tests.archives import archive
from tests.engine.test_census import du
from tests.engine.worlds import import_image, ran
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.engine.images import Images
from lamina.engine.naming import name_image
from lamina.engine.requests import CreateRequest, VolumeMount
from lamina.engine.undo import undo
from lamina.spec.manifest import Manifest

BIG = [Piece("f", os.urandom(300_000))]
SLACK = 16 * 1024
"""What names and the log may take more or less than before: files of a few blocks."""


def shares(engine):
    return {share.kind: share for share in engine.system.df().shares}


def use_of(engine, name):
    return next(
        use for use in engine.system.df().images if f"docker.io/library/{name}" in use.names
    )


def check_sum(engine):
    use = engine.system.df()
    assert use.size == du(engine.store.root)
    return use


def test_the_shares_add_up_to_du_at_every_step(engine):
    check_sum(engine)
    import_image(engine, "a:1", BIG)
    import_image(engine, "b:1", BIG, "LABEL b=1")
    import_image(engine, "c:1", [*BIG, Piece("g", b"g" * 90_000)])
    with engine.store.blobs.writer("half") as writer:
        writer.write(b"x" * 50_000)
        assert shares(engine)["Downloads"].active == 1
        check_sum(engine)
    engine.images.remove("c:1")
    use = check_sum(engine)
    found = {share.kind: share for share in use.shares}
    assert found["Images"].total == 2
    assert found["Kept for Undo"].reclaimable > 300_000
    assert found["Downloads"].reclaimable >= 50_000
    engine.images.prune(all_unused=True, now=True)
    engine.system.drop_downloads()
    found = {share.kind: share for share in check_sum(engine).shares}
    assert [found[kind].size for kind in ("Images", "Kept for Undo", "Downloads")] == [0, 0, 0]


def test_removing_an_image_frees_its_unique_bytes(engine):
    import_image(engine, "a:1", BIG)
    import_image(engine, "b:1", BIG, "LABEL b=1")
    import_image(engine, "c:1", [Piece("g", os.urandom(200_000))])
    assert use_of(engine, "a:1").shared == use_of(engine, "b:1").shared > 600_000
    for name in ("a:1", "c:1", "b:1"):
        expected = use_of(engine, name).unique
        before = du(engine.store.root)
        engine.images.remove(name, now=True)
        assert abs(before - du(engine.store.root) - expected) <= SLACK, name
    assert engine.system.df().images == ()


def test_what_an_undo_would_need_is_no_images_own(engine):
    import_image(engine, "a:1", BIG)
    import_image(engine, "b:1", BIG, "LABEL b=1")
    engine.images.remove("b:1")
    use = use_of(engine, "a:1")
    assert use.unique < 50_000, "its layer stays for b:1"
    before = du(engine.store.root)
    engine.images.remove("a:1", now=True)
    assert abs(before - du(engine.store.root) - use.unique) <= SLACK
    assert shares(engine)["Kept for Undo"].size > 600_000


def test_an_image_that_was_put_back_once_is_freed_by_now(engine):
    import_image(engine, "a:1", BIG)
    import_image(engine, "a:1", [Piece("g", b"new")])
    old = next(image for image in engine.system.df().images if not image.names)
    engine.images.remove(old.id, now=True)
    assert shares(engine)["Kept for Undo"].size == 0
    import_image(engine, "b:1", BIG)
    engine.images.remove("b:1")
    undo(engine)
    engine.images.remove("b:1", now=True)
    assert shares(engine)["Kept for Undo"].size == 0


def test_prune_frees_what_was_reclaimable(engine):
    import_image(engine, "a:1", BIG)
    import_image(engine, "b:1", [Piece("g", os.urandom(100_000))])
    engine.images.remove("b:1")
    found = shares(engine)
    expected = found["Images"].reclaimable + found["Kept for Undo"].reclaimable
    before = du(engine.store.root)
    engine.images.prune(all_unused=True, now=True)
    assert abs(before - du(engine.store.root) - expected) <= SLACK


def test_two_manifests_of_one_image_and_other_entries_count_with_it(engine):
    import_image(engine, "a:1", BIG)
    image = engine.images.resolve("a:1")
    other = Manifest.build(image.manifest.config, image.manifest.layers, annotations={"by": "me"})
    engine.store.blobs.put(other.raw)
    name_image(engine, "docker.io/library/a:2", other, image.config, command="tag")
    (use,) = engine.system.df().images
    assert use.unique == use.size
    found = shares(engine)
    assert found["Images"].size == use.size
    assert found["Downloads"].size == 0


@pytest.mark.root
def test_containers_count_with_their_logs_and_layers_and_rm_frees_them(engine, base):
    container = ran(engine, "head -c 300000 /dev/zero | tr '\\0' x > /f; echo talk")
    engine.commit(container, "app")
    use = check_sum(engine)
    (row,) = use.containers
    assert row.size >= 300_000
    found = {share.kind: share for share in use.shares}
    assert found["Containers"].reclaimable == row.size
    lower, app = use_of(engine, "base:latest"), use_of(engine, "app:latest")
    assert app.shared == lower.shared > 0
    assert (lower.containers, app.containers) == (1, 0)
    assert found["Images"].reclaimable == app.unique
    before = du(engine.store.root)
    engine.containers.remove(container)
    assert abs(before - du(engine.store.root) - row.size) <= SLACK
    check_sum(engine)


@pytest.mark.root
def test_unpacked_and_merged_layers_and_volumes_are_counted(settings):
    engine = Engine(replace(settings, storage_driver="unpacked", max_lowers=2))
    layers = tuple(tar([Piece(f"f{i}", os.urandom(30_000))]) for i in range(4))
    steps: list[dict[str, object]] = [{"created": "2026-01-01T00:00:00Z"} for _ in layers]
    engine.images.load(io.BytesIO(archive("deep:1", layers=layers, steps=steps)))
    mount = VolumeMount("volume", "data", "/d")
    made = engine.containers.create(CreateRequest("deep:1", command=("x",), mounts=(mount,)))
    engine.snapshotter.view(engine.images.resolve("deep:1").config.diff_ids)
    use = check_sum(engine)
    (volume,) = use.volumes
    assert (volume.name, volume.containers) == ("data", 1)
    assert any(
        name.startswith("merged-") for name in os.listdir(f"{engine.store.root}/snapshots/unpacked")
    )
    engine.containers.remove(made.id)
    expected = use_of(engine, "deep:1").unique
    before = du(engine.store.root)
    engine.images.remove("deep:1", now=True)
    assert abs(before - du(engine.store.root) - expected) <= SLACK


def test_an_image_that_comes_while_the_disk_is_looked_at_counts_the_next_time(engine, monkeypatch):
    import_image(engine, "a:1", BIG)
    rows = Images.list

    def late(images):
        monkeypatch.setattr(Images, "list", rows)
        import_image(engine, "b:1", [Piece("g", b"g")])
        return rows(images)

    monkeypatch.setattr(Images, "list", late)
    assert len(engine.system.df().images) == 1
    assert len(engine.system.df().images) == 2
