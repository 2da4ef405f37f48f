"""Reading blobs again: what is damaged or missing is set aside, and the next push brings it anew."""

import os
import time
from pathlib import Path

import pytest
from tests.hub.clients import PASSWORD, Client, digest
from tests.hub.test_collect import change

from lamina.errors import Unavailable
from lamina.hub import Hub, HubSettings
from lamina.hub.chores import CHORES
from lamina.hub.scrub import Scrubbed, Scrubber


@pytest.fixture
def hub(tmp_path):
    with Hub(root=str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        yield hub


@pytest.fixture
def alice(hub) -> Client:
    return Client(hub.address, "alice")


def scrubber(hub, **more) -> Scrubber:
    services = hub.services
    return Scrubber(services.database, services.storage, clock=time.time, **more)


def file_of(hub, named: str) -> Path:
    hub.services.storage.settle()
    return next(Path(hub.root, "blobs").rglob(f"{named[7:]}*"))


def test_what_is_damaged_or_missing_is_set_aside_and_comes_anew_with_the_next_push(hub, alice):
    image = alice.image("alice/app")
    layers = alice.get("/v2/alice/app/manifests/v1").json["layers"]
    hurt, lost = (str(each["digest"]) for each in layers)
    data = [alice.get(f"/v2/alice/app/blobs/{each}").body for each in (hurt, lost)]
    damaged = file_of(hub, hurt)
    damaged.write_bytes(b"?" + data[0][1:])
    file_of(hub, lost).unlink()
    told: list[tuple[str, str]] = []
    done = scrubber(hub).run(rate=0, tell=lambda blob, damage: told.append((blob.digest, damage)))
    assert (done.blobs, done.found, done.damaged) == (3, 2, 2)
    assert sorted(told) == sorted([(hurt, "damaged"), (lost, "missing")])
    assert [each.repositories for each in scrubber(hub).findings()] == [("alice/app",)] * 2
    for named in (hurt, lost):
        assert alice.head(f"/v2/alice/app/blobs/{named}").status == 404
        mount = f"/v2/alice/other/blobs/uploads/?mount={named}&from=alice/app"
        assert alice.request("POST", mount).status == 202
    assert alice.head(f"/v2/alice/app/manifests/{image}").status == 200
    raw = alice.get("/v2/alice/app/manifests/v1").body
    answer = alice.put_manifest("alice/app", "v2", raw)
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert alice.image("alice/app") == image
    for named, whole in zip((hurt, lost), data, strict=True):
        assert alice.get(f"/v2/alice/app/blobs/{named}").body == whole
    assert scrubber(hub).findings() == ()
    hub.collect()
    assert not damaged.exists()
    assert scrubber(hub).run(rate=0) == Scrubbed(3, done.size, 0, 0)


def test_a_blob_is_read_at_the_rate_that_was_asked_for(hub, alice):
    place = alice.begin("alice/app")
    data = os.urandom(3 * 1024 * 1024)
    assert alice.request("PATCH", place, data).status == 202
    assert alice.request("PUT", f"{place}?digest={digest(data)}").status == 201
    pauses: list[float] = []
    scrubber(hub, pause=pauses.append).run(rate=1024.0)
    assert len(pauses) == 3
    # a mebibyte takes 1024 seconds; nobody waits here, so each pause is longer by that
    assert [round(each / 1024) for each in pauses] == [1, 2, 3]


def test_what_was_read_within_the_week_is_left_alone_and_one_process_reads_for_all(hub, alice):
    named = alice.push_blob("alice/app", b"just verified")
    found = scrubber(hub).run_in_turn(rate=0, every_s=60)
    assert found == Scrubbed()
    assert scrubber(hub).run_in_turn(rate=0, every_s=60) is None
    change(hub, "UPDATE turns SET until = 0")
    change(hub, "UPDATE blobs SET checked_at = ?", time.time() - 8 * 86400)
    file_of(hub, named).write_bytes(b"hurt")
    found = scrubber(hub).run_in_turn(rate=0, every_s=60)
    assert found is not None
    assert (found.blobs, found.found) == (1, 1)


def test_a_run_that_is_stopped_ends_and_notes_nothing_of_what_it_was_reading(hub, alice):
    alice.push_blob("alice/app", b"one")
    change(hub, "UPDATE blobs SET checked_at = 5")
    stops: list[Scrubber] = []
    stopping = scrubber(hub, pause=lambda _: stops[0].stop())
    stops.append(stopping)
    assert stopping.run(rate=1) == Scrubbed()
    row = hub.services.database.read(
        lambda connection: connection.execute("SELECT checked_at FROM blobs").fetchone()
    )
    assert row[0] == 5


def test_a_storage_that_does_not_answer_is_no_damage(hub, alice, monkeypatch):
    alice.push_blob("alice/app", b"fine")

    def fail(*_: object) -> None:
        raise Unavailable("the storage cannot be reached: on purpose")

    monkeypatch.setattr(hub.services.storage, "open", fail)
    with pytest.raises(Unavailable):
        scrubber(hub).run(rate=0)
    monkeypatch.undo()
    assert scrubber(hub).findings() == ()


def test_a_blob_that_came_anew_while_the_old_bytes_were_read_is_well(hub, alice, monkeypatch):
    named = alice.push_blob("alice/app", b"pushed twice")
    file_of(hub, named).write_bytes(b"hurt")
    opened = hub.services.storage.open

    def push_first(wanted, place):
        file = opened(wanted, place)
        alice.push_blob("alice/app", b"pushed twice")
        return file

    monkeypatch.setattr(hub.services.storage, "open", push_first)
    done = scrubber(hub).run(rate=0)
    monkeypatch.undo()
    assert (done.found, done.damaged) == (0, 0)
    assert alice.get(f"/v2/alice/app/blobs/{named}").body == b"pushed twice"


def test_a_hub_that_was_told_a_rate_reads_by_itself_and_counts_it(tmp_path):
    chore = next(each for each in CHORES if "again" in each.name)
    for rate, blobs in ((0, 0), (10**9, 1)):
        settings = HubSettings(root=str(tmp_path / str(rate)), port=0, scrub_rate=rate)
        with Hub(settings=settings) as hub:
            hub.register("alice", PASSWORD)
            Client(hub.address, "alice").push_blob("alice/app", b"read again")
            change(hub, "UPDATE blobs SET checked_at = 0")
            chore.after(hub.services, chore.work(hub.services))
            text = hub.services.metrics.render(uploads=0, free=None)
        assert f"lamina_hub_scrubbed_blobs_total {blobs}\n" in text
