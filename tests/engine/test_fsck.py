"""A check finds each kind of damage, and nothing else."""

import io
import os
from pathlib import Path

import pytest
from tests.archives import archive
from tests.engine.worlds import import_image
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.engine.findings import Finding, Health, Part, Shape
from lamina.engine.fsck import check
from lamina.engine.mend import mend
from lamina.layer.sealed import SealedLayer
from lamina.spec.digest import Digest


@pytest.fixture
def image(engine: Engine) -> Digest:
    return import_image(engine, "base")


def layer_of(engine: Engine, name: str = "base") -> Path:
    return Path(engine.layers.path(engine.images.resolve(name).config.diff_ids))


def blob_of(engine: Engine, name: str = "base") -> Path:
    return Path(engine.store.blobs.path(engine.images.resolve(name).manifest.layers[0].digest))


def in_index(path: Path) -> int:
    """Where the index of a sealed layer has an inode."""
    with SealedLayer.open(str(path)) as layer:
        return layer.meta_at + 20


def spoil(path: Path, at: int) -> None:
    """Flip the bits of one byte, size and times as they were."""
    found = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(at if at >= 0 else found.st_size + at)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0xFF]))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def broken(engine: Engine) -> list[Finding]:
    return [finding for finding in check(engine).findings if finding.health is Health.BROKEN]


def test_a_whole_store_is_clean_and_everything_was_looked_at(engine: Engine, image: Digest):
    told: list[tuple[int, int]] = []
    report = check(engine, told=lambda done, total: told.append((done, total)))
    assert report.is_clean
    assert report.findings == ()
    assert (report.images, report.blobs, report.layers) == (1, 3, 1)
    assert told[-1][0] == told[-1][1] == report.size > 70000


def test_an_empty_store_is_clean(engine: Engine):
    assert check(engine).findings == ()


@pytest.mark.parametrize("at", [0, 10, -1])
def test_a_flipped_byte_of_a_blob_is_found_with_the_image_that_needs_it(
    engine: Engine, image: Digest, at: int
):
    spoil(blob_of(engine), at)
    [found] = broken(engine)
    assert (found.shape, found.part) == (Shape.DAMAGED, Part.BLOB)
    assert found.subject.endswith(blob_of(engine).name)
    assert found.images == ("docker.io/library/base:latest",)


@pytest.mark.parametrize("at", [0, 1024, 1200, 5000, -5000, -1])
def test_a_flipped_byte_anywhere_in_a_sealed_layer_is_found(engine: Engine, image: Digest, at: int):
    spoil(layer_of(engine), at)
    [found] = broken(engine)
    assert (found.shape, found.part) == (Shape.DAMAGED, Part.LAYER)
    assert found.pile == tuple(engine.images.resolve("base").config.diff_ids)


def test_a_cut_sealed_layer_is_found(engine: Engine, image: Digest):
    os.truncate(layer_of(engine), layer_of(engine).stat().st_size // 2)
    [found] = broken(engine)
    assert found.part is Part.LAYER


def test_what_is_missing_is_found(engine: Engine, image: Digest):
    layer, blob = layer_of(engine), blob_of(engine)
    layer.unlink()
    blob.unlink()
    assert {(f.shape, f.part) for f in broken(engine)} == {
        (Shape.MISSING, Part.LAYER),
        (Shape.MISSING, Part.BLOB),
    }


@pytest.mark.parametrize("part", ["manifest", "config"])
def test_damaged_documents_are_found(engine: Engine, image: Digest, part: str):
    found = engine.images.resolve("base")
    digest = found.manifest.digest if part == "manifest" else found.config.digest
    spoil(Path(engine.store.blobs.path(digest)), 20)
    assert [f.subject for f in broken(engine)] == [str(digest)]


def test_damage_that_nothing_needs_is_harmless(engine: Engine):
    digest = engine.store.blobs.put(b"nobody names me")
    spoil(Path(engine.store.blobs.path(digest)), 3)
    report = check(engine)
    assert report.is_clean
    assert [f.health for f in report.findings] == [Health.HARMLESS]


def test_files_of_nobody_and_partial_downloads_are_told_and_are_no_damage(
    engine: Engine, image: Digest
):
    Path(engine.store.root, "blobs/sha256/notes.txt").write_text("mine")
    with engine.store.blobs.writer("sha256-half") as writer:
        writer.write(b"half")
    report = check(engine)
    assert report.is_clean
    assert {(f.shape, f.subject) for f in report.findings} == {
        (Shape.FOREIGN, "blobs/sha256/notes.txt"),
        (Shape.LEFT_OVER, "uploads/sha256-half"),
    }


def test_a_damaged_index_is_told_and_not_touched(engine: Engine, image: Digest):
    index = Path(engine.store.root, "index.json")
    index.write_text("{ torn")
    [found] = broken(engine)
    assert found.part is Part.INDEX
    assert index.read_text() == "{ torn"


def test_what_other_people_keep_among_ours_is_named_and_never_collected(
    engine: Engine, image: Digest
):
    places = [
        "notes", "blobs/sha256/notes", "layers/sha256/notes", "layers/chain/notes", "layers/merged/notes",
    ]  # fmt: skip
    for place in places:
        Path(engine.store.root, place).parent.mkdir(exist_ok=True)
        Path(engine.store.root, place).write_text("mine")
    report = check(engine)
    assert report.is_clean
    assert {f.subject for f in report.findings if f.shape is Shape.FOREIGN} == set(places)
    engine.images.prune(all_unused=True, now=True)
    assert all(Path(engine.store.root, place).read_text() == "mine" for place in places)


def test_a_layer_kept_once_per_pile_is_looked_into(engine: Engine):
    lower = tar([Piece("d/", directory=True), Piece("d/f", b"f" * 9000)])
    upper = tar([Piece("g", hard="d/f")])  # a link to a file below: its index needs that layer
    steps: list[dict[str, object]] = [{"created": "2026-01-01T00:00:00Z"}] * 2
    engine.images.load(io.BytesIO(archive("two:1", layers=(lower, upper), steps=steps)))
    chained = layer_of(engine, "two:1")
    assert "/layers/chain/" in str(chained)
    before = chained.read_bytes()
    assert check(engine).findings == ()
    spoil(chained, in_index(chained))
    [found] = broken(engine)
    assert (found.part, len(found.pile)) == (Part.LAYER, 2)
    assert mend(engine, check(engine)).is_clean
    assert chained.read_bytes() == before
