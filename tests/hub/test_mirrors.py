"""Who makes mirroring rules, and what is wrong with some."""

from functools import partial

import pytest
from tests.hub.clients import Client, document

from lamina.hub import HubSettings
from lamina.hub.access import ANONYMOUS, Caller
from lamina.hub.errors import FormInvalid, LoginRequired, MirrorUnknown, NameUnknown
from lamina.hub.services import Services
from lamina.hub.tables import accounts

CHIEF, ALICE = Caller("chief", is_admin=True), Caller("alice")


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """The parts of a hub that does not run: no rule is begun by itself."""
    services = Services.open(HubSettings(root=str(tmp_path_factory.mktemp("hub"))))
    for name in ("chief", "alice"):
        services.database.write(partial(accounts.add, name=name, password="", now=0.0))
    yield services
    services.close()


@pytest.fixture
def mirrors(services):
    known = services.mirrors
    yield known
    for made, _ in known.all(CHIEF):
        known.remove(CHIEF, made.id)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("target", {"target": "alice"}),
        ("target", {"target": "nobody/app"}),
        ("source", {"source": "Debian"}),
        ("source", {"source": "debian:12"}),
        ("source", {"source": "debian@sha256:" + "a" * 64}),
        ("tags", {"tags": ()}),
        ("tags", {"tags": ("a b",)}),
        ("tags", {"tags": ("x" * 200,)}),
        ("every_hours", {"every_hours": 0}),
        ("username", {"password": "x"}),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_by_field(mirrors, field, given):
    fields = {"target": "alice/app", "source": "debian", **given}
    with pytest.raises(FormInvalid) as caught:
        mirrors.create(CHIEF, **fields)
    assert list(caught.value.fields) == [field]


def test_nothing_is_copied_into_a_namespace_that_stands_for_a_registry(services, mirrors):
    services.caches.create(CHIEF, "up", "docker.io")
    with pytest.raises(FormInvalid, match="stands for another registry"):
        mirrors.create(CHIEF, "up/library/debian", "debian")
    services.caches.remove(CHIEF, "up")


def test_a_rule_is_made_due_at_once_and_run_again_on_demand(services, mirrors):
    made = mirrors.create(CHIEF, "alice/debian", "debian", tags=("12*", "12*"))
    assert (made.source, made.tags) == ("docker.io/library/debian", ("12*",))
    assert made.next_at <= services.clock()
    assert mirrors.run_now(CHIEF, made.id) == made
    assert mirrors.get(CHIEF, made.id)[1] == ()
    mirrors.remove(CHIEF, made.id)
    for deed in (mirrors.get, mirrors.remove, mirrors.run_now):
        with pytest.raises(MirrorUnknown):
            deed(CHIEF, made.id)


def test_admins_alone_make_see_and_run_them(mirrors):
    made = mirrors.create(CHIEF, "alice/debian", "debian")
    for caller, error in ((ALICE, NameUnknown), (ANONYMOUS, LoginRequired)):
        with pytest.raises(error):
            mirrors.all(caller)
        with pytest.raises(error):
            mirrors.create(caller, "alice/app", "debian")
        for deed in (mirrors.get, mirrors.remove, mirrors.run_now):
            with pytest.raises(error):
                deed(caller, made.id)


def test_rules_are_made_looked_at_run_and_removed_by_json(hub):
    chief, alice = Client(hub.address, "chief"), Client(hub.address, "alice")
    path = "/api/v1/mirrors"
    fields = {"target": "alice/debian", "source": "registry.invalid/a/b", "tags": ["12*"], "every_hours": 6,
              "username": "me", "password": "secret words"}  # fmt: skip

    def post(client, where=path, **given):
        return client.request("POST", where, document(given), Content_Type="application/json")

    made = post(chief, **fields)
    assert (made.status, "secret words" in made.text) == (201, False)
    own = f"{path}/{made.json['id']}"
    (row,) = chief.get(path).json["mirrors"]
    assert (row["every_hours"], row["tags"]) == (6, ["12*"])
    assert isinstance(chief.get(own).json["runs"], list)
    assert post(chief, f"{own}/run").status == 202
    for client, status in ((alice, 404), (Client(hub.address), 401)):
        assert client.get(path).status == status
        assert client.get(own).status == status
        assert post(client, **fields).status == status
        assert post(client, f"{own}/run").status == status
        assert client.request("DELETE", own).status == status
    assert post(chief, **{**fields, "every_hours": "6"}).status == 400
    assert post(chief, **{**fields, "tags": "12"}).status == 400
    assert chief.request("DELETE", own).status == 204
    assert chief.get(own).status == 404
