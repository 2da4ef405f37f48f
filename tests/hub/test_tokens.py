"""Tokens: signed, verified, remembered until they end."""

import pytest
from tests.hub.clock import Time

from lamina.hub.access import Caller
from lamina.hub.errors import CredentialsRefused
from lamina.hub.tokens import Tokens, fingerprint, new_key, opaque


def test_a_token_says_who_may_do_what_and_ends():
    time = Time()
    tokens = Tokens(new_key(), lifetime_s=60, clock=time)
    issued = tokens.issue(Caller("alice", is_admin=True), {"alice/a": frozenset({"pull", "push"})})
    for _ in range(2):  # the second time from memory
        caller = tokens.verify(issued.token)
        assert (caller.name, caller.is_admin) == ("alice", True)
        assert caller.grants == {"alice/a": frozenset({"pull", "push"})}
    time.now += 61
    with pytest.raises(CredentialsRefused, match="too old"):
        tokens.verify(issued.token)


def test_a_token_of_another_key_is_refused():
    time = Time()
    ours, theirs = (Tokens(new_key(), lifetime_s=60, clock=time) for _ in range(2))
    with pytest.raises(CredentialsRefused):
        ours.verify(theirs.issue(Caller("alice"), {}).token)


def test_a_changed_token_is_refused():
    tokens = Tokens(new_key(), lifetime_s=60, clock=Time())
    head, payload, mark = tokens.issue(Caller("alice"), {}).token.split(".")
    other = tokens.issue(Caller("chief"), {}).token.split(".")
    for forged in (
        f"{head}.{other[1]}.{mark}",
        f"{head}.{payload}.{other[2]}",
        f"{head}.{payload}.",
    ):
        with pytest.raises(CredentialsRefused):
            tokens.verify(forged)


def test_the_key_is_published_under_the_name_tokens_carry():
    import jwt

    tokens = Tokens(new_key(), lifetime_s=60, clock=Time())
    (key,) = tokens.keys()["keys"]
    header = jwt.get_unverified_header(tokens.issue(Caller(), {}).token)
    assert (header["alg"], header["kid"]) == ("ES256", key["kid"])
    assert "d" not in key


def test_opaque_tokens_are_long_and_kept_as_their_hash():
    assert len({opaque() for _ in range(100)}) == 100
    assert len(opaque()) >= 43
    assert len(fingerprint(opaque())) == 32
