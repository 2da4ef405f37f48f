"""New layers: one pass gives blob, diff ID and sealed layer; a failure gives nothing."""

import gzip
import os
from pathlib import Path

import pytest
from tests.images import Piece, tar

from lamina.errors import Corrupt
from lamina.image.intake import COMPRESSION, Intake
from lamina.image.receive import Place
from lamina.layer.entry import Entry, Kind
from lamina.layer.tar import TarWriter
from lamina.snapshot.layers import Layers
from lamina.spec.descriptor import MediaType
from lamina.spec.digest import Digest
from lamina.store.store import Store
from lamina.stream.codec import Compression, decompressed
from lamina.stream.verify import DigestMismatch

PLAIN = tar([Piece("etc", directory=True), Piece("etc/a", os.urandom(3_000_000)), Piece("b", b"x")])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    store = Store.open(str(tmp_path / "root"))
    return Place(store.blobs, Layers(store.root))


def fill(intake: Intake, data: bytes, step: int) -> None:
    for at in range(0, len(data), step):
        intake.write(data[at : at + step])


@pytest.mark.parametrize("step", [512, 100_000, 10_000_000])
@pytest.mark.parametrize("codec", ["gzip", "zstd", "none"])
def test_layer_is_the_same_however_it_is_cut(place, codec, step):
    compression = Compression.parse(codec)
    with Intake(place, (), compression=compression) as intake:
        fill(intake, PLAIN, step)
        layer = intake.commit()
    assert layer.diff_id == Digest.of(PLAIN)
    assert layer.content_size == 3_000_001
    assert layer.blob.annotations == {COMPRESSION: str(compression)}
    with place.blobs.open(layer.blob.digest) as stream:
        assert b"".join(decompressed(stream)) == PLAIN
    assert layer.blob.size == place.blobs.size(layer.blob.digest)
    with Intake(place, (), compression=compression) as intake:
        fill(intake, PLAIN, 65_000)
        assert intake.commit() == layer
    with place.layers.open((layer.diff_id,)) as sealed:
        assert b"".join(sealed.tar()) == PLAIN


def test_gzip_is_the_default_and_any_gunzip_reads_it(place):
    with Intake(place, ()) as intake:
        fill(intake, PLAIN, 65536)
        layer = intake.commit()
    assert layer.blob.media_type == MediaType.OCI_LAYER_GZIP
    with place.blobs.open(layer.blob.digest) as stream:
        assert gzip.decompress(stream.read()) == PLAIN


def test_known_entries_give_the_same_layer_as_their_tar(place):
    parts: list[bytes] = []
    known: list[Entry] = []
    writer = TarWriter(parts.append, known=known)
    writer.add(Entry(b"etc", Kind.DIRECTORY, 0o755))
    for number in range(400):
        writer.add_plain(b"etc/%d" % number, 0o644, 0, 0, number, os.urandom(2000))
    writer.close()
    with Intake(place, ()) as intake:
        fill(intake, b"".join(parts), 65536)
        theirs = intake.commit()
    with place.layers.open((theirs.diff_id,)) as layer, open(layer.path, "rb") as file:
        wanted = file.read()
    os.unlink(layer.path)
    with Intake(place, ()) as intake:
        for part in parts:
            intake.write_known(part, known)
            known.clear()
        ours = intake.commit()
    assert ours == theirs
    with place.layers.open((ours.diff_id,)) as layer, open(layer.path, "rb") as file:
        assert file.read() == wanted


def nothing_left(place: Place, root: Path) -> bool:
    left = [name for folder in ("uploads", "layers/new") for name in os.listdir(root / folder)]
    return not left and not list(place.blobs) and not list(place.layers)


def test_abandoned_layer_leaves_nothing(place, tmp_path):
    with pytest.raises(KeyboardInterrupt), Intake(place, ()) as intake:
        fill(intake, PLAIN, 65536)
        raise KeyboardInterrupt
    assert nothing_left(place, tmp_path / "root")


def test_wrong_diff_id_and_no_tar_leave_nothing(place, tmp_path):
    with pytest.raises(DigestMismatch), Intake(place, ()) as intake:
        fill(intake, PLAIN, 65536)
        intake.commit(expected=Digest.of(b"other"))
    with pytest.raises(Corrupt), Intake(place, ()) as intake:
        fill(intake, b"no tar at all" * 1000, 65536)
        intake.commit()
    assert nothing_left(place, tmp_path / "root")
