"""The canonical writer, read back by others."""

import subprocess
import tarfile
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.layer.changesets import Piece, changesets
from tests.layer.trees import tar_of

from lamina.layer.entry import Entry, Kind
from lamina.layer.writer import TarWriter, write_header


def test_what_fits_ustar_is_plain_ustar():
    header = write_header(Entry(b"d" * 100 + b"/" + b"f" * 100, Kind.FILE, size=8**11 - 1))
    assert len(header) == 512
    assert header[257:265] == b"ustar\x0000"
    assert header[345:445] == b"d" * 100


@pytest.mark.parametrize(
    "fields",
    [
        {"path": b"p" * 101},
        {"path": b"d/" * 200},
        {"link": b"l" * 101, "kind": Kind.SYMLINK},
        {"mtime_ns": 1},
        {"mtime_ns": -(10**9)},
        {"mtime_ns": 8**11 * 10**9},
        {"size": 8**11},
        {"uid": 8**7},
        {"gid": 2**32 - 1},
        {"xattrs": (("user.x", b"y"),)},
    ],
    ids=str,
)
def test_what_does_not_fit_gets_a_pax_header(fields: dict[str, object]):
    header = write_header(Entry(b"f", Kind.FILE)._replace(**fields))  # type: ignore[arg-type]
    assert len(header) == 1536
    assert header[156:157] == b"x"


@given(changesets())
def test_pythons_own_reader_agrees(items: list[Piece]):
    with tarfile.TarFile(fileobj=BytesIO(tar_of(items))) as theirs:
        members = theirs.getmembers()
    for (entry, _), member in zip(items, members, strict=True):
        name = entry.path.decode() or "."
        assert (member.name.rstrip("/"), member.mode, member.uid, member.gid) == (
            name, entry.mode, entry.uid, entry.gid,
        )  # fmt: skip
        assert member.linkname == entry.link.decode()


@given(st.lists(st.binary(max_size=600), max_size=6), st.integers(0, 2000))
def test_a_body_is_exactly_as_long_as_its_header_says(pieces: list[bytes], size: int):
    parts: list[bytes] = []
    writer = TarWriter(parts.append)
    wrong = writer.add(Entry(b"f", Kind.FILE, size=size), pieces)
    writer.close()
    data, given_bytes = b"".join(parts), b"".join(pieces)
    assert len(data) == writer.size == 512 + -(-size // 512) * 512 + 1024
    assert data[512 : 512 + size] == given_bytes[:size].ljust(size, b"\0")
    assert wrong == size - len(given_bytes) if len(given_bytes) <= size else wrong <= 0


def test_bsdtar_lists_every_name():
    names = [b"a", b"d/" * 60 + b"f", "é".encode() * 60, b"x" * 100, b"y" * 255]
    data = tar_of([Entry(name, Kind.FILE) for name in names])
    command = ["bsdtar", "-tf", "-"]
    listed = subprocess.run(command, input=data, check=True, stdout=subprocess.PIPE).stdout
    assert listed.decode().splitlines() == [name.decode() for name in names]


def test_large_bodies_go_out_in_batches():
    sizes: list[int] = []
    writer = TarWriter(lambda data: sizes.append(len(data)))
    writer.add(Entry(b"f", Kind.FILE, size=1 << 22), (bytes(1 << 16) for _ in range(64)))
    assert len(sizes) > 10
    assert max(sizes) < 1 << 20
