"""Quotas: what counts, when it is checked, and what a client is told."""

import os

import pytest
from tests.hub.clients import PASSWORD, Client, digest
from tests.hub.repositories import find
from tests.hub.test_collect import change

from lamina.hub import Hub
from lamina.hub.tables import quotas, repositories

KB = 1000


@pytest.fixture
def hub(tmp_path):
    with Hub(root=str(tmp_path)) as hub:
        for name in ("chief", "alice", "bob"):
            hub.register(name, PASSWORD)
        yield hub


@pytest.fixture
def alice(hub) -> Client:
    return Client(hub.address, "alice")


def used(hub, target: str) -> int:
    found = hub.services.database.read(lambda connection: quotas.find(connection, target))
    assert found is not None
    measured = hub.services.quotas.usage(target).used
    assert found.used == measured  # what is kept along is what is counted anew
    return int(found.used)


def put(client, place: str, data, named: str = "", **headers: str):
    end = f"?digest={named}" if named else ""
    return client.request("PUT" if named else "PATCH", place + end, data, **headers)


def test_a_namespace_counts_a_digest_once_and_each_of_its_repositories_for_itself(hub, alice):
    for target in ("alice", "alice/a", "alice/b"):
        hub.services.quotas.set(target, 100 * KB)
    shared, own = os.urandom(10 * KB), os.urandom(5 * KB)
    named = alice.push_blob("alice/a", shared)
    alice.push_blob("alice/b", shared)
    alice.push_blob("alice/b", own)
    alice.push_blob("alice/b", own)
    assert [used(hub, each) for each in ("alice", "alice/a", "alice/b")] == [15000, 10000, 15000]
    answer = alice.request("POST", f"/v2/alice/c/blobs/uploads/?mount={named}&from=alice/a")
    assert answer.status == 201
    assert used(hub, "alice") == 15000
    alice.request("DELETE", f"/v2/alice/a/blobs/{named}")
    assert [used(hub, each) for each in ("alice", "alice/a")] == [15000, 0]
    hub.services.database.write(
        lambda connection: repositories.remove(connection, find(connection, "alice/b"), now=1.0)
    )
    assert [used(hub, each) for each in ("alice", "alice/b")] == [10000, 0]
    hub.collect()
    assert used(hub, "alice") == 0


def test_a_small_blob_that_has_no_room_is_denied_with_words_and_figures(hub, alice):
    hub.services.quotas.set("alice", 10 * KB)
    alice.push_blob("alice/a", os.urandom(6 * KB))
    data = os.urandom(5 * KB)
    answer = alice.request("POST", f"/v2/alice/a/blobs/uploads/?digest={digest(data)}", data)
    assert (answer.status, answer.code) == (403, "DENIED")
    assert answer.json["errors"][0]["message"] == (
        "alice has 6kB of the 10kB it may have, and 5kB more are to come"
    )
    assert used(hub, "alice") == 6000
    assert os.listdir(os.path.join(hub.root, "uploads")) == []
    assert Client(hub.address, "bob").push_blob("bob/a", data)
    alice.push_blob("alice/a", os.urandom(4 * KB))
    assert alice.request("POST", "/v2/alice/a/blobs/uploads/").status == 403


@pytest.mark.parametrize("how", ["post", "put", "patch", "chunked patch", "chunked put"])
def test_a_large_upload_is_denied_when_it_is_declared_and_as_it_grows(hub, alice, how):
    hub.services.quotas.set("alice/a", 2000 * KB)
    data = os.urandom(2100 * KB)
    named = digest(data)
    pieces = (data[first : first + 65536] for first in range(0, len(data), 65536))
    if how == "post":
        answer = alice.request("POST", f"/v2/alice/a/blobs/uploads/?digest={named}", data)
    else:
        place = alice.begin("alice/a")
        body = pieces if how.startswith("chunked") else data
        answer = put(alice, place, body, named if how.endswith("put") else "")
        assert alice.get(place).status == 404
    assert (answer.status, answer.code) == (403, "DENIED")
    least = "at least 2MB" if how.startswith("chunked") else "2.1MB"
    assert f"alice/a has 0B of the 2MB it may have, and {least} more are to come" in answer.text
    assert os.listdir(os.path.join(hub.root, "uploads")) == []


def test_pieces_that_were_let_in_one_by_one_are_denied_once_they_are_too_many(hub, alice):
    hub.services.quotas.set("alice", 10 * KB)
    place = alice.begin("alice/a")
    assert put(alice, place, os.urandom(6 * KB)).status == 202
    other = alice.begin("alice/b")
    assert put(alice, other, os.urandom(5 * KB)).status == 403
    assert put(alice, place, os.urandom(5 * KB)).status == 403


def test_a_blob_that_lost_its_room_while_it_came_is_denied_when_it_is_linked(hub, alice):
    place = alice.begin("alice/a")
    data = os.urandom(6 * KB)
    assert put(alice, place, data).status == 202
    hub.services.quotas.set("alice", 5 * KB)
    answer = alice.request("PUT", f"{place}?digest={digest(data)}")
    assert (answer.status, answer.code) == (403, "DENIED")
    assert alice.get(place).status == 404
    assert used(hub, "alice") == 0


def test_a_mount_into_a_full_repository_is_denied(hub, alice):
    named = alice.push_blob("alice/a", os.urandom(6 * KB))
    hub.services.quotas.set("alice/b", 5 * KB)
    path = f"/v2/alice/b/blobs/uploads/?mount={named}&from=alice/a"
    assert alice.request("POST", path).code == "DENIED"


def test_a_push_that_fits_to_the_byte_goes_through_and_what_is_deleted_makes_room(hub, alice):
    hub.services.quotas.set("alice", 6 * KB)
    named = alice.push_blob("alice/a", os.urandom(6 * KB))
    alice.request("DELETE", f"/v2/alice/a/blobs/{named}")
    alice.push_blob("alice/a", os.urandom(6 * KB))


def test_every_namespace_without_a_quota_of_its_own_has_the_hubs(hub, alice):
    bob = Client(hub.address, "bob")
    alice.push_blob("alice/a", os.urandom(4 * KB))
    hub.services.quotas.set("hub", 5 * KB)
    hub.services.quotas.set("bob", 9 * KB)
    data = os.urandom(2 * KB)
    path = f"/v2/alice/a/blobs/uploads/?digest={digest(data)}"
    assert "alice has 4kB of the 5kB" in alice.request("POST", path, data).text
    alice.push_blob("alice/a", os.urandom(1 * KB))
    assert used(hub, "alice") == 5000
    bob.push_blob("bob/a", os.urandom(8 * KB))
    hub.services.quotas.remove("hub")
    alice.push_blob("alice/a", data)
    assert [each.target for each in hub.services.quotas.all()] == ["bob"]


def test_what_was_counted_wrong_is_put_right_once_a_day(hub, alice):
    hub.services.quotas.set("alice", 9 * KB)
    alice.push_blob("alice/a", os.urandom(4 * KB))
    change(hub, "UPDATE quotas SET used = 7")
    hub.services.quotas.recount_in_turn(every_s=1000)
    assert used(hub, "alice") == 4000
    change(hub, "UPDATE quotas SET used = 7")
    hub.services.quotas.recount_in_turn(every_s=1000)
    row = hub.services.quotas.all()[0]
    assert row.used == 7  # in nobody's turn
