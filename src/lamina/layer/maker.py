"""Make one file on disk as a node says, with as few system calls as it takes."""

import errno
import os

from lamina.errors import Unsupported
from lamina.layer.descent import Descent
from lamina.layer.entry import Kind
from lamina.layer.recorded import RECORD, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.bodies import Bodies
    from lamina.layer.node import Node

__all__ = ["Maker", "dress"]

_TYPES = {Kind.CHARACTER: 0o020000, Kind.BLOCK: 0o060000, Kind.FIFO: 0o010000}
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SPECIAL = 0o6000  # lost by writing, chown, and partly by mkdir
_PRIVATE = 0o700
_WRITABLE = 0o200
_NO_PLACE = (errno.EINVAL, errno.EPERM)


class Maker:
    """How files are made here. Everything starts from a directory's descriptor and is new.

    `privileged`: devices may be made and any attribute set; without it a device becomes an empty
    file, an owner without a place here is recorded, and attributes the kernel refuses are left out.
    `owners`: files may have other owners than us. `umask`: what the process takes from modes.
    `optional`: attributes of these classes may be missing even where we are privileged.
    """

    def __init__(
        self,
        *,
        privileged: bool,
        owners: bool,
        umask: int,
        optional: tuple[str, ...] = ("user.",),
    ) -> None:
        self._privileged = privileged
        self._owners = owners
        self._umask = umask
        self._optional = optional
        # Who we are is who new files belong to; outside its namespace a plain user stands for root.
        self._us = (os.geteuid(), os.getegid()) if owners else (0, 0)

    def directory(self, parent: int, name: bytes) -> None:
        """Make a directory that we alone may enter until `finish`."""
        os.mkdir(name, _PRIVATE, dir_fd=parent)

    def file(self, parent: int, name: bytes, node: "Node", bodies: "Bodies") -> None:
        """Make a regular file: four calls, and more only for what is unusual."""
        mode = opened = node.mode
        if node.has_xattrs or (node.uid, node.gid) != self._us:
            opened |= _WRITABLE  # or a plain user may set no attributes
        fd = os.open(name, _CREATE, opened, dir_fd=parent)
        try:
            if node.size:
                bodies.write(node, fd)
            owned = (node.uid, node.gid) == self._us or self._own(fd, node)
            if node.has_xattrs or not owned:
                self._set_xattrs(fd, node, record=not owned)
            if opened != mode or mode & (_SPECIAL | self._umask):
                os.fchmod(fd, mode)
            time = node.mtime_ns
            os.utime(fd, ns=(time, time))
        finally:
            os.close(fd)

    def other(self, parent: int, name: bytes, node: "Node") -> None:
        """Make a symlink, a device, a fifo or overlayfs's whiteout."""
        if node.kind is Kind.SYMLINK:
            os.symlink(node.target, name, dir_fd=parent)
        elif self._privileged or node.is_whiteout or node.kind is Kind.FIFO:
            device = os.makedev(*node.device)
            os.mknod(name, _TYPES[node.kind] | 0o600, device, dir_fd=parent)
            if node.is_whiteout:
                return
        else:
            self._stand_in(parent, name, node)
            return
        if (node.uid, node.gid) != self._us:
            self._own_name(parent, name, node)
        if node.kind is not Kind.SYMLINK:
            os.chmod(name, node.mode, dir_fd=parent)  # made by us a moment ago: no symlink
        if node.has_xattrs:
            self._set_xattrs(b"/proc/self/fd/%d/%b" % (parent, name), node, record=False)
        time = node.mtime_ns
        os.utime(name, ns=(time, time), dir_fd=parent, follow_symlinks=False)

    def finish(self, fd: int, node: "Node", marks: "dict[str, bytes]") -> None:
        """Give a directory what its children would have changed or been hindered by."""
        owned = (node.uid, node.gid) == self._us or self._own(fd, node)
        if node.has_xattrs or not owned:
            self._set_xattrs(fd, node, record=not owned)
        for key, value in marks.items():
            os.setxattr(fd, key, value)
        os.fchmod(fd, node.mode)
        time = node.mtime_ns
        os.utime(fd, ns=(time, time))

    def _stand_in(self, parent: int, name: bytes, node: "Node") -> None:
        """Make an empty file in a device's place, which says so."""
        fd = os.open(name, _CREATE, 0o600, dir_fd=parent)
        try:
            if self._owners and (node.uid, node.gid) != self._us:
                self._own(fd, node)
            self._set_xattrs(fd, node, record=True)
            os.fchmod(fd, node.mode)
            os.utime(fd, ns=(node.mtime_ns, node.mtime_ns))
        finally:
            os.close(fd)

    def _own(self, fd: int, node: "Node") -> bool:
        """Set the owner; tell whether it has a place here."""
        if not self._owners:
            return False
        try:
            os.fchown(fd, node.uid, node.gid)
        except OSError as error:
            if self._privileged or error.errno not in _NO_PLACE:
                raise
            return False
        return True

    def _own_name(self, parent: int, name: bytes, node: "Node") -> None:
        if not self._owners:
            return
        try:
            os.chown(name, node.uid, node.gid, dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            if self._privileged or error.errno not in _NO_PLACE:
                raise

    def _set_xattrs(self, place: "int | bytes", node: "Node", *, record: bool) -> None:
        follow = isinstance(place, int)  # a descriptor is followed, a name is not
        for name, value in node.xattrs:
            try:
                os.setxattr(place, name, value, follow_symlinks=follow)
            except OSError as error:
                if self._privileged and not name.startswith(self._optional):
                    raise Unsupported(
                        f"cannot set extended attribute {name}: {error.strerror}",
                        hint="keep LAMINA_ROOT on a file system with extended attributes",
                    ) from error
        if record:
            self._record(place, node)

    def _record(self, place: "int | bytes", node: "Node") -> None:
        kind = Kind.FILE if node.kind is Kind.DIRECTORY else node.kind
        value = bytes(Record(node.uid, node.gid, kind, node.device))
        try:
            os.setxattr(place, RECORD, value)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:  # then owners cannot be kept here
                raise


def dress(target: str, node: "Node", *, owners: bool = True, privileged: bool = True) -> None:
    """Give the directory `target` the mode, owner, attributes and time of `node`.

    For the root of a new upper directory: the root of the union shows the topmost one's.
    """
    with Descent(target) as descent:
        maker = Maker(privileged=privileged, owners=owners, umask=0)
        maker.finish(descent.open(b""), node, {})
