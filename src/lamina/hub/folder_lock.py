"""One process at a time in a folder: the kernel lets go of it, however that process ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from lamina.errors import InUse

__all__ = ["alone_in"]


@contextmanager
def alone_in(folder: str, words: str) -> Iterator[None]:
    """Hold a folder that is there. Raises: InUse (with `words`: another holds it)."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InUse(words) from None
        yield
    finally:
        os.close(fd)
