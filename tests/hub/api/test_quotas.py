"""Quotas by JSON: admins set them, owners see theirs."""

import pytest
from tests.hub.clients import document

OF = "/api/v1/quotas/of?target="


def put(client, target: str, size: object):
    return client.request(
        "PUT", OF + target, document({"size": size}), Content_Type="application/json"
    )


def test_an_admin_sets_lists_and_removes_and_an_owner_sees(alice, bob, chief, nobody):
    alice.push_blob("alice/full", b"x" * 700)
    assert put(chief, "alice/full", 1000).status == 200
    seen = alice.get(OF + "alice/full").json
    assert (seen["used"], seen["size"], seen["own"]) == (700, 1000, True)
    whole = alice.get(OF + "alice").json
    assert whole["size"] is None
    assert {"name": "alice/full", "used": 700} in whole["repositories"]
    row = {"target": "alice/full", "size": 1000, "used": 700, "own": True}
    assert row in chief.get("/api/v1/quotas").json["quotas"]
    for client, status in ((alice, 403), (bob, 403), (nobody, 401)):
        assert put(client, "alice/full", 10**9).status == status
        assert client.get("/api/v1/quotas").status == status
        assert client.request("DELETE", OF + "alice/full").status == status
    for client, status in ((bob, 403), (nobody, 401)):
        assert client.get(OF + "alice/full").status == status
        assert client.get(OF + "alice").status == status
    assert chief.request("DELETE", OF + "alice/full").status == 204
    assert chief.request("DELETE", OF + "alice/full").status == 404


def test_a_push_beyond_it_is_denied_here_as_well(alice, chief):
    assert put(chief, "alice/tight", 1000).status == 200
    place = alice.begin("alice/tight")
    assert alice.request("PATCH", place, b"x" * 2000).code == "DENIED"
    assert put(chief, "alice/tight", 5000).status == 200
    place = alice.begin("alice/tight")
    assert alice.request("PATCH", place, iter([b"x" * 4000, b"y" * 4000])).code == "DENIED"
    alice.push_blob("alice/tight", b"z" * 5000)
    assert alice.get(OF + "alice/tight").json["used"] == 5000
    chief.request("DELETE", OF + "alice/tight")


@pytest.mark.parametrize("size", [-1, "10GB", None, True, 1.5, 2**63])
def test_what_is_no_size_is_refused(chief, size):
    assert put(chief, "alice/full", size).status == 400
