"""A shim by `fork`: the command's own process goes on as a second one, with all that is loaded.

Saves a new interpreter's start, a third of what a container's start costs. Only for a process that is
ours alone and has one thread; what it keeps open is closed, and its words in `ps` are replaced.
"""

import _thread
import gc
import os
import sys
from collections.abc import Mapping

__all__ = ["can_split", "retitle", "split"]

_ARGUMENTS = (
    48  # the field of /proc/self/stat that tells the first byte of the arguments; then the last
)
_MANY = 1 << 20


def can_split(most: int) -> bool:
    """Tell whether a copy of this process would do.

    It has one thread, may have descriptors up to `most`, and is still small: one that has just pulled
    keeps libssl.
    """
    alone = _thread._count() == 0  # noqa: SLF001 - `threading` is not loaded for this
    return alone and "_ssl" not in sys.modules and os.sysconf("SC_OPEN_MAX") > most


def split(files: Mapping[int, int]) -> int:
    """Fork; give the child's ID, 0 in the child.

    Of the child's descriptors only those in `files` (number there → number here) are left, and the
    null device as 0, 1 and 2. It may not return to whoever called: it ends with `os._exit`.
    """
    gc.freeze()  # the child collects nothing it did not make: neither memory is copied nor files close
    try:
        child = os.fork()
    finally:
        gc.unfreeze()
    if child:
        return child
    gc.freeze()
    _keep(files)
    return 0


def _keep(files: Mapping[int, int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    first = 3
    for number in sorted(files):
        os.dup2(files[number], number)
    for number in sorted(files):
        os.closerange(first, number)
        first = number + 1
    os.closerange(first, min(os.sysconf("SC_OPEN_MAX"), _MANY))


def retitle(*words: str) -> None:
    """Show `words` as this process's command line, as far as there is room for them."""
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    start, end = int(fields[_ARGUMENTS - 3]), int(fields[_ARGUMENTS - 2])
    room = end - start
    if not start or room <= 0:  # hidden from us
        return
    text = b"".join(word.encode() + b"\0" for word in words)[: room - 1]
    memory = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(memory, text.ljust(room, b"\0"), start)
    finally:
        os.close(memory)
