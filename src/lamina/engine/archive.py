"""Files in and out of containers as tars: cp and export. The container's side may be hostile.

Paths inside are resolved by the kernel with the container's root as the root (openat2), so no
symlink leads outside. A running container is reached through its shim, which sees its volumes too;
a stopped one through a mount that is attached nowhere and ends with this process.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from lamina.engine.removal import ContainerInUse, present
from lamina.engine.unpack import unpack
from lamina.errors import Invalid, NotFound, Unsupported
from lamina.layer.descent import Descent
from lamina.layer.entry import Entry, Kind
from lamina.layer.recorded import RECORD, Record
from lamina.layer.tar import TarWriter
from lamina.runtime import syscalls
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord

__all__ = [
    "KernelsOwn",
    "PathNotFound",
    "PathStat",
    "copy_in",
    "copy_out",
    "export",
    "path_stat",
    "write_path",
]

_PIECE = 1 << 20
_BUSY_S = 60.0
_TURN_S = 0.1
_REPLACED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)
_HIDDEN_XATTRS = ("trusted.overlay.", "user.overlay.", "system.")


# proc, sysfs, both cgroups, debugfs, tracefs, securityfs: statfs(2)
_KERNELS = (
    0x9FA0, 0x62656572, 0x27E0EB, 0x63677270, 0x64626720, 0x74726163, 0x73636673,
)  # fmt: skip


class PathNotFound(NotFound):
    """The container has no such file."""


class KernelsOwn(Unsupported):
    """What is in /proc and /sys is no file: it has no size, and no end that can be relied on."""


@dataclass(frozen=True, slots=True)
class PathStat:
    """One path of a container: its name, size in bytes, `st_mode`, time, symlink target."""

    name: str
    size: int
    mode: int
    mtime_ns: int
    target: str = ""

    @property
    def is_directory(self) -> bool:
        """Whether it is a folder itself, not a symlink to one."""
        return stat.S_ISDIR(self.mode)


def _running_root(engine: "Engine", record: "ContainerRecord") -> int:
    """Open the root of a running container, with all that is mounted in it; -1 if it does not run."""
    from lamina.engine.execution import shim_socket
    from lamina.runtime import supervisor

    if engine.containers.is_running(record.id):
        with suppress(supervisor.NotRunning):
            return supervisor.ask(shim_socket(engine, record), "root")[1][0]
    return -1


@contextmanager
def _mounted(engine: "Engine", record: "ContainerRecord", *, read_only: bool) -> Iterator[int]:
    from lamina.runtime.mounts import SharedLayers, detached

    stack = engine.snapshotter.stack(record.id)
    *below, top = engine.snapshotter.mounts(stack, "/", read_only=read_only)
    if top.type == "bind":
        fd = os.open(top.source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)
        return
    layers = SharedLayers(engine.settings.run_root)
    layers.acquire(below)
    try:
        fd = detached(top)
        try:
            yield fd
        finally:
            os.close(fd)
    finally:
        layers.release()


def _clean(path: str) -> str:
    """Make `path` absolute and plain; two leading slashes are one here."""
    return os.path.normpath("/" + path.lstrip("/"))


def _place(record: "ContainerRecord", path: str) -> tuple[str, str]:
    """Tell which volume of a stopped container `path` lies in: its source and the rest, or none."""
    clean = _clean(path)
    for mount in sorted(record.mounts, key=lambda m: -len(m["Destination"])):
        target = str(mount["Destination"])
        if mount["Source"] and (clean == target or clean.startswith(f"{target}/")):
            if mount["Type"] == "image" or mount.get("Device"):
                raise ContainerInUse(
                    f"{target} of {record.name} is mounted only while it runs",
                    hint=f"`lamina start {record.name}` first",
                )
            return str(mount["Source"]), clean[len(target) :]
    return "", clean


@contextmanager
def _opened(
    engine: "Engine", record: "ContainerRecord", path: str, *, writes: bool = False
) -> Iterator[tuple[int, str]]:
    """Give the root in which `path` is to be resolved, and the path from there.

    Raises: ContainerUnknown (it is removed in the course of the body), ContainerInUse (busy).
    """
    with present(engine, record):
        fd, lock = _running_or_locked(engine, record, writes=writes)
        inner = path
        try:
            if fd < 0:
                source, rest = _place(record, path)
                if not (source and os.path.isdir(source)):
                    with _mounted(engine, record, read_only=not writes) as mounted:
                        yield mounted, path
                    return
                fd, inner = os.open(source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), rest or "/"
            yield fd, inner
        finally:
            for each in (fd, lock):
                if each >= 0:
                    os.close(each)


def _running_or_locked(
    engine: "Engine", record: "ContainerRecord", *, writes: bool
) -> tuple[int, int]:
    """Give the root of a container that runs, else the lock that keeps it from starting; -1 for none.

    Two mounts of one writable layer spoil each other: the second empties the first one's scratch
    folder, and from then on nothing of the image can be removed in the container.
    """
    deadline = time.monotonic() + _BUSY_S
    while (root := _running_root(engine, record)) < 0:
        try:
            lock = engine.containers.files.take(record.id, wait_s=_TURN_S, shared=not writes)
        except BlockingIOError as error:  # it is starting, ending, or written to by another command
            if time.monotonic() > deadline:
                raise ContainerInUse(f"container {record.name} is busy") from error
        else:
            return -1, lock
    return root, -1


def path_stat(engine: "Engine", record: "ContainerRecord", path: str) -> PathStat:
    """Look at one path; a symlink is described itself. Raises: PathNotFound."""
    with _opened(engine, record, path) as (root, inner):
        parent, name = _split(record, path, root, inner)
        try:
            return _stat(parent, name, record, path)
        finally:
            os.close(parent)


def _stat(parent: int, name: str, record: "ContainerRecord", path: str) -> PathStat:
    try:
        found = os.stat(name or ".", dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError as error:
        raise _unknown(record, path) from error
    target = os.readlink(name, dir_fd=parent) if stat.S_ISLNK(found.st_mode) else ""
    return PathStat(name or "/", found.st_size, found.st_mode, found.st_mtime_ns, target)


def _unknown(record: "ContainerRecord", path: str) -> PathNotFound:
    return PathNotFound(
        f"Could not find the file {path} in container {record.name}",
        hint=f"`lamina exec {record.name} ls` shows what is there",
    )


def _split(record: "ContainerRecord", path: str, root: int, inner: str) -> tuple[int, str]:
    """Open the folder that holds `inner`; give it and the last name (empty for the root itself)."""
    clean = _clean(inner)
    head, name = os.path.split(clean)
    flags = os.O_RDONLY | os.O_DIRECTORY
    try:
        parent = syscalls.openat2(root, head, flags)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _unknown(record, path) from error
    if not (inner.endswith(("/", "/.")) and name):
        return parent, name
    # A trailing slash follows a symlink to a folder; without one it is the link itself.
    try:
        return syscalls.openat2(root, clean, flags), ""
    except FileNotFoundError as error:
        raise _unknown(record, path) from error
    except NotADirectoryError as error:
        raise Invalid(f"not a directory: {path}") from error
    finally:
        os.close(parent)


def copy_out(
    engine: "Engine", record: "ContainerRecord", path: str, write: Callable[[bytes], object]
) -> PathStat:
    """Write what is at `path` as a tar whose names begin with its last name; give what it is.

    Raises: PathNotFound, KernelsOwn.
    """
    with _opened(engine, record, path) as (root, inner):
        parent, name = _split(record, path, root, inner)
        try:
            found = _stat(parent, name, record, path)
            shown = os.path.basename(_clean(path))
            write_path(parent, name, shown, write)
            return found
        finally:
            os.close(parent)


def write_path(parent: int, name: str, shown: str, write: Callable[[bytes], object]) -> None:
    """Write `name` in the folder `parent` (itself for an empty name) as a tar, called `shown`.

    A folder comes before what is in it, names sorted. No recursion, and few descriptors: a hostile
    container nests deeper than either goes. Of /proc and /sys there is the folder alone.
    Raises: KernelsOwn (`name` is of those itself).
    """
    _refuse_kernels(parent, name, shown)
    writer = TarWriter(write)
    links: dict[tuple[int, int], bytes] = {}
    start = os.fsencode(name)
    with Descent(f"/proc/self/fd/{parent}") as below:
        pending = [start]
        while pending:
            path = pending.pop()
            try:
                folder, last = below.split(path) if path else (below.open(b""), b".")
            except OSError as error:
                if error.errno not in _REPLACED:
                    raise
                continue
            called = os.path.join(os.fsencode(shown), path[len(start) :].lstrip(b"/"))
            if _add(writer, folder, os.fsdecode(last), called.rstrip(b"/"), links):
                pending += reversed(_children(below, path))
    writer.close()


def _refuse_kernels(parent: int, name: str, shown: str) -> None:
    """Refuse to copy what the kernel makes up as it is read. Raises: KernelsOwn."""
    if not _is_kernels(parent):
        try:
            fd = os.open(name or ".", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        except OSError:  # gone; whoever reads it will say so
            return
        try:
            if not _is_kernels(fd):
                return
        finally:
            os.close(fd)
    raise KernelsOwn(
        f"cannot copy {shown}: what /proc and /sys show is the kernel's, and no file",
        hint="read it where it is, with `cat` or `lamina exec CONTAINER cat PATH`",
    )


def _is_kernels(fd: int) -> bool:
    return syscalls.file_system(fd) in _KERNELS


def _children(below: Descent, path: bytes) -> list[bytes]:
    """Give the paths in a folder, sorted; none where something else stands by now."""
    try:
        folder = below.open(path)
        names = [] if _is_kernels(folder) else os.listdir(folder)
    except OSError as error:
        if error.errno not in _REPLACED:
            raise
        return []
    prefix = path + b"/" if path else b""
    return sorted(prefix + os.fsencode(child) for child in names)


def _add(
    writer: TarWriter, parent: int, name: str, shown: bytes, links: dict[tuple[int, int], bytes]
) -> bool:
    """Write one path; tell whether it is a folder."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:  # gone since it was listed
        return False
    kind = _kind(found.st_mode)
    if kind is None:  # a socket: tars have none
        return False
    entry = Entry(
        path=shown,
        kind=kind,
        mode=stat.S_IMODE(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        mtime_ns=found.st_mtime_ns,
        xattrs=_xattrs(parent, name),
    )
    entry = _owned(entry)
    if kind is Kind.SYMLINK:
        try:
            entry = entry._replace(link=os.fsencode(os.readlink(name, dir_fd=parent)))
        except OSError:  # taken away since we looked, or something else put there
            return False
    elif kind in (Kind.CHARACTER, Kind.BLOCK):
        entry = entry._replace(device=(os.major(found.st_rdev), os.minor(found.st_rdev)))
    if kind is not Kind.DIRECTORY and found.st_nlink > 1:
        first = links.setdefault((found.st_dev, found.st_ino), shown)
        if first != shown:
            writer.add(entry._replace(kind=Kind.HARDLINK, link=first))
            return False
    if kind is not Kind.FILE:
        writer.add(entry)
    elif not _add_file(writer, parent, name, entry):
        links.pop((found.st_dev, found.st_ino), None)
    return kind is Kind.DIRECTORY


def _add_file(writer: TarWriter, parent: int, name: str, entry: Entry) -> bool:
    """Write a file; False if the container took it away since we looked, or put another thing there."""
    # O_NONBLOCK: a fifo put in the file's place meanwhile must not stop us.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, dir_fd=parent)
    except OSError as error:
        if error.errno in _REPLACED:
            return False
        raise
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return False
        writer.add(entry._replace(size=status.st_size), iter(lambda: os.read(fd, _PIECE), b""))
    finally:
        os.close(fd)
    return True


def _owned(entry: Entry) -> Entry:
    """Give the owner that the layer said, where this user namespace has no place for it."""
    value = dict(entry.xattrs).get(RECORD) if entry.xattrs else None
    if value is None:
        return entry
    rest = tuple(item for item in entry.xattrs if item[0] != RECORD)
    record = Record.parse(value)
    if record is None or (entry.uid, entry.gid) != (os.geteuid(), os.getegid()):
        return entry._replace(xattrs=rest)
    return entry._replace(uid=record.uid, gid=record.gid, xattrs=rest)


def _kind(mode: int) -> Kind | None:
    return {
        stat.S_IFREG: Kind.FILE,
        stat.S_IFDIR: Kind.DIRECTORY,
        stat.S_IFLNK: Kind.SYMLINK,
        stat.S_IFCHR: Kind.CHARACTER,
        stat.S_IFBLK: Kind.BLOCK,
        stat.S_IFIFO: Kind.FIFO,
    }.get(stat.S_IFMT(mode))


def _xattrs(parent: int, name: str) -> tuple[tuple[str, bytes], ...]:
    path = f"/proc/self/fd/{parent}/{name}"
    try:
        names = os.listxattr(path, follow_symlinks=False)
        return tuple(
            (key, os.getxattr(path, key, follow_symlinks=False))
            for key in sorted(names)
            if not key.startswith(_HIDDEN_XATTRS)
        )
    except OSError:
        return ()


def copy_in(
    engine: "Engine",
    record: "ContainerRecord",
    path: str,
    stream: "BinaryIO",
    *,
    keep_owner: bool = False,
) -> int:
    """Unpack a tar into the folder at `path`; give how many entries it had.

    Owners are the container's root unless `keep_owner`. Raises: PathNotFound, Invalid (no folder), KernelsOwn.
    """
    with _opened(engine, record, path, writes=True) as (root, inner):
        try:
            target = syscalls.openat2(root, inner, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError as error:
            raise _unknown(record, path) from error
        except NotADirectoryError as error:
            raise Invalid(f"not a directory: {path}") from error
        try:
            if _is_kernels(target):
                raise KernelsOwn(
                    f"cannot copy into {path} of container {record.name}: it is the kernel's, and keeps no files",
                    hint="copy into another folder",
                )
            owner = None if keep_owner else (0, 0)
            return unpack(stream, target, root=root, base=inner, owner=owner, owners=True)
        finally:
            os.close(target)


def export(engine: "Engine", record: "ContainerRecord", write: Callable[[bytes], object]) -> None:
    """Write the container's file system, volumes left out, as a flat tar in one canonical order."""
    from lamina.engine.points import excluded_paths
    from lamina.layer.flat import write_tree
    from lamina.layer.view import Tree

    with present(engine, record):
        excluded = excluded_paths(engine, record)
        with (
            engine.layers.opened(record.diff_ids) as layers,
            engine.snapshotter.changed(record.id) as changed,
        ):
            write_tree(
                Tree.of(layers), write, upper=changed.paths, marks=changed.marks, exclude=excluded
            )
