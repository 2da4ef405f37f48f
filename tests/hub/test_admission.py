"""Roles as the database has them, on SQLite and on PostgreSQL, and over HTTP from request to request."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.hub.clients import Client, digest
from tests.hub.repositories import find, hide
from tests.postgres import PostgresServer, has_postgres

from lamina.hub import Hub
from lamina.hub.access import Caller
from lamina.hub.admission import admit, allowed
from lamina.hub.database import Connection, Database
from lamina.hub.databases.postgres import PostgresDatabase
from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.errors import (
    CredentialsRefused,
    LastOwner,
    NameTaken,
    NameUnknown,
    NotYours,
    PushDenied,
)
from lamina.hub.organisations import Organisations
from lamina.hub.robots import Robots
from lamina.hub.roles import Roles
from lamina.hub.tables import accounts, organisations, repositories, roles
from lamina.hub.tables.roles import Holder, Reader, Role

PULL, PUSH, ALL = {"pull"}, {"pull", "push"}, {"pull", "push", "delete"}
NOW = 1_000_000.0


def people(connection: Connection) -> None:
    """acme of olga with the member max and the team devs of dora; sam is a stranger. Three repositories."""
    for name in ("chief", "olga", "max", "dora", "sam"):
        accounts.add(connection, name=name, password="-", now=NOW)
    acme = organisations.add(connection, "acme", owner=accounts.get(connection, "olga"), now=NOW)
    devs = organisations.add_team(connection, acme, "devs", now=NOW)
    for name in ("max", "dora"):
        account = accounts.get(connection, name)
        organisations.set_member(connection, acme, account, is_owner=False, now=NOW)
    organisations.join_team(connection, devs, accounts.get(connection, "dora").id)
    for name in ("acme/app", "acme/other", "sam/own"):
        repositories.add(connection, name, now=NOW)
        row = find(connection, name)
        repositories.set_private(connection, row, is_private=True)
    roles.give_team(connection, find(connection, "acme/app").id, devs.id, Role.WRITE)


@pytest.fixture(scope="module", params=["sqlite", *(["postgres"] if has_postgres() else [])])
def database(request, tmp_path_factory) -> Iterator[Database]:
    if request.param == "sqlite":
        opened: Database = SqliteDatabase(str(tmp_path_factory.mktemp("db") / "hub.db"))
        opened.write(people)
        yield opened
        opened.close()
        return
    with PostgresServer() as server:
        opened = PostgresDatabase(server.make_database())
        opened.write(people)
        yield opened
        opened.close()


class Undo(Exception):
    """Raised at a test's end: its writes are taken back."""


@pytest.fixture
def may(database):
    """Ask what an account may do, after `change` was tried."""

    def ask(account: str, name: str, change=lambda connection: None) -> set[str]:
        found: set[str] = set()

        def work(connection: Connection) -> None:
            change(connection)
            repository = repositories.find(connection, name)
            found.clear()
            found.update(allowed(connection, Caller(account), name, repository))
            raise Undo

        with pytest.raises(Undo):
            database.write(work)
        return found

    return ask


@pytest.mark.parametrize(
    ("account", "app", "other", "new"),
    [
        ("olga", ALL, ALL, ALL),
        ("max", PULL, PULL, PULL),
        ("dora", PUSH, PULL, PULL),
        ("sam", set(), set(), set()),
        ("nobody-of-that-name", set(), set(), set()),
    ],
)
def test_owners_may_all_members_what_all_members_may_and_teams_what_they_were_given(
    may, account, app, other, new
):
    assert may(account, "acme/app") == app
    assert may(account, "acme/other") == other
    assert may(account, "acme/new") == new


def test_what_all_members_may_is_said_once_for_an_organisation(may):
    def everyone(role: Role):
        def change(connection: Connection) -> None:
            acme = organisations.get(connection, "acme")
            organisations.change(connection, acme, summary="", members_role=role, new_private=False)

        return change

    assert may("max", "acme/other", everyone(Role.NONE)) == set()
    assert may("max", "acme/new", everyone(Role.WRITE)) == PUSH
    assert may("dora", "acme/app", everyone(Role.NONE)) == PUSH
    assert may("sam", "acme/other", everyone(Role.WRITE)) == set()


def test_the_highest_role_counts_and_it_is_for_one_repository_alone(may):
    def give(role: Role):
        def change(connection: Connection) -> None:
            row = find(connection, "acme/app")
            for name in ("sam", "dora"):
                account = accounts.get(connection, name)
                roles.give_account(connection, row.id, account.id, role)

        return change

    assert may("sam", "acme/app", give(Role.READ)) == PULL
    assert may("dora", "acme/app", give(Role.READ)) == PUSH
    assert may("sam", "acme/app", give(Role.ADMIN)) == ALL
    assert may("dora", "acme/app", give(Role.ADMIN)) == ALL
    assert may("sam", "acme/other", give(Role.ADMIN)) == set()
    assert may("olga", "sam/own", give(Role.ADMIN)) == set()


