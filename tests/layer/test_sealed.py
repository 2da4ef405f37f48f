"""Reading a sealed layer: right, or Corrupt; never a wrong tree and never a crash."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.layer.changesets import Piece, changesets
from tests.layer.trees import facts_of_tree, sealed, tar_of

from lamina.errors import Corrupt
from lamina.layer.entry import Entry, Kind
from lamina.layer.seal import Sealer
from lamina.layer.sealed import SealedLayer, SealedLayerCorrupt
from lamina.layer.view import Tree
from lamina.layer.writer import write_header
from lamina.spec.digest import Digest

ROOT = Entry(b"", Kind.DIRECTORY, 0o755)
SAMPLE: list[Entry | tuple[Entry, bytes]] = [
    ROOT,
    (Entry(b"file", Kind.FILE), b"0123456789" * 1000),
    (Entry(b"empty", Kind.FILE), b""),
    Entry(b"link", Kind.SYMLINK, 0o777, link=b"file"),
    Entry(b"long", Kind.SYMLINK, 0o777, link=b"t" * 700),
    Entry(b"many", Kind.DIRECTORY, 0o700, xattrs=(("user.k", b"v" * 100),)),
    *((Entry(b"many/%03d" % number, Kind.FILE)) for number in range(150)),
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sealed") / "layer"
    sealed(path, tar_of(SAMPLE)).close()
    return path


@given(changesets())
def test_walk_gives_what_the_parser_gave(items: list[Piece]):
    import tempfile

    last: dict[bytes, Entry] = {}
    for entry, _ in items:
        last[entry.path] = entry
    with tempfile.TemporaryDirectory() as name, sealed(Path(name, "l"), tar_of(items)) as layer:
        walked = dict(layer.walk())
        assert set(walked) == set(last)
        assert list(walked) == sorted(walked, key=lambda path: path.split(b"/") if path else [])
        for path, node in walked.items():
            found = layer.lookup(path)
            assert found is not None
            assert found.nid == node.nid
            if last[path].kind is not Kind.HARDLINK:
                wanted = last[path]._replace(offset=0, xattrs=tuple(sorted(last[path].xattrs)))
                assert node.entry(path) == wanted


@given(data=st.data())
def test_every_bit_flip_that_is_read_is_corrupt(sample: Path, tmp_path: Path, data: st.DataObject):
    good = sample.read_bytes()
    with SealedLayer.open(str(sample)) as layer:
        wanted = facts_of_tree(Tree.of([layer]))
        start, end = layer._tail, layer._meta_end + 4 * len(layer._sums)
    at = data.draw(st.one_of(st.integers(start, end - 1), st.integers(1024, 1024 + 511)))
    bad = bytearray(good)
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "bad"
    path.write_bytes(bad)
    with pytest.raises(Corrupt):
        _use_everything(path)
    assert wanted


@given(data=st.data())
def test_every_bit_flip_anywhere_is_found_by_verify(
    sample: Path, tmp_path: Path, data: st.DataObject
):
    bad = bytearray(sample.read_bytes())
    at = data.draw(st.integers(0, len(bad) - 1))
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "bad"
    path.write_bytes(bad)
    with pytest.raises(Corrupt), SealedLayer.open(str(path)) as layer:
        layer.verify()


@given(data=st.data())
def test_every_truncation_and_extension_is_corrupt(
    sample: Path, tmp_path: Path, data: st.DataObject
):
    good = sample.read_bytes()
    size = data.draw(st.integers(0, len(good) + 5000).filter(lambda size: size != len(good)))
    path = tmp_path / "bad"
    path.write_bytes(good[:size].ljust(size, b"\0"))
    with pytest.raises(Corrupt):
        _use_everything(path)


@given(data=st.data())
def test_an_index_forged_with_right_sums_is_corrupt_or_a_tree(
    sample: Path, tmp_path: Path, data: st.DataObject
):
    """Whoever can forge the sums too still cannot crash or loop the reader."""
    with SealedLayer.open(str(sample)) as layer:
        end, at = layer._meta_end, layer.meta_at
    changes = {
        data.draw(st.integers(at, end - 1)): data.draw(st.integers(0, 255))
        for _ in range(data.draw(st.integers(1, 5)))
    }
    path = forged(sample, tmp_path, changes)
    try:
        assert _use_everything(path) > 0
    except Corrupt:
        return


def forged(sample: Path, tmp_path: Path, changes: dict[int, int]) -> Path:
    """Change bytes of the index, and every sum over them to fit."""
    from zlib import crc32

    from lamina.layer import erofs

    bad = bytearray(sample.read_bytes())
    with SealedLayer.open(str(sample)) as layer:
        tail, end = layer._tail, layer._meta_end
    for at, value in changes.items():
        bad[at] = value
    sums = erofs.ChunkSums()
    sums.update(bad[tail:end])
    table = sums.finish()
    bad[end : end + len(table)] = table
    fields = list(erofs.HEADER.unpack_from(bad, erofs.HEADER_AT))
    fields[6] = crc32(table)
    erofs.HEADER.pack_into(bad, erofs.HEADER_AT, *fields)
    bad[1028:1032] = bytes(4)
    bad[1028:1032] = erofs.crc32c(bytes(bad[1024:1536])).to_bytes(4, "little")
    path = tmp_path / "forged"
    path.write_bytes(bad)
    return path


def place_of(sample: Path, name: bytes) -> int:
    """Give where the entry of `name` stands in the root's directory block."""
    with SealedLayer.open(str(sample)) as layer:
        names = layer._block(layer.root, 0)[0]
        return layer.root.data_at + 12 * names.index(name)


