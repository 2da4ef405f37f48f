"""The journal of events: what happened to containers, images and so on, one JSON object per line.

There is no daemon to ask, so who does something notes it: one write to a file opened for appending,
which the kernel keeps whole. A journal over a mebibyte becomes `<path>.old`, so two files are all there
ever is. Noting never fails what is noted.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock

from lamina.errors import LaminaError
from lamina.spec.wire import Document, decode, encode

__all__ = ["FILE", "note", "read"]

FILE = "events.log"
"""The journal's name in the root."""

_LARGE = 1 << 20
_POLL_S = 0.1
_BLOCK = 1 << 16


def note(path: str, kind: str, action: str, ident: str, attributes: Mapping[str, str]) -> None:
    """Note one event, shaped as Docker's API gives it."""
    now = time.time_ns()
    line = encode(
        {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": ident, "Attributes": dict(attributes)},
            "scope": "local",
            "time": now // 1_000_000_000,
            "timeNano": now,
        }
    )
    with suppress(OSError):
        fd = _open(path)
        try:
            os.write(fd, line + b"\n")
            if os.fstat(fd).st_size > _LARGE:
                _set_aside(fd, path)
        finally:
            os.close(fd)


def _open(path: str) -> int:
    """Open the journal for one line; while we have it nobody sets it aside."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    while True:
        fd = os.open(path, flags, 0o600)
        try:
            flock(fd, LOCK_SH)
            if not _moved(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _set_aside(fd: int, path: str) -> None:
    """Rename a full journal, unless others write in it: then the last of them will, or the next.

    Only who has it alone does, and only this very file: or a second one would put a file of a few
    lines in the place of the full one.
    """
    with suppress(BlockingIOError):
        flock(fd, LOCK_EX | LOCK_NB)
        if not _moved(fd, path):
            os.replace(path, f"{path}.old")


def read(
    path: str, *, follow: Callable[[], bool] | None = None, old: bool = True
) -> Iterator[Document]:
    """Give what was noted, oldest first; with `follow` wait at the end for as long as it is true.

    Without `old` only what is noted from the first step on.
    """
    if old:
        yield from _lines(f"{path}.old")
    fd = -1
    rest = b""
    skip = not old
    try:
        while True:
            if fd < 0:
                with suppress(FileNotFoundError):
                    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                if fd >= 0 and skip:
                    os.lseek(fd, 0, os.SEEK_END)
            skip = False
            going = follow() if follow else False
            data = os.read(fd, _BLOCK) if fd >= 0 else b""
            if data:
                *lines, rest = (rest + data).split(b"\n")
                yield from _decoded(lines)
                continue
            if fd >= 0 and _moved(fd, path):
                data = os.read(fd, _BLOCK)  # noted between our last look and the renaming
                if not data:
                    os.close(fd)
                    fd, rest = -1, b""
                    continue
                *lines, rest = (rest + data).split(b"\n")
                yield from _decoded(lines)
                continue
            if not going:
                return
            time.sleep(_POLL_S)
    finally:
        if fd >= 0:
            os.close(fd)


def _moved(fd: int, path: str) -> bool:
    own = os.fstat(fd)
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return os.path.exists(f"{path}.old")
    return (own.st_dev, own.st_ino) != (there.st_dev, there.st_ino)


def _lines(path: str) -> Iterator[Document]:
    try:
        with open(path, "rb") as file:
            yield from _decoded(file.read().split(b"\n"))
    except FileNotFoundError:
        return


def _decoded(lines: list[bytes]) -> Iterator[Document]:
    for line in lines:
        with suppress(LaminaError):  # cut short by a full disk
            if line:
                yield decode(line, what=FILE)
