"""Roles in a repository: who gives and takes them."""

from collections.abc import Iterator

import pytest
from tests.hub.people import CHIEF, DORA, MAX, NOW, OLGA, SAM, peopled
from tests.hub.repositories import find

from lamina.hub.access import ANONYMOUS
from lamina.hub.database import Connection
from lamina.hub.errors import (
    AccountUnknown,
    FormInvalid,
    LoginRequired,
    NameUnknown,
    OrganisationUnknown,
    PushDenied,
    RoleUnknown,
    TeamUnknown,
)
from lamina.hub.organisations import Organisations
from lamina.hub.roles import Roles, parse_role
from lamina.hub.tables import repositories
from lamina.hub.tables.roles import Role


@pytest.fixture
def roles(tmp_path) -> Iterator[Roles]:
    """Roles on acme/app, which is public, and sam/own, which is private; acme has a team devs of dora."""

    def prepare(connection: Connection) -> None:
        for name in ("acme/app", "sam/own"):
            repositories.add(connection, name, now=NOW)
        repositories.set_private(connection, find(connection, "sam/own"), is_private=True)

    with peopled(tmp_path) as database:
        database.write(prepare)
        made = Organisations(database, clock=lambda: NOW)
        made.create(CHIEF, "acme")
        made.set_member(CHIEF, "acme", "olga", is_owner=True)
        made.set_member(CHIEF, "acme", "dora", is_owner=False)
        made.create_team(OLGA, "acme", "devs")
        made.join_team(OLGA, "acme", "devs", "dora")
        yield Roles(database)


def held(roles: Roles, name: str = "acme/app") -> dict[str, str]:
    return {each.name: each.role.word for each in roles.of(CHIEF, name)}


def test_owners_give_roles_to_accounts_and_teams_and_change_them(roles):
    roles.give(OLGA, "acme/app", "max", Role.READ, is_team=False)
    roles.give(OLGA, "acme/app", "devs", Role.WRITE, is_team=True)
    roles.give(OLGA, "acme/app", "max", Role.WRITE, is_team=False)
    assert held(roles) == {"devs": "write", "max": "write"}
    roles.take(OLGA, "acme/app", "devs", is_team=True)
    assert held(roles) == {"max": "write"}


def test_who_has_the_admin_role_gives_and_takes_as_an_owner_does(roles):
    with pytest.raises(PushDenied):
        roles.give(MAX, "acme/app", "sam", Role.READ, is_team=False)
    roles.give(OLGA, "acme/app", "max", Role.ADMIN, is_team=False)
    roles.give(MAX, "acme/app", "sam", Role.READ, is_team=False)
    roles.take(MAX, "acme/app", "sam", is_team=False)
    assert held(roles) == {"max": "admin"}


@pytest.mark.parametrize("role", [Role.READ, Role.WRITE])
def test_readers_and_writers_neither_give_nor_see_who_else_has_a_role(roles, role):
    roles.give(OLGA, "acme/app", "max", role, is_team=False)
    for do in (
        lambda: roles.give(MAX, "acme/app", "max", Role.ADMIN, is_team=False),
        lambda: roles.of(MAX, "acme/app"),
        lambda: roles.take(MAX, "acme/app", "devs", is_team=True),
    ):
        with pytest.raises(PushDenied):
            do()


def test_strangers_learn_nothing_of_a_private_repository_and_nobody_is_to_sign_in(roles):
    for name in ("sam/own", "sam/none"):
        with pytest.raises(NameUnknown, match="is not known here"):
            roles.give(MAX, name, "max", Role.ADMIN, is_team=False)
        with pytest.raises(LoginRequired):
            roles.of(ANONYMOUS, name)
    with pytest.raises(LoginRequired):
        roles.of(ANONYMOUS, "acme/app")


def test_everyone_may_give_back_what_they_were_given(roles):
    roles.give(SAM, "sam/own", "dora", Role.READ, is_team=False)
    roles.take(DORA, "sam/own", "dora", is_team=False)
    assert held(roles, "sam/own") == {}
    with pytest.raises(NameUnknown):
        roles.take(DORA, "sam/own", "dora", is_team=False)


def test_roles_of_nobody_and_of_other_organisations_teams_are_refused(roles):
    with pytest.raises(AccountUnknown):
        roles.give(OLGA, "acme/app", "nobody", Role.READ, is_team=False)
    with pytest.raises(TeamUnknown):
        roles.give(OLGA, "acme/app", "ops", Role.READ, is_team=True)
    with pytest.raises(OrganisationUnknown):
        roles.give(SAM, "sam/own", "devs", Role.READ, is_team=True)
    with pytest.raises(FormInvalid, match="sam's own"):
        roles.give(SAM, "sam/own", "sam", Role.READ, is_team=False)
    with pytest.raises(RoleUnknown):
        roles.take(OLGA, "acme/app", "sam", is_team=False)


def test_roles_are_said_in_one_word_each():
    assert [parse_role(word) for word in ("read", "write", "admin")] == [
        Role.READ,
        Role.WRITE,
        Role.ADMIN,
    ]
    assert parse_role("none", least=Role.NONE) is Role.NONE
    for text in ("none", "READ", "owner", ""):
        with pytest.raises(FormInvalid):
            parse_role(text)
