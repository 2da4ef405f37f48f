"""How many round trips a pull, a push and a copy cost: what a far registry makes one wait for.

Requests are counted at the server. Each command is a process of its own, as people have it.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.engine.test_push import layered
from tests.engine.worlds import PASSWORD, make_engine
from tests.latency import LongLine
from tests.servers import RegistryServer

LAYERS = 5
BLOBS = LAYERS + 1


@dataclass
class Far:
    """A registry at the end of a long line, and the command on an engine of this test's own."""

    line: LongLine
    lamina: Lamina
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.line.address}/alice/far:v1"

    asked: tuple[bytes, ...] = ()
    """First lines of the requests of the last command."""

    def turns(self, *words: str) -> int:
        before = self.line.turns
        self.lamina(*words)
        self.asked = tuple(self.line.requests[before:])
        return self.line.turns - before

    def elsewhere(self) -> "Far":
        """Give another machine's command."""
        folder = self.folder / "elsewhere"
        with make_engine(folder) as engine:
            return Far(self.line, Lamina(engine.settings), folder)


@pytest.fixture
def to_hub(hub, alice, tmp_path: Path) -> Iterator[Far]:
    """Give the hub, where alice is logged in and has just loaded an image."""
    with LongLine(hub.address) as line:
        far = Far(line, Lamina(alice.settings), tmp_path)
        far.lamina("load", stdin=layered(far.name, LAYERS))
        far.lamina("login", "-u", "alice", "--password-stdin", line.address, stdin=PASSWORD)
        yield far


@pytest.fixture
def to_registry(tmp_path: Path, alice) -> Iterator[Far]:
    """Give distribution's registry, which lets everybody in."""
    (tmp_path / "registry").mkdir()
    with RegistryServer(tmp_path / "registry") as server, LongLine(server.address) as line:
        far = Far(line, Lamina(alice.settings), tmp_path)
        far.lamina("load", stdin=layered(far.name, LAYERS))
        yield far


def test_a_push_to_the_hub_costs_two_round_trips_for_each_blob(to_hub: Far):
    login = 3  # refused, a token, and once more
    turns = to_hub.turns("push", to_hub.name)
    assert turns <= login - 1 + 2 * BLOBS + 1, b"\n".join(to_hub.asked).decode()
    # The token is still good: each blob is asked for once, and the manifest is put.
    assert to_hub.turns("push", to_hub.name) == BLOBS + 1


def test_a_push_to_a_registry_costs_three_round_trips_for_each_blob(to_registry: Far):
    """One more than containerd's, which asks for the manifest; the first time what is spoken there."""
    assert to_registry.turns("push", to_registry.name) <= 1 + 3 * BLOBS + 1
    assert to_registry.turns("push", to_registry.name) == BLOBS + 1


def test_a_pull_costs_one_round_trip_for_each_blob_and_one_when_nothing_is_new(to_registry: Far):
    to_registry.lamina("push", to_registry.name)
    there = to_registry.elsewhere()
    # What is spoken there is asked once, or twice where the first answer takes long.
    assert there.turns("pull", there.name) in (1 + 1 + BLOBS, 2 + 1 + BLOBS)
    assert sum(b"/alice/far/" in request for request in there.asked) == 1 + BLOBS
    assert there.turns("pull", there.name) == 1


def test_a_copy_costs_one_round_trip_for_each_blob(to_hub: Far):
    to_hub.lamina("push", to_hub.name)
    layout = f"oci:{to_hub.folder}/layout:v1"
    assert to_hub.turns("copy", f"docker://{to_hub.name}", layout) == 1 + BLOBS
    other = to_hub.name.replace("far", "other")
    # A token for both repositories serves each mount and the manifest.
    copied = to_hub.turns("copy", f"docker://{to_hub.name}", f"docker://{other}")
    assert copied <= 1 + BLOBS + 1 + 1 + 2 * 3  # three at a time may be refused before the token


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_connections_are_opened_while_the_first_answer_is_under_way(
    verb: str, alice, tmp_path: Path
):
    """The blobs' connections are there before the first request, or the config, is answered."""
    (tmp_path / "registry").mkdir()
    with RegistryServer(tmp_path / "registry") as server:
        alice.images.load(io.BytesIO(layered(f"{server.address}/a/b:v1", LAYERS)))
        if verb == "pull":
            alice.images.push(f"{server.address}/a/b:v1")

        def first(request: bytes) -> bool:
            return request.startswith(b"HEAD" if verb == "push" else b"GET /v2/a/b/blobs")

        probe = 1  # what the registry speaks; and the first request may take a new connection
        lines = probe + (BLOBS - 1 if verb == "push" else alice.settings.layer_workers)
        with LongLine(server.address, held=first, lines=lines) as line:
            name = f"{line.address}/a/b:v1"
            if verb == "push":
                alice.images.tag(f"{server.address}/a/b:v1", name)
                alice.images.push(name)
            else:
                with make_engine(tmp_path / "elsewhere") as other:
                    other.images.pull(name)
            assert not line.stuck


def test_a_registry_that_knows_us_is_asked_for_every_blob_at_once(hub, alice):
    armed = False

    def asked(request: bytes) -> bool:
        return armed and request.startswith(b"HEAD")

    with LongLine(hub.address, held=asked, together=BLOBS) as line:
        name = f"{line.address}/alice/known:v1"
        lamina = Lamina(alice.settings)
        lamina("load", stdin=layered(name, LAYERS))
        lamina("login", "-u", "alice", "--password-stdin", line.address, stdin=PASSWORD)
        lamina("push", name)
        armed = True
        lamina("push", name)
        assert not line.stuck
