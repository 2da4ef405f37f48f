"""`lamina hub gc`, beside a hub that runs in another process."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.consoles import Console
from tests.hub.clients import PASSWORD, Client, digest
from tests.servers import HubServer

from lamina.hub import Hub
from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.spec.wire import decode

ROOT = Path(__file__).resolve().parents[3]
PUSHES = """
import sys
from tests.hub.clients import Client, digest
address, number = sys.argv[1:]
client = Client(address, "alice")
for turn in range(6):
    name, seed = f"alice/r{int(number) % 2}", f"seed {turn % 2}"
    raw = client.manifest(name, seed=seed)
    place = client.begin(name)
    assert client.request("PATCH", place, b"a").status == 202
    big = f"{number} {turn}".encode()
    assert client.request("PATCH", place, big).status == 202
    assert client.request("PUT", f"{place}?digest={digest(b'a' + big)}").status == 201
    assert client.put_manifest(name, f"t{number}", raw).status == 201, "lost in flight"
    for row in client.get(f"/v2/{name}/manifests/t{number}").json["layers"]:
        assert digest(client.get(f"/v2/{name}/blobs/{row['digest']}").body) == row["digest"]
    client.request("DELETE", f"/v2/{name}/manifests/t{number}")
"""


@pytest.fixture
def hub(tmp_path):
    with Hub(root=str(tmp_path / "data")) as hub:
        hub.register("alice", PASSWORD)
        yield hub


def forget_pushes(hub: Hub) -> None:
    """What was pushed a moment ago might be awaited by another push."""
    hub.services.database.write(
        lambda connection: (
            connection.execute("UPDATE links SET awaited_at = 0"),
            connection.execute("UPDATE repositories SET busy_at = 0"),
            None,
        )[-1]
    )


def gc(root: str, *words: str) -> Console:
    console = Console({"LAMINA_HUB_ROOT": root}, now=time.time())
    console("hub", "gc", *words)
    return console


def test_it_says_what_would_go_then_what_went(hub):
    alice = Client(hub.address, "alice")
    alice.image("alice/app", "v1", seed="first")
    gone = alice.image("alice/app", "v2", seed="second")
    alice.request("DELETE", "/v2/alice/app/manifests/v2")
    forget_pushes(hub)
    layer = digest(b"second top" * 20)
    console = Console({"LAMINA_HUB_ROOT": hub.root}, now=time.time() + 1)
    assert console.run("hub", "gc").err == "Removed nothing (0B)\n"
    said = console.run("hub", "gc", "--grace=-1h")
    assert (said.code, "a grace is 0s or more" in said.err) == (1, True)
    said = console.run("hub", "gc", "--dry-run", "--grace", "0s")
    assert f"manifest alice/app@{gone}\n" in said.out
    assert f"blob     {layer}  200B\n" in said.out
    assert said.err.startswith("Would remove 1 manifest, 2 blobs (")
    assert alice.get(f"/v2/alice/app/blobs/{layer}").status == 200
    assert console.run("hub", "gc", "--grace", "0s").out == said.out
    assert alice.get(f"/v2/alice/app/blobs/{layer}").status == 404
    assert alice.get("/v2/alice/app/manifests/v1").status == 200


def test_it_says_so_in_json(hub):
    alice = Client(hub.address, "alice")
    named = alice.push_blob("alice/app", b"in nobody's manifest")
    alice.request("DELETE", f"/v2/alice/app/blobs/{named}")
    forget_pushes(hub)
    console = Console({"LAMINA_HUB_ROOT": hub.root}, now=time.time() + 1)
    found = decode(console("hub", "gc", "--grace", "0s", "--json").encode())
    blob = {"name": named, "size": 20}
    assert found == {
        "dry_run": False, "size": 20, "manifests": [], "blobs": [blob], "uploads": [],
    }  # fmt: skip


def test_it_does_nothing_where_a_hub_is_read_only_and_where_none_is(hub, tmp_path):
    console = Console({"LAMINA_HUB_ROOT": hub.root, "LAMINA_HUB_READ_ONLY": "moving"})
    said = console.run("hub", "gc")
    assert (said.code, "read-only: moving" in said.err) == (1, True)
    said = Console({"LAMINA_HUB_ROOT": str(tmp_path / "none")}).run("hub", "gc")
    assert (said.code, "no hub was ever served" in said.err) == (1, True)


def test_pushes_of_many_processes_lose_nothing_while_it_runs_again_and_again(tmp_path):
    with HubServer(tmp_path) as server:
        server.register("alice", PASSWORD)
        root = str(tmp_path / "data")
        pushers = [
            subprocess.Popen(
                [sys.executable, "-c", PUSHES, server.address, str(number)],
                cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )
            for number in range(3)
        ]  # fmt: skip
        database = SqliteDatabase(f"{root}/hub.db")
        try:
            while any(each.poll() is None for each in pushers):
                old = time.time() - 7200

                def age(connection, old=old):  # as though each push took hours
                    connection.execute(
                        "UPDATE links SET loose_at = ?, awaited_at = ? WHERE loose_at IS NOT NULL",
                        (old, old),
                    )
                    connection.execute(
                        "UPDATE manifests SET doomed_at = ? WHERE doomed_at IS NOT NULL", (old,)
                    )

                database.write(age)
                gc(root, "--grace", "0s")
        finally:
            database.close()
            said = [each.communicate(timeout=100)[1].decode() for each in pushers]
        assert [each.returncode for each in pushers] == [0, 0, 0], said
