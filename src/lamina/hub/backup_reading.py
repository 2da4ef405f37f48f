"""A backup of a hub, for reading: a folder or one file, which is a tar with a list at its end.

A folder has `lamina-hub-backup.json` and what that names, see `hub/backup.py`. A file has the same list
as its last member but one, and the place of that list in the last: 512 bytes before the end marker.
"""

import base64
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from typing import BinaryIO, Protocol, cast

from lamina.errors import Corrupt, Invalid
from lamina.hub.database import Row
from lamina.hub.databases import tables
from lamina.hub.databases.schema import steps
from lamina.hub.databases.tables import Table
from lamina.spec.digest import Digest
from lamina.spec.wire import Document, decode

__all__ = ["FORMAT", "HEAD", "LEFT_OUT", "PLACE_SIZE", "Backup", "blob_path", "kept_tables"]

FORMAT = 1
HEAD = "lamina-hub-backup.json"
PLACE_SIZE = 512
"""Bytes of the member that says where the list is."""
LEFT_OUT = frozenset(
    [
        "arrivals",  # their bytes are among the blobs
        "deliveries",  # told again, they would be told twice
        "failures",
        "leftovers",
        "one_time_links",  # they end within the hour
        "progress",
        "segments",
        "sessions",  # people sign in again
        "turns",
        "uploads",  # what is in flight begins again
    ]
)
"""Tables that a backup has no rows of."""
_END = 1024
_WORDS = 3


class _Places(Protocol):
    """Where a backup has its parts."""

    def open_table(self, name: str) -> BinaryIO:
        """Open a table's rows."""

    def open_blob(self, digest: Digest) -> BinaryIO:
        """Open a blob. Raises: FileNotFoundError."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup: its schema's number, and the SHA-256 of each table's rows."""

    schema: int
    digests: dict[str, str]
    places: _Places

    @classmethod
    def open(cls, path: str) -> "Backup":
        """Read a backup's list. Raises: Invalid (it is none), Corrupt (made by a newer version)."""
        try:
            head, places = _folder(path) if os.path.isdir(path) else _file(path)
        except (FileNotFoundError, ValueError):
            raise Invalid(f"{path} holds no whole backup of a hub") from None
        if head.get("format") != FORMAT or int(head["schema"]) > steps()[-1].number:
            raise Corrupt(
                f"the backup in {path} was made by a newer lamina", hint="upgrade this one"
            )
        return cls(int(head["schema"]), head["tables"], places)

    def check(self) -> None:
        """Read every table's rows once and compare their digest. Raises: Corrupt."""
        for name, digest in self.digests.items():
            with self.places.open_table(name) as file:
                value = hashlib.sha256()
                while piece := file.read(1 << 20):
                    value.update(piece)
            if value.hexdigest() != digest:
                raise Corrupt(f"the table {name} of this backup is damaged")

    def rows(self, table: Table) -> Iterator[Row]:
        """Give a table's rows as the schema of this backup has them."""
        if table.name not in self.digests:
            return
        with self.places.open_table(table.name) as file:
            for line in file:
                values = decode(b'{"row":' + line + b"}")["row"]
                yield tuple(
                    base64.b64decode(value)
                    if number in table.blobs and value is not None
                    else value
                    for number, value in enumerate(values)
                )

    def open_blob(self, digest: Digest) -> BinaryIO:
        """Open a blob's bytes, unverified. Raises: FileNotFoundError."""
        return self.places.open_blob(digest)


def kept_tables() -> tuple[Table, ...]:
    """Give the tables that a backup has rows of, each after those its rows refer to."""
    return tuple(each for each in tables.tables() if each.name not in LEFT_OUT)


def blob_path(folder: str, digest: Digest) -> str:
    """Give where a backup's folder has a blob."""
    return os.path.join(folder, "blobs", digest.algorithm, digest.hex[:2], digest.hex)


class _Folder:
    def __init__(self, folder: str, tables_folder: str) -> None:
        self._folder = folder
        self._tables = os.path.join(folder, "tables", tables_folder)

    def open_table(self, name: str) -> BinaryIO:
        return open(os.path.join(self._tables, f"{name}.jsonl"), "rb")

    def open_blob(self, digest: Digest) -> BinaryIO:
        return open(blob_path(self._folder, digest), "rb")


class _File:
    def __init__(self, path: str, members: dict[str, list[int]]) -> None:
        self._path = path
        self._members = members

    def open_table(self, name: str) -> BinaryIO:
        return self._open(f"tables/{name}.jsonl")

    def open_blob(self, digest: Digest) -> BinaryIO:
        return self._open(digest)

    def _open(self, name: str) -> BinaryIO:
        if name not in self._members:
            raise FileNotFoundError(name)
        offset, size = self._members[name]
        return cast("BinaryIO", BufferedReader(_Part(self._path, offset, size), 1 << 20))


class _Part(RawIOBase):
    """Some bytes of a file, as a file."""

    def __init__(self, path: str, offset: int, size: int) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._at, self._end = offset, offset + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        data = os.pread(self._fd, min(len(buffer), self._end - self._at), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            os.close(self._fd)
        super().close()


def _folder(path: str) -> tuple[Document, _Places]:
    with open(os.path.join(path, HEAD), "rb") as file:
        head = decode(file.read(), what=HEAD)
    return head, _Folder(path, str(head["tables_folder"]))


def _file(path: str) -> tuple[Document, _Places]:
    """Read the list of a file. Raises: FileNotFoundError, ValueError, Corrupt."""
    with open(path, "rb") as file:
        end = os.fstat(file.fileno()).st_size - _END - PLACE_SIZE
        file.seek(max(0, end))
        words = file.read(PLACE_SIZE).decode("ascii").split()
        if end < 0 or len(words) != _WORDS:
            raise ValueError(path)
        file.seek(int(words[0]))
        raw = file.read(int(words[1]))
    if hashlib.sha256(raw).hexdigest() != words[2]:
        raise Corrupt(f"the list of the backup {path} is damaged")
    head = decode(raw, what=HEAD)
    return head, _File(path, head["members"])
