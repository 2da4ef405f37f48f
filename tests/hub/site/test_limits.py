"""What a form may say of a new credential."""

from lamina.hub.site.limits import LIVES, Limits


def test_a_form_says_what_a_credential_may_where_and_how_long():
    limits = Limits.parse({"delete": "yes", "targets": "alice/app, bob  carol", "days": "0"})
    assert limits == Limits(("pull", "delete"), "alice/app, bob  carol", 0)
    assert limits.names == ["alice/app", "bob", "carol"]
    assert limits.values["targets"] == "alice/app, bob  carol"


def test_pulling_is_always_among_it_once_and_a_life_that_is_not_offered_is_the_usual_one():
    for form in ({}, {"pull": "yes", "days": "100000"}, {"days": "-1"}, {"days": "ninety"}):
        assert Limits.parse(form) == Limits(("pull",), "", 90)
    assert 90 in dict(LIVES)
