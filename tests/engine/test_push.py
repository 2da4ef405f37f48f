"""Push, by way of a hub in this process."""

import io
import os
from pathlib import Path

import pytest
from tests.archives import archive
from tests.commands import Lamina
from tests.containers import eventually
from tests.engine.worlds import PASSWORD, import_image, make_engine, notices, phases
from tests.images import Piece, tar
from tests.latency import LongLine
from tests.servers import Relay

from lamina.engine.engine import Engine
from lamina.engine.push import NotTagged
from lamina.engine.repacking import Known
from lamina.engine.sessions import Sessions
from lamina.errors import Denied, LaminaError, NotFound, Unauthorized
from lamina.events import Event, LayerProgress, Phase
from lamina.remote.login import login
from lamina.remote.repository import Repository
from lamina.spec.reference import Reference
from lamina.store.names import Names


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


def layered(name: str, count: int) -> bytes:
    """An archive of as many layers, of a file each."""
    layers = [tar([Piece(f"f{number}", name.encode())]) for number in range(count)]
    return archive(name, layers=layers, steps=[{"created_by": "a step"}] * count)


def test_blobs_are_asked_for_all_at_once_and_an_unchanged_image_costs_one_round_trip_each(
    hub, alice
):
    name = f"{hub.address}/alice/wide"
    alice.images.load(io.BytesIO(layered(name, 9)))
    alice.images.push(name)
    config = str(alice.images.resolve(name).manifest.config.digest).encode()

    def of_a_layer(request: bytes) -> bool:
        return request.startswith(b"HEAD") and config not in request

    with LongLine(hub.address, held=of_a_layer, together=8) as line:
        far = f"{line.address}/alice/wide"
        login(alice.client, line.address, "alice", PASSWORD)
        alice.images.tag(name, far)
        alice.close()
        before = line.turns
        alice.images.push(far)
        assert not line.stuck
        asked = [request for request in line.requests[before:] if request.startswith(b"HEAD")]
        assert len(asked) == 10  # 9 layers and the configuration
        assert line.turns - before <= 10 + 5  # what the registry is, a token, the manifest


def test_small_layers_are_sent_in_one_round_trip_each_and_together(hub, alice):
    with LongLine(
        hub.address, held=lambda request: b"/blobs/uploads/" in request, together=8
    ) as line:
        name = f"{line.address}/alice/small"
        login(alice.client, line.address, "alice", PASSWORD)
        alice.images.load(io.BytesIO(layered(name, 9)))
        alice.images.push(name)
        assert not line.stuck
        posted = [request for request in line.requests if b"/blobs/uploads/" in request]
        assert len(posted) == len([request for request in posted if b"?digest=" in request]) == 10
        put = [request for request in line.requests if request.startswith(b"PUT")]
        assert len(put) == 1  # the manifest


@pytest.mark.parametrize("packing", [(), ("--compression", "zstd", "--compression-level", "1")])
def test_a_layer_goes_on_where_it_was_when_the_push_was_killed(
    hub, alice, tmp_path, packing: tuple[str, ...]
):
    # A layer that is packed while it is sent is packed once more, and comes out the same.
    body = os.urandom(8 << 20)
    import_image(alice, "large", [Piece("noise", body)])
    (layer,) = alice.images.resolve("large").manifest.layers
    lamina = Lamina(alice.settings)
    with Relay(hub.address, up=5 << 20) as relay:
        name = f"{relay.address}/alice/large"
        login(alice.client, relay.address, "alice", PASSWORD)
        alice.images.tag("large", name)
        process = lamina.start("push", *packing, name)
        assert relay.full.wait(60)
        # On a busy machine all of it may still lie between the two.
        eventually(lambda: max(hub.services.transfers.active().values(), default=0) > 0)
        process.kill()
        process.communicate()
        kept = list(Path(alice.settings.root, "uploads").glob("push-*"))
        assert len(kept) == 1
        relay.open_up()
        eventually(lambda: max(hub.services.transfers.active().values(), default=0) == 0)
        before = relay.passed["up"]
        lamina("push", *packing, name)
        assert relay.passed["up"] - before < layer.size - (4 << 20)
    assert not kept[0].exists()
    name = f"{hub.address}/alice/large"
    with make_engine(tmp_path / "c") as other:
        assert [found.downloaded for found in other.images.pull(name)] == [True]


def test_a_large_layer_that_another_process_is_sending_is_waited_for_and_not_sent(hub, alice):
    name = f"{hub.address}/alice/shared"
    import_image(alice, name, [Piece("noise", os.urandom(2 << 20))])
    (layer,) = alice.images.resolve(name).manifest.layers
    uploads = Path(alice.store.disk.uploads)
    with Sessions(str(uploads)).of(name, layer.digest):
        process = Lamina(alice.settings).start("push", name)
        (session,) = uploads.glob("push-*")
        waiting = f":{session.stat().st_ino} "
        eventually(
            lambda: any(
                "->" in row and waiting in row
                for row in Path("/proc/locks").read_text().splitlines()
            )
        )
        repository = Repository.of(alice.client, Reference.parse(name))
        repository.upload(layer, lambda: alice.store.blobs.open(layer.digest))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert b": Layer already exists\n" in out


def test_image_removed_while_it_is_pushed_arrives_whole_and_stays_removed(hub, alice, bob):
    name = f"{hub.address}/alice/leaving"
    import_image(alice, name)

    def leave(event: Event) -> None:
        if isinstance(event, LayerProgress) and event.phase is Phase.PUSHED:
            other = Engine(alice.settings)
            other.images.remove(name, now=True)

    alice.images.push(name, listener=leave)
    assert alice.images.list() == ()
    assert bob.images.pull(name)[0].downloaded


def test_push_does_not_stumble_over_another_image_that_is_removed_meanwhile(
    hub, alice, monkeypatch: pytest.MonkeyPatch
):
    name, other = f"{hub.address}/alice/staying", f"{hub.address}/alice/going"
    import_image(alice, name)
    import_image(alice, other, [Piece("f", b"other")])
    alice.images.push(other)
    read = Known.of

    def late(engine: Engine, target: Reference) -> Known:
        rows = engine.store.names.all()
        Engine(engine.settings).images.remove(other, now=True)
        monkeypatch.setattr(Names, "all", lambda _: rows)
        try:
            return read(engine, target)
        finally:
            monkeypatch.undo()

    monkeypatch.setattr(Known, "of", late)
    (outcome,) = alice.images.push(name)
    assert outcome.reference.repository == "alice/staying"
