"""Accounts by way of another site: issuer and subject are a person, an e-mail is none."""

import pytest
from tests.hub.clients import PASSWORD
from tests.hub.opened import Time, opened

from lamina.hub.errors import AccountDisabled, CredentialsRefused, FormInvalid, NameTaken
from lamina.hub.identities import Identities
from lamina.hub.oidc import Claims
from lamina.hub.profiles import Profiles

DANA = Claims("https://id.example", "7", "Dana D.", "dana@example.com", "dana")


@pytest.fixture
def people(tmp_path):
    with opened(str(tmp_path), Time()) as people:
        people.accounts.register("chief", PASSWORD)
        yield people


@pytest.fixture
def identities(people) -> Identities:
    return Identities(people.database, clock=Time())


def test_a_newcomer_gets_an_account_that_no_password_opens(people, identities):
    assert identities.find(DANA) is None
    account = identities.register(DANA, "dana")
    assert identities.find(DANA) == account
    profile = Profiles(people.database).of("dana")
    assert (profile.display_name, profile.email) == ("Dana D.", "dana@example.com")
    for password in ("", PASSWORD):
        with pytest.raises(CredentialsRefused):
            people.accounts.login("dana", password, "here")
    assert people.accounts.recall(people.accounts.find("dana"), "") is None


def test_nobody_gets_an_account_by_its_name_or_its_e_mail(people, identities):
    people.accounts.register("dana", PASSWORD)
    Profiles(people.database).change("dana", Profiles(people.database).of("dana"))
    with pytest.raises(NameTaken):
        identities.register(DANA, "dana")
    with pytest.raises(FormInvalid):
        identities.register(DANA, "Admin!")
    assert identities.find(DANA) is None
    other = Claims("https://evil.example", "7", email="dana@example.com")
    identities.register(other, "evil")
    assert identities.find(DANA) is None


def test_one_person_there_is_one_account_here(people, identities):
    chief = people.accounts.find("chief")
    identities.connect(DANA, chief)
    identities.connect(DANA, chief)
    assert [each.label for each in identities.of(chief)] == ["dana@example.com"]
    bob = people.accounts.register("bob", PASSWORD)
    with pytest.raises(NameTaken):
        identities.connect(DANA, bob)
    with pytest.raises(NameTaken):
        identities.register(DANA, "dana")
    assert people.accounts.find("dana") is None
    identities.disconnect(chief, DANA.issuer)
    assert identities.find(DANA) is None


def test_the_only_way_to_sign_in_stays(people, identities):
    dana = identities.register(DANA, "dana")
    with pytest.raises(FormInvalid):
        identities.disconnect(dana, DANA.issuer)
    people.links.use_reset(people.links.make_reset("dana"), "a new long password")
    identities.disconnect(people.accounts.find("dana"), DANA.issuer)
    assert identities.find(DANA) is None


def test_a_disabled_account_is_not_opened_and_a_deleted_one_is_forgotten(people, identities):
    identities.register(DANA, "dana")
    people.accounts.set_disabled("dana", is_disabled=True)
    with pytest.raises(AccountDisabled):
        identities.find(DANA)
    people.departures.remove("dana", with_repositories=False)
    assert identities.find(DANA) is None
