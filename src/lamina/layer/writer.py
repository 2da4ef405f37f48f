"""Write canonical tars: the same entries give the same bytes on every machine.

ustar where an entry fits it, a pax header before it for what does not: long paths, times finer
than a second, large numbers, extended attributes. No names of owners, no format of our own.
"""

from collections.abc import Callable, Iterable
from struct import Struct
from zlib import adler32

from lamina.layer.entry import Entry, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

__all__ = ["TarWriter", "any_header", "plain_header", "write_header"]

_BLOCK = 512
_BATCH = 1024 * 1024
_NAME, _PREFIX = 100, 155
_OWNER_LIMIT = 8**7
_SIZE_LIMIT = 8**11
_NANO = 10**9
_ZEROS = bytes(_BATCH)
_PADDING = [bytes(size) for size in range(_BLOCK)]
_LETTERS = {
    Kind.FILE: b"0",
    Kind.HARDLINK: b"1",
    Kind.SYMLINK: b"2",
    Kind.CHARACTER: b"3",
    Kind.BLOCK: b"4",
    Kind.DIRECTORY: b"5",
    Kind.FIFO: b"6",
}
_BLANK_NAMES = bytes(64)
_CACHE_LIMIT = 8192
_USUAL_SIZE = 8**8
_HEADER = Struct("100s24s3s4s4sx12s8s356s")
_HEADERS = Struct("11s89s48s8s356s512s" + _HEADER.format)

_Known = tuple[bytes, int]  # bytes of a header, and their sum
if TYPE_CHECKING:
    _Key = TypeVar("_Key")
    _Value = TypeVar("_Value")

_new_entry = tuple.__new__


def write_header(entry: Entry) -> bytes:
    """Give the header blocks of `entry`, a pax header first where ustar is too small."""
    if entry.kind is Kind.FILE and not entry.xattrs:
        header = plain_header(
            entry.path, entry.mode, entry.uid, entry.gid, entry.size, entry.mtime_ns
        )
        if header:
            return header
    return any_header(entry)


def any_header(entry: Entry) -> bytes:
    """Give the header blocks of `entry` the complete way."""
    name = entry.path
    if entry.kind is Kind.DIRECTORY:
        name = name + b"/" if name else b"./"
    prefix, short = _split(name)
    records: list[tuple[bytes, bytes]] = []
    if not short:
        records.append((b"path", name))
        short = name[:_NAME]
    link = entry.link
    if len(link) > _NAME:
        records.append((b"linkpath", link))
        link = link[:_NAME]
    seconds, nanoseconds = divmod(entry.mtime_ns, _NANO)
    if nanoseconds or not 0 <= seconds < _SIZE_LIMIT:
        records.append((b"mtime", _decimal(entry.mtime_ns)))
        seconds = min(max(seconds, 0), _SIZE_LIMIT - 1)
    size = entry.size if entry.kind is Kind.FILE else 0
    if size >= _SIZE_LIMIT:
        records.append((b"size", b"%d" % size))
        size = 0
    uid, gid = entry.uid, entry.gid
    if uid >= _OWNER_LIMIT:
        records.append((b"uid", b"%d" % uid))
        uid = 0
    if gid >= _OWNER_LIMIT:
        records.append((b"gid", b"%d" % gid))
        gid = 0
    for key, value in entry.xattrs:
        raw = key.encode("utf-8", "surrogateescape")
        raw = raw.replace(b"%", b"%25").replace(b"=", b"%3D")
        records.append((b"SCHILY.xattr." + raw, value))
    block = _block(
        short, entry.mode, uid, gid, size, seconds, _LETTERS[entry.kind], link, prefix, entry.device
    )
    return _extended(records, entry.path) + block if records else block


