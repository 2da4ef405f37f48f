"""What people say of themselves."""

import pytest
from tests.hub.clients import PASSWORD
from tests.hub.opened import Time, opened

from lamina.hub.errors import AccountUnknown, FormInvalid
from lamina.hub.profiles import Profiles, email_trouble
from lamina.hub.tables.profiles import Profile


@pytest.mark.parametrize("email", ["", "a@b", "alice.b+hub@mail.example.com", "o'neil@example.ie"])
def test_an_address_is_taken(email):
    assert email_trouble(email) == ""


@pytest.mark.parametrize(
    "email",
    [
        "alice", "@example.com", "a b@example.com", "a@b@c", "a@b\r\nBcc: all@example.com",
        "a@b,c@d", "<a@b>", "a@" + "x" * 300, "a@ex ample.com", 'javascript:alert(1)//"@b',
    ],
)  # fmt: skip
def test_what_is_more_or_less_than_one_address_is_not(email):
    assert email_trouble(email)


def test_words_are_kept_and_too_long_ones_are_not(tmp_path):
    with opened(str(tmp_path), Time()) as people:
        profiles = Profiles(people.database)
        people.accounts.register("alice", PASSWORD)
        assert profiles.of("alice") == Profile()
        words = Profile("Alice B.", "alice@example.com", shows_email=True, about="# Hello")
        profiles.change("alice", words)
        assert profiles.of("alice") == words
        with pytest.raises(FormInvalid) as caught:
            profiles.change("alice", Profile("x" * 65, "nowhere", about="y" * 4001))
        assert set(caught.value.fields) == {"display_name", "email", "about"}
        assert profiles.of("alice") == words
        with pytest.raises(AccountUnknown):
            profiles.change("bob", words)
