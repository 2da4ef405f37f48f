"""Accounts and all that belongs to them on PostgreSQL: the same statements, another database."""

import os
from collections.abc import Iterator

import pytest
from tests.hub.clients import PASSWORD, Client, digest
from tests.hub.site.pages import Browser
from tests.postgres import PostgresServer

from lamina.errors import Unavailable
from lamina.hub import Hub, HubSettings
from lamina.hub.errors import FormInvalid, LastAdmin, LinkInvalid
from lamina.hub.oidc import Claims
from lamina.hub.tables import blobs, figures
from lamina.hub.tables.profiles import Profile

NEW = "a new long password"


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[Hub]:
    with PostgresServer() as server:
        settings = HubSettings(
            root=str(tmp_path_factory.mktemp("hub")), port=0, shutdown_s=2.0,
            database=server.make_database(),
        )  # fmt: skip
        with Hub(settings=settings) as hub:
            for name in ("chief", "alice", "bob"):
                hub.register(name, PASSWORD)
            yield hub


def test_profiles_are_kept_and_found(hub):
    services = hub.services
    services.profiles.change("alice", Profile("Alice_B", "a@example.com", shows_email=True))
    assert services.profiles.of("alice").shows_email is True
    assert [each.name for each in services.accounts.search("A@Example", limit=9)] == ["alice"]
    assert [each.name for each in services.accounts.search("e_b", limit=9)] == ["alice"]
    assert services.accounts.search("%", limit=9) == ()


def test_sessions_and_links_begin_and_end(hub):
    services = hub.services
    alice = services.accounts.find("alice")
    here, there = services.sessions.begin(alice, address="10.0.0.1"), services.sessions.begin(alice)
    assert services.sessions.find(here, address="10.0.0.1")[1].address == "10.0.0.1"
    assert len(services.sessions.of(alice)) == 2
    assert services.sessions.end_others(alice, here) == 1
    assert services.sessions.find(there) is None
    token = services.links.make_reset("alice", not_within_s=300)
    assert services.links.make_reset("alice", not_within_s=300) == ""
    assert services.links.use_reset(token, NEW).name == "alice"
    assert services.sessions.find(here) is None
    with pytest.raises(LinkInvalid):
        services.links.use_reset(token, PASSWORD)
    invitation = services.links.make_invitation(by="chief")
    services.links.enter("carol", PASSWORD, invitation=invitation, mode="invitation")
    with pytest.raises(LinkInvalid):
        services.links.check_invitation(invitation)
    services.links.make_invitation(by="chief")
    (given,) = services.links.given()
    services.links.withdraw(given.id)
    assert services.links.given() == ()


def test_accounts_are_disabled_made_admins_and_deleted(hub):
    services = hub.services
    bob = Client(hub.address, "bob")
    assert bob.get("/v2/").status == 200
    services.accounts.set_disabled("bob", is_disabled=True)
    assert bob.get("/v2/").status == 401
    with pytest.raises(LastAdmin):
        services.accounts.set_admin("chief", is_admin=False)
    services.accounts.set_disabled("bob", is_disabled=False)
    bob.image("bob/app")
    assert services.departures.remove("bob", with_repositories=True) == ("bob/app",)
    assert services.accounts.find("bob") is None


def test_identities_and_signing_keys_change(hub):
    services = hub.services
    dana = Claims("https://id.example", "7", "Dana", "d@example.com", "dana")
    services.identities.register(dana, "dana")
    assert services.identities.find(dana).name == "dana"
    with pytest.raises(FormInvalid):
        services.identities.disconnect(services.accounts.find("dana"), dana.issuer)
    before = services.signing_keys.load()
    assert services.signing_keys.rotate()[1:] == before
    assert len(services.signing_keys.rotate(at_once=True)) == 1
    services.look_for_keys()


def test_the_pages_are_shown_and_no_letter_breaks_them(hub):
    chief = Browser(hub.address)
    chief.sign_in("chief")
    for path in (
        "/admin",
        "/admin/accounts?q=%00a",
        "/settings",
        "/settings/sessions",
        "/settings/delete",
    ):
        assert chief.get(path).status == 200
    assert Browser(hub.address).sign_in("a\0b", "x\0y").status == 401
    assert hub.services.database.read(figures.count).accounts >= 3


@pytest.fixture(scope="module")
def erin(hub) -> Client:
    hub.register("erin", PASSWORD)
    return Client(hub.address, "erin")


def uploading(hub) -> tuple[int, list[str]]:
    """How many uploads have a row, and the files of those that are on their way."""
    count = hub.services.database.read(
        lambda connection: connection.execute("SELECT count(*) FROM uploads").fetchone()[0]
    )
    return int(count), os.listdir(f"{hub.root}/uploads")


def test_a_small_blob_that_comes_whole_to_a_begun_upload_is_kept_without_a_row_of_that(hub, erin):
    place, data = erin.begin("erin/opened"), b"whole"
    before = uploading(hub)
    wrong = erin.request("PUT", f"{erin.begin('erin/opened')}?digest={digest(b'other')}", data)
    assert (wrong.status, wrong.code) == (400, "DIGEST_INVALID")
    ending = f"{place}?digest={digest(data)}"
    assert erin.request("PUT", ending, data).status == 201
    assert uploading(hub) == before
    assert erin.get(f"/v2/erin/opened/blobs/{digest(data)}").body == data
    assert [erin.get(place).status, erin.request("PUT", ending, data).status] == [404, 404]


def test_who_may_push_no_more_leaves_nothing_of_a_begun_upload(hub, erin):
    hub.register("dora", PASSWORD)
    dora = Client(hub.address, "dora")
    erin.push_blob("erin/given", b"x")
    roles = "/api/v1/repositories/erin/given/roles/accounts/dora"
    given = erin.request("PUT", roles, b'{"role": "write"}', Content_Type="application/json")
    assert given.status == 204
    place, before = dora.begin("erin/given"), uploading(hub)
    assert erin.request("DELETE", roles).status == 204
    assert dora.request("PUT", f"{place}?digest={digest(b'late')}", b"late").status == 403
    assert uploading(hub) == before


@pytest.mark.parametrize("has_rested", [False, True])
def test_a_begun_upload_goes_on_after_the_database_did_not_answer(
    hub, erin, monkeypatch, has_rested
):
    ending = f"{erin.begin('erin/doubt')}?digest={digest(b'doubt')}"
    if has_rested:
        hub.services.uploads.note_rested(for_s=0)

    def fail(*_: object, **__: object) -> None:
        raise Unavailable("the hub's database cannot be reached: on purpose")

    monkeypatch.setattr(blobs, "add", fail)
    assert erin.request("PUT", ending, b"doubt").status == 503
    monkeypatch.undo()
    assert erin.request("PUT", ending, b"doubt").status == 201
    assert erin.get(f"/v2/erin/doubt/blobs/{digest(b'doubt')}").body == b"doubt"
