"""Building the indexes of whole images: from blobs alone, from sealed layers, and from wrong ones."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.images import Piece, tar, write_layout
from tests.layer.trees import facts_of_tree, sealed

from lamina.errors import Corrupt, LaminaError
from lamina.image.seek_artifact import LAYER, PILE, read_artifact
from lamina.image.seek_build import FileRanges, SeekBuilder, StreamRanges
from lamina.layer.indexed import IndexedLayer
from lamina.layer.sealed import SealedLayer
from lamina.layer.seek_index import SeekIndex
from lamina.layer.view import Tree
from lamina.spec.config import ImageConfig
from lamina.spec.descriptor import Descriptor
from lamina.spec.digest import Digest, chain_id
from lamina.spec.manifest import Manifest, parse_manifest

LOW = tar([Piece("d", directory=True), Piece("d/old", b"from below" * 5000), Piece("gone", b"x")])
HIGH = tar([Piece("d/link", hard="d/old"), Piece(".wh.gone"), Piece("new", b"n" * 70_000)])


class Layout:
    """An image in a folder."""

    def __init__(self, folder: Path, *layers: bytes) -> None:
        self.blobs = folder / "blobs" / "sha256"
        digest = write_layout(folder, list(layers))
        manifest = parse_manifest(self.path(Digest(digest)).read_bytes())
        assert isinstance(manifest, Manifest)
        self.manifest = manifest
        self.config = ImageConfig.from_json(self.path(manifest.config.digest).read_bytes())

    def path(self, digest: Digest) -> Path:
        return self.blobs / digest.hex

    def ranges(self, layer: Descriptor) -> FileRanges:
        return FileRanges(str(self.path(layer.digest)))

    def builder(self, folder: Path, **more: Callable[..., SealedLayer]) -> SeekBuilder:
        folder.mkdir()
        return SeekBuilder(self.manifest, self.config, str(folder), blobs=self.ranges, **more)  # type: ignore[arg-type]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "image", LOW, HIGH)


def build(builder: SeekBuilder, kept: dict[Digest, bytes]) -> Manifest:
    return builder.build(lambda row, path: kept.update({row.digest: Path(path).read_bytes()}))


def test_the_image_is_read_by_its_indexes_as_it_is_by_its_layers(layout: Layout, tmp_path: Path):
    kept: dict[Digest, bytes] = {}
    made = build(layout.builder(tmp_path / "work"), kept)
    assert all(Digest.of(data) == digest for digest, data in kept.items())
    assert not list((tmp_path / "work").glob("*.sealed"))
    rows = read_artifact(made.raw, layout.manifest)
    layers = []
    for row, layer in zip(rows, layout.manifest.layers, strict=True):
        file = StreamRanges(partial(io.BytesIO, kept[row.descriptor.digest]))
        index = SeekIndex.read(file, row.descriptor.size, row.head)
        layers.append(IndexedLayer(str(layer.digest), index, file=file, blob=layout.ranges(layer)))
    low = sealed(tmp_path / "low", LOW)
    high = sealed(tmp_path / "high", HIGH, [low])
    assert facts_of_tree(Tree.of(layers)) == facts_of_tree(Tree.of([low, high]))
    # The second has a hard link into the first, so that it holds on that alone.
    assert PILE not in rows[0].descriptor.annotations
    assert rows[1].descriptor.annotations[PILE] == chain_id(layout.config.diff_ids)


def test_sealed_layers_that_are_here_give_the_same_index_and_nothing_is_sealed(
    layout: Layout, tmp_path: Path
):
    low = sealed(tmp_path / "low", LOW)
    sealed(tmp_path / "high", HIGH, [low]).close()
    paths = {1: tmp_path / "low", 2: tmp_path / "high"}
    here = layout.builder(
        tmp_path / "here", sealed=lambda pile: SealedLayer.open(str(paths[len(pile)]))
    )
    one: dict[Digest, bytes] = {}
    two: dict[Digest, bytes] = {}
    assert build(here, one).raw == build(layout.builder(tmp_path / "blobs"), two).raw
    assert one == two


def test_an_index_that_is_known_is_not_made_again(layout: Layout, tmp_path: Path):
    kept: dict[Digest, bytes] = {}
    made = build(layout.builder(tmp_path / "one"), kept)
    known = {row.annotations[LAYER]: row for row in made.layers}
    again: list[Digest] = []
    second = layout.builder(tmp_path / "two").build(
        lambda row, _: again.append(row.digest), lambda layer, _: known[str(layer.digest)]
    )
    assert (second.raw, again) == (made.raw, [])
    # On other layers the second's does not hold.
    other = Layout(tmp_path / "other", LOW + bytes(512), HIGH)
    known[str(other.manifest.layers[0].digest)] = made.layers[0]
    other.builder(tmp_path / "three").build(
        lambda row, _: again.append(row.digest), lambda layer, _: known[str(layer.digest)]
    )
    assert len(again) == 1


def test_a_blob_or_a_tar_that_is_not_the_promised_one_gives_no_index(
    layout: Layout, tmp_path: Path
):
    path = layout.path(layout.manifest.layers[1].digest)
    good = path.read_bytes()
    for number, bad in enumerate((good[:-20], good[:100] + b"?" + good[101:], b"")):
        path.write_bytes(bad)
        with pytest.raises(LaminaError):
            build(layout.builder(tmp_path / str(number)), {})
    path.write_bytes(good)
    config = ImageConfig.from_json(
        layout.config.raw.replace(layout.config.diff_ids[1].hex.encode(), b"0" * 64)
    )
    folder = tmp_path / "work"
    folder.mkdir()
    lying = SeekBuilder(layout.manifest, config, str(folder), blobs=layout.ranges)
    with pytest.raises(Corrupt, match="the configuration says"):
        build(lying, {})
    short = ImageConfig.from_json(layout.config.raw.replace(f'"{layout.config.diff_ids[1]}"'.encode(), b"").replace(b", ]", b"]"))  # fmt: skip
    with pytest.raises(Corrupt, match="2 layers, its configuration 1"):
        SeekBuilder(layout.manifest, short, str(folder), blobs=layout.ranges)


def test_whoever_wants_it_stopped_stops_it(layout: Layout, tmp_path: Path):
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    (tmp_path / "work").mkdir()
    builder = SeekBuilder(
        layout.manifest, layout.config, str(tmp_path / "work"), blobs=layout.ranges, check=stop
    )
    with pytest.raises(Stopped):
        build(builder, {})
    assert not list((tmp_path / "work").glob("*.sealed"))
