"""Remove and prune: names go first, content goes when nothing needs it."""

import pytest
from tests.engine.worlds import import_image, merged, ran
from tests.images import Piece

from lamina.engine.local import ImageInUse, ImageUnknown, Removed
from lamina.engine.naming import name_image
from lamina.spec.manifest import Manifest

pytestmark = pytest.mark.root


def test_image_of_a_container_is_not_removed_without_force(engine, base):
    container = ran(engine, "true")
    with pytest.raises(ImageInUse, match="must force"):
        engine.images.remove("base", now=True)
    removed = engine.images.remove("base", force=True)
    assert removed == (Removed(untagged="base:latest"),)
    engine.commit(container, "saved")  # what it stands on is still there
    engine.containers.remove(container)
    assert merged(engine, "saved")


def test_removed_image_frees_its_layers_and_keeps_shared_ones(engine, base):
    container = ran(engine, "echo x > /f")
    made = engine.commit(container, "app")
    engine.containers.remove(container)
    diff_ids = engine.images.resolve("app").config.diff_ids
    removed = engine.images.remove("app", now=True)
    assert removed[0] == Removed(untagged="app:latest")
    assert removed[1] == Removed(deleted=str(made))
    assert len(removed) == 3
    assert not engine.layers.has(diff_ids)
    assert engine.layers.has(diff_ids[:1])
    assert merged(engine, "base")
    engine.images.remove("base", now=True)
    assert list(engine.store.blobs) == []
    assert list(engine.layers) == []
    with pytest.raises(ImageUnknown):
        engine.images.remove("base", now=True)


def test_removing_one_of_two_names_only_untags(engine, base):
    engine.images.tag("base", "other")
    assert engine.images.remove("other") == (Removed(untagged="other:latest"),)
    assert engine.images.resolve("base").id == base


def test_id_with_names_in_two_repositories_needs_force(engine, base):
    engine.images.tag("base", "elsewhere/base")
    with pytest.raises(ImageInUse, match="multiple repositories"):
        engine.images.remove(base.short)
    names = {row.untagged for row in engine.images.remove(base.short, force=True) if row.untagged}
    assert names == {"base:latest", "elsewhere/base:latest"}


def test_prune_removes_dangling_images_and_on_demand_the_unused(engine, base):
    old = import_image(engine, "moving", [Piece("f", b"1" * 5000)])
    import_image(engine, "moving", [Piece("f", b"2")])
    container = ran(engine, "")
    removed, freed = engine.images.prune(now=True)
    assert Removed(deleted=str(old)) in removed
    assert freed > 0
    removed, _ = engine.images.prune(all_unused=True)
    assert {row.untagged for row in removed if row.untagged} == {"moving:latest"}
    assert [row.id for row in engine.images.list()] == [base]
    engine.containers.remove(container)


@pytest.mark.parametrize("how", ["name", "id", "prune"])
def test_an_image_with_two_manifests_goes_whole(engine, base, how):
    """Two archives of one image: same configuration, layers packed differently."""
    image = engine.images.resolve("base")
    other = Manifest.build(
        image.manifest.config, image.manifest.layers, annotations={"by": "other"}
    )
    engine.store.blobs.put(other.raw)
    name_image(engine, "docker.io/library/base:latest", other, image.config, command="tag")
    assert len(engine.store.names.all()) == 2
    if how == "prune":
        engine.images.prune(all_unused=True)
    else:
        engine.images.remove("base" if how == "name" else base.hex[:12])
    assert engine.images.list() == ()
    assert engine.store.names.all() == ()