def plain_header(  # noqa: PLR0917 - once per file of a layer: keywords cost
    path: bytes, mode: int, uid: int, gid: int, size: int, mtime_ns: int
) -> bytes:
    """Give `any_header` of a file in a fraction of the time; nothing for one that is not usual.

    Of a header only name, size and time differ from file to file: the rest is made once, and its
    sum with it. Octal digits are looked up, four at a time: formatting them costs more than all
    else. One packing makes all three blocks and fills them with zeros.
    """
    seconds = mtime_ns // _NANO
    owner = _owners.get((mode, uid, gid)) or _owner(mode, uid, gid)
    time = _times.get(seconds) or _time(seconds)
    if owner is None or time is None or len(path) > _NAME or size >= _USUAL_SIZE:
        return b""
    high = _octals.get(size >> 12) or _octal(size >> 12)
    low = _octals.get(size & 0xFFF) or _octal(size & 0xFFF)
    # 100 bytes of any value stay below adler32's modulus: its low half is 1 + their sum.
    total = (adler32(path) & 0xFFFF) + owner[1] + time[1] + high[1] + low[1]
    check = _checks.get(total) or _check(total)
    fraction = mtime_ns - seconds * _NANO
    if not fraction:
        return _HEADER.pack(path, owner[0], b"000", high[0], low[0], time[0], check, _FILE_END)
    name = path.rpartition(b"/")[2][:80]
    text = b"%d" % mtime_ns if seconds else b"0%09d" % fraction
    text = text[:-9] + b"." + (text[-9:] if fraction % 10 else text[-9:].rstrip(b"0"))
    length = len(text) + 10
    extended = _extensions.get(length) or _extension(length)
    total = (adler32(name) & 0xFFFF) + extended[1]
    pax_check = _checks.get(total) or _check(total)
    return _HEADERS.pack(
        b"PaxHeaders/", name, extended[0], pax_check, _PAX_END, b"%d mtime=%b\n" % (length, text),
        path, owner[0], b"000", high[0], low[0], time[0], check, _FILE_END,
    )  # fmt: skip


def _ending(letter: bytes) -> bytes:
    """Give what follows the sum in a header without link, device and prefix."""
    return _block(b"", 0, 0, 0, 0, 0, letter, b"", b"", (0, 0))[156:]


def _owner(mode: int, uid: int, gid: int) -> _Known | None:
    """Give mode and owner as a file's header has them, and the sum of all that is fixed in it.

    It is 1 too low, as adler32 is 1 too high.
    """
    if uid >= _OWNER_LIMIT or gid >= _OWNER_LIMIT:
        return None
    field = b"%07o\0%07o\0%07o\0" % (mode, uid, gid)
    fixed = sum(field) + sum(_FILE_END) + 8 * 0x20 + sum(b"000") - 1
    return _remember(_owners, (mode, uid, gid), (field, fixed))


def _time(seconds: int) -> _Known | None:
    if not 0 <= seconds < _SIZE_LIMIT:
        return None
    field = b"%011o\0" % seconds
    return _remember(_times, seconds, (field, sum(field)))


def _octal(value: int) -> _Known:
    field = b"%04o" % value
    return _remember(_octals, value, (field, sum(field)))


def _check(total: int) -> bytes:
    return _remember(_checks, total, b"%06o\0 " % total)


def _extension(length: int) -> _Known:
    """Give what is fixed in the header of an extended header of `length` bytes, and its sum."""
    field = _block(b"", 0o644, 0, 0, length, 0, b"x", b"", b"", (0, 0))[_NAME:148]
    fixed = sum(b"PaxHeaders/") + sum(field) + sum(_PAX_END) + 8 * 0x20 - 1
    return _remember(_extensions, length, (field, fixed))


def _remember(known: "dict[_Key, _Value]", key: "_Key", value: "_Value") -> "_Value":
    if len(known) >= _CACHE_LIMIT:
        known.clear()
    known[key] = value
    return value


def _split(name: bytes) -> tuple[bytes, bytes]:
    """Cut a path into ustar's prefix and name; both empty where it does not fit."""
    if len(name) <= _NAME:
        return b"", name
    if len(name) > _PREFIX + 1 + _NAME:
        return b"", b""
    cut = name.find(b"/", len(name) - _NAME - 1, _PREFIX + 1)
    if cut <= 0 or cut == len(name) - 1:
        return b"", b""
    return name[:cut], name[cut + 1 :]


def _block(  # noqa: PLR0917 - the fields of a header, in its order
    name: bytes, mode: int, uid: int, gid: int, size: int, seconds: int, letter: bytes,
    link: bytes, prefix: bytes, device: tuple[int, int],
) -> bytes:  # fmt: skip
    start = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        name.ljust(_NAME, b"\0"), mode, uid, gid, size, seconds,
    )  # fmt: skip
    end = b"%b%bustar\00000%b%07o\0%07o\0%b" % (
        letter, link.ljust(_NAME, b"\0"), _BLANK_NAMES, *device, prefix.ljust(167, b"\0"),
    )  # fmt: skip
    block = start + b"        " + end
    # adler32's low half is 1 + the sum of the bytes while that is below 65521: always, in ASCII.
    total = (adler32(block) & 0xFFFF) - 1 if block.isascii() else sum(block)
    return b"%b%06o\0 %b" % (start, total, end)


