"""Events as documents, and the outbox that a deed's own transaction fills."""

import pytest

from lamina.hub import Hub
from lamina.hub.access import Caller
from lamina.hub.outbox import Asked, Deed, event_document

DEED = Deed("push", "alice/app", "alice", "sha256:" + "a" * 64, "application/x", 12, tag="v1")


def events(hub, *, event=None):
    rows = hub.services.database.read(
        lambda connection: connection.execute(
            "SELECT event, subject FROM deliveries ORDER BY made_at, event"
        ).fetchall()
    )
    return [tuple(row) for row in rows if event in (None, row[0])]


@pytest.fixture(scope="module")
def hub(without_chores, hub: Hub) -> Hub:
    """The hub of all tests, which tells of pulls when it is told to."""
    return hub


@pytest.fixture
def hooked(hub):
    """Webhooks that are told of everything, and deliveries that nobody sends meanwhile."""
    made = hub.services.webhooks.create(
        Caller("alice"), "alice", url="https://hooks.example/x", events=("push", "move", "delete")
    )
    hub.services.database.write(lambda connection: connection.execute("DELETE FROM deliveries"))
    yield made
    hub.services.webhooks.remove(Caller("alice"), made.id)


def test_an_event_has_the_fields_of_distributions_notifications():
    asked = Asked("r1", "10.1.2.3", "hub.example", "PUT", "docker/28", "https://hub.example")
    document = event_document(DEED, asked, event_id="e1", timestamp="2026-11-27T20:00:00Z")
    (event,) = document["events"]
    assert (event["id"], event["timestamp"], event["action"]) == (
        "e1", "2026-11-27T20:00:00Z", "push",
    )  # fmt: skip
    assert event["target"] == {
        "repository": "alice/app",
        "mediaType": "application/x",
        "digest": DEED.digest,
        "size": 12,
        "length": 12,
        "url": f"https://hub.example/v2/alice/app/manifests/{DEED.digest}",
        "tag": "v1",
    }
    assert event["request"] == {
        "id": "r1",
        "addr": "10.1.2.3",
        "host": "hub.example",
        "method": "PUT",
        "useragent": "docker/28",
    }
    assert (event["actor"], event["source"]) == ({"name": "alice"}, {"addr": "hub.example"})


def test_what_went_has_no_address_and_a_repository_no_digest():
    (event,) = event_document(
        Deed("delete", "a/b", "a"), Asked(url="https://h"), event_id="e", timestamp="t"
    )["events"]
    assert event["target"] == {"repository": "a/b"}


def test_pushes_moves_and_deletions_are_told_in_their_namespace_alone(hub, hooked, alice, bob):
    alice.image("alice/told", "v1", seed="one")
    first = events(hub)
    assert first == [("push", "alice/told:v1")]
    alice.image("alice/told", "v1", seed="one")
    assert events(hub, event="move") == []
    alice.image("alice/told", "v1", seed="two")
    assert events(hub, event="move") == [("move", "alice/told:v1")]
    bob.image("bob/told", "v1")
    assert not [subject for _, subject in events(hub) if subject.startswith("bob")]
    assert alice.request("DELETE", "/v2/alice/told/manifests/v1").status == 202
    assert events(hub, event="delete") == [("delete", "alice/told:v1")]


def test_a_push_that_is_refused_is_not_told(hub, hooked, alice):
    raw = alice.manifest("alice/refused", layers=[{
        "mediaType": "x/y", "digest": "sha256:" + "b" * 64, "size": 3,
    }])  # fmt: skip
    assert alice.put_manifest("alice/refused", "v1", raw).status == 400
    assert not events(hub)


def test_pulls_are_told_where_they_are_wanted_and_counted_once(hub, alice, nobody):
    alice.image("alice/pulled", "v1")
    assert not hub.services.outbox.wants_pulls("alice/pulled")
    made = hub.services.webhooks.create(
        Caller("alice"), "alice/pulled", url="https://hooks.example/x", events=("pull",)
    )
    assert hub.services.outbox.wants_pulls("alice/pulled")
    assert not hub.services.outbox.wants_pulls("alice/other")
    assert nobody.get("/v2/alice/pulled/manifests/v1").status == 200
    assert nobody.head("/v2/alice/pulled/manifests/v1").status == 200
    hub.services.webhooks.flush_pulls()
    assert events(hub, event="pull") == [("pull", "alice/pulled:v1")]
    hub.services.webhooks.remove(Caller("alice"), made.id)
    hub.services.webhooks.look()
    assert not hub.services.outbox.wants_pulls("alice/pulled")


def test_a_deleted_repository_is_told_to_its_namespace(hub, hooked, alice):
    alice.image("alice/gone", "v1")
    hub.services.registry.remove_repository(Caller("alice"), "alice/gone")
    assert ("delete", "alice/gone") in events(hub)


def test_each_pull_is_told_although_its_answer_was_given_before(hub, alice, nobody):
    alice.image("alice/often", "v1")
    assert nobody.get("/v2/alice/often/manifests/v1").status == 200
    made = hub.services.webhooks.create(
        Caller("alice"), "alice/often", url="https://hooks.example/x", events=("pull",)
    )
    for _ in range(3):
        assert nobody.get("/v2/alice/often/manifests/v1").status == 200
    hub.services.webhooks.flush_pulls()
    assert events(hub, event="pull").count(("pull", "alice/often:v1")) == 3
    hub.services.webhooks.remove(Caller("alice"), made.id)


def test_pulls_that_could_not_be_told_are_told_the_next_time(hub, alice, monkeypatch):
    alice.image("alice/kept", "v1")
    made = hub.services.webhooks.create(
        Caller("alice"), "alice/kept", url="https://hooks.example/x", events=("pull",)
    )
    assert alice.get("/v2/alice/kept/manifests/v1").status == 200

    def fail(*_: object, **__: object) -> None:
        raise OSError("on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(hub.services.database, "write", fail)
        with pytest.raises(OSError, match="on purpose"):
            hub.services.webhooks.flush_pulls()
    hub.services.webhooks.flush_pulls()
    assert events(hub, event="pull").count(("pull", "alice/kept:v1")) == 1
    hub.services.webhooks.remove(Caller("alice"), made.id)
