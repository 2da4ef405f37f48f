"""The one call that Python has no word for: have the kernel write all that a file system still holds back."""

import ctypes
import os

__all__ = ["sync_file_system"]


def sync_file_system(folder: str) -> None:
    """Make everything durable that was written to `folder`'s file system, by whomever.

    One wait for any number of small files, where `fsync` is one for each. See syncfs(2). Raises: OSError.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), folder)
    finally:
        os.close(fd)
