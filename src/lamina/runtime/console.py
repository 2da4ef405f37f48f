"""Terminals: raw mode that is always undone, window sizes, detach keys."""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lamina.errors import Invalid

__all__ = ["DETACH_KEYS", "DetachKeys", "is_terminal", "raw_mode", "resize", "window_size"]

DETACH_KEYS = "ctrl-p,ctrl-q"
_TIOCGWINSZ, _TIOCSWINSZ = 0x5413, 0x5414


def is_terminal(fd: int) -> bool:
    """Tell whether `fd` is a terminal; a closed one is not."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def window_size(fd: int) -> tuple[int, int]:
    """Give rows and columns of the terminal, (0, 0) where unknown."""
    try:
        rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(fd, _TIOCGWINSZ, bytes(8)))
    except OSError:
        return 0, 0
    return rows, columns


def resize(fd: int, rows: int, columns: int) -> None:
    """Set the terminal's size; its foreground processes get SIGWINCH."""
    if rows > 0 and columns > 0:
        with suppress(OSError):
            fcntl.ioctl(fd, _TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextmanager
def raw_mode(fd: int) -> Iterator[None]:
    """Hand every key to the container while inside; put the terminal back whatever happens.

    That includes a signal that ends this process and that nobody handles.
    """
    import signal
    import termios
    import tty

    before = termios.tcgetattr(fd)

    def end(number: int, _: object) -> None:
        termios.tcsetattr(fd, termios.TCSANOW, before)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    ours = []
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_DFL:
            with suppress(ValueError):  # only the main thread may
                signal.signal(number, end)
                ours.append(number)
    tty.setraw(fd, termios.TCSANOW)
    try:
        yield
    finally:
        with suppress(termios.error):  # the terminal itself may be gone
            termios.tcsetattr(fd, termios.TCSADRAIN, before)
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


class DetachKeys:
    """Watches typed bytes for the keys that detach, `ctrl-p,ctrl-q` unless told otherwise.

    A part of the sequence is held back until the next key tells; then it is typed after all.
    """

    def __init__(self, keys: str = DETACH_KEYS) -> None:
        self._sequence = _parse(keys)
        self._seen = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Give what the container should get of `data`, and whether to detach now."""
        if not self._sequence:
            return data, False
        out = bytearray()
        for byte in data:
            if byte == self._sequence[self._seen]:
                self._seen += 1
                if self._seen == len(self._sequence):
                    self._seen = 0
                    return bytes(out), True
                continue
            out += self._sequence[: self._seen]
            self._seen = 0
            if byte == self._sequence[0]:
                self._seen = 1
            else:
                out.append(byte)
        return bytes(out), False


def _parse(keys: str) -> bytes:
    sequence = bytearray()
    for key in keys.split(",") if keys else ():
        if len(key) == 1:
            sequence += key.encode("latin-1")
            continue
        _, dash, letter = key.partition("ctrl-")
        code = ord(letter.upper()) ^ 0x40 if dash and len(letter) == 1 else 128
        if code >= 32:  # noqa: PLR2004 - control characters end there
            raise Invalid(
                f"invalid detach keys {keys!r}", hint="write them as ctrl-p,ctrl-q or a,b"
            )
        sequence.append(code)
    return bytes(sequence)
