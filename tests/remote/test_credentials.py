"""Credentials as values."""

from base64 import b64encode

from lamina.remote.credentials import Credentials


def test_the_user_ends_at_the_first_colon_and_trailing_nuls_go() -> None:
    encoded = b64encode(b"alice:pass:word\0\0").decode()
    assert Credentials.from_basic(encoded) == Credentials("alice", "pass:word")


def test_what_is_no_user_and_password_is_none() -> None:
    assert Credentials.from_basic("!!!") is None
    assert Credentials.from_basic(b64encode(b"no colon").decode()) is None
    assert Credentials.from_basic(b64encode(b":password").decode()) is None
    assert Credentials.from_basic(b64encode(b"\xff\xfe:x").decode()) is None


def test_basic_and_from_basic_are_inverse() -> None:
    credentials = Credentials("jürgen", "pass:wörd")
    assert Credentials.from_basic(credentials.basic) == credentials


def test_a_traceback_shows_no_secret() -> None:
    shown = repr(Credentials("alice", "secret1", "secret2", "secret3"))
    assert "alice" in shown
    assert "secret" not in shown