def test_who_leaves_loses_everything_they_were_given_here(may):
    def leave(connection: Connection) -> None:
        dora = accounts.get(connection, "dora")
        roles.give_account(connection, find(connection, "acme/app").id, dora.id, Role.ADMIN)
        roles.give_account(connection, find(connection, "sam/own").id, dora.id, Role.READ)
        organisations.remove_member(connection, organisations.get(connection, "acme"), dora.id)

    assert may("dora", "acme/app", leave) == set()
    assert may("dora", "sam/own", leave) == PULL


def test_what_goes_takes_its_roles_with_it(may):
    def without_team(connection: Connection) -> None:
        acme = organisations.get(connection, "acme")
        organisations.remove_team(connection, organisations.get_team(connection, acme, "devs"))

    def again(connection: Connection) -> None:
        repositories.remove(connection, find(connection, "acme/app"), now=NOW)
        repositories.add(connection, "acme/app", now=NOW)

    assert may("dora", "acme/app", without_team) == PULL
    assert may("dora", "acme/app", again) == PULL


def test_lists_show_what_their_reader_may_see(database):
    def seen(connection: Connection, reader: Reader) -> list[str]:
        rows = [
            row.repository.name
            for namespace in ("acme", "sam")
            for row in repositories.of_namespace(connection, namespace, reader=reader, limit=50)
        ]
        names = repositories.catalog(connection, reader=reader, last="", limit=10)
        found = repositories.search(connection, "", reader=reader, limit=10)
        assert sorted(rows) == list(names) == sorted(row.repository.name for row in found)
        return rows

    def work(connection: Connection) -> dict[str, list[str]]:
        for name in ("acme/app", "acme/other", "sam/own"):
            connection.execute(
                "INSERT INTO manifests (repository_id, digest, media_type, raw, content_size,"
                " pushed_at, pushed_by) VALUES (?, 'sha256:0', 'x', ?, 0, 0, 'olga')",
                (find(connection, name).id, b"{}"),
            )
        acme = organisations.get(connection, "acme")
        organisations.change(
            connection, acme, summary="", members_role=Role.NONE, new_private=False
        )
        callers = [Caller(name) for name in ("olga", "max", "dora", "sam", "")]
        callers += [Caller("chief", is_admin=True), Caller("acme+ci", robot_of="acme")]
        found.update({each.name: seen(connection, each.as_reader) for each in callers})
        raise Undo

    found: dict[str, list[str]] = {}
    with pytest.raises(Undo):
        database.write(work)
    assert found == {
        "olga": ["acme/app", "acme/other"],
        "max": [],
        "dora": ["acme/app"],
        "sam": ["sam/own"],
        "": [],
        "chief": ["acme/app", "acme/other", "sam/own"],
        "acme+ci": ["acme/app", "acme/other"],
    }


def test_organisations_and_accounts_share_their_names(database):
    def take_account(connection: Connection) -> None:
        accounts.add(connection, name="acme", password="-", now=NOW)

    def take_organisation(name: str):
        def work(connection: Connection) -> None:
            owner = accounts.get(connection, "sam")
            organisations.add(connection, name, owner=owner, now=NOW)

        return work

    for work in (take_account, take_organisation("max"), take_organisation("acme")):
        with pytest.raises(NameTaken):
            database.write(work)


def test_nobody_comes_to_own_what_an_admin_pushed_by_registering_its_namespace(database):
    def work(connection: Connection) -> None:
        repositories.add(connection, "team/app", now=NOW)
        accounts.add(connection, name="team", password="-", now=NOW)

    with pytest.raises(NameTaken):
        database.write(work)


