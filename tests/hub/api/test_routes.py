"""The hub's own JSON interface."""

from tests.hub.clients import PASSWORD, document


def register(client, body, kind="application/json"):
    raw = body if isinstance(body, bytes) else document(body)
    return client.request("POST", "/api/v1/register", raw, Content_Type=kind)


def test_registering_by_json_makes_an_account(nobody):
    answer = register(nobody, {"name": "json-user", "password": PASSWORD})
    assert (answer.status, answer.json) == (201, {"name": "json-user", "admin": False})
    again = register(nobody, {"name": "json-user", "password": PASSWORD})
    assert (again.status, list(again.json["fields"])) == (409, ["name"])


def test_what_is_wrong_is_said_by_field(nobody):
    answer = register(nobody, {"name": "X", "password": "y"})
    assert (answer.status, set(answer.json["fields"])) == (400, {"name", "password"})


def test_what_is_no_request_is_refused(nobody):
    for body in (b"", b"[]", b"{", b'{"name": 1, "password": 2}', b'{"name": "x"}'):
        assert register(nobody, body).status == 400
    assert register(nobody, {"name": "ok-name", "password": PASSWORD}, "text/plain").status == 400


def test_half_a_letter_is_no_text(nobody):
    for field in ("name", "password", "invitation"):
        body = {"name": "half", "password": PASSWORD, "invitation": "x"} | {field: "@"}
        raw = document(body).replace(b'"@"', b'"\\ud800 and more"')
        answer = register(nobody, raw)
        assert (answer.status, f"`{field}`" in answer.json["error"]) == (400, True)


def test_health_is_plain_text(nobody):
    answer = nobody.get("/healthz")
    assert (answer.status, answer.body) == (200, b"ok\n")
