"""What the hub makes after a push lets clients read single files, as `lamina index` would."""

import os
from pathlib import Path

import pytest
from tests.engine.worlds import make_engine
from tests.hub.clients import PASSWORD, Client
from tests.hub.exploring.images import BOTTOM, TOP, explore, explorer, file, folder, known, push
from tests.layer.trees import tar_of

from lamina.engine.indexing import index_image
from lamina.engine.remote_study import remote_study
from lamina.errors import NotFound
from lamina.hub import Hub
from lamina.hub.exploring import look
from lamina.hub.exploring.reading import opened
from lamina.image.seek_artifact import ARTIFACT, PILE
from lamina.layer.entry import Entry, Kind
from lamina.remote.login import login


@pytest.fixture
def hub(tmp_path: Path):
    with Hub(root=str(tmp_path / "hub")) as hub:
        hub.register("alice", PASSWORD)
        yield hub


@pytest.fixture
def alice(hub: Hub) -> Client:
    return Client(hub.address, "alice")


@pytest.fixture
def engine(hub: Hub, tmp_path: Path):
    with make_engine(tmp_path / "engine") as engine:
        login(engine.client, hub.address, "alice", PASSWORD)
        yield engine


def artifacts(alice: Client, image: str) -> list[str]:
    found = alice.get(f"/v2/alice/app/referrers/{image}?artifactType={ARTIFACT}").json["manifests"]
    return [row["digest"] for row in found]


def test_an_image_that_anybody_pushed_is_read_without_pulling_it(hub, alice, engine):
    image = push(alice, "alice/app", "v1", [BOTTOM, TOP])
    assert explore(hub) == 1
    name = f"{hub.address}/alice/app:v1"
    (artifact,) = artifacts(alice, image)
    with remote_study(engine, name) as study:
        assert [one.number for one in study.life(b"var/lib/dpkg/status")]
        assert len(study.packages()) == 1
    # It is what our own command makes, and finds instead of making it.
    assert index_image(engine, name).made == 0
    assert index_image(engine, name, again=True).artifact == artifact
    assert artifacts(alice, image) == [artifact]


def test_a_layer_is_indexed_once_for_all_images_that_have_it(hub, alice):
    one = push(alice, "alice/app", "v1", [BOTTOM])
    explore(hub)
    two = push(alice, "alice/app", "v2", [BOTTOM, TOP])
    explore(hub)
    first, second = (
        alice.get(f"/v2/alice/app/manifests/{artifacts(alice, image)[0]}").json["layers"]
        for image in (one, two)
    )
    assert first == second[:1]


LOW = tar_of([folder(b"etc"), file(b"etc/low", b"low\n" * 99), file(b"etc/other", os.urandom(396))])
LINKED = [
    tar_of([Entry(b"again", Kind.HARDLINK, link=b"etc/low"), file(b"own", b"1")]),
    tar_of([Entry(b"once-more", Kind.HARDLINK, link=b"again")]),
    tar_of([Entry(b"other", Kind.HARDLINK, link=b"etc/other"), Entry(b"last", Kind.HARDLINK, link=b"once-more")]),
]  # fmt: skip


def test_hard_links_into_lower_layers_bring_their_content_along(hub, alice, engine):
    """There was no seek index of such an image, and all that they led to was told to be alike."""
    image = push(alice, "alice/app", "v1", [LOW, *LINKED])
    assert explore(hub) == 1
    (artifact,) = artifacts(alice, image)
    name = f"{hub.address}/alice/app:v1"
    with remote_study(engine, name) as study:
        for path in (b"again", b"once-more", b"last"):
            assert study.tree.read(path) == b"low\n" * 99
        assert len(study.tree.read(b"other")) == 396
    assert index_image(engine, name).made == 0
    assert index_image(engine, name, again=True).artifact == artifact
    assert os.listdir(Path(hub.root, "exploring", "jobs")) == []
    found = known(hub, "alice/app", "v1")
    with opened(explorer(hub).places, found) as inside:
        nodes = [inside.tree.lookup(path) for path in (b"last", b"etc/low", b"other")]
        assert len({node.layer.digest(node) for node in nodes if node}) == 2
        assert all(nodes)


@pytest.mark.parametrize("why", ["much is linked", "the layers are large"])
def test_hard_links_to_more_than_is_unpacked_twice_are_left_to_the_command(
    hub, alice, engine, monkeypatch, why
):
    image = push(alice, "alice/app", "v1", [LOW, *LINKED])
    monkeypatch.setattr(look, "_COPIED", 9 if why == "much is linked" else 10**6)
    largest = max(map(len, (LOW, *LINKED)))
    assert explore(hub, limit=largest if why == "the layers are large" else 10**9) == 1
    assert known(hub, "alice/app", "v1").state == "done"
    assert artifacts(alice, image) == []
    name = f"{hub.address}/alice/app:v1"
    with pytest.raises(NotFound, match="no seek index"), remote_study(engine, name):
        pass
    index_image(engine, name)
    with remote_study(engine, name) as study:
        assert study.tree.read(b"last") == b"low\n" * 99


def test_folders_that_only_a_lower_layer_lists_bind_the_index_to_it(hub, alice, engine):
    low = tar_of([Entry(b"etc", Kind.DIRECTORY, 0o700), file(b"etc/low", b"low\n")])
    image = push(alice, "alice/app", "v1", [low, tar_of([file(b"etc/high", b"high\n")])])
    explore(hub)
    (artifact,) = artifacts(alice, image)
    rows = alice.get(f"/v2/alice/app/manifests/{artifact}").json["layers"]
    assert [PILE in row["annotations"] for row in rows] == [False, True]
    with remote_study(engine, f"{hub.address}/alice/app:v1") as study:
        found = study.tree.lookup(b"etc")
        assert found is not None
        assert found.mode == 0o700
