"""Small disks, and how to fill them up."""

import subprocess
from contextlib import contextmanager


def fill(path, piece):
    """Write to `path` in pieces until the disk is full."""
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(bytes(piece)):
                continue
        except OSError:
            return


@contextmanager
def mounted(place, size):
    """Mount a file system of `size` (`8m`) on a new folder for the body."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tiny", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)
