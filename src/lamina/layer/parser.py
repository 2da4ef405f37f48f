"""A push parser of tar streams, for everything that real builders write.

Bodies are skipped, not kept: an entry says where its body lies. The standard library's reader is
not used because it hides trailing bytes, trusts names, and does a tenth of the entries a second.
Formats: v7, ustar, pax, GNU (long names, base-256, sparse), star.
"""

from collections.abc import Callable
from struct import Struct
from zlib import adler32

from lamina.errors import Unsupported
from lamina.layer import pax
from lamina.layer.entry import NAME_MAX, Entry, EntryInvalid, Kind, normal_path
from lamina.layer.pax import Draft, TarInvalid, number

__all__ = ["TarParser"]

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_FIELDS = Struct("100s24s12s12s8sc100s8s64x16s155s12x")
_EXTENSION_LIMIT = 32 * 1024 * 1024  # a map of a million holes fits; a bomb does not
_GLOBALS_LIMIT = 64 * 1024  # bytes of global records, which every entry after them pays for
_HEADS_LIMIT = 32 * 1024 * 1024  # bytes of directory names remembered
_SPARSE_LIMIT = 1024 * 1024  # pieces in one file
_CACHE_LIMIT = 65536
_ADLER = 65521
_SPACES = 8 * 0x20
_SIGN = 0x7F
_NEVER = 1 << 63  # where the next header is after the end marker

_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.CHARACTER,
    b"4": Kind.BLOCK,
    b"5": Kind.DIRECTORY,
    b"6": Kind.FIFO,
    b"D": Kind.DIRECTORY,  # GNU incremental: a directory whose body lists names
    b"S": Kind.FILE,
}
_LINKS = (Kind.HARDLINK, Kind.SYMLINK)
_NO_BODY = b"123456"  # whatever size they state: libarchive, Go and Python read them so
_COMMON = frozenset((b"path", b"linkpath", b"mtime", b"atime", b"ctime"))
_SPECIAL_NAMES = (b"", b".", b"..")

_State = Callable[[bytes, int], "Entry | None"]


