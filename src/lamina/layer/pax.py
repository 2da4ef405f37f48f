"""What a tar header says in its fields and in the extended headers before it.

Formats: POSIX.1-2017 pax "ustar Interchange Format" and "Extended Header"; GNU tar manual, "Basic
Tar" and "Storing Sparse Files".
"""

from lamina.layer.entry import Entry, EntryInvalid, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "LIMIT",
    "OWNER_LIMIT",
    "Draft",
    "Segments",
    "TarInvalid",
    "number",
    "old_sparse_pairs",
    "override",
    "pax_time",
    "read_records",
    "record_number",
    "sparse_map",
    "sparse_pairs",
    "xattrs_of",
]

Segments = tuple[tuple[int, int, int], ...]

LIMIT = 1 << 62
"""Seconds or bytes; past it no clock and no file goes."""
OWNER_LIMIT = 1 << 32

_NUMBERS = {
    b"size": ("size", LIMIT),
    b"uid": ("uid", OWNER_LIMIT),
    b"gid": ("gid", OWNER_LIMIT),
}
_BASE_256 = 0x80
_NEGATIVE = 0xFF
_IGNORED = (b"atime", b"ctime", b"uname", b"gname")
_MAX_DIGITS = 20  # of 2**64; longer is an attack on int()
_RECORD_LIMIT = 1 << 18  # two for each piece of a sparse file in the oldest way of writing one
_DIGITS = 9  # of a nanosecond
_NANO = 10**9
_SCHILY = b"SCHILY.xattr."
_LIBARCHIVE = b"LIBARCHIVE.xattr."


class TarInvalid(EntryInvalid):
    """The bytes are not a tar archive, or not all of one."""


def number(field: bytes) -> int:
    """Read a header's number: octal, or base-256 where the first bit is set.

    Raises: TarInvalid.
    """
    first = field[0]
    if first & _BASE_256:
        if first == _NEGATIVE:
            return int.from_bytes(field, "big", signed=True)
        return int.from_bytes(field, "big") - (_BASE_256 << 8 * (len(field) - 1))
    text = field.partition(b"\0")[0].strip(b" ")
    if not text:
        return 0
    try:
        if text.isdigit():  # int() alone would take signs, underscores and 0o
            return int(text, 8)
    except ValueError:  # an 8 or a 9
        pass
    raise TarInvalid(f"tar header has {field!r} where a number should be")


def record_number(text: bytes, name: str) -> int:
    """Read a pax record's decimal number. Raises: TarInvalid."""
    digits = text[1:] if text[:1] == b"-" else text
    if not digits.isdigit() or len(digits) > _MAX_DIGITS:
        raise TarInvalid(f"pax record {name} is {text[:40]!r}, not a number")
    return int(text)


def pax_time(text: bytes) -> int:
    """Read seconds with a fraction as nanoseconds; what is finer is cut towards the past."""
    negative = text[:1] == b"-"
    whole, _, fraction = (text[1:] if negative else text).partition(b".")
    if not (whole or fraction) or len(whole) > _MAX_DIGITS or not (whole + fraction).isdigit():
        raise TarInvalid(f"pax time {text[:40]!r} is not a number")
    nanoseconds = int(whole or b"0") * _NANO + int(fraction[:_DIGITS].ljust(_DIGITS, b"0"))
    if nanoseconds >= LIMIT * _NANO:
        raise TarInvalid(f"pax time {text[:40]!r} is not possible")
    if not negative:
        return nanoseconds
    return -nanoseconds - (1 if fraction[_DIGITS:].strip(b"0") else 0)


def read_records(data: bytes) -> list[tuple[bytes, bytes]]:
    """Give the (keyword, value) records of one extended header, in order.

    Raises: TarInvalid (a length that does not fit its record, or over 262,144 records).
    """
    found: list[tuple[bytes, bytes]] = []
    start, end = 0, len(data)
    while start < end:
        space = data.find(b" ", start, start + _MAX_DIGITS)
        digits = data[start:space]
        if space < 0 or not digits.isdigit():
            if not data[start:].strip(b"\0"):
                break
            raise TarInvalid("pax header has a record without its length")
        stop = start + int(digits)
        equals = data.find(b"=", space, stop)
        if stop > end or equals <= space + 1 or data[stop - 1] != 0x0A:  # noqa: PLR2004 - line feed
            raise TarInvalid("pax header has a record that does not fit its length")
        found.append((data[space + 1 : equals], data[equals + 1 : stop - 1]))
        if len(found) > _RECORD_LIMIT:
            raise TarInvalid("pax header has over 262,144 records")
        start = stop
    return found


def xattrs_of(records: "dict[bytes, bytes]") -> tuple[tuple[str, bytes], ...]:
    """Give the extended attributes among `records`, sorted by name.

    star and GNU tar write them raw, libarchive in base64; where both are there they agree, and the
    raw one is taken. Raises: TarInvalid.
    """
    found: dict[str, bytes] = {}
    for key, value in records.items():
        if key.startswith(_LIBARCHIVE):
            raw = _unquoted(key[len(_LIBARCHIVE) :])
            found.setdefault(_xattr_name(raw), _base64(value))
        elif key.startswith(_SCHILY):
            raw = key[len(_SCHILY) :]
            if b"%" in raw:  # GNU tar's way of writing "=" in a name
                raw = raw.replace(b"%3D", b"=").replace(b"%25", b"%")
            found[_xattr_name(raw)] = value
    return tuple(sorted(found.items()))


