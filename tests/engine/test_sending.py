"""Blobs that stand for themselves: twice in one image, twice in one push, or unreadable."""

import os

import pytest
from tests.engine.worlds import import_image
from tests.images import Piece

from lamina.engine.sending import Parcel, Sender
from lamina.errors import LaminaError
from lamina.events import Event, LayerProgress, Phase, silent
from lamina.remote.repository import Repository


def parcels(engine, name: str) -> list[Parcel]:
    manifest = engine.images.resolve(name).manifest
    return [
        Parcel(each, each.digest.short, each.size) for each in (manifest.config, *manifest.layers)
    ]


def test_what_was_brought_there_once_is_not_asked_for_again(hub, alice):
    import_image(alice, "once")
    events: list[Event] = []
    sender = Sender(alice, Repository(alice.client, hub.address, "alice/once"), events.append)
    (config, layer) = parcels(alice, "once")
    sent = sender.send([config, layer, layer])
    assert sent == [config.wanted, layer.wanted, layer.wanted]
    hub.collect()
    assert sender.send([layer]) == [layer.wanted]  # as for the next tag: nobody was asked
    phases = [e.phase for e in events if isinstance(e, LayerProgress) and e.id == layer.shown]
    assert phases.count(Phase.PUSHED) == 1
    assert phases.count(Phase.PRESENT) == 2


def test_a_blob_that_is_lost_here_ends_the_push_and_the_engine_goes_on(hub, alice):
    import_image(alice, "lost", [Piece("noise", os.urandom(2 << 20))])
    repository = Repository(alice.client, hub.address, "alice/lost")
    (config, layer) = parcels(alice, "lost")
    assert layer.wanted
    path = alice.store.blobs.path(layer.wanted.digest)
    os.rename(path, f"{path}.away")
    with pytest.raises(LaminaError, match="no such blob"):
        Sender(alice, repository, silent).send([config, layer])
    os.rename(f"{path}.away", path)
    repository = Repository(alice.client, hub.address, "alice/lost")
    assert Sender(alice, repository, silent).send([config, layer]) == [config.wanted, layer.wanted]
