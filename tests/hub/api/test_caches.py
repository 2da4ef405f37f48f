"""Caches by JSON: what `tests/hub/test_caches.py` does not ask."""

from tests.hub.clients import document

API = "/api/v1/caches"


def test_numbers_are_whole_and_flags_are_flags(chief):
    for field, value in (("fresh_s", 1.5), ("keep_days", -1), ("is_private", "yes")):
        body = document({"namespace": "up", "upstream": "docker.io", field: value})
        answer = chief.request("POST", API, body, Content_Type="application/json")
        assert (answer.status, field in answer.json["error"]) == (400, True)


def test_deeds_stand_in_the_audit_log(hub, chief):
    body = document({"namespace": "noted", "upstream": "docker.io"})
    assert chief.request("POST", API, body, Content_Type="application/json").status == 201
    assert chief.request("DELETE", f"{API}/noted").status == 204
    found = hub.services.database.read(
        lambda connection: connection.execute(
            "SELECT action FROM audit WHERE subject = 'noted of docker.io' ORDER BY id"
        ).fetchall()
    )
    assert [row[0] for row in found] == ["create cache", "remove cache"]
