"""Perform mounts: values become calls, and sealed layers are mounted once per machine.

Every container's overlay stands on the same EROFS mounts at `<run_root>/layers/<hex>`. Who uses a
layer holds a shared lock on `<hex>.lock`; it ends with the process, whatever ended that. Whoever
lets go sweeps: a layer whose lock nobody holds is unmounted. What a killed shim left mounted goes
when the next container ends, its own is removed, or room is made (`engine.room`); after a reboot
there is nothing to sweep.
"""

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from lamina.errors import Unavailable
from lamina.runtime import loop, read_ahead, syscalls, unions
from lamina.spec.mount import Mount
from lamina.stream.files import allow_open_files

__all__ = ["MountFailed", "SharedLayers", "detached", "perform"]

_FLAGS = {
    "ro": syscalls.MS_RDONLY,
    "rw": 0,
    "nosuid": syscalls.MS_NOSUID,
    "nodev": syscalls.MS_NODEV,
    "noexec": syscalls.MS_NOEXEC,
    "bind": syscalls.MS_BIND,
    "rbind": syscalls.MS_BIND | syscalls.MS_REC,
    "relatime": 1 << 21,
    "noatime": 1 << 10,
    "nodiratime": 1 << 11,
    "strictatime": 1 << 24,
    "sync": 1 << 4,
    "dirsync": 1 << 7,
}
_LOCK = ".lock"
_FEW, _THREADS = 4, 16
_ATTRIBUTES = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8}


class MountFailed(Unavailable):
    """The kernel refused a mount."""


def perform(mount: Mount) -> None:
    """Make one mount in this process's mount namespace, and its mount point where missing.

    Raises: MountFailed, which names the mount and the kernel's reason; NoLoopDevice.
    """
    try:
        os.makedirs(mount.target, exist_ok=True)
        flags, data, attributes = _split(mount.options)
        if mount.type == "erofs":
            _mount_erofs(mount, flags | syscalls.MS_RDONLY, data)
        elif mount.type == "overlay":
            unions.attach(mount.target, data, flags=flags, attributes=attributes)
        else:
            syscalls.mount(mount.source, mount.target, mount.type, flags, ",".join(data))
    except OSError as error:
        raise _failed(mount, error) from error


def detached(mount: Mount) -> int:
    """Make an overlay that is attached nowhere; give its descriptor, which is all that holds it.

    Paths below it are reached with `dir_fd`; closing it unmounts. Kernel 5.2 and later.
    Raises: MountFailed.
    """
    flags, data, attributes = _split(mount.options)
    try:
        return unions.detached(data, flags=flags, attributes=attributes)
    except OSError as error:
        raise _failed(mount, error) from error


def _failed(mount: Mount, error: OSError) -> MountFailed:
    hint = ""
    if error.errno == errno.EPERM:
        hint = (
            "mounting needs root or a user namespace; `lamina info` says what this machine allows"
        )
    if error.errno == errno.ENODEV:
        hint = f"this kernel has no file system {mount.type}; `modprobe {mount.type}` may load it"
    what = f"cannot mount {mount.type} on {mount.target}: {error.strerror}"
    return MountFailed(what, hint=hint)


def _split(options: Sequence[str]) -> tuple[int, list[str], int]:
    """Tell flags from options with a meaning to the file system alone.

    Give the flags as mount(2) takes them, the others, and the flags as fsmount(2) takes them.
    """
    flags = attributes = 0
    data = []
    for option in options:
        if option in _FLAGS:
            flags |= _FLAGS[option]
            attributes |= _ATTRIBUTES.get(option, 0)
        else:
            data.append(option)
    return flags, data, attributes


def _mount_erofs(mount: Mount, flags: int, data: Sequence[str]) -> None:
    """Mount a sealed file: as it is where the kernel can and `loop` is not asked for, else by loop.

    `directio` is a wish: what cannot read around the page cache reads through it.
    """
    direct = "directio" in data
    if "loop" not in data and _mount_file(mount, flags, direct=direct):
        return
    with loop.attached(mount.source, direct=direct) as device:
        syscalls.mount(device, mount.target, "erofs", flags)


