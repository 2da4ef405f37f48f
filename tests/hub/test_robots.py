"""Robots: what they may do, where, and when they end."""

from collections.abc import Iterator

import pytest
from tests.hub.clients import Client
from tests.hub.clock import Time
from tests.hub.people import CHIEF, MAX, NOW, OLGA, SAM, acme_of, peopled
from tests.hub.repositories import hide

from lamina.hub import Hub
from lamina.hub.access import Caller
from lamina.hub.database import Database
from lamina.hub.errors import (
    CredentialsRefused,
    FormInvalid,
    NotYours,
    OrganisationUnknown,
    RobotUnknown,
)
from lamina.hub.organisations import Organisations
from lamina.hub.robots import Robots, is_robot_id, is_robot_token
from lamina.hub.tables import accounts


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def database(tmp_path, time) -> Iterator[Database]:
    """acme is olga's, with the member max."""
    with peopled(tmp_path) as database:
        acme_of(Organisations(database, clock=time), "max")
        yield database


@pytest.fixture
def robots(database, time) -> Robots:
    return Robots(database, clock=time)


def test_a_robot_logs_in_by_its_own_name_with_a_token_that_is_kept_as_a_hash_alone(
    robots, database, tmp_path
):
    token, made = robots.create(OLGA, "acme", "ci", actions=["push"])
    assert is_robot_token(token)
    assert is_robot_id(made.id)
    for name in ("acme+ci", "ACME+CI", ""):
        caller = robots.login(name, token, "here")
        assert (caller.name, caller.robot_of, caller.is_admin) == ("acme+ci", "acme", False)
        assert caller.reach.actions == {"pull", "push"}
    for name, tried in (("olga", token), ("acme", token), ("acme+ci", token[:-1])):
        with pytest.raises(CredentialsRefused):
            robots.login(name, tried, "here")
    database.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"acme" in stored
    assert token.encode() not in stored


@pytest.mark.parametrize("caller", [MAX, SAM])
def test_only_owners_of_the_namespace_and_admins_have_to_do_with_its_robots(robots, caller):
    robots.create(CHIEF, "acme", "ci", actions=["pull"])
    for do in (
        lambda: robots.create(caller, "acme", "mine", actions=["pull"]),
        lambda: robots.of(caller, "acme"),
        lambda: robots.renew(caller, "acme", "ci", expires_in_days=None),
        lambda: robots.revoke(caller, "acme", "ci"),
        lambda: robots.create(caller, "olga", "mine", actions=["pull"]),
    ):
        with pytest.raises(NotYours):
            do()
    with pytest.raises(OrganisationUnknown):
        robots.create(caller, "nobody", "mine", actions=["pull"])
    robots.create(caller, caller.name, "own", actions=["pull"])
    assert [each.login for each in robots.of(caller, caller.name)] == [f"{caller.name}+own"]


def test_a_robot_ends_with_its_time_when_it_is_renewed_and_when_it_is_revoked(robots, time):
    token, made = robots.create(OLGA, "acme", "ci", actions=["pull"], expires_in_days=1)
    time.now += 86399
    assert robots.caller(made.id).name == "acme+ci"
    time.now += 1
    for do in (lambda: robots.login("", token, "here"), lambda: robots.caller(made.id)):
        with pytest.raises(CredentialsRefused, match="is over"):
            do()
    fresh, renewed = robots.renew(OLGA, "acme", "ci", expires_in_days=7)
    assert renewed.expires_at == time.now + 7 * 86400
    assert robots.login("acme+ci", fresh, "here").token_id == renewed.id
    for do in (lambda: robots.login("", token, "here"), lambda: robots.caller(made.id)):
        with pytest.raises(CredentialsRefused):
            do()
    assert robots.revoke(OLGA, "acme", "ci").id == renewed.id
    with pytest.raises(CredentialsRefused, match="revoked"):
        robots.caller(renewed.id)
    with pytest.raises(RobotUnknown):
        robots.revoke(OLGA, "acme", "ci")
    with pytest.raises(RobotUnknown):
        robots.renew(OLGA, "acme", "ci", expires_in_days=None)


def test_what_a_robot_cannot_be_is_said_by_field(robots):
    robots.create(OLGA, "acme", "ci", actions=["pull"])
    for field, name, actions, targets, days in (
        ("name", "CI robot", ["pull"], [], None),
        ("actions", "other", ["admin"], [], None),
        ("targets", "other", ["pull"], ["max/app"], None),
        ("expires_in_days", "other", ["pull"], [], 0),
    ):
        with pytest.raises(FormInvalid) as caught:
            robots.create(
                OLGA, "acme", name, actions=actions, targets=targets, expires_in_days=days
            )
        assert set(caught.value.fields) == {field}
    with pytest.raises(FormInvalid, match="already"):
        robots.create(OLGA, "acme", "ci", actions=["pull"])


def test_when_and_from_where_a_robot_logged_in_is_kept_to_the_minute(robots, time):
    token, _ = robots.create(OLGA, "acme", "ci", actions=["pull"])

    def used() -> tuple[float | None, str]:
        (row,) = robots.of(OLGA, "acme")
        return row.used_at, row.used_from

    first = time.now
    assert used() == (None, "")
    robots.login("", token, "here")
    time.now += 59
    robots.login("", token, "here")
    assert used() == (first, "here")
    robots.login("", token, "there")
    assert used() == (first + 59, "there")


