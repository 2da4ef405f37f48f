"""Keys that change while tokens are out."""

import jwt
import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.opened import Time, opened

from lamina.hub import Hub
from lamina.hub.access import Caller
from lamina.hub.errors import CredentialsRefused
from lamina.hub.signing_keys import SigningKeys
from lamina.hub.tokens import KeyUnknown, Tokens


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def keys(tmp_path, time):
    with opened(str(tmp_path), time) as people:
        yield SigningKeys(people.database, clock=time, lifetime_s=300)


def test_a_key_is_made_once_and_stays(keys):
    first = keys.load()
    assert len(first) == 1
    assert keys.load() == first


def test_after_a_change_both_are_believed_until_the_old_tokens_are_over(keys, time):
    tokens = Tokens(*keys.load(), lifetime_s=300, clock=time)
    old = tokens.issue(Caller("alice"), {}).token
    tokens.take(keys.rotate())
    new = tokens.issue(Caller("alice"), {}).token
    names = [key["kid"] for key in tokens.keys()["keys"]]
    kids = [jwt.get_unverified_header(token)["kid"] for token in (new, old)]
    assert names == kids
    assert [tokens.verify(token).name for token in (old, new)] == ["alice", "alice"]
    time.now += 299
    assert len(keys.load()) == 2
    time.now += 200
    assert len(keys.load()) == 1
    tokens.take(keys.load())
    assert [key["kid"] for key in tokens.keys()["keys"]] == names[:1]


def test_a_change_at_once_ends_tokens_that_were_verified_before(keys, time):
    tokens = Tokens(*keys.load(), lifetime_s=300, clock=time)
    old = tokens.issue(Caller("alice"), {}).token
    assert tokens.verify(old).name == "alice"
    tokens.take(keys.rotate(at_once=True))
    with pytest.raises(CredentialsRefused):
        tokens.verify(old)
    assert len(keys.load()) == 1


def test_a_process_that_signs_with_the_old_key_a_while_longer_is_believed(keys, time):
    late = Tokens(*keys.load(), lifetime_s=300, clock=time)
    quick = Tokens(*keys.rotate(), lifetime_s=300, clock=time)
    time.now += 30
    token = late.issue(Caller("alice"), {}).token
    with pytest.raises(KeyUnknown):
        late.verify(quick.issue(Caller("alice"), {}).token)
    time.now += 299
    quick.take(keys.load())
    assert quick.verify(token).name == "alice"


def test_a_hub_believes_a_key_that_was_made_beside_it(tmp_path):
    with Hub(root=str(tmp_path / "hub")) as hub:
        hub.register("alice", PASSWORD)
        alice = Client(hub.address, "alice")
        old = alice.with_token(str(alice.get_token().json["token"]))
        beside = hub.services.signing_keys
        other = Tokens(*beside.rotate(), lifetime_s=300, clock=hub.services.clock)
        new = alice.with_token(other.issue(Caller("alice"), {}).token)
        assert new.get("/v2/").status == 200
        assert old.get("/v2/").status == 200
        assert len(alice.get("/.well-known/jwks.json").json["keys"]) == 2
        beside.rotate(at_once=True)
        hub.services.look_for_keys()
        assert [client.get("/v2/").status for client in (old, new)] == [401, 401]
        assert alice.get("/v2/").status == 200


def test_the_key_of_a_hub_before_keys_could_change_is_kept(tmp_path):
    import sqlite3

    from lamina.hub.databases.schema import steps
    from lamina.hub.databases.sqlite import SqliteDatabase
    from lamina.hub.tokens import new_key

    path, pem = str(tmp_path / "hub.db"), new_key()
    connection = sqlite3.connect(path)
    for step in steps():
        if step.number < 16:
            connection.executescript(f"{step.sqlite}; PRAGMA user_version = {step.number};")
    connection.execute("INSERT INTO secrets VALUES ('token signing key', ?)", (pem,))
    connection.commit()
    connection.close()
    database = SqliteDatabase(path)
    assert SigningKeys(database, clock=Time(), lifetime_s=300).load() == (pem,)
    database.close()