def test_use_cases_of_organisations_and_robots_go_through_on_both_databases(database):
    made = Organisations(database, clock=lambda: NOW)
    robots = Robots(database, clock=lambda: NOW)
    olga, sam = Caller("olga"), Caller("sam")
    made.create(olga, "crew")
    made.set_member(olga, "crew", "sam", is_owner=False)
    made.change(olga, "crew", summary="x", members_role=Role.WRITE, new_private=True)
    made.create_team(olga, "crew", "deck")
    made.join_team(olga, "crew", "deck", "sam")
    assert made.team(sam, "crew", "deck").members == ("sam",)
    assert [each.name for each in made.view(sam, "crew").members] == ["olga", "sam"]
    assert [(each.name, owns) for each, owns in made.of("sam")] == [("crew", False)]
    rows = database.read(lambda found: organisations.search(found, "CRE", limit=5, offset=0))
    assert [(each.name, members, count) for each, members, count in rows] == [("crew", 2, 0)]
    token, robot = robots.create(olga, "crew", "ci", actions=["push"], expires_in_days=1)
    own, _ = robots.create(sam, "sam", "ci", actions=["pull"])
    assert robots.login("crew+ci", token, "here").token_id == robot.id
    assert robots.login("sam+ci", own, "here").robot_of == "sam"
    assert robots.of(olga, "crew")[0].used_at == NOW
    fresh, renewed = robots.renew(olga, "crew", "ci", expires_in_days=None)
    assert robots.login("", fresh, "here").token_id == renewed.id
    robots.revoke(olga, "crew", "ci")
    with pytest.raises(LastOwner):
        made.remove_member(olga, "crew", "olga")
    made.leave_team(olga, "crew", "deck", "sam")
    made.remove_team(olga, "crew", "deck")
    made.remove_member(sam, "crew", "sam")
    made.remove(olga, "crew")
    with pytest.raises(NameTaken):
        made.create(olga, "crew")


def test_owners_who_put_each_other_down_at_once_leave_one(database):
    made = Organisations(database, clock=lambda: NOW)
    pair = ("olga", "sam")

    def put_down(caller: str, other: str, start: threading.Barrier) -> str:
        start.wait()
        try:
            made.set_member(Caller(caller), name, other, is_owner=False)
        except (LastOwner, NotYours) as error:
            return type(error).__name__
        return "done"

    for turn in range(4):
        name = f"pair{turn}"
        made.create(Caller("olga"), name)
        made.set_member(Caller("olga"), name, "sam", is_owner=True)
        start = threading.Barrier(2)
        with ThreadPoolExecutor(2) as pool:
            done = [
                pool.submit(put_down, caller, other, start) for caller, other in (pair, pair[::-1])
            ]
            said = [each.result() for each in done]
        owners = [each.name for each in made.view(Caller("olga"), name).members if each.is_owner]
        assert len(owners) == said.count("done") == 1, said


def test_a_name_that_an_account_and_an_organisation_want_at_once_goes_to_one(database):
    def register(name: str) -> None:
        database.write(lambda found: accounts.add(found, name=name, password="-", now=NOW))

    def organise(name: str) -> None:
        def work(connection: Connection) -> None:
            organisations.add(connection, name, owner=accounts.get(connection, "olga"), now=NOW)

        database.write(work)

    for turn in range(4):
        with ThreadPoolExecutor(2) as pool:
            done = [pool.submit(each, f"wanted{turn}") for each in (register, organise)]
            errors = [each.exception() for each in done]
        assert [type(each) for each in errors if each] == [NameTaken]


def test_a_repositorys_holders_are_listed_teams_first(database):
    def work(connection: Connection) -> None:
        row = find(connection, "acme/app")
        for name, role in (("sam", Role.READ), ("max", Role.ADMIN), ("sam", Role.WRITE)):
            account = accounts.get(connection, name)
            roles.give_account(connection, row.id, account.id, role)
        found[:] = roles.of_repository(connection, row.id)
        assert roles.take_account(connection, row.id, accounts.get(connection, "sam").id)
        assert not roles.take_account(connection, row.id, accounts.get(connection, "sam").id)
        raise Undo

    found: list[Holder] = []
    with pytest.raises(Undo):
        database.write(work)
    assert found == [
        Holder("devs", is_team=True, role=Role.WRITE),
        Holder("max", is_team=False, role=Role.ADMIN),
        Holder("sam", is_team=False, role=Role.WRITE),
    ]


def test_a_role_for_nothing_is_no_way_to_learn_of_private_repositories(database):
    def work(connection: Connection) -> None:
        for name in ("acme/app", "acme/none"):
            row = repositories.find(connection, name)
            with pytest.raises(NameUnknown, match="is not known here"):
                admit(connection, Caller("sam"), name, row, "pull")

    database.read(work)


@pytest.fixture
def acme(hub: Hub) -> str:
    """A private repository of an organisation of alice's; its digest."""

    def work(connection: Connection) -> None:
        if organisations.find(connection, "acme") is None:
            owner = accounts.get(connection, "alice")
            organisations.add(connection, "acme", owner=owner, now=NOW)

    hub.services.database.write(work)
    named = Client(hub.address, "alice").image("acme/app")
    hide(hub, "acme/app")
    return named