def _xattr_name(raw: bytes) -> str:
    if not raw or b"\0" in raw:
        raise TarInvalid(f"extended attribute {raw!r} has no possible name")
    return raw.decode("utf-8", "surrogateescape")


def _unquoted(name: bytes) -> bytes:
    """Undo libarchive's `%XX`."""
    if b"%" not in name:
        return name
    import re

    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), name)


def _base64(value: bytes) -> bytes:
    from binascii import Error, a2b_base64

    try:
        return a2b_base64(value + b"=" * (-len(value) % 4), strict_mode=True)
    except Error as error:
        raise TarInvalid(f"extended attribute is not base64: {error}") from error


def sparse_pairs(records: "list[tuple[bytes, bytes]]") -> list[int]:
    """Give offset, length, offset, length… of the sparse formats 0.0 and 0.1.

    Format 0.0 repeats the keywords, so the order of `records` matters.
    """
    numbers: list[int] = []
    for key, value in records:
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            numbers.append(record_number(value, "GNU.sparse"))
        elif key == b"GNU.sparse.map":
            numbers = [record_number(part, "GNU.sparse.map") for part in value.split(b",") if part]
    return numbers


def sparse_map(numbers: "Sequence[int]", offset: int, stored: int, size: int) -> Segments:
    """Check a sparse map and tie it to the tar: (logical offset, tar offset, length)….

    `offset` is where the data starts in the tar, `stored` how much there is, `size` the file's
    size. Adjacent pieces are joined. An all-hole file keeps one empty segment, so that it is not
    taken for a plain one. Raises: TarInvalid (pieces that overlap, or reach past either end).
    """
    if len(numbers) % 2:
        raise TarInvalid("sparse map has an offset without a length")
    joined: list[tuple[int, int, int]] = []
    logical_end, used = 0, 0
    for logical, length in zip(numbers[::2], numbers[1::2], strict=True):
        if logical < logical_end or length < 0:
            raise TarInvalid("sparse map is not in order")
        if length and joined and logical == logical_end:
            first, start, before = joined[-1]
            joined[-1] = (first, start, before + length)
        elif length:
            joined.append((logical, offset + used, length))
        logical_end, used = logical + length, used + length
    if used > stored or logical_end > size:
        raise TarInvalid(
            f"sparse map wants {used} of {stored} stored bytes and reaches {logical_end} of {size}"
        )
    if joined == [(0, offset, size)]:
        return ()
    return tuple(joined) or ((size, offset, 0),)


def old_sparse_pairs(area: bytes) -> list[int]:
    """Give offset, length, offset, length… of a GNU header's sparse area. Raises: TarInvalid."""
    numbers: list[int] = []
    for at in range(0, len(area) - 23, 24):
        if not area[at]:
            break
        numbers += (number(area[at : at + 12]), number(area[at + 12 : at + 24]))
    return numbers


class Draft:
    """An entry that is still being read."""

    __slots__ = (
        "device", "gid", "kind", "link", "mode", "mtime_ns", "offset", "path", "size", "uid",
        "xattrs",
    )  # fmt: skip

    path: bytes
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    link: bytes
    device: tuple[int, int]
    offset: int

    def __init__(self) -> None:
        self.xattrs: tuple[tuple[str, bytes], ...] = ()

    def finish(self) -> Entry:
        """Give the entry as a value."""
        return Entry(
            self.path, self.kind, self.mode, self.uid, self.gid, self.size, self.mtime_ns,
            self.link, self.device, self.xattrs, self.offset,
        )  # fmt: skip


def override(entry: Draft, records: dict[bytes, bytes]) -> int | None:
    """Write `records` over `entry`; give a sparse file's size (-1: not said), None for others.

    Raises: TarInvalid.
    """
    other = False
    for key, value in records.items():
        if key == b"mtime":
            entry.mtime_ns = pax_time(value) if value else entry.mtime_ns
        elif key == b"path":
            entry.path = value or entry.path
        elif key == b"linkpath":
            entry.link = value or entry.link
        elif key in _NUMBERS:
            _override_number(entry, key, value)
        elif key not in _IGNORED:
            other = True
    if not other:
        return None
    entry.xattrs = xattrs_of(records)
    entry.path = records.get(b"GNU.sparse.name") or entry.path
    real = records.get(b"GNU.sparse.realsize") or records.get(b"GNU.sparse.size")
    return record_number(real, "GNU.sparse.realsize") if real else -1


def _override_number(entry: Draft, key: bytes, value: bytes) -> None:
    if value:
        name, limit = _NUMBERS[key]
        found = record_number(value, name)
        if not 0 <= found < limit:
            raise TarInvalid(f"pax {name} {found} is not possible")
        setattr(entry, name, found)
