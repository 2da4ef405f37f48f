"""Personal access tokens: what they allow, and when they end."""

import pytest
from tests.hub.clients import PASSWORD, Client, digest
from tests.hub.clock import Time
from tests.hub.site.pages import Browser

from lamina.hub import Hub
from lamina.hub.access_tokens import AccessTokens, is_access_token
from lamina.hub.accounts import Accounts
from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.errors import AccessTokenUnknown, CredentialsRefused, FormInvalid
from lamina.hub.settings import HubSettings


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def accounts(tmp_path, time):
    database = SqliteDatabase(str(tmp_path / "hub.db"))
    accounts = Accounts(database, HubSettings(root=str(tmp_path)), clock=time)
    for name in ("alice", "bob"):
        accounts.register(name, PASSWORD)
    yield accounts
    database.close()


@pytest.fixture
def tokens(accounts, time):
    return AccessTokens(accounts._database, clock=time)


def token_of(hub: Hub, name: str, *actions: str, only: tuple[str, ...] = ()) -> tuple[str, str]:
    """Make a token; give it and its id."""
    made = hub.services.access_tokens
    label = f"{name} {len(made.of(name))}"
    token, row = made.create(name, label, actions=actions, targets=only)
    return token, row.id


def test_a_token_is_random_recognisable_and_kept_as_a_hash_alone(tokens, tmp_path):
    text, _ = tokens.create("alice", "laptop", actions=["pull"])
    other, _ = tokens.create("alice", "server", actions=["pull"])
    assert is_access_token(text)
    assert text != other
    tokens._database.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"laptop" in stored
    assert text.encode() not in stored
    assert text.partition("pat_")[2].encode() not in stored


def test_a_token_logs_its_owner_in_and_nobody_else(tokens):
    text, made = tokens.create("alice", "laptop", actions=["push"], targets=["alice"])
    caller = tokens.login("Alice", text, "here")
    assert (caller.name, caller.token_id) == ("alice", made.id)
    assert caller.reach.actions == {"pull", "push"}
    for name, token in (("bob", text), ("alice", text + "x"), ("alice", text[:-1])):
        with pytest.raises(CredentialsRefused):
            tokens.login(name, token, "here")


def test_a_token_ends_with_its_time_by_revoking_and_with_the_password(tokens, accounts, time):
    text, made = tokens.create("alice", "short", actions=["pull"], expires_in_days=1)
    time.now += 86399
    assert tokens.login("alice", text, "here").name == "alice"
    time.now += 1
    with pytest.raises(CredentialsRefused, match="expired"):
        tokens.login("alice", text, "here")
    with pytest.raises(CredentialsRefused, match="expired"):
        tokens.caller(made.id)
    text, made = tokens.create("alice", "revoked", actions=["pull"])
    with pytest.raises(AccessTokenUnknown):
        tokens.revoke("bob", made.id)
    assert tokens.revoke("alice", made.id).name == "revoked"
    with pytest.raises(CredentialsRefused):
        tokens.login("alice", text, "here")
    text, _ = tokens.create("alice", "old password", actions=["pull"])
    accounts.set_password("alice", "another long password")
    assert tokens.of("alice") == ()
    with pytest.raises(CredentialsRefused):
        tokens.login("alice", text, "here")


def test_the_last_use_is_noted_to_the_minute_and_with_its_address(tokens, time):
    text, _ = tokens.create("alice", "laptop", actions=["pull"])
    assert tokens.of("alice")[0].used_at is None
    tokens.login("alice", text, "192.0.2.1")
    first = tokens.of("alice")[0]
    assert (first.used_at, first.used_from) == (time.now, "192.0.2.1")
    time.now += 59
    tokens.login("alice", text, "192.0.2.1")
    assert tokens.of("alice")[0] == first
    tokens.login("alice", text, "192.0.2.2")
    assert tokens.of("alice")[0].used_from == "192.0.2.2"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("name", {"name": " "}),
        ("name", {"name": "x" * 65}),
        ("name", {"name": "a\nb"}),
        ("name", {"name": "taken"}),
        ("actions", {"actions": []}),
        ("actions", {"actions": ["pull", "admin"]}),
        ("targets", {"targets": ["../etc"]}),
        ("targets", {"targets": ["alice/app:v1"]}),
        ("targets", {"targets": ["alice"] * 51}),
        ("expires_in_days", {"expires_in_days": 0}),
        ("expires_in_days", {"expires_in_days": 3651}),
    ],
)
def test_what_is_wrong_with_a_wish_is_said_by_field(tokens, field, wrong):
    tokens.create("alice", "taken", actions=["pull"])
    with pytest.raises(FormInvalid) as caught:
        tokens.create("alice", **{"name": "new", "actions": ["pull"], **wrong})
    assert list(caught.value.fields) == [field]
    assert len(tokens.of("alice")) == 1


