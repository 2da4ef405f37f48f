"""Garbage collection: what nobody names goes after its grace, what is in flight never does."""

import os
import threading
import time

import pytest
from tests.hub.clients import INDEX, MANIFEST, PASSWORD, Client, digest, document
from tests.hub.repositories import find

from lamina.hub import Hub, collect
from lamina.hub.chores import CHORES
from lamina.hub.collect import Collected, Collector, Removed
from lamina.hub.tables import turns
from lamina.spec.digest import Digest

_LONG_S = 200.0


@pytest.fixture
def hub(tmp_path):
    with Hub(root=str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        yield hub


@pytest.fixture
def alice(hub) -> Client:
    return Client(hub.address, "alice")


def files(hub) -> set[str]:
    hub.services.storage.settle()
    return {
        f"sha256:{name.partition('.')[0]}"
        for _, _, names in os.walk(os.path.join(hub.root, "blobs"))
        for name in names
    }


def test_a_deleted_image_frees_its_blobs_after_the_grace_and_no_others(hub, alice):
    alice.image("alice/a", "v1", seed="first")
    alice.image("alice/a", "v2", seed="second")
    alice.request("DELETE", "/v2/alice/a/manifests/v1")
    assert hub.collect(grace_s=3600).blobs == 0
    found = hub.collect()
    assert (found.manifests, found.blobs) == (1, 2)  # its top layer and its config
    assert digest(b"first top" * 20) not in files(hub)
    assert alice.get(f"/v2/alice/a/blobs/{digest(b'second top' * 20)}").status == 200
    assert hub.collect().blobs == 0


def test_a_manifest_deleted_by_digest_frees_its_blobs(hub, alice):
    named = alice.image("alice/a")
    alice.request("DELETE", f"/v2/alice/a/manifests/{named}")
    assert hub.collect().blobs == 3
    assert files(hub) == set()


def test_a_blob_two_repositories_show_stays_until_both_let_go(hub, alice):
    one, two = alice.push_blob("alice/a", b"shared"), alice.push_blob("alice/b", b"shared")
    assert one == two
    alice.request("DELETE", f"/v2/alice/a/blobs/{one}")
    hub.collect(grace_s=3600)
    assert alice.get(f"/v2/alice/b/blobs/{one}").body == b"shared"
    alice.request("DELETE", f"/v2/alice/b/blobs/{one}")
    assert hub.collect().blobs == 1


def test_a_moved_tag_keeps_the_image_people_may_have_pinned(hub, alice):
    old = alice.image("alice/a", seed="old")
    alice.image("alice/a", seed="new")
    assert hub.collect().blobs == 0
    assert alice.get(f"/v2/alice/a/manifests/{old}").status == 200


def test_children_of_a_live_index_and_referrers_of_a_live_subject_are_live(hub, alice):
    raw = alice.manifest("alice/a")
    alice.put_manifest("alice/a", "child", raw)
    row = {"mediaType": MANIFEST, "digest": digest(raw), "size": len(raw)}
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]})
    alice.put_manifest("alice/a", "all", index, INDEX)
    subject = {"mediaType": INDEX, "digest": digest(index), "size": len(index)}
    signature = alice.manifest("alice/a", seed="signature", subject=subject)
    alice.put_manifest("alice/a", "sig", signature)
    for tag in ("child", "sig"):
        alice.request("DELETE", f"/v2/alice/a/manifests/{tag}")
    assert hub.collect().manifests == 0
    assert alice.get(f"/v2/alice/a/manifests/{digest(raw)}").status == 200
    alice.request("DELETE", "/v2/alice/a/manifests/all")
    assert hub.collect().manifests == 3
    assert files(hub) == set()


def test_a_tag_that_comes_back_within_the_grace_saves_the_image(hub, alice):
    alice.image("alice/a")
    alice.request("DELETE", "/v2/alice/a/manifests/v1")
    hub.collect(grace_s=3600)
    alice.image("alice/a")
    hub.collect()
    assert alice.get("/v2/alice/a/manifests/v1").status == 200


def test_blobs_pushed_before_their_manifest_are_kept_for_the_grace(hub, alice):
    raw = alice.manifest("alice/a")
    hub.collect(grace_s=3600)
    assert alice.put_manifest("alice/a", "v1", raw).status == 201
    hub.collect()
    assert alice.get("/v2/alice/a/manifests/v1").status == 200


def test_asking_for_a_loose_blob_renews_its_lease(hub, alice):
    named = alice.push_blob("alice/a", b"pushed long ago")
    age_links(hub, 3000)
    assert alice.head(f"/v2/alice/a/blobs/{named}").status == 200
    age_links(hub, 3000)
    hub.collect(grace_s=3600)
    assert alice.head(f"/v2/alice/a/blobs/{named}").status == 200


