"""The `copied` driver: each container gets its own copy of the whole tree. For want of overlayfs."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lamina.layer.entry import Kind
from lamina.layer.stack import Changed, Lower, Stack
from lamina.snapshot.space import size_of
from lamina.spec.digest import chain_id
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.node import Node
    from lamina.layer.upper import Xattrs
    from lamina.layer.view import Tree
    from lamina.snapshot.layers import Layers
    from lamina.spec.digest import Digest

__all__ = ["CopiedDriver"]

_UNRECORDED = (Kind.SYMLINK, Kind.FIFO)


@dataclass(frozen=True, slots=True)
class CopiedDriver:
    """No lowers: `upper` holds everything and is mounted as it is.

    `in_namespace`: we are root of a user namespace only, so devices cannot be made. `owners`: it
    has room for owners beside us.
    """

    layers: "Layers"
    reason: str = ""
    in_namespace: bool = False
    owners: bool = True
    name: str = "copied"

    def lowers(
        self,
        diff_ids: "Sequence[Digest]",  # noqa: ARG002 - the Protocol's
        *,
        above: int = 0,  # noqa: ARG002 - the Protocol's
    ) -> tuple[Lower, ...]:
        """Give none."""
        return ()

    def ready(self, diff_ids: "Sequence[Digest]") -> None:
        """Do nothing: every container gets its own copy."""

    def view(self, diff_ids: "Sequence[Digest]") -> tuple[Lower, ...]:
        """Give one directory that holds the whole tree, made once per pile."""
        if not diff_ids:
            return ()
        path = self.layers.directory(
            f"merged-{chain_id(diff_ids).hex}", lambda place: self._copy(place, diff_ids)
        )
        return (Lower(path, sealed=False, diff_id=diff_ids[-1]),)

    def fill(self, upper: str, diff_ids: "Sequence[Digest]") -> bool:
        """Copy the whole tree into `upper`. Raises: LayerUnknown, Corrupt, OSError (disk)."""
        self._copy(upper, diff_ids)
        return False

    @contextmanager
    def changed(
        self, stack: Stack, diff_ids: "Sequence[Digest]", since_ns: int
    ) -> Iterator[Changed]:
        """Compare `upper` with the layers; give a directory of hard links to what differs."""
        from lamina.layer.view import Tree

        with (
            self.layers.directories.place() as place,
            self.layers.opened(diff_ids) as layers,
        ):
            os.mkdir(place, 0o700)
            _Comparison(
                stack.upper,
                place,
                Tree.of(layers),
                since_ns,
                in_namespace=self.in_namespace,
                owners=self.owners,
            ).run()
            yield Changed(place, "")

    def _copy(self, target: str, diff_ids: "Sequence[Digest]") -> None:
        from lamina.layer.apply import copy_tree

        piles = [diff_ids[: i + 1] for i in range(len(diff_ids))]
        self.layers.spend(sum(size_of(self.layers.path(pile)) for pile in piles))
        with self.layers.opened(diff_ids) as layers:
            if layers:
                privileged = not self.in_namespace
                copy_tree(layers, target, privileged=privileged, owners=self.owners)


class _Comparison:
    """What differs between a directory and a tree, as an overlayfs upper directory.

    The container may be running: nothing is reached through a symlink. Without `owners` those of
    symlinks and fifos do not count: they could not even be recorded.
    """

    def __init__(
        self,
        source: str,
        target: str,
        tree: "Tree",
        since_ns: int,
        *,
        in_namespace: bool,
        owners: bool,
    ) -> None:
        from lamina.layer.descent import Descent
        from lamina.layer.upper import Upper

        self._upper = Upper(source)
        self._source = Descent(source)
        self._target = Descent(target)
        self._tree = tree
        self._since_ns = since_ns
        self._in_namespace = in_namespace
        self._owners = owners
        self._made: list[bytes] = [b""]
        self._known: set[bytes] = set()
        self._taken: set[bytes] = set()
        self._linked: dict[tuple[int, int], list[tuple[bytes, os.stat_result, Node | None]]] = {}

    def run(self) -> None:
        """Compare everything, a directory at a time."""
        with self._upper, self._source, self._target:
            self._compare()
            self._take_links()
            for path in reversed(self._made):  # what was put inside has changed their times
                self._finish(path)

    def _finish(self, path: bytes) -> None:
        found = os.fstat(self._source.open(path))
        target = self._target.open(path)
        os.fchown(target, found.st_uid, found.st_gid)
        os.fchmod(target, stat.S_IMODE(found.st_mode))
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))

    def _compare(self) -> None:
        pending = [b""]
        while pending:
            here = pending.pop()
            prefix = here + b"/" if here else b""
            before = dict(self._tree.listdir(here))
            now = self._upper.names(here)
            for name in now:
                full = prefix + name
                found = self._upper.status(full)
                if found is None:
                    continue
                node = before.get(name)
                if self._differs(full, found, node):
                    self._take(full, found)
                if stat.S_ISDIR(found.st_mode):
                    pending.append(full)
                elif found.st_nlink > 1 or (node is not None and node.nlink > 1):
                    key = found.st_dev, found.st_ino
                    self._linked.setdefault(key, []).append((full, found, node))
            for name in sorted(set(before) - set(now)):
                self._parents(prefix + name)
                fd, last = self._target.split(prefix + name)
                os.mknod(last, stat.S_IFCHR, 0, dir_fd=fd)

    def _take_links(self) -> None:
        """Take along the unchanged names of files that share with others than before.

        The number of links does not tell: a name may have gone and another come.
        """
        seen: set[tuple[str, int]] = set()
        for names in self._linked.values():
            before = {(node.layer.path, node.nid) for _, _, node in names if node is not None}
            alike = len(before) == 1 and all(node is not None for _, _, node in names)
            if alike and not before & seen:
                seen |= before
                continue
            for path, found, _ in names:
                if path not in self._taken:
                    self._take(path, found)

    def _differs(self, path: bytes, found: os.stat_result, node: "Node | None") -> bool:
        from lamina.layer.upper import carried_xattrs

        entry = self._upper.entry(path, found)
        if node is None or entry is None or entry.kind is not node.kind:
            return True
        known = self._owners or node.kind not in _UNRECORDED
        other_owner = known and (entry.uid, entry.gid) != (node.uid, node.gid)
        kept = self._kept(node.kind, carried_xattrs(node.xattrs))
        if other_owner or found.st_mtime_ns != node.mtime_ns or entry.xattrs != kept:
            return True
        if node.kind is Kind.SYMLINK:
            return entry.link != node.target
        if entry.mode != node.mode:
            return True
        if node.kind in (Kind.FILE, Kind.DIRECTORY):
            return self._has_other_bytes(path, found, node)
        return entry.device != node.device

    def _kept(self, kind: Kind, xattrs: "Xattrs") -> "Xattrs":
        """Leave out what only root of the machine can set, and what only files and folders can have."""
        lost: tuple[str, ...] = ("trusted.",) if self._in_namespace else ()
        if kind not in (Kind.FILE, Kind.DIRECTORY):
            lost += ("user.",)
        return tuple(item for item in xattrs if not item[0].startswith(lost))

    def _has_other_bytes(self, path: bytes, found: os.stat_result, node: "Node") -> bool:
        if node.kind is Kind.DIRECTORY:
            return False
        if found.st_size != node.size:
            return True
        if found.st_ctime_ns < self._since_ns:
            return False  # programs may set times back, but the change time is the kernel's
        at = 0
        for piece in self._upper.body(path):
            if piece != node.layer.read(node, at, len(piece)):
                return True
            at += len(piece)
        return at != node.size

    def _take(self, path: bytes, found: os.stat_result) -> None:
        self._parents(path)
        if stat.S_ISDIR(found.st_mode):
            self._make_directory(path)
            return
        self._taken.add(path)
        target, name = self._target.split(path)
        source, _ = self._source.split(path)
        os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)

    def _parents(self, path: bytes) -> None:
        """Make the directories above `path`: as in overlayfs, they come along unchanged."""
        head = path.rpartition(b"/")[0]
        missing = []
        while head and head not in self._known:
            missing.append(head)
            head = head.rpartition(b"/")[0]
        for directory in reversed(missing):
            self._make_directory(directory)

    def _make_directory(self, path: bytes) -> None:
        if path in self._known:
            return
        fd, name = self._target.split(path)
        os.mkdir(name, 0o700, dir_fd=fd)
        self._known.add(path)
        self._made.append(path)
        source, made = self._source.open(path), self._target.open(path)
        for key in os.listxattr(source):
            os.setxattr(made, key, os.getxattr(source, key))