def test_a_role_holds_from_the_next_request_on_and_no_longer_than_it_is_held(hub, bob, acme):
    path = "/v2/acme/app/manifests/v1"
    token = bob.with_token(str(bob.get_token("repository:acme/app:pull,push").json["token"]))
    assert (bob.get(path).status, token.get(path).status) == (404, 404)

    def write(work) -> None:
        hub.services.database.write(
            lambda connection: work(
                connection,
                find(connection, "acme/app").id,
                accounts.get(connection, "bob").id,
            )
        )

    write(lambda connection, row, account: roles.give_account(connection, row, account, Role.READ))
    assert bob.get(path).status == 200
    assert token.get(path).status == 401  # the token was given when bob might nothing
    fresh = bob.with_token(str(bob.get_token("repository:acme/app:pull,push").json["token"]))
    assert fresh.get(path).status == 200
    assert bob.request("POST", "/v2/acme/app/blobs/uploads/").code == "DENIED"
    assert "acme/app" in bob.get("/v2/_catalog?n=1000").json["repositories"]

    write(lambda connection, row, account: roles.give_account(connection, row, account, Role.WRITE))
    bob.image("acme/app", "bobs", seed="bobs")
    assert bob.request("DELETE", "/v2/acme/app/manifests/bobs").code == "DENIED"

    write(roles.take_account)
    assert (bob.get(path).status, fresh.get(path).status) == (404, 404)
    assert "acme/app" not in bob.get("/v2/_catalog?n=1000").json["repositories"]


def test_a_blob_is_mounted_from_where_a_role_lets_one_pull_and_from_nowhere_else(hub, bob, acme):
    blob = digest(b"acme/app base" * 500)
    path = f"/v2/bob/taken/blobs/uploads/?mount={blob}&from=acme/app"
    assert bob.request("POST", path).status == 202

    def give(connection: Connection) -> None:
        bobs = accounts.get(connection, "bob")
        roles.give_account(connection, find(connection, "acme/app").id, bobs.id, Role.READ)

    hub.services.database.write(give)
    assert bob.request("POST", path).status == 201


def test_an_organisation_may_want_its_new_repositories_private(hub, alice, nobody, acme):
    def change(connection: Connection) -> None:
        organisations.change(
            connection,
            organisations.get(connection, "acme"),
            summary="",
            members_role=Role.READ,
            new_private=True,
        )

    hub.services.database.write(change)
    alice.image("acme/hidden")
    assert nobody.get("/v2/acme/hidden/manifests/v1").status == 401
    assert alice.get("/v2/acme/hidden/manifests/v1").status == 200


def test_what_another_process_takes_away_is_gone_with_the_next_request(hub, bob, acme):
    """Whatever this process remembers of pulls and logins, another one's commit makes it look again."""
    path = "/v2/acme/app/manifests/v1"
    token, robot = hub.services.robots.create(Caller("alice"), "acme", "replica", actions=["pull"])
    ci = Client(hub.address, robot.login, token)
    other = SqliteDatabase(os.path.join(hub.services.settings.root, "hub.db"))
    try:
        roles_there, robots_there = Roles(other), Robots(other, clock=hub.services.clock)
        for _ in range(2):
            roles_there.give(Caller("alice"), "acme/app", "bob", Role.READ, is_team=False)
            short = bob.with_token(str(bob.get_token("repository:acme/app:pull").json["token"]))
            for client in (bob, short, ci):
                assert [client.get(path).status for _ in range(3)] == [200, 200, 200]
            roles_there.take(Caller("alice"), "acme/app", "bob", is_team=False)
            assert (bob.get(path).status, short.get(path).status) == (404, 404)
        robots_there.revoke(Caller("alice"), "acme", "replica")
        assert ci.get(path).status == 401
    finally:
        other.close()


def test_a_short_token_is_worth_what_its_account_is_now(database):
    tried: list[str] = []

    def admitted(connection: Connection, caller: Caller) -> bool:
        other = repositories.find(connection, "sam/own")
        try:
            admit(connection, caller, "sam/own", other, "push")
        except (CredentialsRefused, PushDenied, NameUnknown) as error:
            tried.append(type(error).__name__)
            return False
        return True

    def work(connection: Connection) -> None:
        tried.clear()
        chief, max_ = (accounts.get(connection, name) for name in ("chief", "max"))
        grants = {"sam/own": frozenset(PUSH)}
        held = Caller("chief", is_admin=True, grants=grants, is_claimed=True)
        assert admitted(connection, held)
        accounts.set_admin(connection, max_, is_admin=True)
        assert not admitted(connection, Caller("max", grants=grants, is_claimed=True))
        accounts.set_admin(connection, chief, is_admin=False)
        assert not admitted(connection, held)
        accounts.set_disabled(connection, accounts.get(connection, "sam"), since=NOW)
        assert not admitted(connection, Caller("sam", is_claimed=True))
        assert not admitted(connection, Caller("nobody-of-that-name", is_claimed=True))
        assert tried == ["PushDenied", "PushDenied", "AccountDisabled", "CredentialsRefused"]
        raise Undo

    with pytest.raises(Undo):
        database.write(work)
