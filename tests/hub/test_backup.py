"""A backup of a hub that runs, and a new hub from it, of the same kind and of the other."""

import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.hub.clients import INDEX, MANIFEST, PASSWORD, Client, digest, document
from tests.hub.test_collect import change

from lamina.errors import AlreadyExists, Corrupt, InUse, Invalid
from lamina.hub import Hub, HubSettings
from lamina.hub import backup as backup_module
from lamina.hub.backup import back_up
from lamina.hub.backup_file import back_up_file
from lamina.hub.backup_reading import LEFT_OUT
from lamina.hub.databases import tables
from lamina.hub.databases.schema import steps
from lamina.hub.restore import restore
from lamina.hub.services import open_places
from lamina.hub.tables import turns


@pytest.fixture
def hub(tmp_path) -> Iterator[Hub]:
    with Hub(root=str(tmp_path / "hub")) as hub:
        for name in ("chief", "alice"):
            hub.register(name, PASSWORD)
        yield hub


@pytest.fixture
def alice(hub) -> Client:
    return Client(hub.address, "alice")


def back(hub, folder, **more):
    services = hub.services
    return back_up(services.database, services.storage, str(folder), clock=time.time, **more)


def bring(folder, root, **more):
    settings = HubSettings(root=str(root), port=0, shutdown_s=2.0, **more)
    with open_places(settings) as (database, storage):
        return restore(database, storage, str(folder), clock=time.time)


def fill(alice: Client) -> dict[str, bytes]:
    """Push a bit of everything; give what must come back, by path."""
    alice.image("alice/app", "v1", seed="one")
    raw = alice.manifest("alice/app", seed="child")
    alice.put_manifest("alice/app", digest(raw), raw)
    row = {"mediaType": MANIFEST, "digest": digest(raw), "size": len(raw)}
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]})
    alice.put_manifest("alice/app", "all", index, INDEX)
    signed = {"mediaType": INDEX, "digest": digest(index), "size": len(index)}
    signature = alice.manifest("alice/app", seed="sig", subject=signed)
    alice.put_manifest("alice/app", digest(signature), signature)
    alice.push_blob("alice/empty", b"")
    paths = [f"/v2/alice/app/manifests/{each}" for each in ("v1", "all", digest(raw))]
    paths.append(f"/v2/alice/app/referrers/{digest(index)}")
    answers = {path: alice.get(path).body for path in paths}
    for path in paths[:1]:
        for layer in json.loads(answers[path])["layers"]:
            blob = f"/v2/alice/app/blobs/{layer['digest']}"
            answers[blob] = alice.get(blob).body
    return answers


def test_everything_comes_back_into_an_empty_hub(hub, alice, tmp_path):
    expected = fill(alice)
    place = alice.begin("alice/app")
    assert alice.request("PATCH", place, b"on its way").status == 202
    token = alice.request(
        "POST", "/api/v1/tokens", document({"name": "ci", "actions": ["pull"]}),
        Content_Type="application/json",
    ).json["token"]  # fmt: skip
    done = back(hub, tmp_path / "backup")
    assert (done.lacking, done.fresh) == ((), done.blobs)
    found = bring(tmp_path / "backup", tmp_path / "new")
    assert (found.accounts, found.repositories, found.lacking) == (2, 2, ())
    assert (found.blobs, found.size) == (done.blobs, done.size)
    with Hub(root=str(tmp_path / "new")) as new:
        again = Client(new.address, "alice")
        assert {path: again.get(path).body for path in expected} == expected
        assert Client(new.address, "alice", str(token)).get("/v2/").status == 200
        assert again.get(place).headers["range"] == "0-0"  # nothing of it came along
        again.image("alice/app", "v2", seed="two")  # ids go on where they were
        new.register("carol", PASSWORD)
        change(new, "UPDATE links SET awaited_at = 0")
        new.collect()
        assert {path: again.get(path).body for path in expected} == expected


def test_a_second_backup_copies_what_is_new_and_drops_what_is_gone(hub, alice, tmp_path):
    alice.image("alice/app", "v1", seed="one")
    first = back(hub, tmp_path / "backup", may_link=False)
    assert (first.fresh, first.linked) == (3, 0)
    alice.image("alice/app", "v2", seed="two")
    alice.request("DELETE", "/v2/alice/app/manifests/v1")
    hub.collect()
    second = back(hub, tmp_path / "backup", may_link=False)
    assert (second.blobs, second.fresh) == (3, 2)
    stored = [name for _, _, names in os.walk(tmp_path / "backup" / "blobs") for name in names]
    assert len(stored) == 3
    assert bring(tmp_path / "backup", tmp_path / "new").blobs == 3


