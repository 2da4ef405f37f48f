"""Which blobs are not well, for admins."""

from pathlib import Path

from tests.hub.clients import Client, digest


def test_admins_see_what_is_damaged_or_missing_and_where(hub, alice, chief):
    named = [alice.push_blob("alice/app", data) for data in (b"will be hurt", b"will be missing")]
    alice.push_blob("alice/app", b"stays well")
    assert chief.get("/api/v1/damaged").json == {"damaged": []}
    hub.services.storage.settle()
    hurt, gone = (next(Path(hub.root, "blobs").rglob(f"{each[7:]}*")) for each in named)
    hurt.write_bytes(b"IS HURT NOW!")
    gone.unlink()
    hub.services.scrubber.run(rate=0)
    rows = {row["digest"]: row for row in chief.get("/api/v1/damaged").json["damaged"]}
    assert {each: row["damage"] for each, row in rows.items()} == dict(
        zip(named, ("damaged", "missing"), strict=True)
    )
    assert rows[digest(b"will be hurt")]["repositories"] == ["alice/app"]
    assert rows[digest(b"will be hurt")]["size"] == 12
    assert rows[digest(b"will be hurt")]["found_at"].endswith("Z")
    assert alice.get("/api/v1/damaged").status == 403
    assert Client(hub.address).get("/api/v1/damaged").status == 401
