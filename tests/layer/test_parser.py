"""The push parser: every format, any cut into pieces, and whatever an attacker writes."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.layer.changesets import Piece, changesets
from tests.layer.trees import gnu_tar, tar_of

from lamina.errors import Corrupt, Unsupported
from lamina.layer.entry import Entry, EntryInvalid, Kind
from lamina.layer.parser import TarParser
from lamina.layer.pax import TarInvalid
from lamina.layer.writer import write_header


def parse(data: bytes, step: int = 0) -> list[Entry]:
    parser = TarParser()
    found = []
    for at in range(0, len(data), step or len(data) or 1):
        found += parser.feed(data[at : at + (step or len(data))])
    parser.finish()
    return found


def raw(letter: bytes, name: bytes, body: bytes = b"", *, magic: bytes = b"ustar\x0000") -> bytes:
    """Write a header by hand, with any type letter."""
    block = bytearray(write_header(Entry(b"x", Kind.FILE, size=len(body))))
    block[0:100] = name.ljust(100, b"\0")
    block[156:157] = letter
    block[257:265] = magic
    return summed(block) + body + bytes(-len(body) % 512)


def summed(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3
    size = next(n for n in range(rest, rest + 9) if n == rest + len(str(n)))
    return b"%d %b=%b\n" % (size, key, value)


def pax(*records: tuple[bytes, bytes], letter: bytes = b"x") -> bytes:
    return raw(letter, b"PaxHeaders/x", b"".join(record(*pair) for pair in records))


@given(changesets(), st.integers(1, 2000))
def test_any_cut_into_pieces_gives_the_same_entries(items: list[Piece], step: int):
    data = tar_of(items)
    assert parse(data, step) == parse(data)


@given(changesets())
def test_what_the_writer_wrote_is_read_back(items: list[Piece]):
    found = parse(tar_of(items))
    wanted = [entry for entry, _ in items]
    assert [entry._replace(offset=0) for entry in found] == [
        entry._replace(xattrs=tuple(sorted(entry.xattrs))) for entry in wanted
    ]
    assert all(entry.offset % 512 == 0 for entry in found)


@given(changesets(), st.data())
def test_damaged_tars_are_an_error_or_entries_and_never_a_crash(
    items: list[Piece], data: st.DataObject
):
    tar = bytearray(tar_of(items))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(tar) - 1))
        tar[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):  # let the damage through the checksum
        for at in range(0, len(tar), 512):
            if tar[at + 257 : at + 262] == b"ustar":
                tar[at : at + 512] = summed(tar[at : at + 512])
    try:
        found = parse(bytes(tar))
    except (Corrupt, Unsupported):
        return
    for entry in found:
        assert not entry.path.startswith(b"/")
        assert not {b"", b".", b".."} & set(entry.path.split(b"/")) or not entry.path


@given(st.binary(max_size=3000))
def test_noise_is_corrupt(noise: bytes):
    if len(noise) < 512 or not noise[:512].strip(b"\0"):
        return
    with pytest.raises(Corrupt):
        parse(noise)


def test_gnu_long_names_and_links():
    body = b"d/" * 200 + b"f\0"
    data = raw(b"L", b"././@LongLink", body) + raw(b"K", b"././@LongLink", b"t" * 300 + b"\0")
    data += raw(b"2", b"short", magic=b"ustar  \0")
    assert parse(data) == [
        Entry(b"d/" * 200 + b"f", Kind.SYMLINK, link=b"t" * 300, offset=len(data)),
    ]


def test_base_256_numbers():
    block = bytearray(write_header(Entry(b"big", Kind.FILE)))
    block[108:116] = b"\x80" + (3_000_000_000).to_bytes(7, "big")
    block[124:136] = b"\x80" + (1 << 40).to_bytes(11, "big")
    block[136:148] = (-5).to_bytes(12, "big", signed=True)
    parser = TarParser()
    (entry,) = parser.feed(summed(block))
    assert (entry.uid, entry.size, entry.mtime_ns) == (3_000_000_000, 1 << 40, -5 * 10**9)
    with pytest.raises(TarInvalid, match="within the body"):
        parser.finish()


def test_global_headers_hold_until_they_are_taken_back():
    data = pax((b"uid", b"7"), (b"mtime", b"1.5"), letter=b"g") + raw(b"0", b"a")
    data += (
        pax((b"uid", b"9")) + raw(b"0", b"b") + pax((b"uid", b""), letter=b"g") + raw(b"0", b"c")
    )
    assert [(entry.uid, entry.mtime_ns) for entry in parse(data)] == [
        (7, 1_500_000_000), (9, 1_500_000_000), (0, 1_500_000_000),
    ]  # fmt: skip


def test_pax_says_every_field():
    data = pax(
        (b"path", b"d/\xff"), (b"uid", b"1"), (b"gid", b"2"), (b"mtime", b"-0.000000001"),
        (b"SCHILY.xattr.user.raw", b"a=b\n\0"), (b"LIBARCHIVE.xattr.user.b%2564", b"YQ"),
        (b"comment", b"nothing"),
    ) + raw(b"5", b"other")  # fmt: skip
    assert parse(data) == [
        Entry(
            b"d/\xff", Kind.DIRECTORY, 0o644, 1, 2, mtime_ns=-1,
            xattrs=(("user.b%64", b"a"), ("user.raw", b"a=b\n\0")), offset=len(data),
        )
    ]  # fmt: skip


def test_old_letters_and_old_ways():
    data = raw(b"\0", b"file", magic=bytes(8)) + raw(b"\0", b"folder/") + raw(b"7", b"contiguous")
    data += raw(b"V", b"label") + raw(b"D", b"dump", b"Yname\0\0") + raw(b"Q", b"unknown", b"x")
    assert [(entry.path, entry.kind) for entry in parse(data)] == [
        (b"file", Kind.FILE), (b"folder", Kind.DIRECTORY), (b"contiguous", Kind.FILE),
        (b"dump", Kind.DIRECTORY), (b"unknown", Kind.FILE),
    ]  # fmt: skip


def test_a_checksum_of_signed_bytes_is_taken():
    block = bytearray(write_header(Entry(b"\xe9t\xe9", Kind.FILE)))
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % (sum(block) - 512)
    assert parse(bytes(block))[0].path == b"\xe9t\xe9"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"/etc/passwd", b"etc/passwd"),
        (b"///a//b/./c", b"a/b/c"),
        (b"a/../b", b"b"),
        (b"./.", b""),
        (b"a/..", b""),
    ],
)
def test_names_are_made_relative_and_normal(written: bytes, read: bytes):
    assert parse(raw(b"5", written))[0].path == read


@pytest.mark.parametrize(
    "data",
    [
        raw(b"0", b"../escape"),
        raw(b"0", b"a/../../escape"),
        raw(b"5", b".."),
        raw(b"0", b""),
        pax((b"path", b"a\0b")) + raw(b"0", b"x"),
        pax((b"path", b"n" * 300)) + raw(b"0", b"x"),
        pax((b"linkpath", b"../../etc/passwd")) + raw(b"1", b"x"),
        pax((b"linkpath", b"a\0b")) + raw(b"2", b"x"),
        raw(b"2", b"no-target"),
        raw(b"1", b"no-target"),
    ],
    ids=range(10),
)
def test_names_that_leave_the_root_or_cannot_be_are_refused(data: bytes):
    with pytest.raises(EntryInvalid):
        parse(data)


@pytest.mark.parametrize(
    "data",
    [
        pax((b"size", b"-1")) + raw(b"0", b"x"),
        pax((b"size", b"9" * 30)) + raw(b"0", b"x"),
        pax((b"uid", b"4294967296")) + raw(b"0", b"x"),
        pax((b"mtime", b"now")) + raw(b"0", b"x"),
        raw(b"x", b"p", b"30 path=x\n") + raw(b"0", b"x"),
        raw(b"x", b"p", b"path=x\n") + raw(b"0", b"x"),
        raw(b"x", b"p", b"999999999999999999 a=b\n") + raw(b"0", b"x"),
        pax((b"path", b"dangling")),
        pax((b"path", b"dangling")) + bytes(1024),
        pax((b"LIBARCHIVE.xattr.user.x", b"!")) + raw(b"0", b"x"),
        pax((b"GNU.sparse.map", b"0,5,3,9"), (b"GNU.sparse.size", b"10"))
        + raw(b"0", b"x", b"a" * 9),
        pax((b"GNU.sparse.map", b"0,5,8,9"), (b"GNU.sparse.size", b"20"))
        + raw(b"0", b"x", b"a" * 9),
        pax((b"GNU.sparse.map", b"0,5,8,9"), (b"GNU.sparse.size", b"9"))
        + raw(b"0", b"x", b"a" * 99),
        pax((b"GNU.sparse.map", b"0")) + raw(b"0", b"x"),
        pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"9"))
        + raw(b"0", b"x", b"9\n1\n"),
        pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"9"))
        + raw(b"0", b"x", b"x\n1\n"),
    ],
    ids=range(16),
)
def test_extended_headers_that_make_no_sense_are_refused(data: bytes):
    with pytest.raises(TarInvalid):
        parse(data)


def test_bombs_of_extended_headers_are_refused_before_they_are_read():
    block = bytearray(write_header(Entry(b"x", Kind.FILE, size=1 << 32)))
    block[156:157] = b"x"
    with pytest.raises(TarInvalid, match="32 MiB"):
        TarParser().feed(summed(block))


def test_a_continued_volume_is_unsupported():
    with pytest.raises(Unsupported, match="another volume"):
        parse(raw(b"M", b"x"))


@pytest.mark.parametrize("version", ["gnu", "0.0", "0.1", "1.0"])
def test_sparse_maps_of_every_version(tmp_path: Path, version: str):
    with (tmp_path / "hole").open("wb") as file:
        for number in range(40):
            file.seek(number * 65536 + 4096)
            file.write(b"data")
        file.truncate(1 << 23)
    form = (
        ["--format=gnu"] if version == "gnu" else ["--format=posix", f"--sparse-version={version}"]
    )
    data = gnu_tar(tmp_path, *form, "--sparse", "--hole-detection=raw")
    entry = next(entry for entry in parse(data, 1000) if entry.path == b"hole")
    assert entry.size == 1 << 23
    rebuilt = bytearray(entry.size)
    for logical, offset, length in entry.segments:
        rebuilt[logical : logical + length] = data[offset : offset + length]
    assert rebuilt == (tmp_path / "hole").read_bytes()
    assert entry.path == b"hole"


@pytest.mark.parametrize("form", ["ustar", "pax", "gnutar", "cpio"])
def test_bsdtars_archives_are_read_in_every_format(tmp_path: Path, form: str):
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    (source / "d" / ("n" * 90)).write_bytes(b"x" * 999)
    os.link(source / "d" / ("n" * 90), source / "hard")
    (source / "link").symlink_to("d")
    command = ["bsdtar", "-C", str(source), f"--format={form}", "-cf", "-", "."]
    data = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    if form == "cpio":
        with pytest.raises(Corrupt, match="no tar header"):
            parse(data)
        return
    found = {entry.path: entry for entry in parse(data)}
    assert set(found) == {b"", b"d", b"d/" + b"n" * 90, b"hard", b"link"}
    kinds = [found[b"hard"].kind, found[b"d/" + b"n" * 90].kind]
    assert sorted(kinds) == [Kind.FILE, Kind.HARDLINK]


def test_four_thousand_directories_deep_is_only_a_long_name():
    name = b"d/" * 4000 + b"f"
    (entry,) = parse(pax((b"path", name)) + raw(b"0", b"x"))
    assert entry.path == name
