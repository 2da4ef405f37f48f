"""A dry run tells what would travel, and what then travels is that."""

import os
from random import Random

import pytest
from tests.engine.worlds import import_image, make_engine
from tests.images import Piece, write_layout
from tests.servers import RegistryServer

from lamina.engine.engine import Engine
from lamina.engine.plans import Plan, Way
from lamina.engine.push import NotTagged
from lamina.errors import Invalid, NotFound
from lamina.remote.repository import Repository
from lamina.spec.reference import Reference
from lamina.stream.codec import Compression


def noise(seed: int) -> list[Piece]:
    return [Piece(f"n{seed}", Random(seed).randbytes(50_000))]


def ways(plan: Plan) -> list[Way]:
    return [step.way for step in (*plan.blobs, *plan.manifests)]


def test_a_push_is_told_blob_by_blob_and_sends_nothing(engine: Engine, registry: RegistryServer):
    name = f"{registry.address}/plan/first:1"
    import_image(engine, name, noise(1))
    (plan,) = engine.images.plan_push(name)
    image = engine.images.resolve(name)
    assert ways(plan) == [Way.SENT] * 3
    assert plan.digest == image.manifest.digest
    rows = (image.manifest.config, *image.manifest.layers, image.manifest.descriptor)
    assert plan.size == sum(row.size for row in rows)
    repository = Repository.of(engine.client, Reference.parse(name))
    assert not repository.has_blob(image.manifest.config.digest)
    engine.images.push(name)
    (plan,) = engine.images.plan_push(name)
    assert ways(plan) == [Way.THERE] * 3
    assert (plan.moving, plan.size) == ((), 0)


def test_what_another_repository_has_would_be_mounted(engine: Engine, registry: RegistryServer):
    name, other = f"{registry.address}/plan/home:1", f"{registry.address}/plan/beside:1"
    import_image(engine, name, noise(2))
    engine.images.push(name)
    engine.images.tag(name, other)
    (plan,) = engine.images.plan_push(other)
    assert [(step.way, step.home) for step in plan.blobs] == [(Way.MOUNTED, "plan/home")] * 2
    assert [step.way for step in plan.manifests] == [Way.SENT]
    assert plan.size == plan.manifests[0].size


def test_a_blob_of_several_tags_travels_once(engine: Engine, registry: RegistryServer):
    name = f"{registry.address}/plan/many"
    import_image(engine, f"{name}:1", noise(3))
    engine.images.tag(f"{name}:1", f"{name}:2")
    first, second = engine.images.plan_push(name, all_tags=True)
    assert ways(first) == [Way.SENT] * 3
    assert ways(second) == [Way.THERE, Way.THERE, Way.SENT]


def test_what_would_be_packed_is_told_as_such(engine: Engine, registry: RegistryServer):
    name = f"{registry.address}/plan/packed:1"
    import_image(engine, name, noise(4))
    (plan,) = engine.images.plan_push(name, compression=Compression("zstd", 3))
    assert ways(plan) == [Way.SENT, Way.PACKED, Way.PACKED]
    assert plan.blobs[1].size > 50_000
    with pytest.raises(NotTagged):
        engine.images.plan_push(f"{registry.address}/plan/nosuch")


def test_a_pull_tells_what_is_here(engine: Engine, registry: RegistryServer, tmp_path):
    name = f"{registry.address}/plan/pulled:1"
    import_image(engine, name, noise(5))
    engine.images.push(name)
    with make_engine(tmp_path / "other") as other:
        assert ways(other.images.plan_pull(name)) == [Way.SENT] * 3
        assert list(other.store.blobs) == []
        other.images.pull(name)
        assert ways(other.images.plan_pull(name)) == [Way.THERE] * 3
        with pytest.raises(NotFound):
            other.images.plan_pull(f"{registry.address}/plan/pulled:2")


def test_a_copy_is_told_for_every_kind_of_place_and_makes_none(
    engine: Engine, registry: RegistryServer, tmp_path
):
    write_layout(tmp_path / "layout", [b"\0" * 1024])
    source = f"oci:{tmp_path}/layout"
    targets = [
        f"oci:{tmp_path}/a:x", f"dir:{tmp_path}/b", f"oci-archive:{tmp_path}/c.tar",
        f"docker-archive:{tmp_path}/d.tar:x:1", f"docker://{registry.address}/plan/copied:1",
        "lamina:copied:1",
    ]  # fmt: skip
    for target in targets:
        assert ways(engine.images.plan_copy(source, target)) == [Way.SENT] * 3, target
    assert os.listdir(tmp_path / "root/blobs/sha256") == []
    assert not {"a", "b", "c.tar", "d.tar"} & set(os.listdir(tmp_path))
    for target in targets:
        engine.images.copy(source, target)
    # A plain folder has its manifest under another name; an archive is always written anew.
    for target, kinds in zip(targets, (3, 2, 0, 0, 3, 3), strict=True):
        found = ways(engine.images.plan_copy(source, target))
        assert found == [Way.THERE] * kinds + [Way.SENT] * (3 - kinds), target
    beside = f"docker://{registry.address}/plan/elsewhere:1"
    plan = engine.images.plan_copy(targets[4], beside)
    assert ways(plan) == [Way.MOUNTED, Way.MOUNTED, Way.SENT]
    with pytest.raises(Invalid):
        engine.images.plan_copy(source, beside, everything=True, platform="linux/arm64")
