"""Files that commands write for people: stdout, or a file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress

from lamina.errors import Invalid, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from lamina.cli.context import Context

__all__ = ["OutputRefused", "input_file", "output_file"]

_OPEN_FILES = "/proc/self/fd"
_OPENED = ("/dev/", "/proc/")


class OutputRefused(Invalid):
    """A tar is not for a terminal."""


@contextmanager
def output_file(context: Context, path: str, *, what: str) -> Iterator[BinaryIO]:
    """Open `path` for writing, stdout when it is empty or `-`.

    A file gets its name only when the block ends well; a device or pipe is written as it is. A symlink
    stays one: what it leads to is written, as shells do.
    Raises: OutputRefused (stdout is a terminal), Unavailable (cannot write there).
    """
    if path in ("", "-"):
        if context.is_terminal:
            raise OutputRefused(
                f"cowardly refusing to {what} to a terminal. Use the -o flag or redirect"
            )
        yield context.binary_out
        context.binary_out.flush()
        return
    if os.path.abspath(path).startswith(_OPENED):  # /dev/stdout, whatever that is
        with open(path, "wb") as opened:
            yield opened
        return
    if os.path.islink(path):
        path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(path):
        if os.path.isdir(path):
            raise OutputRefused(f"{path} is a directory", hint="name a file")
        with open(path, "wb") as device:
            yield device
        return
    try:
        file, scratch = _unnamed(path)
    except OSError as error:
        raise Unavailable(f"cannot write {path}: {error.strerror}") from error
    try:
        with _told(path), file:
            yield file
            _finish(file, scratch, path)
    except BaseException:
        if scratch:
            with suppress(FileNotFoundError):
                os.unlink(scratch)
        raise


def _finish(file: BinaryIO, scratch: str, path: str) -> None:
    """Give the written file, which is called `scratch` if anything, its name."""
    from lamina.stream.files import disk_errors

    with disk_errors(f"writing {path}"):
        file.flush()
        os.fsync(file.fileno())  # or a power cut right after leaves the name and no bytes
        scratch = scratch or _named(file.fileno(), path)
        if scratch:
            try:
                os.replace(scratch, path)
            except BaseException:
                os.unlink(scratch)
                raise


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Say where there was no room. Whatever is read meanwhile tells of its own troubles."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        from lamina.stream.files import disk_errors

        with disk_errors(f"writing {path}"):
            raise


def _unnamed(path: str) -> tuple[BinaryIO, str]:
    """Open a file in the folder of `path` without a name: one that vanishes if we are killed.

    Where the file system has no such files, give one with a name beside `path`, and that name.
    """
    with suppress(OSError):
        if os.path.isdir(_OPEN_FILES):
            fd = os.open(os.path.dirname(path) or ".", os.O_TMPFILE | os.O_WRONLY, 0o666)
            return open(fd, "wb"), ""
    scratch = _beside(path)
    return open(scratch, "xb"), scratch


def _named(fd: int, path: str) -> str:
    """Give the open file the name `path`; where there is such a file, one beside it, and say which."""
    for name in (path, _beside(path)):
        with suppress(FileExistsError):
            # The descriptor is not looked at, but makes Python use the call that follows the link.
            os.link(f"{_OPEN_FILES}/{fd}", name, src_dir_fd=fd, follow_symlinks=True)
            return "" if name == path else name
    raise Unavailable(f"cannot write {path}: {_beside(path)} is in the way", hint="remove it")


def _beside(path: str) -> str:
    return f"{path}.{os.getpid()}.part"


@contextmanager
def input_file(context: Context, path: str, *, command: str) -> Iterator[BinaryIO]:
    """Open `path` for reading, stdin when it is empty or `-`.

    Raises: Invalid (stdin is a terminal, no such file).
    """
    if path in ("", "-"):
        if context.stdin.isatty():
            raise Invalid(
                f"requested {command} from stdin, but stdin is empty",
                hint="name a file, or send one with <",
            )
        yield context.binary_in
        return
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed by the next line
    except OSError as error:
        raise Invalid(f"open {path}: {(error.strerror or str(error)).lower()}") from error
    with file:
        yield file
