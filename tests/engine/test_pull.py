"""Pull, by way of a hub in this process."""

import threading

import pytest
from tests.engine.worlds import import_image, notices, phases
from tests.images import Piece
from tests.remote.crooked import CrookedServer, Exchange

from lamina.engine.engine import Engine
from lamina.errors import Denied, NotFound, Unauthorized, Unavailable
from lamina.events import Event, Phase


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


def test_mirror_whose_layer_is_another_is_passed_over_for_the_origin(
    hub, alice, bob, tmp_path, monkeypatch
):
    name = f"{hub.address}/alice/mirrored:v1"
    import_image(alice, name, [Piece("f", b"mirrored" * 1000)])
    alice.images.push(name)
    layer = alice.images.resolve(name).manifest.layers[0]

    def lie(exchange: Exchange) -> None:
        if exchange.path.endswith(str(layer.digest)):
            exchange.reply(200, bytes(layer.size))
        else:
            exchange.reply(404)

    with CrookedServer(lie) as mirror:
        file = tmp_path / "registries.toml"
        file.write_text(f'[registry."{hub.address}"]\nmirrors = ["http://{mirror.address}"]\n')
        monkeypatch.setenv("LAMINA_REGISTRIES", str(file))
        said: list[Event] = []
        bob.images.pull(name, listener=said.append)
        assert mirror.asked("GET", str(layer.digest))
    assert bob.images.list()[0].names == (name,)
    (passed,) = [each for each in notices(said) if "Passing over" in each]
    assert mirror.address in passed