def test_blobs_are_hard_links_on_one_file_system_and_stay_when_the_hub_drops_them(
    hub, alice, tmp_path
):
    named = alice.push_blob("alice/app", b"linked")
    assert back(hub, tmp_path / "backup").linked == 1
    alice.request("DELETE", f"/v2/alice/app/blobs/{named}")
    hub.collect()
    found = tmp_path / "backup" / "blobs" / "sha256" / named[7:9] / named[7:]
    assert found.read_bytes() == b"linked"
    assert found.stat().st_nlink == 1


def test_pushes_and_sweeps_go_on_meanwhile_and_the_backup_is_one_whole_state(hub, tmp_path):
    done, pushed = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def push() -> None:
        client, turn = Client(hub.address, "alice"), 0
        try:
            while not done.is_set():
                client.image("alice/busy", f"t{turn % 3}", seed=f"seed {turn}")
                client.request("DELETE", f"/v2/alice/busy/manifests/t{(turn + 1) % 3}")
                hub.collect()
                turn += 1
                pushed.set()
        except BaseException as error:
            failures.append(error)
            raise

    pusher = threading.Thread(target=push)
    pusher.start()
    try:
        for number in range(3):
            pushed.clear()
            assert pushed.wait(60)
            assert back(hub, tmp_path / "backup", may_link=bool(number % 2)).lacking == ()
    finally:
        done.set()
        pusher.join()
    assert failures == []
    assert bring(tmp_path / "backup", tmp_path / "new").lacking == ()
    with Hub(root=str(tmp_path / "new")) as new:
        again = Client(new.address, "alice")
        for tag in again.get("/v2/alice/busy/tags/list").json["tags"]:
            for layer in again.get(f"/v2/alice/busy/manifests/{tag}").json["layers"]:
                blob = again.get(f"/v2/alice/busy/blobs/{layer['digest']}")
                assert digest(blob.body) == layer["digest"]


def test_a_blob_that_is_damaged_is_named_and_the_rest_is_kept(hub, alice, tmp_path):
    kept, hurt = alice.push_blob("alice/app", b"kept"), alice.push_blob("alice/app", b"hurt")
    hub.services.storage.settle()
    for top, _, names in os.walk(os.path.join(hub.root, "blobs")):
        for name in names:
            if name.startswith(hurt[7:]):
                with open(os.path.join(top, name), "wb") as file:
                    file.write(b"HURT")
    assert back(hub, tmp_path / "backup", may_link=False).lacking == (hurt,)
    assert bring(tmp_path / "backup", tmp_path / "new").lacking == (hurt,)
    with Hub(root=str(tmp_path / "new")) as new:
        again = Client(new.address, "alice")
        assert again.get(f"/v2/alice/app/blobs/{kept}").body == b"kept"
        assert again.head(f"/v2/alice/app/blobs/{hurt}").status == 404
        assert again.push_blob("alice/app", b"hurt") == hurt


def test_a_restore_that_was_cut_short_goes_on(hub, alice, tmp_path, monkeypatch):
    expected = fill(alice)
    back(hub, tmp_path / "backup")
    fill_rows, calls = tables.fill, []

    def die(*arguments):
        calls.append(arguments[1].name)
        if len(calls) == 6:
            raise OSError("on purpose")
        return fill_rows(*arguments)

    monkeypatch.setattr(tables, "fill", die)
    with pytest.raises(OSError, match="on purpose"):
        bring(tmp_path / "backup", tmp_path / "new")
    monkeypatch.undo()
    before = {name for _, _, names in os.walk(tmp_path / "new" / "blobs") for name in names}
    assert bring(tmp_path / "backup", tmp_path / "new").lacking == ()
    after = {name for _, _, names in os.walk(tmp_path / "new" / "blobs") for name in names}
    assert after == before
    with Hub(root=str(tmp_path / "new")) as new:
        again = Client(new.address, "alice")
        assert {path: again.get(path).body for path in expected} == expected


def test_a_backup_that_was_cut_short_leaves_the_one_before(hub, alice, tmp_path, monkeypatch):
    alice.image("alice/app", "v1")
    back(hub, tmp_path / "backup")
    alice.image("alice/app", "v2", seed="two")

    def die(*_: object) -> None:
        raise OSError("on purpose")

    monkeypatch.setattr(backup_module, "_publish", die)
    with pytest.raises(OSError, match="on purpose"):
        back(hub, tmp_path / "backup")
    monkeypatch.undo()
    held = hub.services.database.read(lambda connection: turns.is_held(connection, now=time.time()))
    assert not held
    bring(tmp_path / "backup", tmp_path / "new")
    with Hub(root=str(tmp_path / "new")) as new:
        assert Client(new.address, "alice").get("/v2/alice/app/tags/list").json["tags"] == ["v1"]


