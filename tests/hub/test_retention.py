"""Retention on a real hub: what the dry run says goes, and nothing else."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from tests.hub.clients import INDEX, MANIFEST, PASSWORD, Client, digest, document
from tests.hub.test_collect import change

from lamina.hub import Hub, HubSettings
from lamina.hub.access import Caller
from lamina.hub.errors import RuleUnknown
from lamina.hub.retention import Retention, Retired
from lamina.hub.retention_rules import Rule
from lamina.hub.rules import TagRules
from lamina.hub.tables import audit

DAY = 86400.0


@pytest.fixture
def hub(without_chores, tmp_path):
    settings = HubSettings(
        root=str(tmp_path), port=0, shutdown_s=2.0, immutable=("alice/*:fixed*",)
    )
    with Hub(settings=settings) as hub:
        for name in ("chief", "alice"):
            hub.register(name, PASSWORD)
        yield hub


@pytest.fixture
def alice(hub) -> Client:
    return Client(hub.address, "alice")


def age(hub, tag: str, days: float) -> None:
    then = time.time() - days * DAY
    assert change(hub, "UPDATE tags SET pushed_at = ? WHERE name = ?", then, tag)


def going(hub, target: str = "hub", draft: Rule | None = None) -> list[str]:
    return sorted(v.reference for v in hub.services.retention.plan(target, draft=draft) if v.goes)


def there(alice, *references: str) -> list[bool]:
    return [
        alice.head(f"/v2/{name}/manifests/{tag}").status == 200
        for name, _, tag in (each.partition(":") for each in references)
    ]


def test_a_dry_run_names_what_a_run_takes_and_the_audit_log_says_why(hub, alice):
    for number in range(4):
        alice.image("alice/a", f"v{number}", seed=str(number))
        age(hub, f"v{number}", 40 - number)
    alice.image("alice/a", "fixed-1", seed="fixed")
    age(hub, "fixed-1", 400)
    alice.image("alice/other", "v1")
    age(hub, "v1", 39)
    retention = hub.services.retention
    retention.set(Rule("alice/a", keep_newest=2, pushed_within_days=7), by="alice")
    assert going(hub) == ["alice/a:v0", "alice/a:v1"]
    assert all(there(alice, "alice/a:v0", "alice/a:v1"))
    assert retention.run() == Retired(tags=2)
    assert there(alice, "alice/a:v0", "alice/a:v1") == [False, False]
    assert all(there(alice, "alice/a:v2", "alice/a:v3", "alice/a:fixed-1", "alice/other:v1"))
    entries = hub.services.database.read(
        lambda connection: audit.rows(connection, account="", action="retention", before=0, limit=9)
    )
    assert sorted(each.subject for each in entries) == [
        "alice/a:v0 (not among the newest 2, pushed 40 days ago)",
        "alice/a:v1 (not among the newest 2, pushed 39 days ago)",
    ]
    change(hub, "UPDATE links SET awaited_at = 0")
    assert hub.collect().blobs == 4
    assert retention.run() == Retired()


def test_a_namespaces_rule_gives_way_to_a_repositorys_and_a_draft_is_only_tried(hub, alice):
    for name in ("alice/a", "alice/b"):
        for tag in ("old", "new"):
            alice.image(name, tag, seed=tag)
    age(hub, "old", 9)
    retention = hub.services.retention
    retention.set(Rule("alice", keep_newest=1), by="")
    retention.set(Rule("alice/b", keep_newest=5), by="")
    assert going(hub) == going(hub, "alice") == ["alice/a:old"]
    assert going(hub, "alice/b") == []
    assert going(hub, "alice/b", Rule("alice/b", keep_newest=1)) == ["alice/b:old"]
    assert going(hub, "alice", Rule("alice", only=("new",))) == ["alice/a:new"]
    assert going(hub, "alice/b") == []
    retention.remove("alice/b")
    assert going(hub) == ["alice/a:old", "alice/b:old"]
    with pytest.raises(RuleUnknown):
        retention.remove("alice/b")


def test_asking_by_tag_or_digest_keeps_a_tag_for_a_while(hub, alice):
    digests = [alice.image("alice/a", tag, seed=tag) for tag in ("head", "digest", "unused")]
    change(hub, "UPDATE tags SET pushed_at = ?", time.time() - 90 * DAY)
    change(hub, "UPDATE secrets SET value = ? WHERE name = 'pulls are noted since'", b"0.0")
    alice.head("/v2/alice/a/manifests/head")
    alice.get(f"/v2/alice/a/manifests/{digests[1]}")
    hub.services.registry.flush_pulls()
    assert going(hub, draft=Rule("hub", pulled_within_days=30)) == ["alice/a:unused"]


def test_whoever_has_pulls_written_finds_them_written_though_another_is_at_it(
    hub, alice, monkeypatch
):
    alice.image("alice/a")
    alice.get("/v2/alice/a/manifests/v1")
    registry, database = hub.services.registry, hub.services.database
    write, begun, gate = database.write, threading.Event(), threading.Event()

    def held(work, **more):
        begun.set()
        assert gate.wait(100)
        return write(work, **more)

    def flush_and_look():
        registry.flush_pulls()
        return database.read(
            lambda connection: connection.execute("SELECT pulls FROM repositories").fetchone()[0]
        )

    with ThreadPoolExecutor(2) as pool:
        monkeypatch.setattr(database, "write", held)
        first = pool.submit(flush_and_look)
        assert begun.wait(100)
        second = pool.submit(flush_and_look)
        wait([second], timeout=0.2)  # long enough for one that waits for nobody
        gate.set()
        assert (first.result(100), second.result(100)) == (1, 1)


def test_pulls_that_could_not_be_written_are_written_the_next_time(hub, alice, monkeypatch):
    alice.image("alice/a")
    alice.get("/v2/alice/a/manifests/v1")
    registry, database = hub.services.registry, hub.services.database

    def fail(*_: object, **__: object) -> None:
        raise OSError("on purpose")

    monkeypatch.setattr(database, "write", fail)
    with pytest.raises(OSError, match="on purpose"):
        registry.flush_pulls()
    monkeypatch.undo()
    registry.flush_pulls()
    row = database.read(
        lambda connection: connection.execute(
            "SELECT pulls, pulled_at FROM repositories, manifests"
        ).fetchone()
    )
    assert row[0] == 1
    assert row[1] > 0


def test_what_no_tag_names_goes_after_its_days_but_nothing_an_index_or_a_subject_holds(hub, alice):
    moved = alice.image("alice/a", "v1", seed="before")
    alice.image("alice/a", "v1", seed="after")
    raw = alice.manifest("alice/a", seed="child")
    alice.put_manifest("alice/a", digest(raw), raw)
    row = {"mediaType": MANIFEST, "digest": digest(raw), "size": len(raw)}
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]})
    alice.put_manifest("alice/a", "all", index, INDEX)
    signature = alice.manifest(
        "alice/a", seed="sig", subject={"mediaType": INDEX, "digest": digest(index), "size": len(index)}
    )  # fmt: skip
    alice.put_manifest("alice/a", digest(signature), signature)
    retention = hub.services.retention
    retention.set(Rule("hub", untagged_days=7), by="")
    assert going(hub) == []
    change(hub, "UPDATE manifests SET pushed_at = 0, untagged_at = untagged_at - ?", 8 * DAY)
    assert going(hub) == [f"alice/a@{moved}"]
    assert retention.run() == Retired(manifests=1)
    assert going(hub) == []
    assert hub.collect().manifests == 1
    assert alice.get(f"/v2/alice/a/manifests/{moved}").status == 404
    assert all(there(alice, "alice/a:v1", "alice/a:all"))


def test_a_tag_that_was_pushed_while_it_was_judged_stays(hub, alice, monkeypatch):
    alice.image("alice/a", "v1", seed="one")
    alice.image("alice/a", "v2", seed="two")
    age(hub, "v1", 9)
    retention = hub.services.retention
    retention.set(Rule("hub", keep_newest=1), by="")
    take = Retention._take

    def push_first(self, repository_id, verdicts):
        alice.image("alice/a", "v1", seed="three")
        return take(self, repository_id, verdicts)

    monkeypatch.setattr(Retention, "_take", push_first)
    assert retention.run() == Retired()
    assert all(there(alice, "alice/a:v1", "alice/a:v2"))


def test_a_run_from_elsewhere_knows_which_tags_the_hub_was_served_with_as_immutable(hub, alice):
    alice.image("alice/a", "fixed-1", seed="one")
    alice.image("alice/a", "v2", seed="two")
    elsewhere = Retention(hub.services.database, clock=time.time, immutable=TagRules())
    elsewhere.set(Rule("hub", only=("*",)), by="")
    assert elsewhere.run() == Retired(tags=1)
    assert there(alice, "alice/a:fixed-1", "alice/a:v2") == [True, False]


def test_one_process_takes_its_turn_for_all(hub, alice):
    retention = hub.services.retention
    retention.set(Rule("hub", only=("v*",)), by="")
    alice.image("alice/a")
    assert retention.run_in_turn(every_s=1000) == Retired(tags=1)
    alice.image("alice/a")
    assert retention.run_in_turn(every_s=1000) == Retired()


def test_webhooks_are_told_of_what_goes(hub, alice):
    alice.image("alice/a")
    hub.services.webhooks.create(
        Caller("alice"), "alice", url="https://hooks.example/x", events=("delete",)
    )
    hub.services.retention.set(Rule("alice", only=("v*",)), by="")
    hub.services.retention.run()
    row = hub.services.database.read(
        lambda connection: connection.execute(
            "SELECT event, subject FROM deliveries WHERE event = 'delete'"
        ).fetchone()
    )
    assert tuple(row) == ("delete", "alice/a:v1")
