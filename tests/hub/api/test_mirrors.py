"""Mirroring rules by JSON: what `tests/hub/test_mirrors.py` does not ask."""

from tests.hub.clients import document


def test_deeds_stand_in_the_audit_log(hub, chief):
    body = document({"target": "alice/noted", "source": "registry.invalid/team/app"})
    path = "/api/v1/mirrors"
    made = chief.request("POST", path, body, Content_Type="application/json")
    assert made.status == 201
    own = f"{path}/{made.json['id']}"
    assert chief.request("POST", f"{own}/run").status == 202
    assert chief.request("DELETE", own).status == 204
    found = hub.services.database.read(
        lambda connection: connection.execute(
            "SELECT action FROM audit WHERE subject LIKE 'alice/noted of %' ORDER BY id"
        ).fetchall()
    )
    assert [row[0] for row in found] == ["create mirror", "run mirror", "remove mirror"]