def test_an_upload_that_rested_too_long_is_dropped(hub, alice):
    place = alice.begin("alice/a")
    alice.request("PATCH", place, b"half")
    assert hub.collect(upload_grace_s=3600).uploads == 0
    assert hub.collect(upload_grace_s=0).uploads == 1
    assert alice.get(place).status == 404
    assert os.listdir(os.path.join(hub.root, "uploads")) == []


def test_a_deleted_repository_frees_its_blobs(hub, alice):
    from lamina.hub.tables import repositories

    alice.image("alice/a")
    alice.image("alice/b")
    hub.services.database.write(
        lambda connection: repositories.remove(
            connection, find(connection, "alice/a"), now=hub.services.clock()
        )
    )
    assert alice.get("/v2/alice/a/tags/list").status == 404
    hub.collect()
    assert alice.get("/v2/alice/b/manifests/v1").status == 200
    assert digest(b"alice/a base" * 500) not in files(hub)


def test_sweeps_during_pushes_never_lose_a_blob(hub):
    done = threading.Event()
    failures: list[object] = []

    def push(number: int, turn: int) -> None:
        client = Client(hub.address, "alice")
        try:
            client.image(f"alice/r{number % 2}", f"t{number}", seed=f"seed {turn % 2}")
            answer = client.get(f"/v2/alice/r{number % 2}/manifests/t{number}")
            for row in answer.json["layers"]:
                blob = client.get(f"/v2/alice/r{number % 2}/blobs/{row['digest']}")
                assert digest(blob.body) == row["digest"]
            client.request("DELETE", f"/v2/alice/r{number % 2}/manifests/t{number}")
        except BaseException as error:
            failures.append(error)
            raise

    def sweep() -> None:
        while not done.is_set():
            hub.collect(grace_s=_LONG_S)  # longer than a push here takes, on any machine

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for turn in range(8):
            pushers = [threading.Thread(target=push, args=(number, turn)) for number in range(4)]
            for thread in pushers:
                thread.start()
            for thread in pushers:
                thread.join()
            # What nobody needs now is garbage at once, and is pushed again while it is swept.
            age_links(hub, 2 * _LONG_S)
    finally:
        done.set()
        sweeper.join()
    assert failures == []


def age_links(hub, seconds: float) -> None:
    hub.services.database.write(
        lambda connection: (
            connection.execute(
                "UPDATE links SET loose_at = loose_at - ?, awaited_at = awaited_at - ?",
                (seconds, seconds),
            ).rowcount
        )
    )


def test_a_power_cut_after_the_row_and_before_the_rename_is_mended_by_the_sweep(
    hub, alice, monkeypatch
):
    services = hub.services
    monkeypatch.setattr(services.storage, "shelve", lambda digest, place: None)
    named = alice.push_blob("alice/cut", b"still among the uploads")
    monkeypatch.undo()
    assert list(services.storage.strays(age_s=0)) != []
    assert alice.get(f"/v2/alice/cut/blobs/{named}").body == b"still among the uploads"
    hub.collect(grace_s=3600, upload_grace_s=0)
    assert list(services.storage.strays(age_s=0)) == []
    assert alice.get(f"/v2/alice/cut/blobs/{named}").body == b"still among the uploads"


def test_a_sweep_that_died_between_rows_and_bytes_is_finished_by_the_next(hub, alice, monkeypatch):
    named = alice.push_blob("alice/a", b"swept by halves")
    alice.request("DELETE", f"/v2/alice/a/blobs/{named}")

    def die(leftovers: list[tuple[Digest, str]]) -> None:
        raise OSError("on purpose")

    monkeypatch.setattr(hub.services.storage, "drop", die)
    with pytest.raises(OSError, match="on purpose"):
        hub.collect()
    monkeypatch.undo()
    assert files(hub) == {named}
    hub.collect()
    assert files(hub) == set()


def test_processes_take_turns_at_sweeping(hub, alice):
    collector = hub.services.collector
    pushed = []
    for name in ("one", "two"):
        pushed.append(alice.push_blob("alice/a", name.encode()))
        alice.request("DELETE", f"/v2/alice/a/blobs/{pushed[-1]}")
        collector.sweep_in_turn(every_s=1000, grace_s=0, upload_grace_s=1000)
    assert files(hub) == {pushed[1]}  # the second was in nobody's turn


def elsewhere(hub) -> Collector:
    """A sweep in another process: it does not know what this one receives."""
    services = hub.services
    return Collector(services.database, services.storage, clock=time.time, active=lambda: ())


def change(hub, sql: str, *values: object) -> int:
    return int(
        hub.services.database.write(lambda connection: connection.execute(sql, values).rowcount)
    )


def test_an_upload_that_goes_on_after_a_long_rest_is_not_swept_by_another_process(hub, alice):
    place = alice.begin("alice/a")
    alice.request("PATCH", place, b"half")
    change(hub, "UPDATE uploads SET touched_at = ?", time.time() - 86000)
    assert alice.get(place).headers["range"] == "0-3"  # whoever asks goes on
    assert elsewhere(hub).sweep(grace_s=0, upload_grace_s=600).uploads == 0
    assert alice.request("PUT", f"{place}?digest={digest(b'half')}").status == 201


