"""The table of contents that eStargz and zstd:chunked have in a layer's blob: found, fetched, verified.

What the manifest says about the table is trusted, for it is by its digest that the table is known.
"""

import zlib
from hashlib import sha256

from lamina.errors import Invalid
from lamina.layer.seek_index import read_exactly
from lamina.layer.spans import SeekIndexInvalid
from lamina.layer.tabled import Table
from lamina.spec.digest import Digest
from lamina.stream.codec import zstd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.span_reader import Ranges
    from lamina.spec.descriptor import Descriptor

__all__ = ["codec_of", "read_table"]

_STARGZ = "containerd.io/snapshot/stargz/toc.digest"
_CHUNKED = (
    "io.github.containers.zstd-chunked.",
    "io.containers.zstd-chunked.",
)  # now, and at first
_CHECKSUM, _POSITION = "manifest-checksum", "manifest-position"
_NAME = b"stargz.index.json"
_FOOTERS = (51, 47)  # bytes; the second as old packers wrote it
_MAGIC = b"STARGZ"
_HEX = 16
_LIMIT = 256 * 1024 * 1024
_HEADER = 512
_GZIP = 31


def codec_of(layer: "Descriptor") -> str:
    """Tell how a layer is packed whose manifest promises a table of contents; empty where none is."""
    if _STARGZ in layer.annotations:
        return "gzip"
    return "zstd" if _noted(layer, _CHECKSUM) and _noted(layer, _POSITION) else ""


def _noted(layer: "Descriptor", name: str) -> str:
    return next((text for lead in _CHUNKED if (text := layer.annotations.get(lead + name))), "")


def read_table(layer: "Descriptor", blob: "Ranges") -> Table:
    """Fetch the table of a layer for which `codec_of` gives a codec.

    Costs a request, and for eStargz one more. Raises: SeekIndexInvalid, and what the ranges raise.
    """
    try:
        raw = _stargz(layer, blob) if codec_of(layer) == "gzip" else _chunked(layer, blob)
    except (Invalid, ValueError) as error:
        raise SeekIndexInvalid(f"the table of contents of {layer.digest}: {error}") from error
    return Table.parse(raw, blob_size=layer.size)


def _stargz(layer: "Descriptor", blob: "Ranges") -> bytes:
    """Fetch a gzip member before the footer, which says where that begins: a tar with one file."""
    promised = Digest.parse(layer.annotations[_STARGZ])
    with blob.open(max(0, layer.size - _FOOTERS[0]), layer.size) as source:
        footer = read_exactly(source, min(layer.size, _FOOTERS[0]))
    place = footer.rfind(_MAGIC)
    if place < _HEX:
        raise SeekIndexInvalid(f"{layer.digest} does not end as eStargz does")
    start = int(footer[place - _HEX : place], 16)
    if not 0 <= start < layer.size or layer.size - start > _LIMIT:
        raise SeekIndexInvalid(f"{layer.digest} has no table of contents at {start}")
    with blob.open(start, layer.size) as source:
        packed = read_exactly(source, layer.size - start)
    machine = zlib.decompressobj(_GZIP)
    try:
        tar = machine.decompress(packed, _LIMIT)
    except zlib.error as error:
        raise SeekIndexInvalid(f"the table of contents of {layer.digest}: {error}") from error
    size = int(tar[124:136].strip(b"\0 ") or b"0", 8)
    raw = tar[_HEADER : _HEADER + size]
    if (
        not tar.startswith(_NAME + b"\0")
        or len(raw) != size
        or sha256(raw).hexdigest() != promised.hex
    ):
        raise SeekIndexInvalid(f"{layer.digest} has another table of contents than was promised")
    return raw


def _chunked(layer: "Descriptor", blob: "Ranges") -> bytes:
    """Fetch the zstd frame that annotations name: place, packed size, size, kind 1."""
    promised = Digest.parse(_noted(layer, _CHECKSUM))
    start, size, plain, kind = map(int, _noted(layer, _POSITION).split(":"))
    if (
        kind != 1
        or start < 0
        or not 0 < size <= _LIMIT
        or plain > _LIMIT
        or start + size > layer.size
    ):
        raise SeekIndexInvalid(f"{layer.digest} has no table of contents at {start}")
    with blob.open(start, start + size) as source:
        packed = read_exactly(source, size)
    if sha256(packed).hexdigest() != promised.hex:
        raise SeekIndexInvalid(f"{layer.digest} has another table of contents than was promised")
    module = zstd()
    try:
        raw: bytes = module.ZstdDecompressor().decompress(packed, plain + 1)
    except module.ZstdError as error:
        raise SeekIndexInvalid(f"the table of contents of {layer.digest}: {error}") from error
    if len(raw) != plain:
        raise SeekIndexInvalid(f"the table of contents of {layer.digest} is cut short")
    return raw