def test_an_account_has_a_hundred_tokens_and_no_more(tokens):
    for number in range(100):
        tokens.create("alice", f"t{number}", actions=["pull"])
    with pytest.raises(FormInvalid, match="revoke old ones"):
        tokens.create("alice", "one more", actions=["pull"])


def test_a_token_takes_the_passwords_place_with_basic_and_at_the_token_service(hub, alice):
    alice.image("alice/pat")
    text, _ = token_of(hub, "alice", "push", only=("alice/pat",))
    holder = Client(hub.address, "alice", text)
    assert holder.get("/v2/").status == 200
    assert holder.image("alice/pat", "by-basic")
    short = holder.get_token("repository:alice/pat:pull,push,delete").json["token"]
    bearer = holder.with_token(short)
    assert bearer.image("alice/pat", "by-bearer")
    named = digest(alice.get("/v2/alice/pat/manifests/v1").body)
    assert bearer.request("DELETE", f"/v2/alice/pat/manifests/{named}").status == 403
    assert holder.request("DELETE", f"/v2/alice/pat/manifests/{named}").status == 403
    assert alice.with_token(text).get("/v2/alice/pat/manifests/v1").status == 200
    assert Client(hub.address, "bob", text).get("/v2/").status == 401


def test_a_token_for_one_repository_reaches_no_other(hub, alice):
    for name in ("alice/mine", "alice/secret", "alice/open"):
        alice.image(name)
    for name in ("alice/mine", "alice/secret"):
        make_private(hub, name)
    text, _ = token_of(hub, "alice", "push", "delete", only=("alice/mine",))
    basic = Client(hub.address, "alice", text)
    asked = [f"repository:alice/{name}:*" for name in ("mine", "secret", "open")]
    bearer = basic.with_token(basic.get_token(*asked).json["token"])
    layer = digest(b"alice/secret base" * 500)
    for holder in (basic, bearer):
        assert holder.get("/v2/alice/mine/manifests/v1").status == 200
        assert holder.get("/v2/alice/secret/manifests/v1").status == 404
        assert holder.get("/v2/alice/open/manifests/v1").status == 200
        for name in ("alice/secret", "alice/open", "alice/new"):
            path = f"/v2/{name}/blobs/uploads/"
            assert holder.request("POST", path).status in (401, 403), name
        listed = holder.get("/v2/_catalog?n=1000").json["repositories"]
        assert "alice/open" in listed
        assert "alice/secret" not in listed
        for source in ("&from=alice/secret", ""):
            path = f"/v2/alice/mine/blobs/uploads/?mount={layer}{source}"
            assert holder.request("POST", path).status == 202, source
        found = holder.get("/v1/search?q=secret").json["results"]
        assert found == []


def test_a_token_of_an_admin_does_no_more_than_it_says(hub, alice):
    alice.image("alice/closed")
    make_private(hub, "alice/closed")
    text, _ = token_of(hub, "chief", "pull", only=("chief",))
    assert Client(hub.address, "chief", text).get("/v2/alice/closed/tags/list").status == 404
    text, _ = token_of(hub, "chief", "pull")
    holder = Client(hub.address, "chief", text)
    assert holder.get("/v2/alice/closed/tags/list").status == 200
    assert holder.request("POST", "/v2/alice/closed/blobs/uploads/").status == 403


def test_a_revoked_token_ends_the_short_tokens_it_was_traded_for(hub, alice):
    alice.image("alice/closed2")
    make_private(hub, "alice/closed2")
    text, token_id = token_of(hub, "alice", "pull")
    holder = Client(hub.address, "alice", text)
    bearer = holder.with_token(holder.get_token("repository:alice/closed2:pull").json["token"])
    assert bearer.get("/v2/alice/closed2/tags/list").status == 200
    hub.services.access_tokens.revoke("alice", token_id)
    for each in (bearer, holder):
        assert each.get("/v2/alice/closed2/tags/list").status == 401


def test_a_token_is_not_traded_for_a_login_of_another_kind(hub):
    text, _ = token_of(hub, "alice", "pull")
    holder = Client(hub.address, "alice", text)
    assert "refresh_token" not in holder.get_token(offline_token="true").json
    assert Browser(hub.address).post("/signin", name="alice", password=text).status == 401


def test_wrong_tokens_do_not_lock_their_owner_out(hub, alice):
    for _ in range(20):
        assert Client(hub.address, "alice", "lamina_pat_" + "x" * 43).get("/v2/").status == 401
    assert Client(hub.address, "alice").get("/v2/").status == 200


def make_private(hub: Hub, name: str) -> None:
    hub.services.database.write(
        lambda connection: (
            connection.execute(
                "UPDATE repositories SET is_private = 1 WHERE name = ?", (name,)
            ).rowcount
        )
    )
