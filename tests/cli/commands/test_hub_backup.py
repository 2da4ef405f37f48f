"""`lamina hub backup` beside a hub that runs, and `lamina hub restore` into another."""

import json
import time

from tests.consoles import Console
from tests.hub.clients import PASSWORD, Client

from lamina.hub import Hub
from lamina.hub.storage.disk import DiskStorage


def test_a_hub_goes_into_a_folder_and_out_of_it_again(tmp_path):
    folder, new = str(tmp_path / "backup"), str(tmp_path / "new")
    with Hub(root=str(tmp_path / "old")) as hub:
        hub.register("alice", PASSWORD)
        Client(hub.address, "alice").image("alice/app", "v1")
        console = Console({"LAMINA_HUB_ROOT": hub.root}, now=time.time())
        said = console("hub", "backup", folder)
        assert said.startswith("3 blobs (")
        assert said.endswith("as hard links)\n")
        again = json.loads(console("hub", "backup", "--copy", "--json", folder))
        assert (again["blobs"], again["new"], again["lacking"]) == (3, 0, [])
    other = Console({"LAMINA_HUB_ROOT": new}, now=time.time())
    said = other("hub", "restore", folder)
    assert said.startswith("1 accounts, 1 repositories and 3 blobs (")
    assert f"images in {new}" in said
    with Hub(root=new) as hub:
        assert Client(hub.address, "alice").get("/v2/alice/app/manifests/v1").status == 200
    refused = other.run("hub", "restore", folder)
    assert (refused.code, "accounts or images already" in refused.err) == (1, True)


def test_blobs_that_are_lacking_are_named_and_the_command_fails(tmp_path):
    folder = str(tmp_path / "backup")
    with Hub(root=str(tmp_path / "old")) as hub:
        hub.register("alice", PASSWORD)
        named = Client(hub.address, "alice").push_blob("alice/app", b"short")
        assert isinstance(hub.services.storage, DiskStorage)
        hub.services.storage.settle()  # small blobs have their files a moment later
        found = next((tmp_path / "old" / "blobs").rglob(f"{named[7:]}*"))
        found.write_bytes(b"hurt!!!")
        console = Console({"LAMINA_HUB_ROOT": hub.root}, now=time.time())
        said = console.run("hub", "backup", "--copy", folder)
    assert said.code == 1
    assert named in said.err


def test_what_is_no_backup_is_said(tmp_path):
    said = Console({"LAMINA_HUB_ROOT": str(tmp_path / "new")}).run("hub", "restore", str(tmp_path))
    assert (said.code, "holds no whole backup" in said.err) == (1, True)
