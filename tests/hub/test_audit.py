"""The audit log: every deed with who, what, when, from where and with which token."""

from collections.abc import Iterator

import pytest
from tests.hub.clients import PASSWORD, Client, digest, document
from tests.hub.site.pages import Browser

from lamina.hub import Hub, HubSettings
from lamina.hub.tables import audit
from lamina.hub.tables.audit import Entry


@pytest.fixture(scope="module")
def proxied(tmp_path_factory) -> Iterator[Hub]:
    """A hub that believes the proxy on this machine."""
    root = str(tmp_path_factory.mktemp("hub"))
    settings = HubSettings(root=root, port=0, shutdown_s=2.0, proxies=("127.0.0.0/8",))
    with Hub(settings=settings) as hub:
        hub.register("chief", PASSWORD)
        yield hub


def log(hub: Hub, **filters: str) -> tuple[Entry, ...]:
    wanted = {"account": "", "action": "", **filters}
    return hub.services.database.read(
        lambda connection: audit.rows(connection, before=0, limit=1000, **wanted)
    )


def test_pushes_and_deletes_are_noted_before_they_are_answered(hub, alice):
    named = alice.image("alice/noted", "v1")
    first = log(hub)[0]
    assert (first.account, first.action, first.subject) == ("alice", "push", "alice/noted:v1")
    assert (first.address, first.token) == ("127.0.0.1", "")
    layer = alice.push_blob("alice/noted", b"loose")
    for path, action, subject in (
        ("manifests/v1", "delete", "alice/noted:v1"),
        (f"manifests/{named}", "delete", f"alice/noted@{named}"),
        (f"blobs/{layer}", "delete blob", f"alice/noted@{layer}"),
    ):
        answer = alice.request("DELETE", f"/v2/alice/noted/{path}")
        assert answer.status == 202
        last = log(hub)[0]
        assert (last.action, last.subject) == (action, subject)
        assert last.request == answer.headers["x-request-id"]


def test_what_was_refused_and_what_was_only_read_is_not_noted(hub, alice, bob, nobody):
    alice.image("alice/read")
    before = log(hub)
    nobody.get("/v2/alice/read/manifests/v1")
    bob.request("DELETE", "/v2/alice/read/manifests/v1")
    alice.put_manifest("alice/read", "v2", b"{}")
    alice.request("DELETE", f"/v2/alice/read/manifests/{digest(b'none')}")
    assert log(hub) == before


def test_the_access_token_of_a_deed_is_named_whichever_way_it_came(hub):
    text, made = hub.services.access_tokens.create("bob", "ci", actions=["push"])
    holder = Client(hub.address, "bob", text)
    holder.image("bob/tokened", "basic")
    assert log(hub)[0].token == made.id
    short = holder.get_token("repository:bob/tokened:pull,push").json["token"]
    holder.with_token(short).image("bob/tokened", "short")
    last = log(hub)[0]
    assert (last.subject, last.token) == ("bob/tokened:short", made.id)


def test_accounts_sessions_and_refused_logins_are_noted(hub, nobody):
    browser = Browser(hub.address)
    browser.post("/register", name="newcomer", password=PASSWORD)
    browser.post("/signout", page="/settings/tokens")
    browser.sign_in("newcomer", "not the password")
    browser.sign_in("newcomer")
    Client(hub.address, "newcomer", "wrong again").get("/v2/")
    body = document({"name": "by-json", "password": PASSWORD})
    nobody.request("POST", "/api/v1/register", body, Content_Type="application/json")
    found = [(row.account, row.action, row.subject) for row in log(hub)[:6]]
    assert found == [
        ("by-json", "register", "by-json"),
        ("", "login refused", "newcomer"),
        ("newcomer", "sign in", "newcomer"),
        ("", "login refused", "newcomer"),
        ("newcomer", "sign out", "newcomer"),
        ("newcomer", "register", "newcomer"),
    ]


def test_what_is_done_on_pages_and_to_tokens_is_noted(hub, alice):
    owner = Browser(hub.address)
    owner.sign_in("alice")
    alice.image("alice/paged", "v1")
    settings = "/alice/paged/-/settings"
    owner.post(settings, visibility="private")
    owner.post("/alice/paged/-/edit", summary="Mine", readme="")
    owner.post("/alice/paged/-/delete-tags", page=settings, tag="v1")
    owner.post("/alice/paged/-/delete", page=settings, confirm="alice/paged")
    owner.post("/settings/tokens", name="from a page")
    made = alice.request(
        "POST",
        "/api/v1/tokens",
        document({"name": "by json", "actions": ["pull"]}),
        Content_Type="application/json",
    )
    alice.request("DELETE", f"/api/v1/tokens/{made.json['id']}")
    found = [(row.action, row.subject) for row in log(hub, account="alice")[:7]]
    assert found == [
        ("revoke token", "by json"),
        ("create token", "by json"),
        ("create token", "from a page"),
        ("delete repository", "alice/paged"),
        ("delete", "alice/paged:v1"),
        ("describe", "alice/paged"),
        ("make private", "alice/paged"),
    ]


def test_proxies_of_ours_name_the_address_and_nobody_else_does(proxied, hub):
    told = {"X_Forwarded_For": "192.0.2.9", "X_Request_Id": "from-the-proxy"}
    for where, address in ((proxied, "192.0.2.9"), (hub, "127.0.0.1")):
        answer = Client(where.address, "chief", "wrong").get("/v2/", **told)
        last = log(where)[0]
        assert (last.action, last.address) == ("login refused", address)
        assert last.request == answer.headers["x-request-id"]
        assert (last.request == "from-the-proxy") == (where is proxied)


def test_old_deeds_are_dropped_when_their_time_is_over(proxied):
    Client(proxied.address, "chief", "wrong").get("/v2/")
    newest = log(proxied)[0]
    services = proxied.services
    services.database.write(lambda connection: audit.expire(connection, before=newest.at - 1))
    assert log(proxied)[0] == newest
    services.database.write(lambda connection: audit.expire(connection, before=newest.at))
    assert log(proxied) == ()
