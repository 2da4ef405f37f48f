"""Inputs made to confuse: tars from a grammar and then damaged, sealed files damaged or forged.

Everything comes from one `Random`, so that a seed and a number name an input for ever.
"""

import io
import tarfile
from collections.abc import Callable
from random import Random
from zlib import crc32

from lamina.layer import erofs
from lamina.layer.entry import Entry, Kind
from lamina.layer.writer import write_header

__all__ = ["damaged_sealed", "forged_sealed", "random_tar"]

_NAMES = [
    b"a", b"b", b"c", b"dir", b"dir/a", b"dir/b", b"dir/sub/c", b"x/y/z", b"./a", b"./dir/", b"/abs",
    b"dir/../b", b"..", b"../up", b"dir/../../up", b"", b".", b"/", b"//a//b/", b"a/b/c/d/e/f",
    b".wh.a", b"dir/.wh.b", b".wh..wh..opq", b"dir/.wh..wh..opq", b".wh.", b".wh..", b".wh...",
    b".wh..wh.plnk/1", b".wh.dir/x", b"link", b"link/a", b"loop", b"loop/a", b"n" * 99, b"n" * 100,
    b"n" * 255, b"n" * 256, b"d/" * 60 + b"f", b"\xe9\xff", b"a\nb", b"\x1b[31m", b"a b", b"dir/a/b",
]  # fmt: skip
_TARGETS = [b"a", b"dir", b"dir/a", b"/dir", b"../..", b"loop", b"/", b".", b"t" * 101, b"u" * 600,
            b"v" * 5000, b"", b"link", b"../a", b"x/y"]  # fmt: skip
_LETTERS = b"0000055521\0" + b"34567" + b"DSLKVNMXxgAQ"
_KEYS = [
    b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime", b"atime", b"uname", b"comment",
    b"hdrcharset", b"SCHILY.xattr.user.k", b"SCHILY.xattr.security.capability",
    b"SCHILY.xattr.trusted.overlay.opaque", b"SCHILY.xattr.trusted.t", b"SCHILY.xattr.",
    b"LIBARCHIVE.xattr.user.b", b"GNU.sparse.major", b"GNU.sparse.minor", b"GNU.sparse.realsize",
    b"GNU.sparse.name", b"GNU.sparse.size", b"GNU.sparse.map", b"GNU.sparse.numblocks",
    b"GNU.sparse.offset", b"GNU.sparse.numbytes", b"SCHILY.fflags", b"\xff", b"",
    b"SCHILY.xattr.system.posix_acl_access",
]  # fmt: skip
_VALUES = [
    b"", b"0", b"1", b"512", b"513", b"1000", b"-1", b"1.5", b"-0.25", b"99999999999", b"4294967296",
    b"9223372036854775807", b"18446744073709551616", b"YWJj", b"0,5", b"0,5,100,20", b"5,5,0,5", b"v" * 300,
    b"a=b\n", b"\0", b"name", b"dir/name", b"1e9", b" 1", b"0x10", b"1_0", b"\xb2",
]  # fmt: skip
_BODIES = [0, 0, 1, 100, 511, 512, 513, 1024, 5000]
_NUMBERS = [b"0000644\0", b"       \0", b"0000000 ", b"7777777\0", b"\x80\0\0\0\0\0\1\0", b"\xff" * 8,
            b"garbage!", b"-000001\0", b"\x80\xff\xff\xff\xff\xff\xff\xff", b"644\0\0\0\0\0"]  # fmt: skip


def summed(block: bytearray) -> bytearray:
    """Put the right checksum into a header."""
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return block


def _record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3
    size = next(n for n in range(rest, rest + 12) if n == rest + len(str(n)))
    return b"%d %b=%b\n" % (size, key, value)


def _extension(letter: bytes, body: bytes) -> bytes:
    block = bytearray(write_header(Entry(b"@", Kind.FILE, size=len(body))))
    block[156:157] = letter
    return bytes(summed(block)) + body + bytes(-len(body) % 512)


def _records(random: Random) -> bytes:
    return b"".join(
        _record(random.choice(_KEYS), random.choice(_VALUES + _NAMES))
        for _ in range(random.randint(1, 4))
    )


def _unit(random: Random) -> bytes:
    """One entry by hand: any letter, any name, headers before it of every kind."""
    before = b""
    if random.random() < 0.25:
        before += _extension(b"x", _records(random))
    if random.random() < 0.1:
        before += _extension(random.choice([b"L", b"K"]), random.choice(_NAMES + _TARGETS) + b"\0")
    if random.random() < 0.04:
        before += _extension(b"g", _records(random))
    size = random.choice(_BODIES)
    block = bytearray(write_header(Entry(b"x", Kind.FILE, size=size)))
    block[0:100] = random.choice(_NAMES)[:100].ljust(100, b"\0")
    letter = random.choice(_LETTERS)
    block[156] = letter
    if letter in b"12" or random.random() < 0.05:
        block[157:257] = random.choice(_TARGETS)[:100].ljust(100, b"\0")
    if letter in b"123456" and random.random() < 0.9:
        size = 0
        block[124:136] = b"00000000000\0"
    block[257:265] = random.choice([b"ustar\x0000", b"ustar  \0", bytes(8)])
    if random.random() < 0.1:
        start = random.choice([100, 108, 116, 329, 337])
        block[start : start + 8] = random.choice(_NUMBERS)
    if letter == ord("S"):
        block[386:482] = bytes(96)
        block[386:410] = b"%011o\0%011o\0" % (random.choice([0, 512, 700]), random.choice(_BODIES))
        block[482] = random.choice([0, 0, 0, 1])
        block[483:495] = b"%011o\0" % random.choice([0, 700, 5000, 100_000])
    body = random.randbytes(1) * size
    if letter in b"xgX":
        body = _records(random)[:size].ljust(size, b"\0")
    return before + bytes(summed(block)) + body + bytes(-size % 512)


