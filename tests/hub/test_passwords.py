"""Password checks and their throttle."""

import pytest

from lamina.hub.errors import TooManyAttempts
from lamina.hub.passwords import Passwords, Throttle


def test_nobody_costs_a_check_too_and_is_never_right():
    passwords = Passwords(lambda: 0.0)
    assert not passwords.check("", "anything")
    assert not passwords.check("not a hash", "anything")
    assert passwords.check(passwords.hash("the one"), "the one")


def test_only_checked_passwords_are_known():
    passwords = Passwords(lambda: 0.0)
    stored = passwords.hash("the one")
    assert not passwords.is_known(stored, "the one")
    passwords.check(stored, "another")
    assert not passwords.is_known(stored, "another")
    passwords.check(stored, "the one")
    assert passwords.is_known(stored, "the one")


def test_an_address_that_tries_many_names_waits_too():
    throttle = Throttle(lambda: 0.0, window_s=60, per_account=5, per_address=10)
    for number in range(10):
        throttle.admit(f"name{number}", "here")
        throttle.failed(f"name{number}", "here")
    with pytest.raises(TooManyAttempts):
        throttle.admit("another", "here")
    throttle.admit("another", "there")


def test_a_success_forgets_the_failures_of_that_name():
    throttle = Throttle(lambda: 0.0, window_s=60, per_account=2, per_address=10)
    throttle.failed("alice", "here")
    throttle.succeeded("alice", "here")
    throttle.failed("alice", "here")
    throttle.admit("alice", "here")
