"""Repositories that are made before their first push: whose, private from then on, described and listed."""

from collections.abc import Iterator

import pytest
from tests.hub.people import CHIEF, DORA, MAX, NOW, OLGA, SAM, acme_of, peopled

from lamina.hub.access import ANONYMOUS
from lamina.hub.caches import Caches
from lamina.hub.database import Database
from lamina.hub.errors import (
    CacheWritten,
    FormInvalid,
    LoginRequired,
    NameUnknown,
    PushDenied,
    RepositoryNameInvalid,
    RepositoryTaken,
)
from lamina.hub.organisations import Organisations
from lamina.hub.repositories import Repositories
from lamina.hub.tables.roles import Role


@pytest.fixture
def database(tmp_path) -> Iterator[Database]:
    with peopled(tmp_path) as database:
        yield database


@pytest.fixture
def acme(database) -> Organisations:
    """The organisation acme of olga, with the members max and dora, who may read."""
    return acme_of(Organisations(database, clock=lambda: NOW), "max", "dora")


@pytest.fixture
def ours(database) -> Repositories:
    return Repositories(database, clock=lambda: NOW)


def members_may(acme: Organisations, role: Role, *, new_private: bool = False) -> None:
    acme.change(OLGA, "acme", summary="", members_role=role, new_private=new_private)


def test_a_private_one_is_there_for_its_owner_and_for_nobody_else(ours):
    made = ours.create(SAM, "sam/app", summary="  what   it is ", is_private=True)
    assert (made.is_private, made.summary, made.created_at) == (True, "what it is", NOW)
    assert ours.view(SAM, "sam/app").tags == 0
    for caller, error in ((MAX, NameUnknown), (ANONYMOUS, LoginRequired)):
        with pytest.raises(error):
            ours.view(caller, "sam/app")
        assert not ours.of(caller, "sam").rows


def test_whoever_may_push_there_may_make_it_and_nobody_else(ours, acme):
    for caller, error in ((MAX, PushDenied), (SAM, PushDenied), (ANONYMOUS, LoginRequired)):
        with pytest.raises(error):
            ours.create(caller, "acme/app")
        assert "acme" not in ours.places(caller)
    members_may(acme, Role.WRITE)
    ours.create(MAX, "acme/app")
    ours.create(CHIEF, "sam/by-chief")
    assert ours.places(MAX) == ("max", "acme")
    assert ours.places(OLGA) == ("olga", "acme")


def test_one_that_is_there_is_told_only_to_who_may_push_to_it(ours, acme):
    ours.create(OLGA, "acme/app", is_private=True)
    with pytest.raises(RepositoryTaken):
        ours.create(OLGA, "acme/app")
    with pytest.raises(PushDenied) as there:
        ours.create(SAM, "acme/app")
    with pytest.raises(PushDenied) as absent:
        ours.create(SAM, "acme/abc")
    assert there.value.message.replace("app", "abc") == absent.value.message


def test_without_a_word_it_is_as_a_push_makes_it(ours, acme):
    assert not ours.create(OLGA, "acme/shown").is_private
    members_may(acme, Role.READ, new_private=True)
    assert ours.create(OLGA, "acme/hidden").is_private
    assert not ours.create(OLGA, "acme/public", is_private=False).is_private


@pytest.mark.parametrize("name", ["sam", "sam/App", "sam//app", "sam/app:v1", "sam/../max/app", ""])
def test_what_is_no_name_is_refused(ours, name):
    with pytest.raises(RepositoryNameInvalid):
        ours.create(SAM, name)


def test_nothing_is_made_where_a_namespace_stands_for_another_registry(ours, database, tmp_path):
    made = Caches(database, clock=lambda: NOW, root=str(tmp_path), form_key=b"k" * 32)
    made.create(CHIEF, "mirrored", "https://registry.example")
    with pytest.raises(CacheWritten):
        ours.create(CHIEF, "mirrored/app")


def test_members_see_those_without_content_and_strangers_do_not(ours, acme):
    ours.create(OLGA, "acme/empty")
    ours.create(OLGA, "acme/secret", is_private=True)
    members_may(acme, Role.NONE)
    names = {
        who.name: sorted(row.repository.name for row in ours.of(who, "acme").rows)
        for who in (OLGA, DORA, SAM)
    }
    assert names == {"olga": ["acme/empty", "acme/secret"], "dora": ["acme/empty"], "sam": []}


def test_a_long_list_is_given_a_hundred_at_a_time(ours):
    for number in range(101):
        ours.create(SAM, f"sam/r{number}")
    first, second = ours.of(SAM, "sam"), ours.of(SAM, "sam", page=2)
    assert (len(first.rows), first.has_next) == (100, True)
    assert (len(second.rows), second.has_next) == (1, False)


def test_a_namespace_has_so_many_without_images_and_no_more(ours, monkeypatch):
    monkeypatch.setattr("lamina.hub.repositories._EMPTY_LIMIT", 3)
    for number in range(3):
        ours.create(SAM, f"sam/r{number}")
    with pytest.raises(FormInvalid, match="sam has 3 repositories without images"):
        ours.create(SAM, "sam/more")
    ours.create(MAX, "max/first")


def test_only_what_was_said_is_changed(ours):
    ours.create(SAM, "sam/app", summary="one", is_private=True)
    ours.change(SAM, "sam/app", readme="# A\r\nB\0")
    before = ours.change(SAM, "sam/app", is_private=False)
    assert before.is_private
    now = ours.change(SAM, "sam/app", summary=" two\0three ")
    assert (now.readme, now.is_private, now.summary) == ("# A\nB", False, "one")
    assert ours.view(MAX, "sam/app").repository.summary == "two three"


def test_who_does_not_administer_it_changes_nothing(ours):
    ours.create(SAM, "sam/hidden", is_private=True)
    ours.create(SAM, "sam/shown")
    with pytest.raises(NameUnknown):
        ours.change(MAX, "sam/hidden", is_private=False)
    with pytest.raises(PushDenied):
        ours.change(MAX, "sam/shown", summary="x")


@pytest.mark.parametrize(
    ("field", "text"), [("summary", "x" * 161), ("readme", "x" * 100_001)], ids=str
)
def test_texts_that_are_too_long_are_refused_with_their_length(ours, field, text):
    ours.create(SAM, "sam/app")
    with pytest.raises(FormInvalid) as refused:
        ours.change(SAM, "sam/app", is_private=True, **{field: text})
    assert f"this has {len(text):,}" in refused.value.fields[field]
    assert not ours.view(SAM, "sam/app").repository.is_private
