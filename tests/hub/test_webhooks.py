"""Who may have webhooks, when they are tried again, and that one cannot hold up the others."""

from functools import partial

import pytest

from lamina.hub import HubSettings
from lamina.hub.access import ANONYMOUS, Caller
from lamina.hub.errors import DeliveryUnknown, FormInvalid, LoginRequired, WebhookUnknown
from lamina.hub.outbox import Deed
from lamina.hub.services import Services
from lamina.hub.tables import accounts, organisations, repositories
from lamina.hub.tables.webhooks import Attempt
from lamina.hub.webhooks import next_try_s

ALICE, BOB, CHIEF = Caller("alice"), Caller("bob"), Caller("chief", is_admin=True)
URL = "https://hooks.example/x"
NO_ANSWER = Attempt(0, "POST", "no answer", 0.1)


@pytest.fixture
def services(tmp_path):
    """The parts of a hub that does not run: nothing is delivered by itself."""
    services = Services.open(HubSettings(root=str(tmp_path)))
    for name in ("chief", "alice", "bob"):
        services.database.write(partial(accounts.add, name=name, password="", now=0.0))
    services.database.write(
        lambda connection: repositories.ensure(connection, "alice/mine", now=0.0)
    )
    yield services
    services.close()


@pytest.fixture
def webhooks(services):
    return services.webhooks


def make(webhooks, scope="alice", *, caller=ALICE, events=("push",)):
    return webhooks.create(caller, scope, url=URL, events=events)


def test_tries_are_farther_and_farther_apart_and_end_after_about_two_days():
    pauses: list[float] = []
    while (pause := next_try_s(len(pauses) + 1, asked_s=None, dice=0.0)) is not None:
        pauses.append(pause)
    assert pauses == sorted(pauses)
    assert pauses[0] == 10
    assert 40 * 3600 < sum(pauses) < 60 * 3600


def test_a_receiver_may_ask_for_a_longer_pause_up_to_a_day():
    assert next_try_s(1, asked_s=120.0, dice=0.0) == 120
    assert next_try_s(1, asked_s=1.0, dice=0.0) == 10
    assert next_try_s(1, asked_s=1e9, dice=0.0) == 86400
    assert 10 < (next_try_s(1, asked_s=None, dice=0.9) or 0) < 12.5


def test_those_who_look_after_a_scope_have_webhooks_there_and_nobody_else(webhooks):
    for scope in ("alice", "alice/mine"):
        made = make(webhooks, scope)
        assert webhooks.of(CHIEF, scope) == (made,)
        for deed, words in (
            (webhooks.of, (scope,)),
            (webhooks.get, (made.id,)),
            (webhooks.test, (made.id,)),
            (webhooks.remove, (made.id,)),
            (partial(webhooks.set_active, is_active=False), (made.id,)),
            (partial(webhooks.create, url=URL, events=("push",)), (scope,)),
        ):
            with pytest.raises(WebhookUnknown):
                deed(BOB, *words)
        with pytest.raises(LoginRequired):
            webhooks.of(ANONYMOUS, scope)
    for scope in ("nobody", "alice/absent", "", "a b", "alice/../bob"):
        with pytest.raises(WebhookUnknown):
            make(webhooks, scope)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("url", {"url": "http://127.0.0.1/"}),
        ("url", {"url": "gopher://x"}),
        ("events", {"events": ()}),
        ("events", {"events": ("push", "rm -rf")}),
        ("secret", {"secret": "whsec_short"}),
        ("secret", {"secret": "x" * 40}),
    ],
)
def test_what_is_wrong_with_a_webhook_is_said_by_field(webhooks, field, given):
    with pytest.raises(FormInvalid) as caught:
        webhooks.create(ALICE, "alice", **{"url": URL, "events": ("push",), **given})
    assert list(caught.value.fields) == [field]


def test_a_scope_has_no_more_than_twenty(webhooks):
    for _ in range(20):
        make(webhooks)
    with pytest.raises(FormInvalid, match="delete one"):
        make(webhooks)


def hurry(services):
    """Make everything that waits due."""
    services.database.write(
        lambda connection: connection.execute(
            "UPDATE deliveries SET next_at = 0 WHERE next_at IS NOT NULL"
        )
    )


def test_a_delivery_is_claimed_by_one_and_by_the_next_once_its_minute_is_over(webhooks, services):
    made = make(webhooks)
    webhooks.test(ALICE, made.id)
    (mine,) = webhooks.claim(busy=())
    assert (mine.event, mine.url, mine.attempts) == ("test", URL, 1)
    assert not webhooks.claim(busy=())
    hurry(services)
    (again,) = webhooks.claim(busy=())
    assert (again.id, again.event_id, again.attempts) == (mine.id, mine.event_id, 2)


