"""What is whole in memory but perhaps not on the disk yet, and how we know later.

Writing out tens of thousands of files, or a gigabyte of sealed layers, takes longer than making
them, and they can be made again: a directory from its sealed layer, a sealed layer from its blob.
So nobody waits for that: a mark says in which boot of the machine they were made. While that boot
lasts, what was written is there; after another one it may have been cut short by a power failure.

A directory has its mark in a file beside it, and is made again when in doubt. A sealed file carries
its mark as an extended attribute from before its first byte on, so that the mark and the length of
the file are in one inode and reach the disk together; in doubt all of it is read, as most are whole.
"""

import errno
import os
import time
from contextlib import suppress

from lamina.stream.files import replace

__all__ = [
    "DOUBTFUL",
    "LOST",
    "SUFFIX",
    "WHOLE",
    "clear",
    "is_doubtful",
    "is_marked",
    "mark",
    "mark_file",
    "marked",
    "settle",
    "sync_tree",
    "trust",
]

SUFFIX = ".unsynced"
_NEW = "~"
_BOOT = "/proc/sys/kernel/random/boot_id"
_ATTRIBUTE = "user.lamina.unsynced"
WHOLE, DOUBTFUL, LOST = "whole", "doubtful", "lost"
_WRITTEN_S = 60  # the kernel writes out what has waited for 30 seconds


def mark(path: str) -> bool:
    """Note, durably, that `path` is made in this boot; False where boots cannot be told apart.

    Nobody else may be at it meanwhile.
    """
    boot = _boot()
    if boot:
        replace(path + SUFFIX, boot, beside=path + SUFFIX + _NEW)
    return bool(boot)


def is_doubtful(path: str) -> bool:
    """Tell whether the machine has been started anew since `path` was made and not synced."""
    try:
        with open(path + SUFFIX, "rb") as file:
            return file.read() != _boot()
    except FileNotFoundError:
        return False


def clear(path: str) -> None:
    """Forget the mark: `path` is on the disk, or gone."""
    for mark_path in (path + SUFFIX, path + SUFFIX + _NEW):
        with suppress(FileNotFoundError):
            os.unlink(mark_path)


def marked(name: str) -> str:
    """Give what the mark of that name is about, be it finished or not; others are as they are."""
    return name.removesuffix(_NEW).removesuffix(SUFFIX)


def mark_file(path: str) -> bool:
    """Note in the empty file `path` that it is made in this boot.

    False where boots cannot be told apart, or the file system keeps no attributes.
    """
    boot = _boot()
    try:
        if boot and os.stat(path).st_size == 0:
            os.setxattr(path, _ATTRIBUTE, boot)
            return True
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.ENOSPC):
            raise
    return False


def is_marked(path: str) -> bool:
    """Tell whether a sealed file carries a mark, of this boot or another."""
    try:
        return bool(os.getxattr(path, _ATTRIBUTE))
    except OSError:
        return False


def trust(path: str) -> str:
    """Say what to think of a sealed file: WHOLE, DOUBTFUL (to be read first) or LOST.

    Raises: FileNotFoundError. One that was made long enough ago that the disk has it is settled by the way.
    """
    try:
        boot = os.getxattr(path, _ATTRIBUTE)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return WHOLE
        raise
    if boot != _boot():
        return DOUBTFUL
    age = time.time() - os.stat(path).st_mtime
    return WHOLE if age < _WRITTEN_S or settle(path) else LOST


def settle(path: str) -> bool:
    """See that a marked file is on the disk and take its mark away; False if the disk failed."""
    if not is_marked(path):
        return True
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
            os.removexattr(fd, _ATTRIBUTE)
        finally:
            os.close(fd)
    except OSError as error:
        # Another process may have been quicker; without the right to write, it keeps its mark.
        return error.errno != errno.EIO
    return True


def sync_tree(path: str) -> None:
    """Write out a tree of many files: one call where `fsync` would need one per file."""
    import subprocess

    try:
        subprocess.run(["sync", "-f", path], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):  # no coreutils: everything on the machine
        os.sync()


def _boot() -> bytes:
    try:
        with open(_BOOT, "rb") as file:
            return file.read()
    except OSError:
        return b""
