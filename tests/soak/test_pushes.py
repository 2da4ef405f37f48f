"""Kill -9 at any call of a push: the registry never shows half an image, and nothing goes there twice."""

import io
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.archives import archive
from tests.commands import Lamina
from tests.engine.worlds import PASSWORD, make_engine
from tests.images import Piece, tar
from tests.latency import LongLine
from tests.soak.strikes import AtCall
from tests.soaking import sized

from lamina.engine.engine import Engine
from lamina.engine.fsck import check
from lamina.errors import NotFound
from lamina.hub import Hub
from lamina.remote.login import login
from lamina.remote.repository import Repository
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest
from lamina.spec.reference import Reference

KINDS = {
    "sendto,sendmsg,write,pwrite64": 1,
    "rename,renameat,renameat2": 1,
    "fsync": 1,
    "unlink,unlinkat": 1,
    "flock": 1,
    "connect": 1,
    "recvfrom,recvmsg": 1,
    "openat": 300,  # past the start of the interpreter
}
FEW = {"sendto,sendmsg,write,pwrite64": (4, 9)}
STEPS: list[dict[str, object]] = [{"created_by": "a step"}] * 2


class Far:
    """A hub behind a line that notes what is asked of it, and an engine logged in there."""

    def __init__(self, hub: Hub, line: LongLine, engine: Engine) -> None:
        self.hub, self.line, self.engine = hub, line, engine
        self.number = 0

    def image(self) -> Reference:
        """Make an image that nobody has seen: a layer that goes with one request and one that goes on."""
        self.number += 1
        name = f"{self.line.address}/alice/n{self.number}"
        layers = [tar([Piece("f", os.urandom(size))]) for size in (3000, 1_200_000)]
        self.engine.images.load(io.BytesIO(archive(name, layers=layers, steps=STEPS)))
        return Reference.parse(name)

    def blobs(self, manifest: Manifest) -> set[Digest]:
        return {row.digest for row in (manifest.config, *manifest.layers)}

    def known(self, reference: Reference, manifest: Manifest) -> set[Digest]:
        """Tell which of an image's blobs are there; with its manifest all of them are."""
        repository = Repository.of(self.engine.client, reference)
        there = {digest for digest in self.blobs(manifest) if repository.holds(digest)}
        try:
            descriptor, _ = repository.manifest("latest")
        except NotFound:
            return there
        assert descriptor.digest == manifest.descriptor.digest
        assert there == self.blobs(manifest), "the manifest came before its blobs"
        return there


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    with Hub() as hub, LongLine(hub.address) as line, make_engine(tmp_path) as engine:
        hub.register("alice", PASSWORD)
        login(engine.client, line.address, "alice", PASSWORD)
        yield Far(hub, line, engine)


@pytest.mark.timeout(3600)  # for the soak
def test_a_push_that_was_killed_is_completed_and_sends_nothing_twice(far: Far):
    hits = 0
    for calls, first in KINDS.items():
        for number in FEW.get(calls, ()) if sized(1, 0) else _numbers(first):
            if not _killed_and_repeated(far, AtCall(calls, number)):
                break
            hits += 1
    assert hits
    assert check(far.engine).is_clean


def _numbers(first: int) -> Iterator[int]:
    """Give each of the first calls, and of the many pieces of a large layer some."""
    yield from range(first, first + 40)
    yield from itertools.count(first + 40, 37)


def _killed_and_repeated(far: Far, strike: AtCall) -> bool:
    reference = far.image()
    manifest = far.engine.images.resolve(str(reference)).manifest
    lamina = Lamina(far.engine.settings)
    killed = strike.strike(lamina.argv("push", str(reference)), lamina.environ)
    there = far.known(reference, manifest)
    before = len(far.line.requests)
    lamina("push", str(reference))
    asked = [request.decode() for request in far.line.requests[before:]]
    again = [
        row for row in asked if row[:3] in ("POS", "PUT") and any(str(d) in row for d in there)
    ]
    assert not again, (strike, again)
    if there == far.blobs(manifest):
        assert not [row for row in asked if "/blobs/uploads/" in row], (strike, asked)
    assert far.known(reference, manifest) == far.blobs(manifest), strike
    return killed
