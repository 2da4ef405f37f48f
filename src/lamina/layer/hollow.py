"""A sealed layer without its files' content: the index, a digest of each file, and a few files whole.

What is asked of an image (which layer put a file there, what is wasted, which packages there are) is
answered by the indexes, and by the content of a few files. That is about a hundredth of a layer. A hollow
layer is those bytes, in one piece to be kept anywhere; `unpack` gives a sparse file of the sealed
layer's length with them in their places, which is read as a sealed layer is.
"""

import os
from array import array
from bisect import bisect_left
from contextlib import suppress
from hashlib import blake2b
from struct import Struct

from lamina.errors import NotFound, Unsupported
from lamina.layer.entry import Kind
from lamina.layer.erofs import AREA
from lamina.layer.sealed import SealedLayer, SealedLayerCorrupt
from lamina.stream.codec import compressor, decompressor
from lamina.stream.files import fresh_name, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lamina.layer.node import Node

__all__ = ["ContentLeftOut", "HollowLayer", "pack", "remove", "unpack"]

_MAGIC = b"lamina hollow 1\n"
_HEAD = Struct(
    "<16sQQIIII"
)  # magic, length, where the index begins; ranges, digests, whole files, notes
_RANGE = Struct("<QQ")
_NUMBER, _DIGEST = 8, 16
_PIECE = 256 * 1024
_LEVEL = 6
_MOST = 512 * 1024 * 1024
"""Bytes of an index, with what is kept of files: a hundred times what a large layer has."""
_SUMS = ".sums"


class ContentLeftOut(NotFound):
    """The content of this file is not here: only the layer's index is."""


def pack(layer: SealedLayer, keeps: "Callable[[bytes], bool]", *, notes: bytes = b"") -> bytes:
    """Give the hollow form of `layer`, with the content of the files whose paths `keeps` says.

    The same layer gives the same bytes. `notes` go along as they are. Reads all content once, for the
    digests. Raises: Unsupported (an index too large to be kept), Corrupt.
    """
    layer.check()
    start, length = layer.index_span
    kept: dict[int, list[tuple[int, int]]] = {}
    digests: dict[int, bytes] = {}
    for path, node in layer.walk():
        if node.kind is Kind.FILE:
            if node.nid not in digests:
                digests[node.nid] = _digest(node)
            if keeps(path) and node.nid not in kept:
                kept[node.nid] = [row for row in _places(node) if row[0] < start]
    ranges = sorted({row for rows in kept.values() for row in rows})
    size = length - start + sum(size for _, size in ranges) + len(notes)
    if size > _MOST:
        raise Unsupported(f"the layer's index has {size} bytes, and more than {_MOST} are not kept")
    numbers = array("Q", sorted(digests))
    whole = array("Q", sorted(kept))
    head = _HEAD.pack(_MAGIC, length, start, len(ranges), len(numbers), len(whole), len(notes))
    machine = compressor("zstd", _LEVEL)
    parts = [
        head,
        b"".join(_RANGE.pack(*row) for row in ranges),
        numbers.tobytes(),
        b"".join(digests[nid] for nid in numbers),
        whole.tobytes(),
        notes,
        layer.raw(0, AREA),
    ]
    packed = [machine.compress(part) for part in parts]
    packed += [machine.compress(layer.raw(at, size)) for at, size in ranges]
    packed += [machine.compress(layer.raw(start, length - start)), machine.flush()]
    return b"".join(packed)


