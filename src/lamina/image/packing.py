"""A layer's plain tar packed anew, in one pass: what goes out, its digest, and the diff ID checked."""

import os
from collections.abc import Callable, Iterable
from types import MappingProxyType

from lamina.image.intake import COMPRESSION, MEDIA_TYPES
from lamina.image.pump import Pump
from lamina.spec.descriptor import Descriptor
from lamina.spec.digest import Digest
from lamina.stream.codec import Compression, compressor
from lamina.stream.verify import DigestMismatch, Hasher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.spec.wire import Document

__all__ = ["pack", "repacked_manifest"]

_MOST = 4


def pack(
    pieces: Iterable[bytes],
    compression: Compression,
    write: Callable[[bytes], object],
    *,
    diff_id: Digest,
) -> Descriptor:
    """Compress the tar that `pieces` are, in MiBs, into `write`; give the blob's descriptor.

    The same tar gives the same blob; with gzip the one that a commit would make of it, with zstd
    one that any number of threads make. It is compressed by a thread for each processor, at most
    four, and hashed by another. Raises: DigestMismatch (the tar is not `diff_id`: it is damaged here).
    """
    workers = min(len(os.sched_getaffinity(0)), _MOST)
    machine = compressor(compression.codec, compression.level, workers=workers)
    plain, packed = Hasher(diff_id.algorithm), Hasher()

    def put(data: bytes) -> None:
        if data:
            packed.update(data)
            write(data)

    with Pump(plain.update, name="check") as check:
        for piece in pieces:
            check.put(piece)
            put(machine.compress(piece))
        put(machine.flush())
        check.close()
    if plain.digest != diff_id:
        raise DigestMismatch(
            f"layer {diff_id} is damaged on this disk", hint="`lamina fsck --repair` makes it again"
        )
    how = MappingProxyType({COMPRESSION: str(compression)})
    return Descriptor(MEDIA_TYPES[compression.codec], packed.digest, packed.size, annotations=how)


def repacked_manifest(raw: bytes, packed: "dict[Digest, Descriptor]") -> bytes:
    """Give a manifest with the layers in `packed` replaced, everything else as it is.

    Docker's own types become OCI's: they have no word for zstd, and a manifest must not mix both.
    """
    from lamina.image.edit import OCI_NAMES
    from lamina.spec.wire import decode, encode

    document = decode(raw, what="manifest")
    for row in (document, document["config"], *document["layers"]):
        if row.get("mediaType") in OCI_NAMES:
            row["mediaType"] = OCI_NAMES[row["mediaType"]]
    document["layers"] = [_replaced(row, packed) for row in document["layers"]]
    return encode(document)


def _replaced(row: "Document", packed: "dict[Digest, Descriptor]") -> "Document":
    new = packed.get(Digest(row["digest"]))
    if new is None:
        return row
    annotations = {**(row.get("annotations") or {}), **new.annotations}
    return {**row, **new.to_json(), "annotations": annotations}
