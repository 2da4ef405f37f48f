"""RPM's packages, from whichever of its three databases an image has: SQLite, NDB, or Berkeley DB.

Format of a header blob: RPM's "Package format" (header structure without its magic).
"""

import struct

from lamina.errors import Invalid
from lamina.study.databases import rpm_files
from lamina.study.installed import Installed, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lamina.layer.view import Tree

__all__ = ["Rpm"]

_FOLDERS = (b"var/lib/rpm", b"usr/lib/sysimage/rpm")
_READERS = {
    b"rpmdb.sqlite": rpm_files.sqlite,
    b"Packages.db": rpm_files.ndb,
    b"Packages": rpm_files.berkeley,
}
_NAME, _VERSION, _RELEASE, _EPOCH, _LICENCE, _ARCHITECTURE = 1000, 1001, 1002, 1003, 1014, 1022
_FOLDER_INDEXES, _BASE_NAMES, _FOLDER_NAMES = 1116, 1117, 1118
_INT32, _STRING, _STRINGS, _I18N = 4, 6, 8, 9
_ENTRY = struct.Struct(">IIII")
_ENTRIES_LIMIT = 1 << 16
_PUBLIC_KEYS = "gpg-pubkey"


class Rpm:
    """The packages that rpm has installed; keys that it keeps beside them are none."""

    kind = "rpm"

    def records(self, tree: "Tree", places: "Mapping[bytes, Sequence[bytes]]") -> "Iterator[bytes]":
        """Give the database, the newer form first."""
        del places
        for name in _READERS:
            for folder in _FOLDERS:
                if read(tree, folder + b"/" + name):
                    yield folder + b"/" + name
                    return

    def packages(self, record: bytes, data: bytes) -> "Iterator[Installed]":
        """Read each header. Raises: Invalid (the database is damaged)."""
        for header in _headers(record, data):
            one = _installed(header)
            if one.name != _PUBLIC_KEYS:
                yield one

    def owners(self, tree: "Tree", names: "Sequence[bytes]") -> "Iterator[Installed]":
        """Look the file up among each package's files."""
        wanted = [(b"/" + folder + slash, base) for folder, slash, base in
                  (name.rpartition(b"/") for name in names)]  # fmt: skip
        for record in self.records(tree, {}):
            for header in _headers(record, read(tree, record)):
                bases = header.texts(_BASE_NAMES)
                for folder, base in wanted:
                    if base in bases and _has(header, bases, folder, base):
                        yield _installed(header)
                        break


class _Header:
    """One package's tags."""

    def __init__(self, blob: bytes) -> None:
        count, size = struct.unpack_from(">II", blob)
        start = 8 + 16 * count
        if count > _ENTRIES_LIMIT or start + size > len(blob):
            raise Invalid("a header of the rpm database is damaged")
        self._data = blob[start : start + size]
        self._tags = {
            tag: (kind, offset, number)
            for tag, kind, offset, number in _ENTRY.iter_unpack(blob[8:start])
        }

    def texts(self, tag: int) -> list[bytes]:
        """Give a tag's strings."""
        kind, offset, count = self._tags.get(tag, (0, 0, 0))
        if kind not in (_STRING, _STRINGS, _I18N) or count > len(self._data):
            return []
        return self._data[offset:].split(b"\0", count)[:count]

    def text(self, tag: int) -> str:
        """Give a tag's first string."""
        return b"".join(self.texts(tag)[:1]).decode("utf-8", "replace")

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Give a tag's numbers of 32 bits."""
        kind, offset, count = self._tags.get(tag, (0, 0, 0))
        if kind != _INT32 or offset + 4 * count > len(self._data):
            return ()
        return struct.unpack_from(f">{count}I", self._data, offset)


def _headers(record: bytes, data: bytes) -> "Iterator[_Header]":
    try:
        for blob in _READERS[record.rpartition(b"/")[2]](data):
            yield _Header(blob)
    except (struct.error, IndexError) as error:
        raise Invalid(f"the rpm database ends in the middle: {error}") from error


def _installed(header: _Header) -> Installed:
    epoch = header.numbers(_EPOCH)
    version = f"{header.text(_VERSION)}-{header.text(_RELEASE)}"
    return Installed(
        header.text(_NAME),
        f"{epoch[0]}:{version}" if epoch and epoch[0] else version,
        header.text(_ARCHITECTURE),
        header.text(_LICENCE),
    )


def _has(header: _Header, bases: list[bytes], folder: bytes, base: bytes) -> bool:
    folders = header.texts(_FOLDER_NAMES)
    indexes = header.numbers(_FOLDER_INDEXES)
    return any(
        found == base and index < len(folders) and folders[index] == folder
        for found, index in zip(bases, indexes, strict=False)
    )