def test_what_this_process_receives_and_closes_is_noted_for_the_others(hub, alice, monkeypatch):
    renew = next(chore for chore in CHORES if "under way" in chore.name)
    place = alice.begin("alice/a")
    alice.request("PATCH", place, b"all")
    commit, found = hub.services.storage.commit, []

    def slow(upload: str, wanted: Digest) -> object:
        change(hub, "UPDATE uploads SET touched_at = ?", time.time() - 86000)
        renew.work(hub.services)  # which comes by while a large upload is hashed
        found.append(elsewhere(hub).sweep(grace_s=0, upload_grace_s=600).uploads)
        return commit(upload, wanted)

    monkeypatch.setattr(hub.services.storage, "commit", slow)
    assert alice.request("PUT", f"{place}?digest={digest(b'all')}").status == 201
    assert found == [0]


def test_what_a_push_brought_hours_ago_stays_while_it_goes_on_and_what_was_deleted_goes(hub, alice):
    alice.image("alice/a", "other", seed="second")
    old = time.time() - 90000
    change(hub, "UPDATE links SET awaited_at = ?", old)
    raw = alice.manifest("alice/a", seed="first")  # the base is the other image's as well
    alice.request("DELETE", "/v2/alice/a/manifests/other")
    change(hub, "UPDATE manifests SET doomed_at = ?", old)
    change(hub, "UPDATE links SET loose_at = ?, awaited_at = awaited_at - 7200", old)
    found = elsewhere(hub).sweep(grace_s=0, upload_grace_s=86400, push_grace_s=3600)
    assert (found.manifests, found.blobs) == (1, 2)  # its top layer and its config
    assert alice.put_manifest("alice/a", "v1", raw).status == 201


def test_what_nobody_goes_on_to_push_goes_after_the_grace_and_at_last_from_a_busy_repository(
    hub, alice
):
    alice.manifest("alice/a")
    age = "UPDATE links SET loose_at = ?, awaited_at = ?"
    change(hub, age, *[time.time() - 7200] * 2)
    sweep = elsewhere(hub).sweep
    assert sweep(grace_s=3600, upload_grace_s=86400).blobs == 0
    change(hub, "UPDATE repositories SET busy_at = ?", time.time() - 7100)
    assert sweep(grace_s=3600, upload_grace_s=86400).blobs == 3
    alice.manifest("alice/a")
    change(hub, age, *[time.time() - 90000] * 2)
    assert sweep(grace_s=3600, upload_grace_s=86400).blobs == 3


def test_a_rehearsal_says_what_a_sweep_removes_and_removes_nothing(hub, alice):
    kept = alice.image("alice/a", "v1", seed="first")
    gone = alice.image("alice/a", "v2", seed="second")
    alice.request("DELETE", "/v2/alice/a/manifests/v2")
    alice.begin("alice/a")
    hub.services.uploads.note_rested(for_s=0)
    graces = {"grace_s": 0.0, "upload_grace_s": 0.0}
    collector = elsewhere(hub)
    said = collector.rehearse(**graces)
    assert collector.rehearse(**graces) == said
    assert len(files(hub)) == 5
    told: list[Removed] = []
    found = collector.sweep(**graces, tell=told.append)
    assert told == list(said)
    assert (
        found
        == Collected.of(said)
        == Collected(manifests=1, blobs=2, size=said[-1].size + said[-2].size, uploads=1)
    )
    assert f"alice/a@{gone}" in [each.name for each in said]
    assert f"alice/a@{kept}" not in [each.name for each in said]


def test_bytes_stay_where_they_are_while_someone_holds_them(hub, alice):
    named = alice.push_blob("alice/a", b"held")
    alice.request("DELETE", f"/v2/alice/a/blobs/{named}")
    database = hub.services.database
    database.write(lambda connection: turns.hold(connection, "test", until=time.time() + 1000))
    assert hub.collect().blobs == 1
    assert files(hub) == {named}
    database.write(lambda connection: turns.let_go(connection, "test", now=time.time()))
    hub.collect()
    assert files(hub) == set()


def test_a_sweep_goes_on_where_a_whole_batch_frees_no_blob(hub, alice, monkeypatch):
    monkeypatch.setattr(collect, "_BATCH", 2)
    for number in range(5):
        alice.push_blob("alice/a", b"shared %d" % number)
        alice.push_blob("alice/b", b"shared %d" % number)
    change(hub, "UPDATE links SET loose_at = 0, awaited_at = 0 WHERE repository_id = 1")
    change(hub, "UPDATE repositories SET busy_at = 0")
    hub.collect(grace_s=3600)
    left = hub.services.database.read(
        lambda connection: connection.execute("SELECT count(*) FROM links").fetchone()[0]
    )
    assert left == 5
