"""Images read at a registry: of any manners, with any index, and nothing wrong is believed."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.image.test_seek_build import Layout
from tests.images import Piece, tar
from tests.layer.trees import facts_of_tree, sealed
from tests.remote.crooked import CrookedServer, Exchange, client_for

from lamina.errors import LaminaError, NotFound, Unsupported
from lamina.events import Event, Notice
from lamina.image.remote_image import IndexMissing, RemoteImage, opened_remotely
from lamina.image.seek_artifact import ARTIFACT
from lamina.layer.spans import SeekIndexInvalid
from lamina.layer.view import Tree
from lamina.remote.client import Client
from lamina.spec.descriptor import MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest
from lamina.spec.platform import Platform
from lamina.spec.reference import Reference
from lamina.spec.wire import encode

NOISE = random.Random(9).randbytes(500_000)
LAYERS = (
    tar(
        [Piece("d", directory=True), Piece("d/noise", NOISE), Piece("d/text", b"hello\n" * 50_000)]
    ),
    tar([Piece("d/link", hard="d/text"), Piece("d/small", b"small\n"), Piece("more", NOISE[::-1])]),
)
HERE = Platform.parse("linux/amd64")


class World:
    """An image and its index as answers of a registry, which a test may spoil."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(folder / "image", *LAYERS)
        self.manifest = self.layout.manifest
        self.index: Manifest | None = None
        self.blobs: dict[str, bytes] = {"sha256:" + path.name: path.read_bytes() for path in self.layout.blobs.iterdir()}  # fmt: skip
        self.index = self.layout.builder(folder / "work").build(
            lambda row, path: self.blobs.update({str(row.digest): Path(path).read_bytes()})
        )
        self.ranges: Callable[[Exchange, bytes], None] = give_range

    def answer(self, exchange: Exchange) -> None:
        """Answer as a registry does."""
        kind, name = exchange.path.split("/")[-2:]
        manifests = {"1": self.manifest, str(self.manifest.digest): self.manifest}
        if self.index is not None:
            manifests[str(self.index.digest)] = self.index
        if kind == "manifests" and name in manifests:
            found = manifests[name]
            exchange.reply(200, found.raw, {"Content-Type": found.media_type, "Docker-Content-Digest": str(found.digest)})  # fmt: skip
        elif kind == "blobs" and name in self.blobs:
            self.ranges(exchange, self.blobs[name])
        elif kind == "referrers":
            rows = [] if self.index is None else [{**self.index.descriptor.to_json(), "artifactType": ARTIFACT}]  # fmt: skip
            body = encode({"schemaVersion": 2, "mediaType": MediaType.OCI_INDEX, "manifests": rows})
            exchange.reply(200, body, {"Content-Type": MediaType.OCI_INDEX})
        else:
            exchange.reply(200 if exchange.path in ("/v2/", "/v2") else 404)


def give_range(exchange: Exchange, data: bytes, *, at_most: int = 1 << 30) -> None:
    text = exchange.headers.get("range", "")
    if not text:
        exchange.reply(200, data)
        return
    first, _, last = text.removeprefix("bytes=").partition("-")
    start, end = int(first), int(last) + 1 if last else len(data)
    headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
    exchange.reply(206, data[start:end][:at_most], headers, length=end - start)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("whole")
    low = sealed(folder / "low", LAYERS[0])
    return facts_of_tree(Tree.of([low, sealed(folder / "high", LAYERS[1], [low])]))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with client_for(tmp_path) as made:
        yield made


def read(world: World, client: Client, look: Callable[[RemoteImage], object], heard: list[Event] | None = None) -> object:  # fmt: skip
    with CrookedServer(world.answer) as server:
        reference = Reference.parse(f"{server.address}/a/b:1")
        told = (heard if heard is not None else []).append
        with opened_remotely(client, reference, HERE, listener=told) as image:
            return look(image)