def test_one_webhook_with_much_to_be_told_leaves_room_for_the_others(webhooks):
    slow, quick = make(webhooks), make(webhooks)
    for _ in range(30):
        webhooks.test(ALICE, slow.id)
    webhooks.test(ALICE, quick.id)
    found = [due.webhook_id for due in webhooks.claim(busy=())]
    assert sorted(found) == sorted([slow.id, slow.id, quick.id])
    assert not webhooks.claim(busy=(slow.id,))
    assert len(webhooks.claim(busy=(quick.id,))) == 2


def test_what_failed_is_tried_later_and_given_up_at_last(webhooks, services):
    made = make(webhooks)
    services.database.write(
        lambda connection: services.outbox.put(
            connection, (made.id,), Deed("push", "alice/mine", "alice")
        )
    )
    outcomes = []
    while True:
        (due,) = webhooks.claim(busy=())
        outcomes.append(webhooks.settle(due, NO_ANSWER, asked_s=None, dice=0.5))
        if outcomes[-1] != "retried":
            break
        (row,) = webhooks.get(ALICE, made.id)[1]
        assert (row.state, row.attempts) == ("waiting", len(outcomes))
        assert row.next_at > services.clock()
        assert not webhooks.claim(busy=())
        hurry(services)
    assert outcomes == ["retried"] * 8 + ["failed"]
    (row,) = webhooks.get(ALICE, made.id)[1]
    assert (row.state, row.next_at, row.answered) == ("failed", None, "no answer")


def test_a_test_is_tried_once_and_a_receiver_that_is_gone_is_told_no_more(webhooks):
    made = make(webhooks)
    webhooks.test(ALICE, made.id)
    (due,) = webhooks.claim(busy=())
    assert webhooks.settle(due, NO_ANSWER, asked_s=None, dice=0.0) == "failed"
    webhooks.redeliver(ALICE, made.id, due.id)
    (again,) = webhooks.claim(busy=())
    assert (again.event_id, again.body) == (due.event_id, due.body)
    assert again.id != due.id
    gone = Attempt(410, "POST", "410 Gone", 0.1)
    assert webhooks.settle(again, gone, asked_s=None, dice=0.0) == "failed"
    assert not webhooks.get(ALICE, made.id)[0].is_active
    webhooks.set_active(ALICE, made.id, is_active=True)
    assert webhooks.get(ALICE, made.id)[0].is_active
    with pytest.raises(DeliveryUnknown):
        webhooks.redeliver(ALICE, made.id, "absent")


def test_one_that_rests_has_nothing_left_to_be_delivered(webhooks):
    made = make(webhooks)
    webhooks.test(ALICE, made.id)
    webhooks.set_active(ALICE, made.id, is_active=False)
    assert not webhooks.claim(busy=())
    assert [row.state for row in webhooks.get(ALICE, made.id)[1]] == ["failed"]


def test_the_log_forgets_what_is_old_and_over_and_keeps_what_waits(webhooks, services):
    made = make(webhooks)
    for _ in range(2):
        webhooks.test(ALICE, made.id)
    webhooks.settle(webhooks.claim(busy=())[0], NO_ANSWER, asked_s=None, dice=0.0)
    services.database.write(
        lambda connection: connection.execute("UPDATE deliveries SET made_at = 0")
    )
    services.collector.sweep(grace_s=3600, upload_grace_s=3600)
    assert [row.state for row in webhooks.get(ALICE, made.id)[1]] == ["waiting"]


def test_owners_of_an_organisation_look_after_its_webhooks_until_it_goes(webhooks, services):
    def found(connection):
        team = organisations.add(
            connection, "team", owner=accounts.get(connection, "alice"), now=0.0
        )
        organisations.set_member(
            connection, team, accounts.get(connection, "bob"), is_owner=False, now=0.0
        )
        return team

    team = services.database.write(found)
    made = make(webhooks, "team")
    assert webhooks.of(ALICE, "team") == (made,)
    with pytest.raises(WebhookUnknown):
        webhooks.of(BOB, "team")
    beside = make(webhooks, "alice/mine")
    services.database.write(lambda connection: organisations.remove(connection, team, now=0.0))
    with pytest.raises(WebhookUnknown):
        webhooks.get(ALICE, made.id)
    assert webhooks.get(ALICE, beside.id)[0] == beside
