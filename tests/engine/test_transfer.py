"""Pull and push between engines by way of a hub in this process."""

import threading
from collections.abc import Iterator

import pytest
from tests.engine.worlds import import_image, make_engine
from tests.images import Piece

from lamina.engine.engine import Engine
from lamina.engine.push import NotTagged
from lamina.errors import Denied, LaminaError, NotFound, Unauthorized, Unavailable
from lamina.events import Event, LayerProgress, Notice, Phase
from lamina.hub import Hub
from lamina.remote.login import login

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.register("carol", PASSWORD)
        hub.register("alice", PASSWORD)
        yield hub


@pytest.fixture
def alice(tmp_path, hub) -> Engine:
    engine = make_engine(tmp_path / "alice")
    login(engine.client, hub.address, "alice", PASSWORD)
    return engine


@pytest.fixture
def bob(tmp_path) -> Engine:
    return make_engine(tmp_path / "bob")


def phases(events: list[Event]) -> list[Phase]:
    return [event.phase for event in events if isinstance(event, LayerProgress)]


def notices(events: list[Event]) -> list[str]:
    return [f"{e.id}: {e.text}" if e.id else e.text for e in events if isinstance(e, Notice)]


def test_pushed_image_is_pulled_back_bit_for_bit(hub, alice, bob):
    name = f"{hub.address}/alice/app:v1"
    made = import_image(alice, name)
    pushed: list[Event] = []
    (outcome,) = alice.images.push(name, listener=pushed.append)
    assert notices(pushed) == [
        f"The push refers to repository [{hub.address}/alice/app]",
        f"v1: digest: {outcome.digest} size: {outcome.size}",
    ]
    assert phases(pushed)[0] is Phase.PREPARING
    assert phases(pushed)[-1] is Phase.PUSHED
    pulled: list[Event] = []
    (arrived,) = bob.images.pull(name, listener=pulled.append)
    assert notices(pulled) == [
        "v1: Pulling from alice/app",
        f"Digest: {outcome.digest}",
        f"Status: Downloaded newer image for {name}",
    ]
    assert arrived.image_id == made
    assert arrived.downloaded
    assert bob.images.resolve(name).manifest.raw == alice.images.resolve(name).manifest.raw
    assert bob.images.inspect(name)["RepoDigests"] == [f"{hub.address}/alice/app@{outcome.digest}"]
    assert alice.images.inspect(name)["RepoDigests"] == bob.images.inspect(name)["RepoDigests"]


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


def test_moved_tag_is_downloaded_and_the_old_image_loses_its_name(hub, alice, bob):
    name = f"{hub.address}/alice/moving:v1"
    old = import_image(alice, name, [Piece("f", b"1")])
    alice.images.push(name)
    bob.images.pull(name)
    new = import_image(alice, name, [Piece("f", b"2")])
    alice.images.push(name)
    (outcome,) = bob.images.pull(name)
    assert outcome.downloaded
    assert {row.id: row.names for row in bob.images.list()} == {old: (), new: (name,)}


def test_pull_by_digest_gets_no_tag(hub, alice, bob):
    name = f"{hub.address}/alice/pinned"
    made = import_image(alice, name)
    (pushed,) = alice.images.push(name)
    bob.images.pull(f"{name}@{pushed.digest}")
    (row,) = bob.images.list()
    assert (row.id, row.names, row.digests) == (made, (), (f"{name}@{pushed.digest}",))


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


@pytest.mark.parametrize("tail", ["alice/none", "alice/app-tags:nope", "ghost/none:v1"])
def test_pull_of_what_is_not_there_says_so_and_leaves_nothing(hub, alice, bob, tail):
    import_image(alice, f"{hub.address}/alice/app-tags:v1")
    alice.images.push(f"{hub.address}/alice/app-tags:v1")
    with pytest.raises((NotFound, Unauthorized, Denied)) as caught:
        bob.images.pull(f"{hub.address}/{tail}")
    assert caught.value.message
    assert bob.images.list() == ()


def test_unreachable_registry_is_named(bob):
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        bob.images.pull("127.0.0.1:9/x/y")


def test_many_pulls_at_once_of_one_image_into_one_root(hub, alice, bob):
    name = f"{hub.address}/alice/crowd"
    import_image(alice, name, [Piece(f"f{n}", bytes([n]) * 50000) for n in range(20)])
    alice.images.push(name)
    failures: list[BaseException] = []

    def pull() -> None:
        try:
            Engine(bob.settings).images.pull(name)
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=pull) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(bob.images.list()) == 1
    with bob.layers.opened(bob.images.resolve(name).config.diff_ids) as (layer,):
        layer.verify()
