"""Sessions: signing in and out, here and elsewhere."""

import pytest
from tests.hub.clients import PASSWORD
from tests.hub.opened import Time, opened

from lamina.hub.errors import CredentialsRefused, SessionUnknown
from lamina.hub.sessions import Sessions


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def people(tmp_path, time):
    with opened(str(tmp_path), time) as people:
        yield people


@pytest.fixture
def sessions(people, time) -> Sessions:
    return Sessions(people.database, clock=time, life_s=1000)


@pytest.fixture
def alice(people):
    return people.accounts.register("alice", PASSWORD)


def test_a_session_lasts_until_it_ends_or_expires(sessions, alice, time):
    token = sessions.begin(alice)
    assert sessions.find(token)[0].name == "alice"
    assert sessions.find(token + "x") is None
    sessions.end(token)
    assert sessions.find(token) is None
    token = sessions.begin(alice)
    time.now += 1001
    assert sessions.find(token) is None
    assert sessions.of(alice) == ()


def test_a_list_says_where_a_session_is_used_and_holds_nothing_that_opens_one(
    sessions, alice, time
):
    token = sessions.begin(alice, address="10.0.0.1", agent="Firefox\x1b[2J")
    time.now += 59  # whoever goes back and forth between two addresses costs a write a minute
    sessions.find(token, address="10.0.0.2")
    assert sessions.of(alice)[0].address == "10.0.0.1"
    time.now += 1
    sessions.find(token, address="10.0.0.2")
    (row,) = sessions.of(alice)
    assert (row.address, row.used_at, row.created_at) == ("10.0.0.2", time.now, time.now - 60)
    assert row.agent == "Firefox?[2J"
    assert sessions.find(row.id) is None


def test_one_session_or_all_others_are_ended_and_never_somebody_elses(people, sessions, alice):
    here, there, third = (sessions.begin(alice) for _ in range(3))
    bob = people.accounts.register("bob", PASSWORD)
    bobs = sessions.begin(bob)
    ids = {token: sessions.find(token)[1].id for token in (here, there, third)}
    with pytest.raises(SessionUnknown):
        sessions.end_one(bob, ids[there])
    with pytest.raises(SessionUnknown):
        sessions.end_one(alice, "")
    sessions.end_one(alice, ids[there])
    assert [sessions.find(token) is None for token in (here, there, third)] == [False, True, False]
    docker = people.accounts.new_refresh_token(alice, "docker")
    assert sessions.end_others(alice, here) == 1
    assert [sessions.find(token) is None for token in (here, third, bobs)] == [False, True, False]
    with pytest.raises(CredentialsRefused):
        people.accounts.refresh(docker)


def test_a_new_password_and_a_disabled_account_end_sessions(people, sessions, alice):
    people.accounts.register("bob", PASSWORD)
    people.accounts.set_admin("bob", is_admin=True)
    for end in (
        lambda: people.accounts.set_password("alice", "a new long password"),
        lambda: people.accounts.set_disabled("alice", is_disabled=True),
    ):
        token = sessions.begin(alice)
        end()
        assert sessions.find(token) is None
