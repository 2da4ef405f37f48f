"""Whether a file of an unpacked layer has the mode, owner, time and attributes that its layer says.

Not all of them can be on every disk and in every user namespace: what unpacking had to leave out or
to note elsewhere (see `lamina.layer.recorded`) is no difference.
"""

import errno
import os

from lamina.layer.entry import Kind
from lamina.layer.upper import Upper, carried_xattrs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from lamina.layer.node import Node

__all__ = ["Likeness"]

_DEVICES = (Kind.CHARACTER, Kind.BLOCK)
_UNRECORDED = (Kind.SYMLINK, Kind.FIFO)
_SECOND = 10**9
_CERTAIN_S = range(-(2**31), 2**31)
_ABSENT = (errno.EOPNOTSUPP, errno.EPERM, errno.EACCES)


class Likeness:
    """Compares one directory tree with nodes. A context manager; for one thread.

    `rootless`: it was unpacked in a user namespace. `marked`: overlayfs's marks are on directories
    (not in a tree of several layers).
    """

    def __init__(self, path: str, *, rootless: bool, marked: bool) -> None:
        self.path = os.fsencode(path)
        self._rootless = rootless
        self._marked = marked
        us = (os.geteuid(), os.getegid())
        self._owners = {us: (0, 0)} if us[0] else {}  # outside its namespace we stand for root
        self._upper = Upper(
            path,
            owners=lambda uid, gid: self._owners.get((uid, gid), (uid, gid)),
            marks="user" if rootless else "trusted",
        )

    def __enter__(self) -> "Self":
        self._upper.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._upper.__exit__()

    def difference(self, path: bytes, node: "Node") -> str:
        """Say what is not as `node` has it: mode, owner, time, attributes; nothing where all is."""
        status = self._upper.status(path)
        entry = None if status is None else self._upper.entry(path, status)
        if entry is None:
            return "kind"
        stands_in = self._rootless and _is_device(node) and entry.kind is Kind.FILE
        facts = [
            ("kind", entry.kind is node.kind or stands_in),
            ("device", stands_in or entry.device == (node.device if _is_device(node) else (0, 0))),
        ]
        if not node.is_whiteout:
            facts += [
                ("mode", node.kind is Kind.SYMLINK or entry.mode == node.mode),
                ("owner", self._is_owner(node, (entry.uid, entry.gid))),
                ("time", _is_time(entry.mtime_ns, node.mtime_ns)),
                ("attributes", self._has_xattrs(path, node, dict(entry.xattrs))),
                ("marks", self._is_marked(path, node)),
            ]
        return next((name for name, same in facts if not same), "")

    def _is_marked(self, path: bytes, node: "Node") -> bool:
        if not self._marked or node.kind is not Kind.DIRECTORY:
            return True
        return self._upper.marks(path).opaque == node.opaque

    def _is_owner(self, node: "Node", owner: tuple[int, int]) -> bool:
        if owner == (node.uid, node.gid):
            return True
        # Its owner may have no place here: then it is ours, and of files a record says whose.
        recorded = node.kind not in _UNRECORDED and self._can_have(b"", "user.")
        return self._rootless and not recorded and owner == (0, 0)

    def _has_xattrs(self, path: bytes, node: "Node", found: dict[str, bytes]) -> bool:
        wanted = dict(carried_xattrs(node.xattrs))
        if any(name not in wanted for name in found):
            return False
        for name, value in wanted.items():
            if name not in found and not self._may_lack(path, name):
                return False
            # A capability that was set in a namespace looks another way from outside.
            if name in found and found[name] != value and not self._is_other_view(name):
                return False
        return True

    def _may_lack(self, path: bytes, name: str) -> bool:
        if self._rootless and not name.startswith("user."):  # what the kernel refuses is left out
            return True
        return not self._can_have(path, name)

    def _is_other_view(self, name: str) -> bool:
        return self._rootless and name.startswith(("security.", "system."))

    def _can_have(self, path: bytes, name: str) -> bool:
        """Tell whether this disk keeps attributes of that class on such a file."""
        try:
            os.getxattr(os.path.join(self.path, path), f"{name}x", follow_symlinks=False)
        except OSError as error:
            return error.errno not in _ABSENT
        return True


def _is_device(node: "Node") -> bool:
    return node.kind in _DEVICES and not node.is_whiteout


def _is_time(found: int, wanted: int) -> bool:
    """Tell whether a time is the one, as far as disks keep it: some have seconds, or fewer years."""
    if found == wanted:
        return True
    second, rest = divmod(wanted, _SECOND)
    if second not in _CERTAIN_S:
        return True
    return rest != 0 and found == second * _SECOND
