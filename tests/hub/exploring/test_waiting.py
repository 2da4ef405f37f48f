"""Whose images are looked into next, and what happens while the machine has no room for it."""

import errno
import time
from collections.abc import Callable
from html import unescape
from itertools import count
from typing import Never

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.exploring.images import BOTTOM, TOP, explore, explorer, known, perhaps_known, push
from tests.hub.site.pages import Browser

from lamina.errors import Unavailable
from lamina.hub import Hub
from lamina.hub.exploring import look
from lamina.hub.exploring.processes import Shortage


@pytest.fixture
def hub(tmp_path):
    with Hub(root=str(tmp_path / "hub")) as hub:
        hub.register("alice", PASSWORD)
        yield hub


@pytest.fixture
def alice(hub) -> Client:
    return Client(hub.address, "alice")


def raising(error: Exception) -> Callable[..., Never]:
    def fail(*_: object, **__: object) -> Never:
        raise error

    return fail


def test_who_pushes_a_lot_does_not_keep_others_waiting(hub, alice, monkeypatch):
    """Namespaces take turns, and the newest of each comes first; a second process goes on with it."""
    hub.register("bob", PASSWORD)
    bob = Client(hub.address, "bob")
    push(bob, "bob/one", "v1", [BOTTOM])
    push(bob, "bob/two", "v1", [TOP])
    for number in range(4):
        push(alice, f"alice/app{number % 2}", f"v{number}", [BOTTOM], env=(f"A={number}",))
    ticks = count(1.0)
    order = []
    for one in (explorer(hub, clock=lambda: next(ticks)) for _ in range(6)):
        job = one._claim()
        order.append(job.name if job else "")
    assert order == ["alice/app1", "bob/two", "alice/app0", "bob/one", "alice/app1", "alice/app0"]


def test_turns_of_long_ago_are_forgotten(hub, alice):
    push(alice, "alice/app", "v1", [BOTTOM])

    def turns() -> int:
        counted = "SELECT count(*) FROM explorer_turns"
        found: int = hub.services.database.read(lambda one: one.execute(counted).fetchone()[0])
        return found

    explore(hub)
    assert turns() == 1
    explorer(hub, clock=lambda: time.time() + 2 * 86400)._run()
    assert turns() == 0


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (OSError(errno.ENOSPC, "No space left", "/srv"), "the hub's disk is full"),
        (OSError(errno.EDQUOT, "Quota exceeded", "/srv"), "quota of its disk is used up"),
        (Shortage("too little is free on the hub's disk"), "too little is free"),
        (MemoryError(), "no memory left"),
        (Unavailable("the storage at s3.internal cannot be reached"), "does not answer"),
    ],
    ids=["full", "quota", "short", "memory", "storage"],
)
def test_what_the_machine_lacks_is_no_try_however_long_it_lasts(
    hub, alice, monkeypatch, trouble, words
):
    """A disk that was full for 20 minutes left images `failed` until somebody pressed a button."""
    push(alice, "alice/app", "v1", [BOTTOM])
    monkeypatch.setattr(look, "work", raising(trouble))
    now = [time.time()]
    one = explorer(hub, clock=lambda: now[0])
    pauses = []
    for _ in range(9):
        assert one.look_at_due() == 1
        found = known(hub, "alice/app", "v1")
        assert (found.state, words in found.trouble, "s3." in found.trouble) == (
            "later",
            True,
            False,
        )
        due = hub.services.database.read(
            lambda connection: connection.execute("SELECT max(look_at) FROM manifests").fetchone()[
                0
            ]
        )
        pauses.append(due - now[0])
        now[0] = due - 1
        assert one.look_at_due() == 0
        now[0] = due
    assert pauses == pytest.approx([60.0 * 2**n for n in range(6)] + [3600.0] * 3)
    monkeypatch.setattr(hub.services.explorer, "_limit", 10**9)
    assert "It waits: " in Browser(hub.address).get("/alice/app/-/inside/v1").text
    monkeypatch.undo()
    assert one.look_at_due() == 1
    assert known(hub, "alice/app", "v1").state == "done"


def test_what_waits_is_left_to_others_while_a_machine_has_no_room(hub, alice, monkeypatch):
    """It is claimed by nobody who could not do it, and its page and document say why."""
    push(alice, "alice/app", "v1", [BOTTOM])
    monkeypatch.setattr(look, "_ROOM", 1 << 62)
    monkeypatch.setattr(hub.services.explorer, "_limit", 10**9)
    assert not hub.services.explorer.begin_due()
    assert explore(hub) == 0
    assert perhaps_known(hub, "alice/app", "v1") is None
    said = "too little is free on the hub's disk"
    assert said in unescape(Browser(hub.address).get("/alice/app/-/inside/v1").text)
    document = alice.get("/api/v1/repositories/alice/app/inside/v1").json
    assert (document["state"], document["trouble"]) == ("waiting", said)


def test_a_database_on_the_full_disk_is_told_once_it_takes_that(hub, alice, monkeypatch):
    push(alice, "alice/app", "v1", [BOTTOM])
    one = explorer(hub)
    job = one._claim()
    assert job is not None
    monkeypatch.setattr(one, "_look", raising(OSError(errno.ENOSPC, "No space left")))
    with monkeypatch.context() as full:
        full.setattr(hub.services.database, "write", raising(Unavailable("it is full")))
        assert not one._do(job)
    assert known(hub, "alice/app", "v1").state == "looking"
    assert one.look_at_due() == 0
    found = known(hub, "alice/app", "v1")
    assert (found.state, found.waits) == ("later", 1)
