"""Webhooks and caches of a hub that is two processes on PostgreSQL and S3."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.hostile import Hostile
from tests.hub.receivers import LOOPBACK, Receiver
from tests.postgres import PostgresServer
from tests.radosgw import KEYS, Radosgw

from lamina.hub import Hub, HubSettings
from lamina.hub.access import Caller
from lamina.hub.tables import organisations
from lamina.spec.wire import decode

CHIEF, ALICE = Caller("chief", is_admin=True), Caller("alice")


@pytest.fixture(scope="module")
def hubs(tmp_path_factory) -> Iterator[tuple[Hub, Hub]]:
    patch = pytest.MonkeyPatch()
    for name, value in KEYS.items():
        patch.setenv(name, value)
    with PostgresServer() as postgres, Radosgw() as gateway:
        database, storage = postgres.make_database(), gateway.make_bucket()

        def settings(name: str) -> HubSettings:
            return HubSettings(
                root=str(tmp_path_factory.mktemp(name)),
                database=database,
                storage=storage,
                port=0,
                shutdown_s=1.0,
                webhook_networks=LOOPBACK,
            )

        with Hub(settings=settings("one")) as one, Hub(settings=settings("two")) as two:
            for name in ("chief", "alice"):
                one.register(name, PASSWORD)
            yield one, two
    patch.undo()


def test_each_push_to_either_is_told_once_though_both_deliver(hubs):
    one, two = hubs
    with Receiver() as receiver:
        made = one.services.webhooks.create(ALICE, "alice", url=receiver.url, events=("push",))
        with ThreadPoolExecutor(4) as pool:
            for number in range(12):
                address = (one, two)[number % 2].address
                pool.submit(Client(address, "alice").image, f"alice/app{number % 3}", f"v{number}")
        told = receiver.wait_for(12)
        pushed = Counter(decode(each.body)["events"][0]["target"]["tag"] for each in told)
        assert pushed == Counter(f"v{number}" for number in range(12))
        two.services.webhooks.remove(ALICE, made.id)
        assert len(receiver.told) == 12


def test_what_one_fetched_from_another_registry_the_other_gives(hubs):
    one, two = hubs
    with Hostile(layer=b"large " * 3_000_000) as hostile:
        one.services.caches.create(CHIEF, "up", hostile.address)
        two.services.caches.look()
        for hub, asked in ((one, 1), (two, 1)):
            client = Client(hub.address)
            assert client.get("/v2/up/team/app/manifests/v1").body == hostile.manifest
            found = client.get(f"/v2/up/team/app/blobs/{hostile.layer_digest}")
            assert (found.status, found.body == hostile.layer) == (200, True)
            assert hostile.asked["GET", "layer"] == asked
        for hub in hubs:  # each knows of its own pulls, and writes them down by and by
            hub.services.passing.flush_uses()
        one.services.database.write(
            lambda connection: connection.execute("UPDATE cached_uses SET used_at = 0").rowcount
        )
        assert two.services.passing.evict() == 1
        one.services.caches.remove(CHIEF, "up")


def test_a_rule_is_run_by_one_of_both_and_its_log_is_everyones(hubs):
    one, two = hubs
    with Hostile() as hostile:
        source = f"{hostile.address}/team/app"
        made = one.services.mirrors.create(CHIEF, "alice/copied", source, deletes=True)
        pause = threading.Event()
        while not (runs := two.services.mirrors.get(CHIEF, made.id)[1]) or not runs[0].ended_at:
            pause.wait(0.05)
        assert [(each.state, each.copied) for each in runs] == [("done", 1)]
        assert "v1: copied" in runs[0].log
        assert Client(two.address).get("/v2/alice/copied/manifests/v1").body == hostile.manifest
        one.services.mirrors.remove(CHIEF, made.id)
        assert two.services.mirrors.all(CHIEF) == ()


def test_an_organisation_that_goes_takes_its_webhooks_caches_and_rules_along(hubs):
    services = hubs[0].services
    services.caches.create(CHIEF, "gone", "registry.invalid")
    services.webhooks.create(CHIEF, "gone", url="https://hooks.example/", events=("push",))
    services.database.write(
        lambda connection: organisations.remove(
            connection, organisations.get(connection, "gone"), now=0.0
        )
    )
    services.caches.look()
    assert "gone" not in {each.namespace for each in services.caches.all(CHIEF)}
    left = services.database.read(
        lambda connection: connection.execute("SELECT count(*) FROM webhooks").fetchone()[0]
    )
    assert left == 0
