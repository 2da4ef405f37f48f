"""Forms prove that they come from our own pages."""

from tests.hub.clients import PASSWORD
from tests.hub.site.pages import Browser


def test_a_form_without_its_token_is_refused(visitor):
    visitor.get("/signin")
    answer = visitor.post("/signin", token="", name="alice", password=PASSWORD)
    assert answer.status == 403
    assert "lamina_session" not in visitor.cookies


def test_a_token_of_another_visitor_is_refused(hub, visitor):
    stolen = Browser(hub.address).token("/signin")
    visitor.get("/signin")
    assert visitor.post("/signin", token=stolen, name="alice", password=PASSWORD).status == 403


def test_a_token_from_before_signing_in_does_not_act_afterwards(visitor):
    early = visitor.token("/signin")
    visitor.sign_in("alice")
    assert visitor.post("/signout", token=early).status == 403


def test_a_form_from_another_origin_is_refused(visitor):
    token = visitor.token("/signin")
    body = f"form_token={token}&name=alice&password=x".encode()
    assert visitor.send("/signin", body, Origin="https://evil.example").status == 403
    assert visitor.send("/signin", body, Origin=f"http://{visitor._client.address}").status == 401
