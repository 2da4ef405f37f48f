"""Push, by way of a hub in this process."""

import pytest
from tests.engine.worlds import import_image, notices, phases
from tests.images import Piece

from lamina.engine.push import NotTagged
from lamina.errors import Denied, LaminaError, NotFound, Unauthorized
from lamina.events import Event, LayerProgress, Phase


def test_second_pull_is_up_to_date_and_second_push_sends_nothing(hub, alice, bob):
    name = f"{hub.address}/alice/again"
    import_image(alice, name)
    alice.images.push(name)
    events: list[Event] = []
    alice.images.push(name, listener=events.append)
    assert phases(events) == [Phase.PREPARING, Phase.PRESENT]
    bob.images.pull(name)
    events.clear()
    (outcome,) = bob.images.pull(name, listener=events.append)
    assert not outcome.downloaded
    assert phases(events) == []
    assert notices(events)[-1] == f"Status: Image is up to date for {name}:latest"


def test_all_tags_are_pushed_and_pulled(hub, alice, bob):
    name = f"{hub.address}/alice/many"
    for tag in ("a", "b", "c"):
        import_image(alice, f"{name}:{tag}", [Piece("f", tag.encode())])
    assert [o.reference.tag for o in alice.images.push(name, all_tags=True)] == ["a", "b", "c"]
    assert sorted(o.reference.tag for o in bob.images.pull(name, all_tags=True)) == ["a", "b", "c"]
    with pytest.raises((NotFound, Unauthorized)):
        bob.images.pull(f"{hub.address}/alice/nothing", all_tags=True)


def test_layer_known_in_another_repository_is_mounted_not_sent(hub, alice):
    first, second = f"{hub.address}/alice/first", f"{hub.address}/alice/second"
    import_image(alice, first)
    alice.images.push(first)
    alice.images.tag(first, second)
    events: list[Event] = []
    alice.images.push(second, listener=events.append)
    (mounted,) = [e for e in events if isinstance(e, LayerProgress) and e.phase is Phase.MOUNTED]
    assert mounted.detail == "alice/first"


def test_push_of_what_is_not_here_names_it(alice, hub):
    with pytest.raises(NotTagged, match="does not exist locally with the tag") as caught:
        alice.images.push(f"{hub.address}/alice/ghost:v9")
    assert "lamina tag" in caught.value.hint


def test_push_without_a_login_and_to_a_stranger_is_refused(hub, alice, bob):
    name = f"{hub.address}/alice/closed"
    import_image(bob, name)
    with pytest.raises((Unauthorized, Denied)):
        bob.images.push(name)
    foreign = f"{hub.address}/carol/closed"
    import_image(alice, foreign)
    with pytest.raises((Unauthorized, Denied)):
        alice.images.push(foreign)
    with pytest.raises(LaminaError):
        bob.images.pull(name)
