"""Directories that are whole in memory but perhaps not on the disk yet, and how we know later.

Writing out tens of thousands of files takes longer than making them, and they can be made again
from their sealed layer, which is on the disk. So nobody waits for that: a mark beside the directory
says in which boot of the machine it was made. While that boot lasts, what was written is there;
after another one it may have been cut short by a power failure, and is made again, and synced.
"""

import os
from contextlib import suppress

from lamina.stream.files import replace

__all__ = ["SUFFIX", "clear", "is_doubtful", "mark", "marked", "sync_tree"]

SUFFIX = ".unsynced"
_NEW = "~"
_BOOT = "/proc/sys/kernel/random/boot_id"


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
