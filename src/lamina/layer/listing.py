"""What is in one directory of a sealed layer, with its inodes, in pieces of bounded size."""

from lamina.layer.directory import DirectoryDamaged, columns
from lamina.layer.entry import Kind
from lamina.layer.erofs import BLOCK, CHUNK_SIZE, INODE
from lamina.layer.node import KINDS
from lamina.layer.sealed import SealedLayerCorrupt
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.layer.node import Node
    from lamina.layer.sealed import SealedLayer

__all__ = ["FORMS", "Listed", "listing"]

FORMS = {
    Kind.FILE: 1, Kind.DIRECTORY: 2, Kind.CHARACTER: 3, Kind.BLOCK: 4, Kind.FIFO: 5, Kind.SYMLINK: 7,
}  # fmt: skip
"""The numbers that directories of EROFS have for what an entry is."""

_KIND_OF = {form: kind for kind, form in FORMS.items()}
_MODE_OF = {FORMS[kind]: number for number, kind in KINDS.items()}
_LISTED = 16 * BLOCK  # of a directory, listed at once: some thousand names
_UNIT = 32  # bytes that inodes are numbered by
_NANO = 10**9


@dataclass(slots=True)
class Listed:
    """Names beside each other, sorted; of each its inode's number, its form and its fields.

    The fields are those of `erofs.INODE`: 1 is not 0 where there are attributes, 2 the mode, 4 the size,
    5 the place or device, 7 and 8 the owner, 9 and 10 the time, 11 the count of links.
    """

    names: list[bytes]
    nids: list[int]
    forms: list[int]
    fields: list[tuple[int, ...]]

    def part(self, start: int, end: int) -> "Listed":
        """Give some of them."""
        some = slice(start, end)
        return Listed(self.names[some], self.nids[some], self.forms[some], self.fields[some])


def listing(layer: "SealedLayer", directory: "Node", *, inodes: bool = True) -> "Iterator[Listed]":
    """Give what is in a directory, whiteouts too; without `inodes` there are no fields.

    For walks that look at everything: a third of what nodes cost. Raises: SealedLayerCorrupt.
    """
    size, at, last = directory.size, directory.data_at, b""
    for start in range(0, size, _LISTED):
        try:
            found = columns(layer.index_bytes(at + start, min(_LISTED, size - start)))
        except DirectoryDamaged as error:
            raise SealedLayerCorrupt(layer.path, f"directory {directory.nid} {error}") from error
        names, nids, forms = found
        if names:
            if last >= names[0]:
                raise SealedLayerCorrupt(layer.path, f"directory {directory.nid} is unsorted")
            last = names[-1]
            yield Listed(names, nids, forms, _inodes(layer, nids, forms) if inodes else [])


def _inodes(layer: "SealedLayer", nids: list[int], forms: list[int]) -> list[tuple[int, ...]]:
    first = min(nids)
    start, end = layer.meta_at + first * _UNIT, layer.meta_at + max(nids) * _UNIT + INODE.size
    if end - start <= CHUNK_SIZE:
        data = layer.index_bytes(start, end - start)
        found = [INODE.unpack_from(data, (nid - first) * _UNIT) for nid in nids]
    else:  # a hard link's may lie anywhere
        found = [
            INODE.unpack(layer.index_bytes(layer.meta_at + nid * _UNIT, INODE.size)) for nid in nids
        ]
    for nid, form, fields in zip(nids, forms, found, strict=True):
        if fields[2] >> 12 != _MODE_OF.get(form):
            kind = _KIND_OF.get(form, "unknown thing")
            what = f"inode {nid} is not the {kind} it was listed as"
            raise SealedLayerCorrupt(layer.path, what)
        if not fields[0] & 1 or fields[10] >= _NANO:
            raise SealedLayerCorrupt(layer.path, f"inode {nid}: no inode")
    return found
