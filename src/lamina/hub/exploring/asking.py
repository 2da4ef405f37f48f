"""What the index of a layer follows from besides its tar: attributes of directories that lower layers list.

A layer whose parent directories its tar leaves out has another index on each pile that has others there,
and the same on all that agree: it is made once for each answer, not for each pile.
"""

from collections.abc import Sequence

from lamina.layer.below import stated
from lamina.layer.node import Layer
from lamina.layer.tree import Directory
from lamina.spec.digest import Digest

__all__ = ["answered"]


def answered(asks: Sequence[bytes], below: Sequence[Layer]) -> Digest:
    """Sum up what the layers `below`, lowest first, say of the directories `asks`. Raises: Corrupt."""
    untold = Directory()  # what a directory is that nobody lists
    rows = []
    for path in asks:
        node = stated(below, path) or untold
        rows.append((node.mode, node.uid, node.gid, node.mtime_ns, node.xattrs))
    return Digest.of(repr(rows).encode())
