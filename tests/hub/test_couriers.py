"""Deliveries on the wire: what a receiver gets, and what becomes of those that do not answer well."""

import base64
import hashlib
import hmac
import threading

import pytest
from tests.containers import eventually
from tests.hub.clients import PASSWORD, Client
from tests.hub.raw import nobody_listens
from tests.hub.receivers import LOOPBACK, Receiver

from lamina.hub import Hub, HubSettings
from lamina.hub.access import Caller
from lamina.hub.couriers import signature
from lamina.spec.wire import decode

ALICE = Caller("alice")
_PATIENCE_S = 60


def open_hub(root, *, networks=LOOPBACK):
    return Hub(
        settings=HubSettings(
            root=str(root), port=0, shutdown_s=1, webhook_networks=networks, sweep_every_s=3600
        )
    )


@pytest.fixture
def hub(tmp_path):
    with open_hub(tmp_path / "hub") as hub:
        hub.register("alice", PASSWORD)
        yield hub


def hook(hub, receiver, *events):
    return hub.services.webhooks.create(
        ALICE, "alice", url=receiver.url, events=events or ("push",)
    )


def log_until(hub, made, holds):
    """Give the log once `holds` of its newest delivery."""
    pause = threading.Event()
    for _ in range(_PATIENCE_S * 20):
        rows = hub.services.webhooks.get(ALICE, made.id)[1]
        if rows and holds(rows[0]):
            return rows
        pause.wait(0.05)
    raise AssertionError(hub.services.webhooks.get(ALICE, made.id)[1])


def hurry(hub):
    hub.services.database.write(
        lambda connection: connection.execute(
            "UPDATE deliveries SET next_at = 0 WHERE next_at IS NOT NULL"
        )
    )


def test_the_signature_is_the_standards_own_example():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    found = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_push_is_told_with_a_signature_that_the_receiver_can_check(hub):
    with Receiver() as receiver:
        made = hook(hub, receiver)
        pushed = Client(hub.address, "alice").image("alice/app", "v1")
        (told,) = receiver.wait_for(1)
        (event,) = decode(told.body)["events"]
        assert event["action"] == "push"
        assert event["target"]["repository"] == "alice/app"
        assert (event["target"]["digest"], event["target"]["tag"]) == (pushed, "v1")
        assert event["target"]["url"] == f"{hub.url}/v2/alice/app/manifests/{pushed}"
        assert event["request"]["host"] == hub.address
        assert (event["request"]["method"], event["actor"]["name"]) == ("PUT", "alice")
        assert told.headers["content-type"] == "application/json"
        assert told.headers["webhook-id"] == event["id"]
        signed = b".".join(
            (event["id"].encode(), told.headers["webhook-timestamp"].encode(), told.body)
        )
        key = base64.b64decode(made.secret.removeprefix("whsec_"))
        mac = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        assert told.headers["webhook-signature"] == f"v1,{mac}"
        (row,) = log_until(hub, made, lambda row: row.state == "delivered")
        assert (row.status, row.attempts, row.next_at) == (200, 1, None)
        assert "webhook-signature" in row.asked
        assert row.answered.startswith("200 OK")
        assert row.answered.endswith("well received")


def test_one_that_fails_is_tried_again_by_the_hub_that_starts_after_this_one(tmp_path):
    statuses = [503, 200]
    with Receiver(lambda _: (statuses.pop(0), {"Retry-After": "1"})) as receiver:
        with open_hub(tmp_path / "hub") as hub:
            hub.register("alice", PASSWORD)
            made = hook(hub, receiver)
            Client(hub.address, "alice").image("alice/app", "v1")
            receiver.wait_for(1)
            log_until(hub, made, lambda row: row.status == 503)
        with open_hub(tmp_path / "hub") as hub:
            hurry(hub)
            first, second = receiver.wait_for(2)
            assert first.headers["webhook-id"] == second.headers["webhook-id"]
            assert first.body == second.body
            (row,) = log_until(hub, made, lambda row: row.state == "delivered")
            assert row.attempts == 2


def test_redirects_are_not_followed(hub):
    with Receiver() as inner, Receiver(lambda _: (307, {"Location": inner.url})) as receiver:
        made = hook(hub, receiver)
        hub.services.webhooks.test(ALICE, made.id)
        (row,) = log_until(hub, made, lambda row: row.state == "failed")
        assert row.status == 307
        assert not inner.told


def test_a_receiver_that_never_answers_holds_up_no_other(hub):
    with Receiver(lambda _: None) as silent, Receiver() as quick:
        hook(hub, silent)
        hook(hub, quick)
        alice = Client(hub.address, "alice")
        for number in range(6):
            alice.image("alice/app", f"v{number}")
        tags = {decode(told.body)["events"][0]["target"]["tag"] for told in quick.wait_for(6)}
        assert len(tags) == 6
        assert len(silent.told) <= 2


def test_a_large_answer_is_read_no_further_than_the_log_shows(hub):
    with Receiver(lambda _: (500, {"X-Long": "y" * 6000})) as receiver:
        made = hook(hub, receiver)
        hub.services.webhooks.test(ALICE, made.id)
        (row,) = log_until(hub, made, lambda row: row.state == "failed")
        assert row.status == 500
        assert len(row.answered) < 20_000


def test_without_the_operators_word_nothing_on_loopback_is_told(tmp_path):
    with Receiver() as receiver, open_hub(tmp_path / "hub", networks=()) as hub:
        hub.register("alice", PASSWORD)
        made = hub.services.webhooks.create(
            ALICE, "alice", url=receiver.url.replace("127.0.0.1", "localhost"), events=("push",)
        )
        hub.services.webhooks.test(ALICE, made.id)
        (row,) = log_until(hub, made, lambda row: row.state == "failed")
        assert (row.status, "private network" in row.answered) == (0, True)
        assert not receiver.told


def test_a_dead_receiver_and_a_name_nobody_has_are_said_in_the_log(hub):
    with nobody_listens() as address:
        made = hub.services.webhooks.create(
            ALICE, "alice", url=f"http://{address}/hook", events=("push",)
        )
        hub.services.webhooks.test(ALICE, made.id)
        (row,) = log_until(hub, made, lambda row: row.state == "failed")
        assert row.answered.startswith("no answer")


def test_tries_are_counted_in_the_metrics(hub):
    with Receiver() as receiver:
        made = hook(hub, receiver)
        hub.services.webhooks.test(ALICE, made.id)
        log_until(hub, made, lambda row: row.state == "delivered")
        wanted = 'lamina_hub_webhook_deliveries_total{outcome="delivered"} 1'
        eventually(lambda: wanted in hub.services.metrics.render(uploads=0, free=None))
