"""Organisations: who may change what of them, and that none is ever left to nobody."""

from collections.abc import Iterator

import pytest
from tests.hub.people import CHIEF, DORA, MAX, NOW, OLGA, SAM, acme_of, peopled
from tests.hub.repositories import find

from lamina.hub.database import Connection, Database
from lamina.hub.errors import (
    AccountUnknown,
    FormInvalid,
    LastOwner,
    NameTaken,
    NotEmpty,
    NotYours,
    OrganisationUnknown,
    RoleUnknown,
    TeamUnknown,
)
from lamina.hub.organisations import Organisations, check_owner
from lamina.hub.tables import organisations, repositories, roles
from lamina.hub.tables.roles import Role


@pytest.fixture
def database(tmp_path) -> Iterator[Database]:
    with peopled(tmp_path) as database:
        yield database


@pytest.fixture
def made(database) -> Organisations:
    """The organisation acme of olga, with the member max."""
    return acme_of(Organisations(database, clock=lambda: NOW), "max")


def test_who_makes_an_organisation_owns_it_and_may_take_others_in(made):
    found = made.view(OLGA, "acme")
    assert [(each.name, each.is_owner) for each in found.members] == [
        ("olga", True),
        ("max", False),
    ]
    assert (found.is_member, found.is_owner) == (True, True)
    assert [(each.name, owns) for each, owns in made.of("max")] == [("acme", False)]


def test_its_name_is_of_the_same_kind_as_an_accounts_and_taken_once(made):
    for name in ("Acme", "a", "settings", "a/b", "-a", "acme+ci", ""):
        with pytest.raises(FormInvalid):
            made.create(OLGA, name)
    for name in ("acme", "max"):
        with pytest.raises(NameTaken):
            made.create(OLGA, name)


def test_nobody_comes_to_own_repositories_by_making_an_organisation_of_their_namespace(
    made, database
):
    database.write(lambda connection: repositories.add(connection, "other/app", now=NOW))
    with pytest.raises(NameTaken):
        made.create(SAM, "other")
    assert made.create(CHIEF, "other").name == "other"


def test_strangers_see_that_it_is_there_and_members_who_is_in_it(made):
    made.create_team(OLGA, "acme", "devs")
    stranger = made.view(SAM, "acme")
    assert (stranger.is_member, stranger.members, stranger.teams) == (False, (), ())
    member = made.view(MAX, "acme")
    assert (member.is_owner, len(member.members), len(member.teams)) == (False, 2, 1)
    admin = made.view(CHIEF, "acme")
    assert (admin.is_member, admin.is_owner, len(admin.members)) == (False, True, 2)
    with pytest.raises(OrganisationUnknown):
        made.view(OLGA, "nobody")


@pytest.mark.parametrize("caller", [MAX, SAM])
def test_only_owners_and_admins_change_anything(made, caller):
    made.create_team(OLGA, "acme", "devs")
    made.set_member(OLGA, "acme", "dora", is_owner=False)
    tries = [
        lambda: made.change(
            caller, "acme", summary="x", members_role=Role.WRITE, new_private=False
        ),
        lambda: made.remove(caller, "acme"),
        lambda: made.set_member(caller, "acme", caller.name, is_owner=True),
        lambda: made.remove_member(caller, "acme", "dora"),
        lambda: made.create_team(caller, "acme", "more"),
        lambda: made.remove_team(caller, "acme", "devs"),
        lambda: made.join_team(caller, "acme", "devs", caller.name),
        lambda: made.leave_team(caller, "acme", "devs", "dora"),
    ]
    for each in tries:
        with pytest.raises(NotYours):
            each()
    made.change(CHIEF, "acme", summary="x  y", members_role=Role.WRITE, new_private=True)
    found = made.view(MAX, "acme").organisation
    assert (found.summary, found.members_role, found.new_private) == ("x y", Role.WRITE, True)


def test_the_last_owner_can_neither_go_nor_be_put_down(made):
    for change in (
        lambda: made.remove_member(OLGA, "acme", "olga"),
        lambda: made.set_member(OLGA, "acme", "olga", is_owner=False),
        lambda: made.remove_member(CHIEF, "acme", "olga"),
    ):
        with pytest.raises(LastOwner):
            change()
    made.set_member(OLGA, "acme", "max", is_owner=True)
    made.remove_member(OLGA, "acme", "olga")
    assert [each.name for each in made.view(MAX, "acme").members] == ["max"]


