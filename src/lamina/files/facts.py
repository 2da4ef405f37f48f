"""What is known of one file of an image, as a value."""

import os

from lamina.layer.entry import TYPE_BITS, Kind
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.node import Node

__all__ = ["FileFacts"]

_BLOCK = 512


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file. `layer` is the number of the layer that it is from, 1 at the bottom.

    What a container has written counts as one more layer on top. `mode` has the bits of the kind,
    too, as `st_mode` has. `size` is 0 but for files. `links` counts the names in the layer, `inode` is
    the same for all of them. `target` is what a symlink says.
    """

    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    links: int
    inode: int
    device: tuple[int, int]
    layer: int
    target: str

    @classmethod
    def of(cls, node: "Node", layer: int) -> "FileFacts":
        """Read them off a node."""
        kind = node.kind
        return cls(
            kind,
            TYPE_BITS[kind] | node.mode,
            node.uid,
            node.gid,
            node.size if kind is Kind.FILE else 0,
            node.mtime_ns,
            node.nlink,
            node.nid,
            node.device if kind in (Kind.CHARACTER, Kind.BLOCK) else (0, 0),
            layer,
            os.fsdecode(node.target) if kind is Kind.SYMLINK else "",
        )

    def stat_result(self) -> os.stat_result:
        """Give them as `os.stat` would. `st_dev` is the layer; all three times are the change's."""
        seconds = self.mtime_ns // 10**9
        precise = {
            **{f"st_{which}time": self.mtime_ns / 10**9 for which in "amc"},
            **{f"st_{which}time_ns": self.mtime_ns for which in "amc"},
            "st_blksize": 4096,
            "st_blocks": -(-self.size // _BLOCK),
            "st_rdev": os.makedev(*self.device),
        }
        plain = (
            self.mode, self.inode, self.layer, self.links, self.uid, self.gid, self.size,
            seconds, seconds, seconds,
        )  # fmt: skip
        return os.stat_result(plain, precise)
