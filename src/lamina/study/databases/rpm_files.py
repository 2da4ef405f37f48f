"""The three kinds of file that rpm keeps its headers in, read from memory: header blobs come out."""

import struct

from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["berkeley", "ndb", "sqlite"]

# NDB: lib/backend/ndb/rpmpkg.c of rpm describes it; numbers are little-endian.
_NDB_MAGIC, _SLOT_MAGIC, _BLOB_MAGIC = b"RpmP", b"Slot", b"BlbS"
_NDB_PAGE, _NDB_BLOCK, _NDB_HEAD = 4096, 16, 32

# Berkeley DB's hash, version 8 to 10 (db_page.h): pages with an array of offsets after their head.
_BDB_MAGIC = 0x061561
_BDB_HEAD = 26
_BDB_HASH_PAGES = (2, 13)
_BDB_OVERFLOW_PAGE = 7
_BDB_INLINE, _BDB_OFF_PAGE = 1, 3
_BDB_LARGEST_PAGE = 65536


def sqlite(data: bytes) -> "Iterator[bytes]":
    """Give the blobs of the table Packages. Raises: Invalid."""
    import sqlite3  # of an image, not of ours: nothing is kept in it

    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(_settled(data))
        yield from (bytes(row[0]) for row in database.execute("SELECT blob FROM Packages"))
    except sqlite3.DatabaseError as error:
        raise Invalid(f"the rpm database is damaged: {error}") from error
    finally:
        database.close()


def _settled(data: bytes) -> bytes:
    """Say in the file's head that it has no log beside it: in memory there is none to look for."""
    return data[:18] + b"\1\1" + data[20:]


def ndb(data: bytes) -> "Iterator[bytes]":
    """Give the blobs that the slots name. Raises: Invalid."""
    if data[:4] != _NDB_MAGIC:
        raise Invalid("Packages.db is no NDB database")
    pages = struct.unpack_from("<I", data, 12)[0]
    for at in range(_NDB_HEAD, min(pages * _NDB_PAGE, len(data) - 15), 16):
        magic, number, block, _ = struct.unpack_from("<4sIII", data, at)
        if magic != _SLOT_MAGIC:
            raise Invalid("Packages.db has a slot that is none")
        if not number:
            continue
        magic, found, _, size = struct.unpack_from("<4sIII", data, block * _NDB_BLOCK)
        start = (block + 1) * _NDB_BLOCK
        if magic != _BLOB_MAGIC or found != number or start + size > len(data):
            raise Invalid("Packages.db has a slot that leads nowhere")
        yield data[start : start + size]


def berkeley(data: bytes) -> "Iterator[bytes]":
    """Give the values of a hash database, but for the first, which counts. Raises: Invalid."""
    order = next((o for o in "<>" if data[12:16] == struct.pack(f"{o}I", _BDB_MAGIC)), "")
    if not order:
        raise Invalid("Packages is no hash of Berkeley DB")
    (page_size,) = struct.unpack_from(f"{order}I", data, 20)
    if not 512 <= page_size <= _BDB_LARGEST_PAGE:  # noqa: PLR2004 - what Berkeley DB takes
        raise Invalid(f"Packages has pages of {page_size} bytes")
    for start in range(page_size, len(data) - page_size + 1, page_size):
        page = data[start : start + page_size]
        count = struct.unpack_from(f"{order}H", page, 20)[0]
        if page[25] not in _BDB_HASH_PAGES:
            continue
        offsets = struct.unpack_from(f"{order}{count}H", page, _BDB_HEAD)
        ends = (page_size, *offsets)
        for index in range(1, count, 2):  # keys and values take turns
            item = page[offsets[index] : ends[index]]
            if item[:1] == bytes((_BDB_OFF_PAGE,)):
                number, size = struct.unpack_from(f"{order}II", item, 4)
                yield _overflowing(data, order, page_size, number, size)
            elif item[:1] == bytes((_BDB_INLINE,)) and len(item) > 8:  # noqa: PLR2004 - a header's least
                yield item[1:]


def _overflowing(data: bytes, order: str, page_size: int, number: int, size: int) -> bytes:
    """Put a value together from its chain of pages."""
    parts: list[bytes] = []
    left = size
    while left > 0:
        page = data[number * page_size : (number + 1) * page_size]
        if len(page) < page_size or page[25] != _BDB_OVERFLOW_PAGE:
            raise Invalid("Packages has a value that leads nowhere")
        (number,) = struct.unpack_from(f"{order}I", page, 16)
        (used,) = struct.unpack_from(f"{order}H", page, 22)
        parts.append(page[_BDB_HEAD : _BDB_HEAD + min(used, left)])
        if not used:
            raise Invalid("Packages has an empty page in a value")
        left -= used
    return b"".join(parts)
