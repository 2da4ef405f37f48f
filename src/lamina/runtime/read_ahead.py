"""How far a mounted layer is read ahead: as far as files beside it on the same disk.

The kernel gives each EROFS mount of a file 128 KiB, whatever its disk is set to; a large file was
read at half the speed then. There is no mount option for it, and nothing in /sys says which entry
belongs to which mount: the new one is ours.
"""

import os
from contextlib import suppress

__all__ = ["follow_disk", "known_mounts"]

_USUAL_KB = 128
_MOST_KB = 1024  # more was no faster, and a fault in a mapped program reads around as much


def known_mounts(sys: str = "/sys") -> frozenset[str]:
    """Name the EROFS mounts of files that the machine has now."""
    try:
        names = os.listdir(f"{sys}/class/bdi")
    except OSError:  # no /sys here, or not for us
        return frozenset()
    return frozenset(name for name in names if name.startswith("erofs-"))


def follow_disk(path: str, known: frozenset[str], sys: str = "/sys") -> None:
    """Read mounts that are not among `known` ahead as far as the disk under `path`, 1 MiB at most.

    Where that cannot be found out or set, the kernel's own measure stays.
    """
    wanted = min(_of_disk(os.stat(path).st_dev, sys), _MOST_KB)
    if wanted <= _USUAL_KB:
        return
    for name in known_mounts(sys) - known:
        with (
            suppress(OSError),  # /sys is read-only in many containers
            open(f"{sys}/class/bdi/{name}/read_ahead_kb", "w", encoding="utf-8") as file,
        ):
            file.write(str(wanted))


def _of_disk(device: int, sys: str) -> int:
    """Give the KiB that a disk reads ahead; 0 where there is no one disk (btrfs, tmpfs)."""
    place = f"{sys}/dev/block/{os.major(device)}:{os.minor(device)}"
    for folder in (place, f"{os.path.realpath(place)}/.."):  # a partition's disk knows
        try:
            with open(f"{folder}/bdi/read_ahead_kb", encoding="utf-8") as file:
                return int(file.read())
        except (OSError, ValueError):
            continue
    return 0