def unpack(data: bytes, path: str) -> None:
    """Write a hollow layer to `path`, and its digests and notes beside it; the layer appears whole.

    Raises: SealedLayerCorrupt (it is none), CodecError, OSError (disk).
    """
    plain = _Plain(data, path)
    head = plain.take(_HEAD.size)
    magic, length, start, ranges, digests, whole, notes = _HEAD.unpack(head)
    if magic != _MAGIC or not AREA <= start <= length:
        raise SealedLayerCorrupt(path, "no hollow layer")
    places = [_RANGE.unpack(plain.take(_RANGE.size)) for _ in range(ranges)]
    if any(not AREA <= at <= at + size <= start for at, size in places):
        raise SealedLayerCorrupt(path, "it keeps what is no content")
    sums = plain.take(digests * (_NUMBER + _DIGEST) + whole * _NUMBER + notes)
    temporary = f"{path}.{fresh_name()}~"
    try:
        replace(f"{path}{_SUMS}", head + sums, durable=False)
        with open(temporary, "xb") as file:
            file.write(plain.take(AREA))
            for at, size in places:
                file.seek(at)
                file.write(plain.take(size))
            file.seek(start)
            file.write(plain.take(length - start))
        os.rename(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def remove(path: str) -> None:
    """Remove what `unpack` wrote; unknown is fine. Whoever has it open goes on."""
    for each in (path, f"{path}{_SUMS}"):
        with suppress(FileNotFoundError):
            os.unlink(each)


class HollowLayer(SealedLayer):
    """A hollow layer, unpacked at `path` and open for reading; a context manager.

    It lists what the whole layer does. Content that is not kept raises ContentLeftOut.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        try:
            with open(f"{path}{_SUMS}", "rb") as file:
                data = file.read()
        except OSError as error:
            self.close()
            raise SealedLayerCorrupt(path, "its digests are gone") from error
        _, _, _, _, count, whole, _ = _HEAD.unpack_from(data)
        at = _HEAD.size + _NUMBER * count
        self._numbers = array("Q", data[_HEAD.size : at])
        self._digests = data[at : at + _DIGEST * count]
        at += _DIGEST * count
        self._whole = frozenset(array("Q", data[at : at + _NUMBER * whole]))
        self.notes = data[at + _NUMBER * whole :]

    def digest(self, node: "Node") -> bytes | None:
        """Give what tells a file's content from another."""
        at = bisect_left(self._numbers, node.nid)
        if at == len(self._numbers) or self._numbers[at] != node.nid:
            return None
        return self._digests[_DIGEST * at : _DIGEST * (at + 1)]

    def keeps(self, node: "Node") -> bool:
        """Tell whether a file's content is here."""
        return node.nid in self._whole or not node.size

    def pieces(self, node: "Node", offset: int = 0, size: int = -1) -> "Iterator[bytes]":
        """Give a file's content, or a part, in pieces of at most 1 MiB. Raises: ContentLeftOut."""
        if not self.keeps(node):
            raise ContentLeftOut("the content of this file is not kept here")
        return super().pieces(node, offset, size)


class _Plain:
    """What a hollow layer holds, in order."""

    def __init__(self, data: bytes, path: str) -> None:
        self._path = path
        self._pieces = self._inflated(data)
        self._rest = b""

    def take(self, size: int) -> bytes:
        """Give the next `size` bytes. Raises: SealedLayerCorrupt (there are none)."""
        if size > _MOST:
            raise SealedLayerCorrupt(self._path, f"a part of {size} bytes")
        parts, missing = [], size
        while missing:
            if not self._rest:
                self._rest = next(self._pieces, b"")
                if not self._rest:
                    raise SealedLayerCorrupt(self._path, "the hollow layer ends too soon")
            parts.append(self._rest[:missing])
            self._rest = self._rest[len(parts[-1]) :]
            missing -= len(parts[-1])
        return b"".join(parts)

    @staticmethod
    def _inflated(data: bytes) -> "Iterator[bytes]":
        machine = decompressor("zstd")
        for at in range(0, len(data), _PIECE):
            yield from machine.feed(data[at : at + _PIECE])
        machine.finish()


def _places(node: "Node") -> "Iterator[tuple[int, int]]":
    """Give where in its layer's tar a file's content lies."""
    return ((where, size) for _, where, size in node.layer.extents(node) if where >= AREA)


def _digest(node: "Node") -> bytes:
    found = blake2b(digest_size=_DIGEST)
    for piece in node.layer.pieces(node):
        found.update(piece)
    return found.digest()
