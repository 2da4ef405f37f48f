"""Loop devices: how kernels that mount EROFS from block devices alone get at a sealed file.

A device is set up in one call (LOOP_CONFIGURE, kernel 5.8) together with the flag that frees it when
nobody has it open or mounted any more. So there is no moment at which kill -9 would leave one behind.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from struct import Struct

from lamina.errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["NoLoopDevice", "attached", "backing_file"]

_CONTROL: "Final" = "/dev/loop-control"
_GET_FREE: "Final" = 0x4C82
_CONFIGURE: "Final" = 0x4C0A
_READ_ONLY, _AUTOCLEAR, _DIRECT = 1, 4, 16
_SECTOR: "Final" = 512
_NAME_AT, _NAME_SIZE = 64, 64
_CONFIG: "Final" = Struct("<II52xI")  # the start of struct loop_config: fd, block size, …, flags
_CONFIG_SIZE: "Final" = 304
_ATTEMPTS: "Final" = 64


class NoLoopDevice(Unavailable):
    """No loop device can be had here."""


@contextmanager
def attached(path: str, *, direct: bool = True) -> Iterator[str]:
    """Give, for the body, a read-only block device with the content of the file `path`.

    Whatever the body mounts keeps the device; it is free again when the last user is gone.
    `direct` reads around the page cache of the file, which would hold everything a second time.
    Raises: NoLoopDevice, OSError (the file).
    """
    backing = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        device, fd = _take(backing, os.fsencode(path), direct=direct)
        try:
            yield device
        finally:
            os.close(fd)
    finally:
        os.close(backing)


def backing_file(number: int) -> str:
    """Give the file behind loop device `number`; empty for a free one."""
    try:
        with open(f"/sys/block/loop{number}/loop/backing_file", encoding="utf-8") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def _take(backing: int, name: bytes, *, direct: bool) -> tuple[str, int]:
    """Set up a free device; give its path and the descriptor that holds it."""
    try:
        control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(f"{_CONTROL}: {error.strerror}") from error
    problem: OSError | None = None
    try:
        for _ in range(_ATTEMPTS):
            number = fcntl.ioctl(control, _GET_FREE)
            try:
                device, fd = _open(number)
            except FileNotFoundError as error:  # taken away again by another process
                problem = error
                continue
            try:
                _configure(fd, backing, name, direct=direct)
            except OSError as error:
                os.close(fd)
                if error.errno != errno.EBUSY:
                    raise
                problem = error  # another process took that one
                continue
            return device, fd
    except OSError as error:
        raise _refused(str(error)) from error
    finally:
        os.close(control)
    raise _refused(f"others were quicker {_ATTEMPTS} times") from problem


def _open(number: int) -> tuple[str, int]:
    """Open device `number`, making its node where /dev is not the kernel's own, as in containers."""
    device = f"/dev/loop{number}"
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        return device, os.open(device, flags)
    except FileNotFoundError:
        with open(f"/sys/block/loop{number}/dev", encoding="utf-8") as file:
            major, minor = file.read().strip().split(":")
        with suppress(FileExistsError):
            os.mknod(device, stat.S_IFBLK | 0o600, os.makedev(int(major), int(minor)))
        return device, os.open(device, flags)


def _configure(fd: int, backing: int, name: bytes, *, direct: bool) -> None:
    """Bind the file to the device: blocks of 512 bytes, as a sealed layer has, whatever the disk's."""
    flags = _READ_ONLY | _AUTOCLEAR
    for extra in (_DIRECT, 0) if direct else (0,):  # not every file system reads directly
        config = bytearray(_CONFIG.pack(backing, _SECTOR, flags | extra).ljust(_CONFIG_SIZE, b"\0"))
        short = name[-_NAME_SIZE + 1 :]
        config[_NAME_AT : _NAME_AT + len(short)] = short
        try:
            fcntl.ioctl(fd, _CONFIGURE, bytes(config))
        except OSError as error:
            if error.errno != errno.EINVAL or not extra:
                raise
        else:
            return


def _refused(why: str) -> NoLoopDevice:
    return NoLoopDevice(
        f"no loop device to mount a sealed layer with: {why}",
        hint="`lamina --storage-driver unpacked` needs none",
    )
