"""Indexes and lists of paths as files on this machine, ready to be read: a bounded cache of blobs.

A replica fetches what a page needs once. Names are digests, so nothing here is ever out of date; what
was not used for longest goes first, and whoever has it open goes on reading.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap

from lamina.errors import Corrupt
from lamina.layer.hollow import HollowLayer, remove, unpack
from lamina.spec.digest import Digest
from lamina.stream.codec import decompressor
from lamina.stream.files import replace

__all__ = ["Shelf"]

_LIMIT = 2 * 1024**3
_PIECE = 1024 * 1024
_LARGEST = 1024**3
_EACH = 64
_PATHS = ".paths"
Fetch = Callable[[Digest], bytes]


class Shelf:
    """Files below one folder, which any number of processes may share."""

    def __init__(self, folder: str, *, limit: int = _LIMIT) -> None:
        self._folder = folder
        self._limit = limit
        self._added = 0

    def index(self, digest: Digest, fetch: Fetch) -> str:
        """Give where a layer's index lies, unpacked; `fetch` gives the blob where it is not here."""
        path = self._path(digest)
        try:
            os.utime(path)
        except FileNotFoundError:
            self._make_room()
            unpack(fetch(digest), path)
        return path

    @contextmanager
    def layer(self, digest: Digest, fetch: Fetch) -> Iterator[HollowLayer]:
        """Open a layer's index for the body. Raises: Corrupt."""
        try:
            layer = HollowLayer.open(self.index(digest, fetch))
        except (FileNotFoundError, Corrupt):  # taken away meanwhile, or damaged by a power cut
            remove(self._path(digest))
            layer = HollowLayer.open(self.index(digest, fetch))
        with layer:
            yield layer

    @contextmanager
    def paths(self, digest: Digest, fetch: Fetch) -> Iterator[bytes | mmap]:
        """Open an image's list of paths for the body. Raises: Corrupt."""
        path = self._path(digest) + _PATHS
        try:
            os.utime(path)
            file = open(path, "rb")  # noqa: SIM115 - closed below
        except FileNotFoundError:
            self._make_room()
            replace(path, _inflated(fetch(digest)), durable=False)
            file = open(path, "rb")  # noqa: SIM115 - closed below
        with file:
            if not os.fstat(file.fileno()).st_size:  # no map can be of an empty list
                yield b""
                return
            with mmap(file.fileno(), 0, access=ACCESS_READ) as found:
                yield found

    def _path(self, digest: Digest) -> str:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        return os.path.join(self._folder, digest.hex)

    def _make_room(self) -> None:
        """Now and then, take what was not used for longest."""
        self._added += 1
        if self._added % _EACH != 1:
            return
        rows = []
        for entry in os.scandir(self._folder):
            with contextlib.suppress(FileNotFoundError):
                found = entry.stat()
                rows.append((found.st_mtime, found.st_blocks * 512, entry.path))
        left = sum(size for _, size, _ in rows)
        for _, size, path in sorted(rows):
            if left <= self._limit:
                break
            remove(path)
            left -= size


def _inflated(data: bytes) -> bytes:
    machine = decompressor("zstd")
    parts: list[bytes] = []
    size = 0
    for at in range(0, len(data), _PIECE):
        for piece in machine.feed(data[at : at + _PIECE]):
            size += len(piece)
            if size > _LARGEST:
                raise Corrupt("a list of paths is larger than any can be")
            parts.append(piece)
    machine.finish()
    return b"".join(parts)
