"""Links that work once."""

import pytest
from tests.hub.clients import PASSWORD
from tests.hub.opened import Time, opened

from lamina.hub.errors import (
    AccountDisabled,
    AccountUnknown,
    CredentialsRefused,
    FormInvalid,
    LinkInvalid,
    NameTaken,
)

NEW = "a new long password"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def people(tmp_path, time):
    with opened(str(tmp_path), time) as people:
        for name in ("alice", "bob"):
            people.accounts.register(name, PASSWORD)
        yield people


def test_a_reset_sets_a_password_once_and_ends_what_the_old_one_opened(people):
    docker = people.accounts.new_refresh_token(people.accounts.find("alice"), "docker")
    token = people.links.make_reset("alice", by="bob")
    assert people.links.account_of(token) == "alice"
    with pytest.raises(FormInvalid):
        people.links.use_reset(token, "short")
    assert people.links.use_reset(token, NEW).name == "alice"
    assert people.accounts.login("alice", NEW, "here").name == "alice"
    with pytest.raises(CredentialsRefused):
        people.accounts.refresh(docker)
    with pytest.raises(LinkInvalid):
        people.links.use_reset(token, PASSWORD)


def test_a_reset_works_for_an_hour_and_the_newest_alone(people, time):
    old, new = people.links.make_reset("alice"), people.links.make_reset("alice")
    other = people.links.make_reset("bob")
    with pytest.raises(LinkInvalid):
        people.links.account_of(old)
    time.now += 3599
    assert people.links.account_of(new) == "alice"
    assert people.links.account_of(other) == "bob"
    time.now += 1
    for token in (new, other, "", "no link at all"):
        with pytest.raises(LinkInvalid):
            people.links.account_of(token)


def test_a_password_that_was_changed_meanwhile_ends_the_link(people):
    token = people.links.make_reset("alice")
    people.accounts.change_password("alice", PASSWORD, NEW, address="here", ends_tokens=False)
    with pytest.raises(LinkInvalid):
        people.links.use_reset(token, "a third long password")


def test_what_is_kept_of_a_link_opens_nothing(people):
    token = people.links.make_reset("alice")
    rows = people.database.read(
        lambda connection: connection.execute("SELECT token FROM one_time_links").fetchall()
    )
    assert token.encode() not in bytes(rows[0][0])
    with pytest.raises(LinkInvalid):
        people.links.account_of(bytes(rows[0][0]).hex())


def test_a_disabled_account_gets_no_link_and_one_that_is_out_does_not_enable_it(people):
    token = people.links.make_reset("bob")
    people.accounts.set_disabled("bob", is_disabled=True)
    with pytest.raises(AccountDisabled):
        people.links.make_reset("bob")
    with pytest.raises(AccountDisabled):
        people.links.use_reset(token, NEW)
    with pytest.raises(AccountUnknown):
        people.links.make_reset("nobody")


def test_no_second_link_within_a_while_where_that_is_asked(people, time):
    assert people.links.make_reset("alice", not_within_s=300)
    assert people.links.make_reset("alice", not_within_s=300) == ""
    time.now += 301
    assert people.links.make_reset("alice", not_within_s=300)


def test_an_invitation_makes_one_account_within_a_week(people, time):
    token = people.links.make_invitation(by="alice")
    with pytest.raises(FormInvalid):
        people.links.register(token, "Bad Name", PASSWORD)
    with pytest.raises(NameTaken):
        people.links.register(token, "alice", PASSWORD)
    assert not people.links.register(token, "carol", PASSWORD).is_admin
    with pytest.raises(LinkInvalid):
        people.links.register(token, "dave", PASSWORD)
    late = people.links.make_invitation()
    time.now += 7 * 86400
    with pytest.raises(LinkInvalid):
        people.links.register(late, "dave", PASSWORD)


def test_a_link_of_one_kind_is_none_of_the_other(people):
    invitation, reset = people.links.make_invitation(), people.links.make_reset("alice")
    with pytest.raises(LinkInvalid):
        people.links.use_reset(invitation, NEW)
    with pytest.raises(LinkInvalid):
        people.links.register(reset, "carol", PASSWORD)
