"""Unpack a sealed layer into a directory that overlayfs takes as a lower one."""

import os
from typing import TYPE_CHECKING, Literal

from lamina.errors import Unsupported
from lamina.layer.descent import Descent
from lamina.layer.entry import Kind
from lamina.layer.sparse import data_runs
from lamina.stream.files import write_all

if TYPE_CHECKING:
    from lamina.layer.node import Layer, Node
    from lamina.layer.sealed import SealedLayer

__all__ = ["dress", "unpack"]

_TYPES = {Kind.CHARACTER: 0o020000, Kind.BLOCK: 0o060000, Kind.FIFO: 0o010000}
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PRIVATE = 0o700
_GRAIN = 4096
_ZEROS = bytes(_GRAIN)


def unpack(
    layer: "SealedLayer",
    target: str,
    *,
    privileged: bool,
    xattr_prefix: Literal["trusted", "user"] = "trusted",
    owners: bool = True,
) -> int:
    """Write `layer` into the empty directory `target`; return the bytes of its files.

    Whiteouts become 0/0 character devices, opaque directories get `<xattr_prefix>.overlay.opaque`.
    `privileged` says that devices may be made and any attribute set; without it devices become
    empty files, and attributes the kernel refuses are left out. `owners` sets owners: inside a
    user namespace those of the layer as the namespace has them. Every step goes from a directory's
    descriptor and follows no symlink. A directory's times are set after its children.
    Raises: OSError.
    """
    with Descent(target) as descent:
        return _Unpacking(layer, descent, privileged, xattr_prefix, owners=owners).run(layer)


def dress(target: str, node: "Node", *, owners: bool = True, privileged: bool = True) -> None:
    """Give the directory `target` the mode, owner, attributes and time of `node`.

    For the root of a new upper directory: the root of the union shows the topmost one's.
    """
    with Descent(target) as descent:
        unpacking = _Unpacking(node.layer, descent, privileged, "trusted", owners=owners)
        unpacking.finish_directory(b"", node)


class _Unpacking:
    def __init__(
        self,
        layer: "Layer",
        descent: Descent,
        privileged: bool,
        xattr_prefix: str,
        *,
        owners: bool,
    ) -> None:
        self._layer = layer
        self._descent = descent
        self._privileged = privileged
        self._prefix = xattr_prefix
        self._owners = owners
        self._links: dict[int, bytes] = {}
        self._written = 0

    def run(self, layer: "SealedLayer") -> int:
        directories: list[tuple[bytes, Node]] = []
        for path, node in layer.walk():
            if node.kind is Kind.DIRECTORY:
                directories.append((path, node))
                if path:
                    fd, name = self._descent.split(path)
                    os.mkdir(name, _PRIVATE, dir_fd=fd)
                continue
            if node.nlink > 1 and not node.is_whiteout and self._link(path, node):
                continue
            self._write(path, node)
        for path, node in reversed(directories):
            self.finish_directory(path, node)
        return self._written

    def _link(self, path: bytes, node: "Node") -> bool:
        """Make a further name of a file that is there already."""
        first = self._links.setdefault(node.nid, path)
        if first == path:
            return False
        fd, name = self._descent.split(path)
        kept = os.dup(fd)  # the next split may close it
        try:
            source, old = self._descent.split(first)
            os.link(old, name, src_dir_fd=source, dst_dir_fd=kept, follow_symlinks=False)
        finally:
            os.close(kept)
        return True

    def _write(self, path: bytes, node: "Node") -> None:
        fd, name = self._descent.split(path)
        if node.kind is Kind.FILE:
            self._write_file(fd, name, node)
            return
        if node.kind is Kind.SYMLINK:
            os.symlink(node.target, name, dir_fd=fd)
        elif self._privileged or node.is_whiteout or node.kind is Kind.FIFO:
            device = os.makedev(*node.device)
            os.mknod(name, _TYPES[node.kind] | 0o600, device, dir_fd=fd)
            if node.is_whiteout:
                return
        else:
            os.close(os.open(name, _CREATE, 0o600, dir_fd=fd))
        if self._owners:
            os.chown(name, node.uid, node.gid, dir_fd=fd, follow_symlinks=False)
        if node.kind is not Kind.SYMLINK:
            os.chmod(name, node.mode, dir_fd=fd)  # made by us a moment ago: no symlink
        self._set_xattrs(b"/proc/self/fd/%d/%b" % (fd, name), node)
        times = (node.mtime_ns, node.mtime_ns)
        os.utime(name, ns=times, dir_fd=fd, follow_symlinks=False)

    def _write_file(self, directory: int, name: bytes, node: "Node") -> None:
        fd = os.open(name, _CREATE, 0o600, dir_fd=directory)
        try:
            if node.is_sparse:
                self._write_holes(fd, node)
            else:
                self._write_data(fd, node)
            self._written += node.size
            if self._owners:
                os.fchown(fd, node.uid, node.gid)  # before the mode: chown clears set-id bits
            os.fchmod(fd, node.mode)
            self._set_xattrs(fd, node)
            os.utime(fd, ns=(node.mtime_ns, node.mtime_ns))
        finally:
            os.close(fd)

    def _write_data(self, fd: int, node: "Node") -> None:
        """Write a file's content; long runs of zeros take no disk, or a bomb would fill it."""
        size = 0
        hole = False
        for piece in self._layer.pieces(node):
            runs = list(data_runs(piece))
            if runs == [(0, len(piece))] and not hole:
                write_all(fd, piece)
            else:
                hole = True
                for start, end in runs:
                    os.pwrite(fd, piece[start:end], size + start)
            size += len(piece)
        if hole:
            os.ftruncate(fd, size)

    def _write_holes(self, fd: int, node: "Node") -> None:
        """Write a sparse file's data and leave its holes; a chunk may be mostly zeros itself."""
        for offset, where, length in self._layer.extents(node):
            at = offset
            for piece in self._layer.pieces(node, offset, length) if where >= 0 else ():
                for start in range(0, len(piece), _GRAIN):
                    part = piece[start : start + _GRAIN]
                    if part != _ZEROS[: len(part)]:
                        os.pwrite(fd, part, at + start)
                at += len(piece)
        os.ftruncate(fd, node.size)

    def finish_directory(self, path: bytes, node: "Node") -> None:
        """Set what a directory's children would have changed or been hindered by."""
        fd = self._descent.open(path)
        if self._owners:
            os.fchown(fd, node.uid, node.gid)
        os.fchmod(fd, node.mode)
        self._set_xattrs(fd, node)
        if node.opaque and path:
            os.setxattr(fd, f"{self._prefix}.overlay.opaque", b"y")
        if node.has_whiteouts and path:
            os.setxattr(fd, f"{self._prefix}.overlay.origin", b"")  # as the index has it
        os.utime(fd, ns=(node.mtime_ns, node.mtime_ns))

    def _set_xattrs(self, place: int | bytes, node: "Node") -> None:
        for name, value in node.xattrs:
            try:
                if isinstance(place, int):
                    os.setxattr(place, name, value)
                else:
                    os.setxattr(place, name, value, follow_symlinks=False)
            except OSError as error:
                if self._privileged and not name.startswith("user."):
                    raise Unsupported(
                        f"cannot set extended attribute {name}: {error.strerror}",
                        hint="keep LAMINA_ROOT on a file system with extended attributes",
                    ) from error
