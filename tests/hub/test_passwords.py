"""Password checks and their throttle."""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher, extract_parameters
from tests.hub.clock import Time

from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.errors import TooManyAttempts
from lamina.hub.passwords import Passwords, Throttle


def test_nobody_costs_a_check_too_and_is_never_right():
    passwords = Passwords(lambda: 0.0)
    assert not passwords.check("", "anything")
    assert not passwords.check("not a hash", "anything")
    assert passwords.check(passwords.hash("the one"), "the one")


def test_a_name_that_does_not_exist_is_checked_at_the_price_of_one_that_does(monkeypatch):
    verify, paid = PasswordHasher.verify, []

    def recorded(hasher: PasswordHasher, stored: str, password: str) -> bool:
        paid.append(extract_parameters(stored))
        return verify(hasher, stored, password)

    passwords = Passwords(lambda: 0.0)
    stored = passwords.hash("the one")
    monkeypatch.setattr(PasswordHasher, "verify", recorded)
    for kept in (stored, ""):
        assert not passwords.check(kept, "another")
    assert paid == [extract_parameters(stored)] * 2


def test_only_checked_passwords_are_known():
    passwords = Passwords(lambda: 0.0)
    stored = passwords.hash("the one")
    assert not passwords.is_known(stored, "the one")
    passwords.check(stored, "another")
    assert not passwords.is_known(stored, "another")
    passwords.check(stored, "the one")
    assert passwords.is_known(stored, "the one")


@pytest.fixture
def database(tmp_path) -> Iterator[SqliteDatabase]:
    database = SqliteDatabase(str(tmp_path / "hub.db"))
    yield database
    database.close()


def throttle(database: SqliteDatabase, time: Time, per_account: int = 2) -> Throttle:
    return Throttle(database, time, window_s=60, per_account=per_account, per_address=10)


def test_an_address_that_tries_many_names_waits_too(database):
    door = throttle(database, Time())
    for number in range(10):
        door.admit(f"name{number}", "here")
        door.failed(f"name{number}", "here")
    with pytest.raises(TooManyAttempts):
        door.admit("another", "here")
    door.admit("another", "there")


def test_a_success_forgets_the_failures_of_that_name(database):
    door = throttle(database, Time())
    door.failed("alice", "here")
    door.succeeded("alice", "here")
    door.failed("alice", "here")
    door.admit("alice", "here")


def test_who_waited_until_the_oldest_failure_left_the_window_may_try_again(database):
    time = Time()
    door = throttle(database, time)
    door.failed("alice", "here")
    time.now += 20
    door.failed("alice", "here")
    with pytest.raises(TooManyAttempts) as refused:
        door.admit("alice", "here")
    assert refused.value.retry_after_s == 41
    time.now += 41
    door.admit("alice", "here")


def test_another_process_and_a_restart_know_of_failures(database):
    time = Time()
    for _ in range(2):
        throttle(database, time).failed("alice", "here")
    with pytest.raises(TooManyAttempts):
        throttle(database, time).admit("alice", "here")