def test_everyone_may_leave_and_loses_teams_and_roles_with_it(made, database):
    made.create_team(OLGA, "acme", "devs")
    made.join_team(OLGA, "acme", "devs", "max")
    made.remove_member(MAX, "acme", "max")
    made.set_member(OLGA, "acme", "max", is_owner=False)
    assert made.team(OLGA, "acme", "devs").members == ()
    with pytest.raises(RoleUnknown):
        made.remove_member(OLGA, "acme", "dora")
    with pytest.raises(AccountUnknown):
        made.set_member(OLGA, "acme", "nobody", is_owner=False)


def test_teams_are_of_members_and_seen_by_members(made, database):
    made.create_team(OLGA, "acme", "devs")
    with pytest.raises(NameTaken):
        made.create_team(OLGA, "acme", "devs")
    with pytest.raises(FormInvalid):
        made.create_team(OLGA, "acme", "De Vs")
    with pytest.raises(RoleUnknown, match="dora is not a member"):
        made.join_team(OLGA, "acme", "devs", "dora")
    made.join_team(OLGA, "acme", "devs", "max")
    made.join_team(OLGA, "acme", "devs", "max")

    def give(connection: Connection) -> None:
        repositories.add(connection, "acme/app", now=NOW)
        acme = organisations.get(connection, "acme")
        team = organisations.get_team(connection, acme, "devs")
        roles.give_team(connection, find(connection, "acme/app").id, team.id, Role.WRITE)

    database.write(give)
    found = made.team(MAX, "acme", "devs")
    assert (found.team.name, found.team.size, found.members) == ("devs", 1, ("max",))
    assert found.roles == (("acme/app", Role.WRITE),)
    with pytest.raises(NotYours):
        made.team(SAM, "acme", "devs")
    made.leave_team(OLGA, "acme", "devs", "max")
    with pytest.raises(RoleUnknown):
        made.leave_team(OLGA, "acme", "devs", "max")
    made.remove_team(OLGA, "acme", "devs")
    with pytest.raises(TeamUnknown):
        made.team(OLGA, "acme", "devs")


def test_an_organisation_goes_only_without_repositories(made, database):
    database.write(lambda connection: repositories.add(connection, "acme/app", now=NOW))
    with pytest.raises(NotEmpty, match="acme/app"):
        made.remove(OLGA, "acme")
    database.write(
        lambda connection: repositories.remove(connection, find(connection, "acme/app"), now=NOW)
    )
    made.remove(OLGA, "acme")
    assert made.of("olga") == ()
    with pytest.raises(NameTaken):  # images elsewhere may name it
        made.create(SAM, "acme")


def test_bad_settings_are_refused_by_field(made):
    for summary, role, field in (
        ("x" * 161, Role.READ, "summary"),
        ("", Role.ADMIN, "members_role"),
    ):
        with pytest.raises(FormInvalid) as caught:
            made.change(OLGA, "acme", summary=summary, members_role=role, new_private=False)
        assert field in caught.value.fields


def test_a_namespace_is_its_accounts_its_owners_and_the_admins(database, made):
    def ask(caller, namespace: str) -> str:
        try:
            database.read(lambda connection: check_owner(connection, caller, namespace))
        except (NotYours, OrganisationUnknown):
            return "no"
        return "yes"

    answers = {
        (who.name, where): ask(who, where)
        for who in (OLGA, MAX, CHIEF)
        for where in ("acme", "olga", "none")
    }
    assert [key for key, answer in answers.items() if answer == "yes"] == [
        ("olga", "acme"),
        ("olga", "olga"),
        ("chief", "acme"),
        ("chief", "olga"),
    ]


def test_what_an_account_owns_alone_is_known_before_it_goes(made, database):
    def alone(connection: Connection) -> tuple[str, ...]:
        acme = organisations.get(connection, "acme")
        olga = organisations.find_member(connection, acme, OLGA.name)
        assert olga is not None
        return organisations.owned_alone(connection, olga.account_id)

    assert database.read(alone) == ("acme",)
    made.set_member(OLGA, "acme", "dora", is_owner=True)
    assert database.read(alone) == ()
    assert DORA.name in [each.name for each in made.view(DORA, "acme").members if each.is_owner]
