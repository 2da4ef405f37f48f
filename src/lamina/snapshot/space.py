"""What drivers keep beside the sealed layers: directories they unpacked, layers they merged."""

import os
from contextlib import suppress

from lamina.errors import Corrupt
from lamina.snapshot.unsynced import marked
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.snapshot.layers import Layers

__all__ = ["Space", "size_of", "space", "tree_size"]


@dataclass(frozen=True, slots=True)
class Space:
    """How many unpacked directories and merged layers there are, and their bytes."""

    unpacked: int
    unpacked_size: int
    merged: int
    merged_size: int


def space(layers: "Layers") -> Space:
    """Add up what drivers keep. Cost: one look into a header per unpacked layer, none into its tree."""
    sealed = {os.path.basename(path): path for _, path in layers.files()}
    folder = f"{layers.root}/snapshots/unpacked"
    found = os.listdir(folder) if os.path.isdir(folder) else []
    names = [name for name in found if marked(name) == name]
    sizes = [
        _content(sealed[name]) if name in sealed else tree_size(f"{folder}/{name}")
        for name in names
    ]
    merged = [path for _, path in layers.merged_layers()]
    return Space(len(names), sum(sizes), len(merged), sum(size_of(path) for path in merged))


def _content(path: str) -> int:
    """Give the bytes of all files of a sealed layer, as its header has them."""
    from lamina.layer.sealed import SealedLayer

    try:
        with SealedLayer.open(path) as layer:
            return layer.content_size
    except (Corrupt, OSError):  # somebody else will say so; or removed meanwhile
        return 0


def tree_size(top: str) -> int:
    """Give the bytes that a directory and all below it take on the disk; 0 where there is none.

    What lies deeper than a path can say is left out.
    """
    found = 0
    pending = [top]
    while pending:
        path = pending.pop()
        with suppress(OSError):
            found += os.lstat(path).st_blocks * 512
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                        continue
                    status = entry.stat(follow_symlinks=False)
                    found += status.st_blocks * 512 // status.st_nlink
    return found


def size_of(path: str) -> int:
    """Give the bytes that a file takes on the disk, 0 for one that is not there."""
    try:
        return os.lstat(path).st_blocks * 512
    except OSError:
        return 0
