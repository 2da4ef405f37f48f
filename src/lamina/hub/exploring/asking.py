"""What the index of a layer follows from besides its tar: attributes of directories that lower layers list.

A layer whose parent directories its tar leaves out has another index on each pile that has others there,
and the same on all that agree: it is made once for each answer, not for each pile.
"""

from collections.abc import Sequence

from lamina.layer.below import stated
from lamina.layer.node import Layer
from lamina.layer.tree import Directory
from lamina.spec.digest import Digest

__all__ = ["Answers"]

_MOST = 50_000


class Answers:
    """Answers for the layers of one image. They are looked up by the hub itself, so `most` names and no more.

    A stranger's hundreds of layers may ask for thousands of directories each, through all that lie below.
    """

    def __init__(self, *, most: int = _MOST) -> None:
        self._left = most

    def about(self, asks: Sequence[bytes], below: Sequence[Layer]) -> Digest | None:
        """Sum up what the layers `below`, lowest first, say of the directories `asks`; None: that is too much.

        Raises: Corrupt.
        """
        untold = Directory()  # what a directory is that nobody lists
        rows = []
        for path in asks:
            if self._left <= 0:
                return None
            node, names = stated(below, path, most=self._left)
            self._left -= names
            found = node or untold
            rows.append((found.mode, found.uid, found.gid, found.mtime_ns, found.xattrs))
        return Digest.of(repr(rows).encode()) if self._left > 0 else None
