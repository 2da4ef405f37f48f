"""Accounts: registering, passwords, sessions."""

import pytest
from tests.hub.clients import PASSWORD
from tests.hub.clock import Time

from lamina.hub.accounts import Accounts
from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.errors import (
    AccountDisabled,
    AccountUnknown,
    CredentialsRefused,
    FormInvalid,
    LastAdmin,
    NameTaken,
    TooManyAttempts,
)
from lamina.hub.settings import HubSettings


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def accounts(tmp_path, time):
    database = SqliteDatabase(str(tmp_path / "hub.db"))
    yield Accounts(database, HubSettings(root=str(tmp_path)), clock=time)
    database.close()


def test_the_first_account_is_the_admin_and_the_next_are_not(accounts):
    assert accounts.register("alice", PASSWORD).is_admin
    assert not accounts.register("bob", PASSWORD).is_admin
    assert [account.name for account in accounts.all()] == ["alice", "bob"]


def test_a_taken_or_bad_name_is_refused(accounts):
    accounts.register("alice", PASSWORD)
    with pytest.raises(NameTaken):
        accounts.register("alice", PASSWORD)
    with pytest.raises(FormInvalid):
        accounts.register("Alice", PASSWORD)


def test_passwords_are_kept_as_argon2id_with_owasps_settings(accounts):
    assert accounts.register("alice", PASSWORD).password.startswith(
        "$argon2id$v=19$m=7168,t=5,p=1$"
    )


def test_login_takes_the_right_password_only(accounts):
    accounts.register("alice", PASSWORD)
    assert accounts.login("Alice ", PASSWORD, "here").name == "alice"
    for name, password in (("alice", PASSWORD + "x"), ("nobody", PASSWORD), ("", "")):
        with pytest.raises(CredentialsRefused):
            accounts.login(name, password, "here")


def test_a_checked_login_is_remembered_until_the_password_changes(accounts, time):
    accounts.register("alice", PASSWORD)
    assert accounts.recall(accounts.find("alice"), PASSWORD) is None
    accounts.login("alice", PASSWORD, "here")
    assert accounts.recall(accounts.find("alice"), PASSWORD) is not None
    assert accounts.recall(accounts.find("alice"), "other") is None
    accounts.set_password("alice", "a new long password")
    assert accounts.recall(accounts.find("alice"), PASSWORD) is None
    accounts.login("alice", "a new long password", "here")
    time.now += 301
    assert accounts.recall(accounts.find("alice"), "a new long password") is None


def test_too_many_wrong_passwords_have_to_wait_and_then_may_try_again(accounts, time):
    accounts.register("alice", PASSWORD)
    for _ in range(8):
        with pytest.raises(CredentialsRefused):
            accounts.login("alice", "wrong one", "here")
    with pytest.raises(TooManyAttempts) as caught:
        accounts.login("alice", PASSWORD, "here")
    assert 0 < caught.value.retry_after_s <= 301
    assert accounts.login("alice", PASSWORD, "elsewhere").name == "alice"
    time.now += 301
    assert accounts.login("alice", PASSWORD, "here").name == "alice"


def test_a_new_password_is_checked_and_ends_logins_of_docker(accounts):
    token = accounts.new_refresh_token(accounts.register("alice", PASSWORD), "docker")
    assert accounts.refresh(token).name == "alice"
    accounts.set_password("alice", "a new long password")
    with pytest.raises(CredentialsRefused):
        accounts.refresh(token)
    with pytest.raises(AccountUnknown):
        accounts.set_password("nobody", "a new long password")
    with pytest.raises(FormInvalid):
        accounts.set_password("alice", "short")


def test_a_hub_keeps_an_admin_who_may_log_in(accounts):
    accounts.register("chief", PASSWORD)
    accounts.register("alice", PASSWORD)
    accounts.set_admin("alice", is_admin=True)
    accounts.set_disabled("chief", is_disabled=True)
    for change in (
        lambda: accounts.set_admin("alice", is_admin=False),
        lambda: accounts.set_disabled("alice", is_disabled=True),
    ):
        with pytest.raises(LastAdmin):
            change()
    assert accounts.login("alice", PASSWORD, "here").is_admin


def test_a_disabled_account_is_told_so_only_to_who_knows_its_password(accounts):
    accounts.register("chief", PASSWORD)
    accounts.register("alice", PASSWORD)
    token = accounts.new_refresh_token(accounts.find("alice"), "docker")
    accounts.set_disabled("alice", is_disabled=True)
    with pytest.raises(AccountDisabled):
        accounts.login("alice", PASSWORD, "here")
    with pytest.raises(CredentialsRefused) as caught:
        accounts.login("alice", "not it at all", "here")
    assert not isinstance(caught.value, AccountDisabled)
    with pytest.raises(CredentialsRefused):
        accounts.refresh(token)