def test_a_directory_that_is_inside_itself_is_corrupt(sample: Path, tmp_path: Path):
    with SealedLayer.open(str(sample)) as layer:
        root = layer.root.nid
    at = place_of(sample, b"many")
    path = forged(sample, tmp_path, {at: root & 0xFF, at + 1: root >> 8})
    with SealedLayer.open(str(path)) as layer:
        for walk in (layer.walk, Tree.of([layer]).walk, Tree.of([layer, layer]).walk):
            with pytest.raises(Corrupt, match="two places"):
                list(walk())


def test_an_inode_that_is_not_what_its_directory_says_is_corrupt(sample: Path, tmp_path: Path):
    kind_at = place_of(sample, b"file") + 10
    for kind, said in ((2, "not the directory"), (6, "something unknown"), (99, "unknown")):
        path = forged(sample, tmp_path, {kind_at: kind})
        with SealedLayer.open(str(path)) as layer, pytest.raises(SealedLayerCorrupt, match=said):
            dict(layer.listdir(b""))[b"file"].mode  # noqa: B018 - read for its inode
        with SealedLayer.open(str(path)) as layer, pytest.raises(SealedLayerCorrupt, match=said):
            node = layer.lookup(b"file")
            assert node is not None
            node.mode  # noqa: B018


def test_names_that_no_directory_can_have_are_corrupt(sample: Path, tmp_path: Path):
    at = place_of(sample, b"file")
    with SealedLayer.open(str(sample)) as layer:
        start = layer.root.data_at
        name_at = start + int.from_bytes(layer.index_bytes(at + 8, 2), "little")
    for letter in (b"/", b"\0", b"z"):  # z: no longer in order
        path = forged(sample, tmp_path, {name_at: letter[0]})
        with SealedLayer.open(str(path)) as layer, pytest.raises(SealedLayerCorrupt):
            layer.listdir(b"")
    path = forged(sample, tmp_path, {at + 8: 255})  # a name that begins after the next one
    with SealedLayer.open(str(path)) as layer, pytest.raises(SealedLayerCorrupt):
        layer.listdir(b"")


def _use_everything(path: Path) -> int:
    with SealedLayer.open(str(path)) as layer:
        layer.check()
        count = 0
        for name, node in layer.walk():
            assert node.xattrs is not None
            layer.lookup(name)
            if node.kind is Kind.FILE:
                for piece in layer.pieces(node, 0, 1 << 20):
                    assert piece
            if node.kind is Kind.SYMLINK:
                assert node.target
            count += 1
        return count


def test_reading_parts_of_a_file(sample: Path):
    with SealedLayer.open(str(sample)) as layer:
        node = layer.lookup(b"file")
        assert node is not None
        assert layer.read(node, 5, 10) == b"5678901234"
        assert layer.read(node, 9_995) == b"56789"
        assert layer.read(node, 10_000) == layer.read(node, 99_999, 5) == b""
        with layer.open_file(node) as file:
            assert file.seek(-3, os.SEEK_END) == 9_997
            assert file.read() == b"789"
            assert file.seek(0) == 0
            assert file.read(4) == b"0123"
        with pytest.raises(SealedLayerCorrupt):
            layer.read(layer.root)


def test_reading_a_big_file_keeps_little_of_it_in_memory(tmp_path: Path):
    size = 200 << 20
    path = tmp_path / "big"
    with Sealer(str(path)) as sealer:
        header = write_header(Entry(b"big", Kind.FILE, size=size))
        total = hashlib.sha256()
        for piece in (header, *(bytes([number]) * (1 << 20) for number in range(200)), bytes(1024)):
            sealer.write(piece)
            total.update(piece)
        sealer.finish(Digest(f"sha256:{total.hexdigest()}"))
    with SealedLayer.open(str(path)) as layer:
        node = layer.lookup(b"big")
        assert node is not None
        before = resident()
        most = 0
        for number, piece in enumerate(layer.pieces(node)):
            assert piece[0] == piece[-1] == number
            most = max(most, resident() - before)
    assert most < 50 << 20


def resident() -> int:
    """Give the bytes of this process's memory that are in RAM, those of mapped files too."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_what_is_not_there_is_none(sample: Path):
    with SealedLayer.open(str(sample)) as layer:
        for path in (b"nothing", b"file/below", b"many/999", b"many/.", b"many/..", b"link/x"):
            assert layer.lookup(path) is None
        assert layer.listdir(b"file") == layer.listdir(b"nothing") == []


def test_the_tar_is_given_back_to_the_byte(sample: Path):
    with SealedLayer.open(str(sample)) as layer:
        assert b"".join(layer.tar()) == tar_of(SAMPLE)
        assert layer.tar_size == len(tar_of(SAMPLE))


def test_what_is_no_sealed_layer_says_so(tmp_path: Path):
    for name, data in (("empty", b""), ("short", b"x" * 100), ("zeros", bytes(8192))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SealedLayerCorrupt, match=name):
            SealedLayer.open(str(tmp_path / name))
    with pytest.raises(FileNotFoundError):
        SealedLayer.open(str(tmp_path / "absent"))


def test_a_diff_id_of_impossible_length_is_corrupt(sample: Path, tmp_path: Path):
    from lamina.layer import erofs

    bad = bytearray(sample.read_bytes())
    fields = list(erofs.HEADER.unpack_from(bad, erofs.HEADER_AT))
    fields[8] = 1
    erofs.HEADER.pack_into(bad, erofs.HEADER_AT, *fields)
    bad[1028:1032] = bytes(4)
    bad[1028:1032] = erofs.crc32c(bytes(bad[1024:1536])).to_bytes(4, "little")
    (tmp_path / "bad").write_bytes(bad)
    with pytest.raises(SealedLayerCorrupt, match="diff ID of 1 byte"):
        SealedLayer.open(str(tmp_path / "bad"))
