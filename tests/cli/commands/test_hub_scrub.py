"""`lamina hub scrub`, and repairs from another registry."""

import json
import time
from pathlib import Path

import pytest
from tests.consoles import Console
from tests.hub.clients import PASSWORD, Client, digest

from lamina.hub import Hub


@pytest.fixture
def hub(tmp_path):
    with Hub(root=str(tmp_path / "data")) as hub:
        hub.register("alice", PASSWORD)
        Client(hub.address, "alice").image("alice/app", "v1")
        yield hub


def hurt(hub, data: bytes) -> str:
    named = digest(data)
    hub.services.storage.settle()  # small blobs have their files a moment later
    next(Path(hub.root, "blobs").rglob(f"{named[7:]}*")).write_bytes(b"hurt")
    return named


def test_damage_is_named_and_mended_from_another_registry(hub, tmp_path):
    named = hurt(hub, b"one top" * 20)
    environ = {"LAMINA_HUB_ROOT": hub.root, "LAMINA_ROOT": str(tmp_path), "HOME": str(tmp_path)}
    console = Console(environ, now=time.time() + 9)
    said = console.run("hub", "scrub")
    assert said.code == 1
    assert said.out.splitlines()[0].startswith("3 blobs read (")
    assert f"damaged  {named}  in alice/app\n" in said.out
    assert "--repair-from" in said.err
    with Hub(root=str(tmp_path / "other")) as other:
        other.register("alice", PASSWORD)
        hurt_too = Client(other.address, "alice")
        missing = console.run("hub", "scrub", "--repair-from", other.address)
        assert (missing.code, named in missing.out) == (1, True)
        hurt_too.image("alice/app", "v1")
        said = console.run("hub", "scrub", "--json", "--repair-from", other.url)
    found = json.loads(said.out)
    assert (said.code, found["mended"], found["damaged"]) == (0, [named], [])
    alice = Client(hub.address, "alice")
    assert alice.get(f"/v2/alice/app/blobs/{named}").body == b"one top" * 20


def test_a_hub_that_is_well_says_so(hub):
    said = Console({"LAMINA_HUB_ROOT": hub.root}, now=time.time() + 9).run(
        "hub", "scrub", "--rate", "1g"
    )
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("3 blobs read (")
