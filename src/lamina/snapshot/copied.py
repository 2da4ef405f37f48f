"""The `copied` driver: each container gets its own copy of the whole tree. For want of overlayfs."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamina.layer.entry import Kind
from lamina.layer.stack import Changed, Lower, Stack
from lamina.spec.digest import chain_id

if TYPE_CHECKING:
    from lamina.layer.node import Node
    from lamina.layer.view import Tree
    from lamina.snapshot.layers import Layers
    from lamina.spec.digest import Digest

__all__ = ["CopiedDriver"]

_PIECE = 1024 * 1024
_TYPES = {
    Kind.CHARACTER: stat.S_IFCHR,
    Kind.BLOCK: stat.S_IFBLK,
    Kind.FIFO: stat.S_IFIFO,
    Kind.FILE: stat.S_IFREG,
    Kind.DIRECTORY: stat.S_IFDIR,
    Kind.SYMLINK: stat.S_IFLNK,
}


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

    def lowers(self, diff_ids: "Sequence[Digest]") -> tuple[Lower, ...]:  # noqa: ARG002 - the Protocol's
        """Give none."""
        return ()

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
            comparison = _Comparison(stack.upper, place, Tree.of(layers), since_ns)
            comparison.run(owners=self.owners)
            yield Changed(place, "")

    def _copy(self, target: str, diff_ids: "Sequence[Digest]") -> None:
        from lamina.layer.view import Tree

        with self.layers.opened(diff_ids) as layers:
            if layers:
                _Copy(os.fsencode(target), in_namespace=self.in_namespace).run(Tree.of(layers))


class _Copy:
    """One copy of a merged tree into a directory nobody else reaches."""

    def __init__(self, target: bytes, *, in_namespace: bool) -> None:
        self._target = target
        self._in_namespace = in_namespace
        self._links: dict[tuple[str, int], bytes] = {}

    def run(self, tree: "Tree") -> None:
        """Copy everything; parents come before their children."""
        directories = []
        for path, node in tree.walk():
            place = self._target + b"/" + path if path else self._target
            if node.kind is Kind.DIRECTORY:
                if path:
                    os.mkdir(place, 0o700)
                directories.append((place, node))
            else:
                self._make(place, node)
        for place, node in reversed(directories):  # times last, children before their parents
            self._attributes(place, node)

    def _make(self, place: bytes, node: "Node") -> None:
        key = (node.layer.path, node.nid)
        if node.nlink > 1 and key in self._links:
            os.link(self._links[key], place, follow_symlinks=False)
            return
        self._links[key] = place
        if node.kind is Kind.FILE:
            self._file(place, node)
        elif node.kind is Kind.SYMLINK:
            os.symlink(node.target, place)
        elif self._in_namespace and node.kind is not Kind.FIFO:
            os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        else:
            os.mknod(place, _TYPES[node.kind] | 0o600, os.makedev(*node.device))
        self._attributes(place, node)

    def _file(self, place: bytes, node: "Node") -> None:
        fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.ftruncate(fd, node.size)
            for offset, where, length in node.layer.extents(node):
                if where >= 0:
                    self._write(fd, node, offset, length)
        finally:
            os.close(fd)

    def _write(self, fd: int, node: "Node", offset: int, length: int) -> None:
        for piece in node.layer.pieces(node, offset, length):
            view = memoryview(piece)
            while view:
                done = os.pwrite(fd, view, offset)
                view = view[done:]
                offset += done

    def _attributes(self, place: bytes, node: "Node") -> None:
        """Set owner, mode, xattrs and times; the owner first, as it clears the set-user-ID bit."""
        try:
            os.chown(place, node.uid, node.gid, follow_symlinks=False)
        except OSError:
            if not self._in_namespace:  # there some owners have no place
                raise
        if node.kind is not Kind.SYMLINK:
            os.chmod(place, node.mode)
        for name, value in node.xattrs:
            self._xattr(place, name, value)
        os.utime(place, ns=(node.mtime_ns, node.mtime_ns), follow_symlinks=False)

    def _xattr(self, place: bytes, name: str, value: bytes) -> None:
        try:
            os.setxattr(place, name, value, follow_symlinks=False)
        except OSError:
            if not (self._in_namespace or name.startswith("security.")):
                raise


class _Comparison:
    """What differs between a directory and a tree, as an overlayfs upper directory."""

    def __init__(self, source: str, target: str, tree: "Tree", since_ns: int) -> None:
        self._source = os.fsencode(source)
        self._target = os.fsencode(target)
        self._tree = tree
        self._since_ns = since_ns
        self._made: list[bytes] = [b""]
        self._owners = True

    def run(self, *, owners: bool) -> None:
        """Compare everything, a directory at a time; owners only where they could be kept."""
        self._owners = owners
        self._compare()
        for path in reversed(self._made):  # what was put inside has changed their times
            found = os.lstat(os.path.join(self._source, path))
            target = os.path.join(self._target, path)
            os.chown(target, found.st_uid, found.st_gid)
            os.chmod(target, stat.S_IMODE(found.st_mode))
            os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))

    def _compare(self) -> None:
        pending = [b""]
        while pending:
            here = pending.pop()
            prefix = here + b"/" if here else b""
            before = dict(self._tree.listdir(here))
            now = sorted(os.listdir(os.path.join(self._source, here)))
            for name in now:
                full = prefix + name
                found = os.lstat(os.path.join(self._source, full))
                node = before.get(name)
                if self._differs(full, found, node) or _has_new_name(found, node):
                    self._take(full, found)
                if stat.S_ISDIR(found.st_mode):
                    pending.append(full)
            for name in sorted(set(before) - set(now)):
                self._parents(prefix + name)
                os.mknod(os.path.join(self._target, prefix + name), stat.S_IFCHR, 0)

    def _differs(self, path: bytes, found: os.stat_result, node: "Node | None") -> bool:
        if node is None or _TYPES[node.kind] != stat.S_IFMT(found.st_mode):
            return True
        if self._owners and (found.st_uid, found.st_gid) != (node.uid, node.gid):
            return True
        if node.kind is Kind.SYMLINK:
            return os.readlink(os.path.join(self._source, path)) != node.target
        if stat.S_IMODE(found.st_mode) != node.mode or self._xattrs(path) != node.xattrs:
            return True
        if node.kind in (Kind.FILE, Kind.DIRECTORY):
            return found.st_mtime_ns != node.mtime_ns or self._has_other_bytes(path, found, node)
        return (os.major(found.st_rdev), os.minor(found.st_rdev)) != node.device

    def _has_other_bytes(self, path: bytes, found: os.stat_result, node: "Node") -> bool:
        if node.kind is Kind.DIRECTORY:
            return False
        if found.st_size != node.size:
            return True
        if found.st_ctime_ns < self._since_ns:
            return False  # programs may set times back, but the change time is the kernel's
        with open(os.path.join(self._source, path), "rb") as file:
            return any(file.read(len(piece)) != piece for piece in node.layer.pieces(node))

    def _xattrs(self, path: bytes) -> tuple[tuple[str, bytes], ...]:
        place = os.path.join(self._source, path)
        names = sorted(os.listxattr(place, follow_symlinks=False))
        return tuple((name, os.getxattr(place, name, follow_symlinks=False)) for name in names)

    def _take(self, path: bytes, found: os.stat_result) -> None:
        self._parents(path)
        target = os.path.join(self._target, path)
        if stat.S_ISDIR(found.st_mode):
            self._make_directory(path)
        else:
            os.link(os.path.join(self._source, path), target, follow_symlinks=False)

    def _parents(self, path: bytes) -> None:
        """Make the directories above `path`: as in overlayfs, they come along unchanged."""
        missing = []
        head = os.path.dirname(path)
        while head and not os.path.lexists(os.path.join(self._target, head)):
            missing.append(head)
            head = os.path.dirname(head)
        for directory in reversed(missing):
            self._make_directory(directory)

    def _make_directory(self, path: bytes) -> None:
        target = os.path.join(self._target, path)
        if not os.path.lexists(target):
            os.mkdir(target, 0o700)
            self._made.append(path)
            for name, value in self._xattrs(path):
                os.setxattr(target, name, value)


def _has_new_name(found: os.stat_result, node: "Node | None") -> bool:
    """Tell whether a file got a name more: overlayfs copies the old ones up with it."""
    return node is not None and node.kind is not Kind.DIRECTORY and found.st_nlink > node.nlink
