"""The end of an account."""

import pytest
from tests.hub.clients import PASSWORD, Client

from lamina.hub import Hub, HubSettings
from lamina.hub.errors import LastAdmin, LastOwner, NameTaken, RepositoriesRemain, TagImmutable
from lamina.hub.tables import accounts, organisations


@pytest.fixture
def hub(tmp_path):
    settings = HubSettings(
        root=str(tmp_path / "hub"), port=0, shutdown_s=2.0, immutable=("bob/release:v*",)
    )
    with Hub(settings=settings) as hub:
        for name in ("chief", "alice", "bob"):
            hub.register(name, PASSWORD)
        yield hub


def test_an_account_goes_with_all_that_opens_anything_and_its_name_is_not_given_again(hub):
    alice = Client(hub.address, "alice")
    token = alice.with_token(str(alice.get_token("repository:alice/app:pull").json["token"]))
    text, _ = hub.services.access_tokens.create("alice", "ci", actions=["push"])
    assert token.get("/v2/").status == 200
    assert hub.services.departures.remove("alice", with_repositories=False) == ()
    assert alice.get("/v2/").status == 401
    assert Client(hub.address, "alice", text).get("/v2/").status == 401
    assert token.get("/v2/").status == 401
    with pytest.raises(NameTaken):
        hub.register("alice", PASSWORD)
    chief = hub.services.accounts.find("chief")
    with pytest.raises(NameTaken):
        hub.services.database.write(
            lambda connection: organisations.add(connection, "alice", owner=chief, now=1.0)
        )


def test_repositories_are_deleted_along_only_when_that_is_said(hub):
    alice = Client(hub.address, "alice")
    alice.image("alice/app")
    alice.push_blob("alice/empty", b"not an image yet")
    with pytest.raises(RepositoriesRemain) as caught:
        hub.services.departures.remove("alice", with_repositories=False)
    assert set(caught.value.names) == {"alice/app", "alice/empty"}
    assert alice.get("/v2/alice/app/manifests/v1").status == 200
    removed = hub.services.departures.remove("alice", with_repositories=True)
    assert set(removed) == {"alice/app", "alice/empty"}
    assert Client(hub.address, "chief").get("/v2/alice/app/manifests/v1").status == 404


def test_immutable_tags_the_last_admin_and_the_last_owner_stay_and_nothing_else_went(hub):
    bob = Client(hub.address, "bob")
    bob.image("bob/app")
    bob.image("bob/release", "v1")
    departures = hub.services.departures
    with pytest.raises(TagImmutable):
        departures.remove("bob", with_repositories=True)
    assert bob.get("/v2/bob/app/manifests/v1").status == 200
    with pytest.raises(LastAdmin):
        departures.remove("chief", with_repositories=True)
    assert Client(hub.address, "chief").get("/v2/").status == 200
    alice = hub.services.accounts.find("alice")
    hub.services.database.write(
        lambda connection: organisations.add(connection, "team", owner=alice, now=1.0)
    )
    with pytest.raises(LastOwner, match="the only owner of team"):
        departures.remove("alice", with_repositories=True)
    hub.services.accounts.set_admin("bob", is_admin=True)
    assert departures.remove("chief", with_repositories=True) == ()
    assert hub.services.database.read(accounts.admins) == 1