def test_robots_go_on_without_who_made_them_and_not_without_their_namespace(robots, database, time):
    token, made = robots.create(OLGA, "acme", "ci", actions=["pull"])
    own, _ = robots.create(MAX, "max", "ci", actions=["pull"])
    database.write(
        lambda connection: connection.execute("DELETE FROM accounts WHERE name = 'olga'").rowcount
    )
    assert robots.login("", token, "here").token_id == made.id
    database.write(
        lambda connection: connection.execute("DELETE FROM accounts WHERE name = 'max'").rowcount
    )
    with pytest.raises(CredentialsRefused):
        robots.login("", own, "here")
    Organisations(database, clock=time).remove(CHIEF, "acme")
    with pytest.raises(CredentialsRefused):
        robots.login("", token, "here")


def test_robots_rest_while_their_account_is_disabled(robots, database):
    own, made = robots.create(MAX, "max", "ci", actions=["pull"])
    organisations, _ = robots.create(OLGA, "acme", "ci", actions=["pull"])

    def disable(since: float | None) -> None:
        for name in ("max", "olga"):
            database.write(
                lambda connection, name=name: accounts.set_disabled(
                    connection, accounts.get(connection, name), since=since
                )
            )

    disable(NOW)
    for do in (lambda: robots.login("", own, "here"), lambda: robots.caller(made.id)):
        with pytest.raises(CredentialsRefused, match="max is disabled"):
            do()
    assert robots.login("", organisations, "here").name == "acme+ci"
    disable(None)
    assert robots.caller(made.id).name == "max+ci"


@pytest.fixture
def acme(hub: Hub) -> str:
    """The organisation acme of alice's, with two private repositories."""
    alice = Caller("alice")
    if not hub.services.organisations.of("alice"):
        hub.services.organisations.create(alice, "acme")
        for name in ("acme/app", "acme/other"):
            Client(hub.address, "alice").image(name)
            hide(hub, name)
    return "acme"


def robot(hub: Hub, name: str, *actions: str, only: tuple[str, ...] = ()) -> Client:
    token, made = hub.services.robots.create(
        Caller("alice"), "acme", name, actions=actions, targets=only
    )
    return Client(hub.address, made.login, token)


def test_a_robot_pushes_to_its_namespace_and_to_no_other(hub, acme, bob):
    bob.image("bob/app")
    ci = robot(hub, "ci", "push")
    assert ci.get("/v2/").status == 200
    ci.image("acme/app", "robots", seed="robots")
    ci.image("acme/new")
    answer = ci.request("POST", "/v2/bob/app/blobs/uploads/")
    assert answer.code == "DENIED"
    assert "robots stay in their own namespace" in answer.text
    assert ci.get("/v2/bob/app/manifests/v1").status == 200  # public
    hide(hub, "bob/app")
    assert ci.get("/v2/bob/app/manifests/v1").status == 404
    assert ci.request("DELETE", "/v2/acme/app/manifests/robots").code == "DENIED"
    assert ci.get("/v2/_catalog").json["repositories"] == ["acme/app", "acme/new", "acme/other"]


def test_a_robot_for_one_repository_sees_no_other(hub, acme):
    one = robot(hub, "one", "pull", only=("acme/app",))
    assert one.get("/v2/acme/app/manifests/v1").status == 200
    assert one.get("/v2/acme/other/manifests/v1").status == 404
    assert "acme/other" not in one.get("/v2/_catalog").json["repositories"]


def test_short_tokens_of_a_robot_end_with_it_and_it_gets_no_refresh_token(hub, acme):
    brief = robot(hub, "brief", "push")
    answer = brief.get_token("repository:acme/app:pull,push", offline_token="true").json
    assert "refresh_token" not in answer
    short = brief.with_token(str(answer["token"]))
    assert short.get("/v2/acme/app/manifests/v1").status == 200
    assert short.request("POST", "/v2/acme/app/blobs/uploads/").status == 202
    hub.services.robots.renew(Caller("alice"), "acme", "brief", expires_in_days=None)
    assert short.get("/v2/acme/app/manifests/v1").status == 401
    assert brief.get("/v2/").status == 401


def test_a_robots_token_works_as_a_bearer_token_too(hub, acme):
    plain = robot(hub, "bearer", "pull")
    assert plain.with_token(plain.password).get("/v2/acme/app/manifests/v1").status == 200


def test_a_robot_is_nobody_on_pages_and_may_not_make_access_tokens(hub, acme):
    ci = robot(hub, "idle", "pull", "push", "delete")
    answer = ci.request("POST", "/api/v1/tokens", b"{}", Content_Type="application/json")
    assert answer.status == 403
    bearer = ci.with_token(ci.password)
    assert bearer.get("/api/v1/tokens").status == 403
    with pytest.raises(CredentialsRefused):
        hub.services.accounts.login("acme+idle", ci.password, "here")
