"""What keeping a hub is on PostgreSQL and S3: tests/hub/test_replicas.py runs these on its servers."""

import os
import threading

from tests.hub.clients import PASSWORD, Client, digest
from tests.hub.exploring.images import BOTTOM, TOP, explorer, known, push
from tests.hub.site.pages import Browser
from tests.hub.test_backup import back, bring, fill
from tests.hub.test_collect import elsewhere

from lamina.hub import Hub, HubSettings
from lamina.hub.storage.address import S3Address
from lamina.hub.tables import blobs
from lamina.hub.tables.blobs import Kept
from lamina.spec.digest import Digest

LARGE = os.urandom(1024 * 1024) * 21 + b"and a little more"


def test_a_small_blob_on_its_way_in_is_not_swept_from_elsewhere_however_little_grace_there_is(
    hub, alice, monkeypatch
):
    put = hub.services.storage.take

    def take_and_sweep(upload: str, wanted: Digest, data: bytes) -> Kept:
        kept: Kept = put(upload, wanted, data)
        elsewhere(hub).sweep(grace_s=0, upload_grace_s=86400, push_grace_s=3600)
        return kept

    monkeypatch.setattr(hub.services.storage, "take", take_and_sweep)
    named = alice.push_blob("alice/small", b"on its way in")
    assert alice.get(f"/v2/alice/small/blobs/{named}").body == b"on its way in"


def test_a_rehearsal_says_what_a_sweep_removes_here_as_well(hub, alice):
    named = alice.push_blob("alice/rehearsed", b"rehearsed")
    alice.request("DELETE", f"/v2/alice/rehearsed/blobs/{named}")
    said = hub.services.collector.rehearse(grace_s=0, upload_grace_s=86400)
    assert named in [each.name for each in said]
    assert hub.collect().blobs == len([each for each in said if each.kind == "blob"])


def test_a_hub_moves_from_sqlite_and_a_folder_to_postgresql_and_s3_and_back(
    postgres, radosgw, tmp_path
):
    with Hub(root=str(tmp_path / "small")) as small:
        small.register("alice", PASSWORD)
        alice = Client(small.address, "alice")
        expected = fill(alice)
        place = alice.begin("alice/large")
        assert alice.request("PATCH", place, LARGE).status == 202
        assert alice.request("PUT", f"{place}?digest={digest(LARGE)}").status == 201
        expected[f"/v2/alice/large/blobs/{digest(LARGE)}"] = LARGE
        assert back(small, tmp_path / "one").lacking == ()
    places = {"database": postgres.make_database(), "storage": radosgw.make_bucket()}
    assert bring(tmp_path / "one", tmp_path / "unused", **places).lacking == ()
    settings = HubSettings(root=str(tmp_path / "big"), port=0, shutdown_s=2.0, **places)
    with Hub(settings=settings) as big:
        alice = Client(big.address, "alice")
        assert {path: alice.get(path).body for path in expected} == expected
        alice.image("alice/app", "v9", seed="made there")
        big.register("bob", PASSWORD)
        big.collect(grace_s=3600)
        assert back(big, tmp_path / "two").lacking == ()
    assert bring(tmp_path / "two", tmp_path / "again").accounts == 2
    with Hub(root=str(tmp_path / "again")) as again:
        alice = Client(again.address, "alice")
        assert {path: alice.get(path).body for path in expected} == expected
        assert alice.get("/v2/alice/app/manifests/v9").status == 200


def test_pushes_into_two_namespaces_with_quotas_at_once_are_counted_each_for_itself(hub, second):
    for name in ("alice", "bob"):
        hub.services.quotas.set(f"{name}/counted-at-once", 10**6)
    failures: list[BaseException] = []

    def push(name: str, replica: Hub) -> None:
        client = Client(replica.address, name)
        try:
            for number in range(12):
                client.push_blob(f"{name}/counted-at-once", f"{name} {number:06}".encode())
        except BaseException as error:
            failures.append(error)
            raise

    pushers = [
        threading.Thread(target=push, args=(name, replica))
        for name in ("alice", "bob")
        for replica in (hub, second)
    ]
    for thread in pushers:
        thread.start()
    for thread in pushers:
        thread.join()
    assert failures == []
    for name in ("alice", "bob"):
        found = next(q for q in hub.services.quotas.all() if q.target == f"{name}/counted-at-once")
        assert found.used == hub.services.quotas.usage(f"{name}/counted-at-once").used
        assert found.used == 12 * (len(name) + 7)
        hub.services.quotas.remove(f"{name}/counted-at-once")


def test_a_damaged_object_is_set_aside_and_comes_anew_with_the_next_push(hub, radosgw, alice):
    data = b"an object that the storage changes"
    named = Digest(alice.push_blob("alice/objects", data))
    place = hub.services.database.read(lambda connection: blobs.place(connection, named))
    address = S3Address.parse(hub.settings.storage)
    key = f"{address.prefix}{place}"
    radosgw.client().put_object(Bucket=address.bucket, Key=key, Body=b"hurt")
    assert hub.services.scrubber.run(rate=0).found == 1
    assert [each.blob.digest for each in hub.services.scrubber.findings()] == [named]
    assert alice.head(f"/v2/alice/objects/blobs/{named}").status == 404
    alice.push_blob("alice/objects", data)
    assert alice.get(f"/v2/alice/objects/blobs/{named}").body == data
    assert hub.services.scrubber.findings() == ()


def test_of_two_replicas_one_looks_into_an_image_and_both_show_it(hub, second, alice):
    push(alice, "alice/looked", "v1", [BOTTOM])
    image = push(alice, "alice/looked", "v2", [BOTTOM, TOP])
    both = [explorer(hub), explorer(second)]
    threads = [threading.Thread(target=one.look_at_due) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert known(hub, "alice/looked", "v2").state == "done"
    assert len(alice.get(f"/v2/alice/looked/referrers/{image}").json["manifests"]) == 2
    for replica in (hub, second):
        visitor = Browser(replica.address)
        assert "Changed: content" in visitor.get("/alice/looked/-/files/v2?path=usr/bin/hello").text
        assert "/srv/large" in visitor.get("/alice/looked/-/diff/v2?against=v1").text
    push(alice, "alice/again", "v1", [BOTTOM], env=["A=b"])
    explorer(second).look_at_due()
    found = known(hub, "alice/again", "v1")
    assert (found.state, found.secrets) == ("done", 1)  # seen when the other image was looked into
    alice.request("DELETE", f"/v2/alice/looked/manifests/{image}")
    hub.collect()
    assert alice.get(f"/v2/alice/looked/referrers/{image}").json["manifests"] == []


def test_replicas_share_the_turns_of_those_whose_images_wait(hub, second, alice, bob):
    hub.services.database.write(
        lambda connection: connection.execute("UPDATE manifests SET look_at = NULL")
    )
    push(bob, "bob/waits", "v1", [BOTTOM])
    for number in range(3):
        push(alice, "alice/many", f"v{number}", [BOTTOM], env=[f"A={number}"])
    jobs = [explorer(one)._claim() for one in (hub, second, hub, second, hub)]
    names = [job.name if job else "" for job in jobs]
    assert sorted(names[:2]) == ["alice/many", "bob/waits"]
    assert names[2:] == ["alice/many", "alice/many", ""]
