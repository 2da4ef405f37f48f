"""What images share: parts add up to the disk, and removing frees exactly what was said."""

import io
import os

import pytest
from tests.archives import archive
from tests.engine.test_census import du
from tests.engine.worlds import import_image, ran
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.engine.local import ImageUnknown
from lamina.engine.requests import CreateRequest
from lamina.engine.sharing import Sharing

SLACK = 16 * 1024
"""What names and the log may take more or less than before: files of a few blocks."""


def load(engine: Engine, name: str, *layers: bytes) -> None:
    steps: list[dict[str, object]] = [
        {"created": "2026-01-02T03:04:05Z", "created_by": f"RUN {n}"} for n in range(len(layers))
    ]
    engine.images.load(io.BytesIO(archive(name, layers=layers, steps=steps, labels={"n": name})))


def layer(name: str, size: int = 300_000) -> bytes:
    return tar([Piece(name, os.urandom(size))])


def places(sharing: Sharing, *names: str) -> list[int]:
    return [at for at, image in enumerate(sharing.images) if set(image.names) & set(names)]


@pytest.fixture
def tree(engine: Engine) -> Engine:
    """`a` and `b` on a common layer and one more, `c` on the common one, `d` on nothing of it."""
    common, more = layer("common"), layer("more", 200_000)
    load(engine, "a:1", common, more, layer("a", 100_000))
    load(engine, "b:1", common, more)
    load(engine, "c:1", common, layer("c"))
    load(engine, "d:1", layer("d"))
    return engine


def test_parts_are_what_the_same_images_need_and_add_up_to_the_images_on_the_disk(tree: Engine):
    sharing = tree.system.sharing()
    names = [image.names[0] for image in sharing.images]
    assert names == ["c:1", "a:1", "b:1", "d:1"], (
        "those that share are neighbours, the fewest first"
    )
    shared = [part for part in sharing.parts if len(part.images) > 1]
    assert [(part.images, len(part.diff_ids)) for part in shared] == [((0, 1, 2), 1), ((1, 2), 1)]
    assert shared[0].size > 600_000, "sealed, and as the blob it came in"
    use = tree.system.df()
    assert sharing.size == next(share.size for share in use.shares if share.kind == "Images")
    assert {one.id: (one.size, one.frees) for one in sharing.images} == {
        one.id: (one.size, one.unique) for one in use.images
    }
    assert sharing.alone == sum(one.size for one in sharing.images)
    assert sharing.alone == sharing.size + 2 * shared[0].size + shared[1].size
    assert sharing.held == 0


def test_removing_all_that_share_a_part_frees_what_was_said(tree: Engine):
    sharing = tree.system.sharing()
    part = next(part for part in sharing.parts if part.images == (1, 2))
    single = sum(sharing.images[place].frees for place in part.images)
    assert part.together == sharing.frees(part.images) == single + part.size
    before = du(tree.store.root)
    for name in ("a:1", "b:1"):
        tree.images.remove(name, now=True)
    assert abs(before - du(tree.store.root) - part.together) <= SLACK


def test_what_other_images_need_stays_when_only_some_are_asked_for(tree: Engine):
    sharing = tree.system.sharing(["a:1", "d:1"])
    assert [image.names for image in sharing.images] == [("a:1",), ("d:1",)]
    assert {part.held for part in sharing.parts if part.images == (0,)} == {True, False}
    assert sharing.held > 1_000_000
    assert sharing.frees([0, 1]) == sharing.size - sharing.held
    with pytest.raises(ImageUnknown):
        tree.system.sharing(["a:1", "nosuch"])


def test_what_undo_keeps_of_another_image_stays_until_a_prune_forgets_it(tree: Engine):
    tree.images.remove("b:1")
    sharing = tree.system.sharing(["a:1", "c:1", "d:1"])
    at = places(sharing, "a:1")[0]
    more = next(part for part in sharing.parts if part.kept and len(part.images) == 1)
    assert (more.images, more.held, more.stays) == ((at,), False, True)
    kept = [part.size for part in sharing.parts if part.kept]
    assert sharing.frees([0, 1, 2], kept=True) - sharing.frees([0, 1, 2]) == sum(kept)
    before = du(tree.store.root)
    tree.images.remove("a:1", now=True)
    assert abs(before - du(tree.store.root) - sharing.images[at].frees) <= SLACK


def test_an_image_that_lost_its_name_to_another_is_dangling_and_can_go(engine: Engine):
    common = layer("common")
    load(engine, "a:1", common, layer("old"))
    load(engine, "a:1", common, layer("new"))
    sharing = engine.system.sharing()
    dangling = [place for place, image in enumerate(sharing.images) if not image.names]
    assert len(dangling) == 1
    assert sharing.frees(dangling, kept=True) > 600_000
    unique = next(use.unique for use in engine.system.df().images if not use.names)
    before = du(engine.store.root)
    engine.images.remove(sharing.images[dangling[0]].id, now=True)
    freed = before - du(engine.store.root)
    assert abs(freed - sharing.images[dangling[0]].frees) <= SLACK
    assert unique == sharing.images[dangling[0]].frees


@pytest.mark.root  # a plain user's test process would have to enter a namespace
def test_containers_stand_on_their_image_even_when_its_name_is_gone(engine: Engine):
    import_image(engine, "it", [Piece("f", os.urandom(50_000))], 'CMD ["/f"]')
    engine.containers.create(CreateRequest(image="it", name="stands"))
    sharing = engine.system.sharing()
    assert sharing.images[0].containers == 1
    assert [(one.name, one.image, one.running) for one in sharing.containers] == [
        ("stands", sharing.images[0].id, False)
    ]
    engine.images.remove("it", force=True)
    after = engine.system.sharing()
    assert [image.names for image in after.images] == [()]
    assert after.containers[0].image == after.images[0].id


@pytest.mark.root
def test_a_containers_size_is_what_it_wrote(engine: Engine, base: object):
    ident = ran(engine, "dd if=/dev/urandom of=/big bs=1000 count=400", name="writer")
    standing = engine.system.sharing(["base"]).containers
    assert [one.id for one in standing] == [ident]
    assert standing[0].size > 400_000
