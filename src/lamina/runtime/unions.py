"""Mount overlayfs whatever the number of its layers and whatever their folders are called.

One call of mount(2) takes one page of options, in which commas, colons and backslashes mean
something. What does not fit goes to the kernel folder by folder (`lowerdir+`, kernel 6.8). Where
that is not to be had, or a path has more than the 255 bytes it takes, short names are made: symlinks
in a folder that is the current one while the kernel resolves them, in a thread of our own.
"""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from lamina.runtime import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["attach", "detached"]

_PAGE: "Final" = 4000
_PATHS: "Final" = ("lowerdir+", "upperdir", "workdir")
_SPECIAL: "Final" = frozenset(":,\\")
_DIGITS: "Final" = "0123456789abcdefghijklmnopqrstuvwxyz"


def attach(target: str, options: Sequence[str], *, flags: int = 0, attributes: int = 0) -> None:
    """Mount the overlay that `options` (`lowerdir+=`, topmost first) tell of. Raises: OSError."""
    text = _text(options)
    plain = not any(_SPECIAL.intersection(path) for _, path in _folders(options))
    if plain and len(os.fsencode(text)) < _PAGE:
        syscalls.mount("overlay", target, "overlay", flags, text)
        return
    try:
        fd = _in_steps(options, attributes)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        with _short_names(options) as (folder, short):
            _elsewhere(
                folder,
                lambda: syscalls.mount("overlay", target, "overlay", flags, _text(short)),
            )
        return
    try:
        syscalls.move_mount(fd, target)
    finally:
        os.close(fd)


def detached(options: Sequence[str], *, flags: int = 0, attributes: int = 0) -> int:
    """Make the overlay attached nowhere; give its descriptor, which is all that holds it.

    Paths below it are reached with `dir_fd`; closing it unmounts. Kernel 5.2. Raises: OSError.
    """
    from tempfile import mkdtemp

    try:
        return _in_steps(options, attributes)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
    place = mkdtemp(prefix="lamina-")
    try:
        attach(place, options, flags=flags, attributes=attributes)
        try:
            return syscalls.open_tree(place)
        finally:
            syscalls.umount(place, syscalls.MNT_DETACH)
    finally:
        os.rmdir(place)


def _folders(options: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give the options that name folders: key and path."""
    for option in options:
        key, _, path = option.partition("=")
        if key in _PATHS:
            yield key, path


def _text(options: Sequence[str]) -> str:
    """Spell `options` as mount(2) takes them: the lower folders in one, joined by colons."""
    lowers = [path for key, path in _folders(options) if key == "lowerdir+"]
    rest = [option for option in options if not option.startswith("lowerdir+=")]
    return ",".join([f"lowerdir={':'.join(lowers)}", *rest])


def _in_steps(options: Sequence[str], attributes: int) -> int:
    """Make the overlay with one call per option."""
    fd = syscalls.fsopen("overlay")
    try:
        syscalls.fsconfig_string(fd, "source", "overlay")
        for option in options:
            key, equals, value = option.partition("=")
            if equals:
                syscalls.fsconfig_string(fd, key, value)
            else:
                syscalls.fsconfig_flag(fd, key)
        syscalls.fsconfig_create(fd)
        return syscalls.fsmount(fd, attributes)
    finally:
        os.close(fd)


@contextmanager
def _short_names(options: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Give a folder of symlinks, and `options` with those names in it instead of paths."""
    from shutil import rmtree
    from tempfile import mkdtemp

    folder = mkdtemp(prefix="lamina-")
    short = []
    try:
        for number, option in enumerate(options):
            key, _, path = option.partition("=")
            if key in _PATHS:
                name = _DIGITS[number // 36 % 36] + _DIGITS[number % 36]
                os.symlink(path, f"{folder}/{name}")
                short.append(f"{key}={name}")
            else:
                short.append(option)
        yield folder, short
    finally:
        rmtree(folder)


def _elsewhere(folder: str, act: Callable[[], None]) -> None:
    """Do `act` with `folder` as the current one, which the rest of the process does not notice."""
    from threading import Thread

    failures: list[OSError] = []

    def run() -> None:
        try:
            syscalls.unshare(syscalls.CLONE_FS)
            os.chdir(folder)
            act()
        except OSError as error:
            failures.append(error)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