class TarParser:
    """Turn a tar stream, fed in pieces of any size, into entries in order.

    Memory is bounded: what is remembered of directories by 32 MiB, and so are the extended headers
    of one entry. What follows the end marker is accepted and not looked at.
    """

    def __init__(self) -> None:
        self._carry = bytearray()
        self._next = 0  # offset in the stream of the next unit to look at
        self._need = _BLOCK  # bytes in that unit
        self._size = 0  # bytes fed
        self._body_end = 0  # before its padding
        self._state: _State = self._header
        self._records: list[tuple[bytes, bytes]] = []
        self._globals: dict[bytes, bytes] = {}
        self._long: dict[bytes, bytes] = {}  # GNU long names, under their pax keywords
        self._extended = 0  # bytes of the headers that wait for their entry
        self._owners: dict[bytes, tuple[int, int, int]] = {}
        self._numbers: dict[bytes, int] = {}
        self._times: dict[bytes, int] = {}
        self._sums: dict[bytes, int] = {}
        self._heads: dict[bytes, bytes] = {b"": b""}
        self._heads_size = 0
        self._pending: Entry | None = None
        self._map: list[int] = []
        self._map_bytes = bytearray()
        self._map_lines = 0
        self._map_wanted = -1

    @property
    def size(self) -> int:
        """Bytes fed so far."""
        return self._size

    def feed(self, data: "bytes | memoryview") -> list[Entry]:
        """Take the next bytes; give the entries whose headers are now complete.

        Raises: TarInvalid, EntryInvalid (the stream is of no use after it).
        """
        base = self._size
        self._size += len(data)
        if self._size <= self._next:
            return []
        if self._carry:
            base -= len(self._carry)
            self._carry += data
            if len(self._carry) < self._need:
                return []
            data, self._carry = bytes(self._carry), bytearray()
        elif not isinstance(data, bytes):
            data = bytes(data)
        found: list[Entry] = []
        total = len(data)
        while True:
            if self._state == self._header:
                self._headers(data, base, found)
            start = self._next - base
            if start + self._need > total:
                if start < total:
                    self._carry += data[start:]
                break
            entry = self._state(data[start : start + self._need], self._next)
            if entry is not None:
                found.append(entry)
        return found

    def finish(self) -> None:
        """Check that the stream ended where an archive may end.

        A missing end marker and missing padding of the last body are accepted (umoci writes such
        layers). Raises: TarInvalid (cut within a header or body).
        """
        if self._next == _NEVER:
            return
        if self._size < self._body_end:
            raise TarInvalid(f"tar ends after {self._size} bytes, within the body of a file")
        if self._state != self._header or self._records or self._long:
            raise TarInvalid(f"tar ends after {self._size} bytes, within an extended header")
        if self._size > self._next and self._carry.strip(b"\0"):
            raise TarInvalid(f"tar ends after {self._size} bytes, within a header")

    def _headers(self, data: bytes, base: int, found: list[Entry]) -> None:
        """Take headers from `data` by a quicker way, up to the first that has none."""

    def _common(self) -> dict[bytes, bytes] | None:
        """Give the records before this entry, if they are only of the common kinds."""
        records = {**self._long, **dict(self._records)}
        for key, value in records.items():
            if key not in _COMMON or not value or b"\0" in value:
                return None
        return records

    def _number(self, field: bytes) -> int:
        value = number(field)
        if len(self._numbers) < _CACHE_LIMIT:
            self._numbers[field] = value
        return value

    # Units, each called with its bytes and its offset in the stream.

    def _header(self, block: bytes, at: int) -> Entry | None:
        """Read one header the complete way."""
        name, owner, size_field, time_field, check, letter, link, magic, device, prefix = (
            _FIELDS.unpack(block)
        )
        wanted = self._sums.get(check)
        if wanted is None:
            wanted = self._expect(check)
        if adler32(block) & 0xFFFF != wanted and self._is_end(block, check, at):
            self._next = _NEVER
            return None
        size = self._numbers.get(size_field)
        if size is None:
            size = self._number(size_field)
        if size < 0:
            raise TarInvalid(f"tar header at {at} has a negative size")
        if letter in b"xLKgX":
            self._open_extension(letter, size, at)
            return None
        path = name.partition(b"\0")[0]
        if prefix[0] and magic == b"ustar\x0000":
            path = prefix.partition(b"\0")[0] + b"/" + path
        if letter in (b"V", b"N"):  # a label or obsolete name list: of no file, nor what leads it
            self._records, self._long, self._extended = [], {}, 0
            self._skip(at + _BLOCK, size)
            return None
        if letter == b"M":
            raise Unsupported(f"tar entry {path!r} continues from another volume")
        kind = _KINDS.get(letter, Kind.FILE)
        has_device = kind in (Kind.CHARACTER, Kind.BLOCK)
        entry = Draft()
        entry.path, entry.kind, entry.size, entry.offset = path, kind, size, at + _BLOCK
        entry.mode, entry.uid, entry.gid = self._owners.get(owner) or self._owner(owner)
        time = self._times.get(time_field)
        entry.mtime_ns = self._time(time_field) if time is None else time
        entry.link = link.partition(b"\0")[0]
        entry.device = (number(device[:8]), number(device[8:])) if has_device else (0, 0)
        return self._complete(letter, block, entry)

    def _expect(self, check: bytes) -> int:
        """Give what adler32's low half must be for a header that states the sum `check`.

        It is 1 + the sum of all bytes, modulo 65521: one C call a header instead of a sum.
        """
        try:
            stated = number(check)
        except TarInvalid:
            return -1
        wanted = (1 + stated - _SPACES + sum(check)) % _ADLER
        if len(self._sums) < _CACHE_LIMIT:
            self._sums[check] = wanted
        return wanted

    def _is_end(self, block: bytes, check: bytes, at: int) -> bool:
        """Tell whether a block that is no plain header ends the archive, or is an old header."""
        if block == _ZEROS:
            if self._records or self._long:
                raise TarInvalid("tar ends after an extended header that belongs to nothing")
            return True
        signed = sum(block) - sum(check) + _SPACES
        signed -= 256 * sum(1 for byte in block[:148] + block[156:] if byte > _SIGN)
        # Some old writers summed signed bytes.
        if self._expect(check) != (1 + signed - _SPACES + sum(check)) % _ADLER:
            raise TarInvalid(
                f"no tar header at offset {at}: its checksum does not match",
                hint="the layer is damaged or is not a tar archive",
            )
        return False

    def _owner(self, field: bytes) -> tuple[int, int, int]:
        mode, uid, gid = number(field[:8]) & 0o7777, number(field[8:16]), number(field[16:])
        if not (0 <= uid < pax.OWNER_LIMIT and 0 <= gid < pax.OWNER_LIMIT):
            raise TarInvalid(f"owner {uid}:{gid} is not possible on Linux")
        if len(self._owners) < _CACHE_LIMIT:
            self._owners[field] = (mode, uid, gid)
        return mode, uid, gid

    def _time(self, field: bytes) -> int:
        seconds = number(field)
        if not -pax.LIMIT < seconds < pax.LIMIT:
            raise TarInvalid(f"time {seconds} is not possible")
        if len(self._times) < _CACHE_LIMIT:
            self._times[field] = seconds * 10**9
        return seconds * 10**9

    def _skip(self, offset: int, size: int) -> None:
        self._body_end = offset + size
        self._next = offset + (size + 511 & -512)
        self._need = _BLOCK
        self._state = self._header

    def _open_extension(self, letter: bytes, size: int, at: int) -> None:
        if size > _EXTENSION_LIMIT:
            raise TarInvalid(f"extended header at {at} has {size} bytes: more than 32 MiB")
        if size == 0:
            self._skip(at + _BLOCK, 0)
            return
        self._next = at + _BLOCK
        self._body_end = self._next + size
        self._need = size + 511 & -512

        def take(body: bytes, offset: int) -> None:
            self._skip(offset, size)
            self._extend(letter, body[:size])

        self._state = take

    def _extend(self, letter: bytes, body: bytes) -> None:
        self._extended += len(body)
        if self._extended > _EXTENSION_LIMIT:
            raise TarInvalid("the extended headers of one entry have more than 32 MiB")
        if letter == b"L":
            self._long[b"path"] = body.partition(b"\0")[0]
        elif letter == b"K":
            self._long[b"linkpath"] = body.partition(b"\0")[0]
        elif letter == b"g":
            self._extend_globals(pax.read_records(body))
        else:
            self._records += pax.read_records(body)

    def _extend_globals(self, records: list[tuple[bytes, bytes]]) -> None:
        for key, value in records:
            if value:
                self._globals[key] = value
            else:
                self._globals.pop(key, None)
        if sum(len(key) + len(value) for key, value in self._globals.items()) > _GLOBALS_LIMIT:
            raise TarInvalid("the global extended headers have more than 64 KiB")

    def _complete(self, letter: bytes, block: bytes, entry: Draft) -> Entry | None:
        """Lay what the extended headers say over `entry`; open its body."""
        ordered, self._records = self._records, []
        long, self._long = self._long, {}
        self._extended = 0
        records = self._globals
        if ordered or long:
            records = {**records, **long, **dict(ordered)}
        real_size = pax.override(entry, records) if records else -1
        self._normalise(entry, letter)
        if entry.kind is not Kind.FILE:
            self._skip(entry.offset, 0 if letter in _NO_BODY else entry.size)
            entry.size = 0
            return entry.finish()
        self._skip(entry.offset, entry.size)
        if letter == b"S":
            return self._old_sparse(block, entry.finish())
        if real_size is None:
            return entry.finish()
        if records.get(b"GNU.sparse.major") == b"1":
            self._open_map(entry.finish(), real_size)
            return None
        if numbers := pax.sparse_pairs(ordered):
            size = entry.size if real_size < 0 else real_size
            segments = pax.sparse_map(numbers, entry.offset, entry.size, size)
            return entry.finish()._replace(size=size, segments=segments)
        return entry.finish()

    def _head(self, head: bytes) -> bytes:
        """Give the normal form of a directory part, a slash at its end, and remember it."""
        normal = normal_path(head)
        parent = normal + b"/" if normal else b""
        self._heads_size += 2 * len(head)
        if self._heads_size > _HEADS_LIMIT:
            self._heads.clear()
            self._heads_size = 0
        self._heads[head] = parent
        return parent

    def _normalise(self, entry: Draft, letter: bytes) -> None:
        raw = entry.path
        if raw[-1:] == b"/":
            # Old tars say so that it is a directory. Of "0", which is newer than that, GNU tar and libarchive
            # believe it too, but docker, podman, containerd and umoci make a file: a layer is what they make of it.
            if entry.kind is Kind.FILE and letter != b"0":
                entry.kind = Kind.DIRECTORY
            raw = raw[:-1]
        head, _, last = raw.rpartition(b"/")
        if last in _SPECIAL_NAMES or len(last) > NAME_MAX or b"\0" in last:
            entry.path = normal_path(raw)
        else:
            entry.path = (self._heads.get(head) or self._head(head)) + last
        kind, link = entry.kind, entry.link
        if kind in _LINKS:
            if kind is Kind.HARDLINK:
                entry.link = normal_path(link)
            if not link or b"\0" in link:
                raise EntryInvalid(f"{kind} {entry.path!r} has no possible target")
        else:
            entry.link = b""
        if not entry.path and kind is not Kind.DIRECTORY:
            raise EntryInvalid(f"the root directory is listed as a {kind}")

    # Sparse files.

    def _old_sparse(self, block: bytes, entry: Entry) -> Entry | None:
        """GNU's own: four pieces in the header, 21 in each block after it."""
        self._map = pax.old_sparse_pairs(block[386:482])
        size = number(block[483:495])
        self._pending = entry._replace(size=size)
        stored = entry.size
        if not block[482]:
            return self._close_map(entry.offset, stored)
        self._next, self._need = entry.offset, _BLOCK

        def more(extension: bytes, at: int) -> Entry | None:
            self._map += pax.old_sparse_pairs(extension[:504])
            if len(self._map) > 2 * _SPARSE_LIMIT:
                raise TarInvalid("sparse file has over a million pieces")
            self._next = at + _BLOCK
            self._body_end = self._next + stored
            return None if extension[504] else self._close_map(self._next, stored)

        self._state = more
        return None

    def _open_map(self, entry: Entry, real_size: int) -> None:
        """Pax sparse 1.0: the map leads the body, decimal lines, padded to 512."""
        self._pending = entry._replace(size=max(real_size, 0))
        end = entry.offset + entry.size
        self._map_bytes, self._map_lines, self._map_wanted = bytearray(), 0, -1
        self._next, self._need = entry.offset, _BLOCK

        def more(block: bytes, at: int) -> Entry | None:
            if at + _BLOCK > end + 511 or len(self._map_bytes) > _EXTENSION_LIMIT:
                raise TarInvalid("sparse map does not end within its file")
            self._map_bytes += block
            self._next = at + _BLOCK
            self._map_lines += block.count(b"\n")
            if not self._map_lines:
                return None
            if self._map_wanted < 0:
                count = bytes(self._map_bytes).partition(b"\n")[0]
                self._map_wanted = 1 + 2 * pax.record_number(count, "sparse map")
            if self._map_lines < self._map_wanted:
                return None
            lines = bytes(self._map_bytes).split(b"\n")[1 : self._map_wanted]
            self._map = [pax.record_number(line, "sparse map") for line in lines]
            return self._close_map(self._next, max(end - self._next, 0))

        self._state = more

    def _close_map(self, offset: int, stored: int) -> Entry:
        entry, numbers = self._pending, self._map
        self._pending, self._map, self._map_bytes = None, [], bytearray()
        if entry is None:
            raise TarInvalid("sparse map without its file")
        self._skip(offset, stored)
        segments = pax.sparse_map(numbers, offset, stored, entry.size)
        return entry._replace(offset=offset, segments=segments)