def test_what_is_no_backup_or_not_for_this_hub_is_refused(hub, alice, tmp_path):
    with pytest.raises(Invalid, match="no whole backup"):
        bring(tmp_path, tmp_path / "new")
    back(hub, tmp_path / "backup")
    with pytest.raises(AlreadyExists, match="accounts or images already"):
        bring(tmp_path / "backup", tmp_path / "hub")
    head = tmp_path / "backup" / "lamina-hub-backup.json"
    whole = json.loads(head.read_text())
    table = tmp_path / "backup" / "tables" / whole["tables_folder"] / "accounts.jsonl"
    table.write_bytes(table.read_bytes().replace(b"alice", b"mallo"))
    with pytest.raises(Corrupt, match="table accounts"):
        bring(tmp_path / "backup", tmp_path / "new")
    head.write_text(head.read_text().replace(f'"schema":{whole["schema"]}', '"schema":9999'))
    with pytest.raises(Corrupt, match="newer"):
        bring(tmp_path / "backup", tmp_path / "new")


def test_two_backups_into_one_folder_do_not_mix(hub, tmp_path, monkeypatch):
    dump = backup_module.dump

    def meanwhile(*arguments):
        with pytest.raises(InUse, match="another backup"):
            back(hub, tmp_path / "backup")
        return dump(*arguments)

    monkeypatch.setattr(backup_module, "dump", meanwhile)
    back(hub, tmp_path / "backup")


def test_a_backup_of_an_older_version_is_brought_up_to_date(tmp_path):
    folder = tmp_path / "backup"
    (folder / "tables" / "1").mkdir(parents=True)
    known = {each.name: each for each in tables.tables(last=5)}
    rows: dict[str, list[list[object]]] = {
        "accounts": [[7, "alice", "$argon2id$x", 1, 1.5]],
        "secrets": [["form key", "AAECAw=="]],
    }
    digests = {}
    for name in known.keys() - LEFT_OUT:
        raw = b"".join(document(row) + b"\n" for row in rows.get(name, []))
        (folder / "tables" / "1" / f"{name}.jsonl").write_bytes(raw)
        digests[name] = digest(raw)[7:]
    head = {"format": 1, "schema": 5, "made_at": 0.0, "tables_folder": "1", "tables": digests}
    (folder / "lamina-hub-backup.json").write_bytes(document(head))
    assert bring(folder, tmp_path / "new").accounts == 1
    with closing(sqlite3.connect(tmp_path / "new" / "hub.db")) as connection:
        assert connection.execute("SELECT id, name FROM accounts").fetchall() == [(7, "alice")]
        assert connection.execute("SELECT value FROM secrets").fetchall() == [(b"\0\1\2\3",)]


def test_every_table_is_in_a_backup_or_left_out_for_a_reason(hub, tmp_path):
    back(hub, tmp_path / "backup")
    written = {path.stem for path in (tmp_path / "backup" / "tables").rglob("*.jsonl")}
    everything = {each.name for each in tables.tables()}
    assert written | LEFT_OUT == everything
    assert not written & LEFT_OUT
    assert json.loads((tmp_path / "backup" / "lamina-hub-backup.json").read_text())["schema"] == (
        steps()[-1].number
    )
    shutil.rmtree(tmp_path / "backup")


def test_a_backup_may_be_one_file_that_any_tar_reads(hub, alice, tmp_path):
    expected = fill(alice)
    hurt = alice.push_blob("alice/app", b"hurt")
    hub.services.storage.settle()
    next((tmp_path / "hub" / "blobs").rglob(f"{hurt[7:]}*")).write_bytes(b"HURT")
    path = tmp_path / "hub.tar"
    services = hub.services
    done = back_up_file(services.database, services.storage, str(path), clock=time.time)
    assert done.lacking == (hurt,)
    assert path.stat().st_mode & 0o077 == 0
    listed = subprocess.run(["tar", "-tf", path], capture_output=True, text=True, check=True)
    names = listed.stdout.split()
    assert len([name for name in names if name.startswith("blobs/sha256/")]) == done.blobs
    assert names[-2:] == ["lamina-hub-backup.json", "lamina-hub-backup.json.place"]
    found = bring(path, tmp_path / "new")
    assert (found.accounts, found.lacking, found.size) == (2, (hurt,), done.size)
    with Hub(root=str(tmp_path / "new")) as new:
        again = Client(new.address, "alice")
        assert {each: again.get(each).body for each in expected} == expected
    whole = path.read_bytes()
    for cut in (whole[:-600], b"", b"no tar at all" * 200):
        path.write_bytes(cut)
        with pytest.raises(Invalid, match="no whole backup"):
            bring(path, tmp_path / "other")
    path.write_bytes(whole.replace(b'"schema":', b'"sCHEMA":'))
    with pytest.raises(Corrupt, match="list of the backup"):
        bring(path, tmp_path / "other")