def _library(random: Random) -> bytes:
    """A tar as the standard library writes it, in one of its formats."""
    buffer = io.BytesIO()
    form = random.choice([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    with tarfile.open(fileobj=buffer, mode="w", format=form) as sink:  # noqa: TID251 - not ours on purpose
        for number in range(random.randint(1, 6)):
            member = tarfile.TarInfo(
                random.choice(["d", "d/e", "d/e/f", "g", "h" * 120 + f"/{number}"])
            )
            member.type = random.choice([b"0", b"5", b"2", b"1", b"6", b"3"])
            member.uid, member.gid = random.choice([0, 1000, 1 << 20]), random.choice([0, 5])
            member.mtime = random.choice([0, 1_600_000_000, 1_600_000_000.25])
            member.linkname = random.choice(["g", "d/e", "x"])
            member.devmajor, member.devminor = 1, 3
            member.mode = random.choice([0o644, 0o4755, 0o777])
            if form == tarfile.PAX_FORMAT and random.random() < 0.5:
                member.pax_headers = {"SCHILY.xattr.user.k": "v"}
            body = random.randbytes(random.choice(_BODIES)) if member.type == b"0" else b""
            member.size = len(body)
            try:
                sink.addfile(member, io.BytesIO(body))
            except ValueError:  # ustar has no room for it
                continue
    return buffer.getvalue()


def random_tar(random: Random) -> bytes:
    """A tar: of the grammar, of the library, or both; then, mostly, damaged."""
    parts = [
        _library(random)[: -random.choice([0, 1024, 10240]) or None] if random.random() < 0.2
        else _unit(random)
        for _ in range(random.randint(1, 7))
    ]  # fmt: skip
    data = bytearray(b"".join(parts) + bytes(random.choice([0, 512, 1024, 10240])))
    if random.random() < 0.1:
        data += random.choice([b"garbage", random.randbytes(600), b"\0" * 100])
    for _ in range(random.choice([0, 0, 0, 1, 1, 2, 5])):
        if data:
            random.choice(_DAMAGES)(random, data)
    return bytes(data)


def _flip(random: Random, data: bytearray) -> None:
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _field(random: Random, data: bytearray) -> None:
    """Change something in a header and mend its checksum."""
    at = random.randrange(0, len(data), 512)
    block = bytearray(data[at : at + 512].ljust(512, b"\0"))
    block[random.randrange(512)] = random.choice([0, 0x20, 0x2F, 0x2E, 0x30, 0x37, 0x80, 0xFF, 10])
    data[at : at + 512] = summed(block)


def _cut(random: Random, data: bytearray) -> None:
    del data[random.randrange(len(data)) :]


def _drop(random: Random, data: bytearray) -> None:
    at = random.randrange(0, len(data), 512)
    del data[at : at + 512 * random.randint(1, 3)]


def _repeat(random: Random, data: bytearray) -> None:
    at = random.randrange(0, len(data), 512)
    data[at:at] = data[at : at + 512 * random.randint(1, 4)]


def _noise(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data))
    data[at : at + 20] = random.randbytes(min(20, len(data) - at))


_DAMAGES: list[Callable[[Random, bytearray], None]] = [
    _flip, _field, _field, _field, _cut, _drop, _repeat, _noise,
]  # fmt: skip


def damaged_sealed(random: Random, good: bytes) -> bytes:
    """A sealed file as a bad disk leaves it: bits flipped, cut, or longer."""
    data = bytearray(good)
    for _ in range(random.randint(1, 3)):
        at = random.choice([random.randrange(len(data)), random.randrange(1024, 1536)])
        data[at] ^= 1 << random.randrange(8)
    shape = random.random()
    if shape < 0.1:
        del data[random.randrange(len(data)) :]
    elif shape < 0.15:
        data += bytes(random.choice([1, 512, 4096]))
    return bytes(data)


def forged_sealed(random: Random, good: bytes) -> bytes:
    """A sealed file as an enemy leaves it: index and header changed, every sum right."""
    data = bytearray(good)
    fields = list(erofs.HEADER.unpack_from(data, erofs.HEADER_AT))
    tail, meta, end = erofs.block_up(erofs.AREA + fields[1]), fields[2], fields[3]
    for _ in range(random.randint(1, 4)):
        at = random.randrange(meta, end)
        data[at] = random.choice([0, 1, 0xFF, 0x80, random.randrange(256)])
    if random.random() < 0.3:
        number = random.randrange(1, 10)
        bits = 16 if number in (7, 8) else 32 if number == 6 else 64
        if number < 9:
            fields[number] = random.choice([0, 1, (1 << bits) - 1, random.getrandbits(bits)])
    if random.random() < 0.2:
        at = erofs.SUPER_AT + random.randrange(12, 128)
        data[at] = random.randrange(256)
    sums = erofs.ChunkSums()
    sums.update(data[tail:end])
    table = sums.finish()
    data[end : end + len(table)] = table
    fields[6] = crc32(table)
    erofs.HEADER.pack_into(data, erofs.HEADER_AT, *fields)
    data[1028:1032] = bytes(4)
    data[1028:1032] = erofs.crc32c(bytes(data[1024:1536])).to_bytes(4, "little")
    return bytes(data)
