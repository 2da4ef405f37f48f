"""Indexes put beside images, at our hub and at a registry without referrers."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.engine.worlds import PASSWORD, import_image, make_engine
from tests.images import Piece, tar, write_layout
from tests.servers import RegistryServer

from lamina.engine.engine import Engine
from lamina.engine.indexing import index_image
from lamina.engine.remote_study import remote_image, remote_study
from lamina.errors import Denied, NotFound, Unauthorized
from lamina.events import Event, Notice
from lamina.hub import Hub
from lamina.image.seek_artifact import ARTIFACT
from lamina.remote.login import login
from lamina.remote.repository import Repository
from lamina.spec.reference import Reference

PIECES = (Piece("etc", directory=True), Piece("etc/motd", b"hello\n"), Piece("b", b"x" * 90_000))


def test_an_image_that_is_here_and_one_that_is_not_get_the_same_index(
    hub: Hub, alice: Engine, tmp_path: Path
):
    name = f"{hub.address}/alice/indexed:1"
    import_image(alice, name, PIECES)
    alice.images.push(name)
    heard: list[Event] = []
    first = index_image(alice, name, listener=heard.append)
    assert (first.made, first.size > 500) == (1, True)
    assert index_image(alice, name).made == 0
    assert not [event for event in heard if "at the registry" in str(event)]
    with make_engine(tmp_path / "other") as other:
        login(other.client, hub.address, "alice", PASSWORD)
        again = index_image(other, name, again=True, listener=heard.append)
    assert [event for event in heard if "at the registry" in str(event)]
    assert (again.made, again.artifact, again.size) == (1, first.artifact, first.size)
    reference = Reference.parse(name)
    rows = Repository.of(alice.client, reference).referrers(first.image, artifact_type=ARTIFACT)
    assert [row.digest for row in rows] == [first.artifact]


def test_who_may_not_push_leaves_no_index_and_others_read_it(
    hub: Hub, alice: Engine, bob: Engine, tmp_path: Path
):
    name = f"{hub.address}/alice/readable:1"
    import_image(alice, name, PIECES)
    alice.images.push(name)
    with pytest.raises((Unauthorized, Denied, NotFound)):
        index_image(bob, name)
    with make_engine(tmp_path / "other") as other:
        login(other.client, hub.address, "alice", PASSWORD)
        with pytest.raises(NotFound, match="no seek index"), remote_image(other, name):
            pass
        index_image(alice, name)
        with remote_study(other, name) as study:
            assert study.tree.read(b"etc/motd") == b"hello\n"
            assert study.traffic.received > 0


@pytest.fixture
def registry(tmp_path_factory: pytest.TempPathFactory):
    with RegistryServer(tmp_path_factory.mktemp("registry")) as server:
        yield server


def test_an_image_that_skopeo_brought_is_indexed_at_a_registry_without_referrers(
    registry: RegistryServer, bob: Engine, tmp_path: Path
):
    assert shutil.which("skopeo")
    layers = [tar(PIECES), tar([Piece("etc/motd", b"changed\n"), Piece(".wh.b")])]
    write_layout(tmp_path / "layout", layers, level=9)
    name = f"{registry.address}/some/image:1"
    words = ["skopeo", "copy", "--dest-tls-verify=false", f"oci:{tmp_path}/layout", f"docker://{name}"]  # fmt: skip
    subprocess.run(words, check=True, capture_output=True)
    heard: list[Event] = []
    made = index_image(bob, name, listener=heard.append)
    assert made.made == 2
    assert "at the registry" in next(e.text for e in heard if isinstance(e, Notice))
    assert index_image(bob, name).artifact == made.artifact
    with remote_study(bob, name) as study:
        assert [path for path, _ in study.tree.walk()] == [b"", b"etc", b"etc/motd"]
        assert study.tree.read(b"etc/motd") == b"changed\n"
        assert [event.number for event in study.life(b"b")] == [1, 2]
        assert [one.path for one in study.waste().files] == [b"b", b"etc/motd"]