def facts(image: RemoteImage) -> object:
    return facts_of_tree(Tree.of(image.layers))


def test_all_of_it_is_what_pulling_would_give(world: World, client: Client, whole: object):
    assert read(world, client, facts) == whole


def test_a_small_file_costs_little_and_is_counted(world: World, client: Client):
    def look(image: RemoteImage) -> int:
        assert Tree.of(image.layers).read(b"d/small") == b"small\n"
        return image.traffic.received

    # The second layer alone is read, from its start, which is where its only span begins.
    size = world.manifest.layers[1].size
    assert size < read(world, client, look) < size + 20_000  # type: ignore[operator]


def test_a_registry_without_ranges_is_asked_once_for_the_whole(
    world: World, client: Client, whole: object
):
    world.ranges = lambda exchange, data: exchange.reply(200, data)
    heard: list[Event] = []

    def look(image: RemoteImage) -> int:
        assert facts(image) == facts(image) == whole
        return image.traffic.received

    sizes = sum(layer.size for layer in world.manifest.layers)
    assert sizes < read(world, client, look, heard) < sizes + 20_000  # type: ignore[operator]
    told = [event.text for event in heard if isinstance(event, Notice)]
    assert told == ["No ranges at this registry: fetching all of it"] * 2


def test_connections_that_break_off_are_gone_on_with(world: World, client: Client, whole: object):
    world.ranges = lambda exchange, data: give_range(exchange, data, at_most=200_000)
    assert read(world, client, facts) == whole


def test_other_bytes_than_the_index_knows_are_refused(world: World, client: Client):
    layer = str(world.manifest.layers[1].digest)
    bad = bytearray(world.blobs[layer])
    bad[1000] ^= 1
    world.blobs[layer] = bytes(bad)
    with pytest.raises(SeekIndexInvalid):
        read(world, client, facts)


def test_an_index_that_was_changed_is_refused(world: World, client: Client):
    assert world.index is not None
    name = str(world.index.layers[0].digest)
    for at in (5, len(world.blobs[name]) - 30):
        good = world.blobs[name]
        bad = bytearray(good)
        bad[at] ^= 1
        world.blobs[name] = bytes(bad)
        with pytest.raises(LaminaError):
            read(world, client, facts)
        world.blobs[name] = good


def test_another_layers_index_in_its_place_is_refused(world: World, client: Client):
    assert world.index is not None
    first, second = world.index.layers
    raw = world.index.raw
    for field in ("digest", "size"):
        raw = raw.replace(str(getattr(first, field)).encode(), b"%")
        raw = raw.replace(str(getattr(second, field)).encode(), str(getattr(first, field)).encode())
        raw = raw.replace(b"%", str(getattr(second, field)).encode())
    raw = raw.replace(
        first.annotations["io.lamina.seek.head"].encode(),
        second.annotations["io.lamina.seek.head"].encode(),
    )
    world.index = Manifest(MediaType.OCI_MANIFEST, world.index.config, (), raw)
    with pytest.raises(SeekIndexInvalid):
        read(world, client, facts)


def test_an_image_without_an_index_says_what_to_do(world: World, client: Client):
    world.index = None
    with pytest.raises(IndexMissing, match="no seek index") as caught:
        read(world, client, facts)
    assert "lamina index" in caught.value.hint
    world.index = Manifest(MediaType.OCI_MANIFEST, world.manifest.config, (), b"{}")
    with pytest.raises(IndexMissing):
        read(world, client, facts)


def test_what_is_no_image_or_not_there_is_told(world: World, client: Client):
    image = world.manifest
    assert world.index is not None
    world.manifest = world.index
    with pytest.raises(Unsupported, match="is an artifact"):
        read(world, client, facts)
    world.manifest = image
    del world.blobs[str(image.config.digest)]
    with pytest.raises(NotFound):
        read(world, client, facts)
    assert Digest.of(image.raw) == image.digest