def _mount_file(mount: Mount, flags: int, *, direct: bool) -> bool:
    """Mount the file itself; tell if this kernel does such things (6.12, unless built without)."""
    try:
        syscalls.mount(mount.source, mount.target, "erofs", flags, "directio" if direct else "")
    except OSError as error:
        if error.errno == errno.ENOTBLK:
            return False
        if error.errno != errno.EINVAL or not direct:
            raise
        return _mount_file(mount, flags, direct=False)
    return True


class SharedLayers:
    """What is mounted once for all containers of this machine, below one run root.

    Those are sealed layers, and volumes that are file systems of their own: these apart, as a server
    that does not answer would hold up every other start. `acquire` and `release` belong to one
    process; what it acquired it holds until it releases or ends. Both must run in the mount namespace
    in which the mounts are visible to everyone.
    """

    def __init__(self, run_root: str) -> None:
        self._layers, self._volumes = (
            _Shelf(f"{run_root}/{name}") for name in ("layers", "volumes")
        )

    def acquire(self, mounts: Sequence[Mount]) -> None:
        """Make sure that each of `mounts` is made, and keep it so. Raises: MountFailed."""
        apart = [mount for mount in mounts if os.path.dirname(mount.target) == self._volumes.folder]
        self._layers.acquire([mount for mount in mounts if mount not in apart])
        self._volumes.acquire(apart)

    def release(self) -> None:
        """Let go of everything, and unmount what nobody holds any more."""
        self._layers.release()
        self._volumes.release()


class _Shelf:
    """One folder of shared mounts, each with a lock beside it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._held: dict[str, int] = {}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock under which layers are mounted and unmounted."""
        # Nobody else may enter: a set-user-ID program of some image would run as root of the machine, and the
        # path of a layer can be guessed.
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        os.chmod(self.folder, 0o700)  # earlier versions let others pass
        fd = os.open(
            os.path.join(self.folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def acquire(self, mounts: Sequence[Mount]) -> None:
        """Make sure that each of `mounts` is made, and keep it so. Raises: MountFailed."""
        if not mounts:
            return
        allow_open_files(len(mounts))  # a lock each
        with self._alone():
            device = os.stat(self.folder).st_dev
            known: frozenset[str] | None = None  # looked up once for all, and only if need be
            for mount in mounts:
                if mount.target in self._held:
                    continue
                fd = os.open(f"{mount.target}{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(fd, fcntl.LOCK_SH)
                    if not _is_mounted(mount.target, device):
                        if known is None and mount.type == "erofs":
                            known = read_ahead.known_mounts()
                        perform(mount)
                except BaseException:
                    os.close(fd)
                    raise
                self._held[mount.target] = fd
            if known is not None:
                read_ahead.follow_disk(mounts[0].source, known)

    def release(self) -> None:
        """Let go of all, and unmount those that nobody holds any more."""
        if not self._held and not os.path.isdir(self.folder):
            return
        with self._alone():
            for fd in self._held.values():
                os.close(fd)
            self._held.clear()
            self._sweep()

    def _sweep(self) -> None:
        """Unmount what nobody holds. Its locks are ours meanwhile."""
        doomed: dict[str, int] = {}
        try:
            names = [name for name in os.listdir(self.folder) if name.endswith(_LOCK)]
            allow_open_files(len(names))
            for name in names:
                path = os.path.join(self.folder, name)
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(fd)
                    continue
                doomed[path] = fd
            _unmount_all([path.removesuffix(_LOCK) for path in doomed])
            for path in doomed:
                with suppress(OSError):
                    os.rmdir(path.removesuffix(_LOCK))
                os.unlink(path)
        finally:
            for fd in doomed.values():
                os.close(fd)


def _unmount_all(targets: Sequence[str]) -> None:
    """Unmount each, many at once: the kernel waits some milliseconds at the end of every call."""
    if len(targets) <= _FEW:
        for target in targets:
            _unmount(target)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(len(targets), _THREADS), thread_name_prefix="unmount") as pool:
        for _ in pool.map(_unmount, targets):
            pass


def _unmount(target: str) -> None:
    with suppress(OSError):  # not mounted: made by someone who died before mounting
        syscalls.umount(target, syscalls.MNT_DETACH)


def _is_mounted(target: str, device: int) -> bool:
    """Tell whether another file system than that of its folder, `device`, stands at `target`."""
    try:
        return os.lstat(target).st_dev != device
    except FileNotFoundError:
        return False
