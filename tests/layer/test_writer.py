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
from lamina.layer.tar import read_entries
from lamina.layer.writer import TarWriter, any_header, plain_header, write_header


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


@given(
    st.binary(min_size=1, max_size=110),
    st.sampled_from([0, 0o644, 0o7777]),
    st.sampled_from([0, 1000, 8**7 - 1, 8**7]),
    st.one_of(st.integers(0, 10**8), st.sampled_from([8**8 - 1, 8**8, 8**11 - 1, 8**11])),
    st.one_of(
        st.integers(-(10**18), 10**20),
        st.sampled_from([0, 1, 10**9 - 1, 10**9, 1_700_000_000_100_000_000, 8**11 * 10**9 - 1]),
    ),
)
def test_the_short_way_to_a_header_gives_the_same_header(
    path: bytes, mode: int, owner: int, size: int, mtime_ns: int
):
    entry = Entry(path, Kind.FILE, mode, owner, 5, size, mtime_ns)
    header = plain_header(path, mode, owner, 5, size, mtime_ns)
    assert header in (b"", any_header(entry))
    usual = len(path) <= 100 and owner < 8**7 and size < 8**8 and 0 <= mtime_ns < 8**11 * 10**9
    assert bool(header) is usual


def test_known_entries_are_those_that_a_parser_gives():
    known: list[Entry] = []
    parts: list[bytes] = []
    writer = TarWriter(parts.append, known=known)
    writer.add(Entry(b"d", Kind.DIRECTORY, 0o755, xattrs=(("user.a=b%", b"v"),)))
    writer.add_plain(b"d/f", 0o600, 1, 2, 3, b"body")
    writer.add_plain(b"d/" + b"n" * 200, 0o600, 8**7, 2, 10**9, b"x" * 512)
    writer.add(Entry(b"d/l", Kind.SYMLINK, 0o777, link=b"t" * 101, mtime_ns=-5))
    writer.close()
    parsed = list(read_entries(BytesIO(b"".join(parts))))
    files = [entry for entry in parsed if entry.kind is Kind.FILE]
    assert [entry for entry in known if entry.kind is Kind.FILE] == files
    assert [entry._replace(offset=0) for entry in known] == [
        entry._replace(offset=0) for entry in parsed
    ]


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
    writer.add(Entry(b"f", Kind.FILE, size=1 << 24), (bytes(1 << 16) for _ in range(256)))
    assert len(sizes) > 10
    assert max(sizes) < 1 << 21