_FILE_END = _ending(b"0")
_PAX_END = _ending(b"x")
_owners: dict[tuple[int, int, int], _Known] = {}
_times: dict[int, _Known] = {}
_octals: dict[int, _Known] = {}
_extensions: dict[int, _Known] = {}
_checks: dict[int, bytes] = {}


def _extended(records: list[tuple[bytes, bytes]], path: bytes) -> bytes:
    body = b"".join(_record(key, value) for key, value in sorted(records))
    name = b"PaxHeaders/" + path.rpartition(b"/")[2][:80]
    header = _block(name, 0o644, 0, 0, len(body), 0, b"x", b"", b"", (0, 0))
    return header + body + bytes(-len(body) % _BLOCK)


def _record(key: bytes, value: bytes) -> bytes:
    """Give one pax record; its length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    if len(str(length)) > len(str(rest)):
        length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def _decimal(nanoseconds: int) -> bytes:
    sign = b"-" if nanoseconds < 0 else b""
    seconds, fraction = divmod(abs(nanoseconds), _NANO)
    text = b"%b%d" % (sign, seconds)
    return text + (b".%09d" % fraction).rstrip(b"0") if fraction else text


class TarWriter:
    """Write entries with their bodies to `sink`, in batches of about 1 MiB: threads hand them on, and each hand-over costs.

    `close` writes the end marker; a writer that is not closed leaves a tar without one. `known`
    collects the entries as a parser would give them, each before its batch goes to `sink`, which
    may empty it: whoever seals the tar then need not parse it.
    """

    def __init__(
        self, sink: Callable[[bytes], object], *, known: list[Entry] | None = None
    ) -> None:
        self._sink = sink
        self._known = known
        self._parts: list[bytes] = []
        self._filled = 0
        self.size = 0

    def add(self, entry: Entry, body: "Iterable[bytes] | None" = None) -> int:
        """Write one entry, and of a file exactly `entry.size` bytes of `body`.

        A body that is shorter is filled with zeros, a longer one is cut, so that a file that
        changes while it is read does not break the tar. Returns the bytes filled in (positive)
        or known to be cut off (negative): 0 when all is well.
        """
        header = write_header(entry)
        if self._known is not None:
            self._known.append(entry._replace(offset=self.size + len(header)))
        self._put(header)
        if entry.kind is not Kind.FILE:
            return 0
        left = entry.size
        over = 0
        for piece in body or ():
            if len(piece) > left:
                over = len(piece) - left
                self._put(piece[:left])
                left = 0
                break
            self._put(piece)
            left -= len(piece)
        short = left
        while left:
            self._put(_ZEROS[: min(left, _BATCH)])
            left -= min(left, _BATCH)
        self._put(_ZEROS[: -entry.size % _BLOCK])
        return short or -over

    def add_plain(  # noqa: PLR0917 - once per file of a layer: keywords cost
        self, path: bytes, mode: int, uid: int, gid: int, mtime_ns: int, data: bytes
    ) -> None:
        """Write a file without attributes whose whole content is `data`."""
        size = len(data)
        header = plain_header(path, mode, uid, gid, size, mtime_ns)
        if not header:
            self.add(Entry(path, Kind.FILE, mode, uid, gid, size, mtime_ns), (data,))
            return
        padding = -size % _BLOCK
        length = len(header)
        if self._known is not None:
            self._known.append(
                _new_entry(
                    Entry,
                    (path, Kind.FILE, mode, uid, gid, size, mtime_ns, b"", (0, 0), (),
                     self.size + length, ()),
                )
            )  # fmt: skip
        if padding:
            self._parts += (header, data, _PADDING[padding])
        else:
            self._parts += (header, data)
        length += size + padding
        self._filled += length
        self.size += length
        if self._filled >= _BATCH:
            self.flush()

    def close(self) -> None:
        """Write the end marker: two zero blocks."""
        self._put(_ZEROS[: 2 * _BLOCK])
        self.flush()

    def flush(self) -> None:
        """Hand over what is held back."""
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            self._filled = 0
            self._sink(data)

    def _put(self, data: bytes) -> None:
        self._parts.append(data)
        self._filled += len(data)
        self.size += len(data)
        if self._filled >= _BATCH:
            self.flush()
