"""The client's side of a process: its streams on this terminal or these pipes, its end."""

import os
import select
import socket
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress

from lamina.errors import Unavailable
from lamina.runtime import console
from lamina.runtime.frames import Stream, frame, split_frames
from lamina.runtime.process import OURS, StartFailed
from lamina.spec.wire import decode
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from lamina.spec.wire import Document

__all__ = ["Attachment", "Ending", "ShimLost"]

_PIECE = 32 << 10


class ShimLost(Unavailable):
    """The shim ended without telling how the process did."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attachment ended: with the process and its code, or by the detach keys."""

    exit_code: int = 0
    detached: bool = False


class Attachment:
    """A connection to one process; a context manager. Leaving it does not end the process."""

    def __init__(self, sock: socket.socket, *, terminal: bool) -> None:
        self.terminal = terminal
        self.warnings: tuple[str, ...] = ()
        """What is lacking of what was asked for, known once it has started."""
        self.seen: Document = {}
        """What `observed` saw of it before its first step, where somebody wanted that."""
        self._sock = sock
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._early: list[tuple[Stream, bytes]] = []

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def started(self) -> int:
        """Wait until the process runs; give its pid. Raises: StartFailed, ShimLost."""
        stream, payload = self.receive()
        if stream is Stream.STARTED:
            told = decode(payload)
            self.warnings = tuple(told.get("warnings") or ())
            self.seen = told.get("seen") or {}
            return int(told["pid"])
        document = decode(payload)
        raise StartFailed(
            str(document["error"]),
            hint=str(document["hint"]),
            exit_code=int(document.get("exit_code", OURS)),
        )

    def _frames(self) -> list[tuple[Stream, bytes]]:
        if self._early:
            early, self._early = self._early, []
            return early
        try:
            data = self._sock.recv(_PIECE * 2)
        except ConnectionResetError:  # killed with our words unread
            data = b""
        if not data:
            raise ShimLost("the container's shim went away", hint="`lamina ps -a` tells its state")
        self._inbox += data
        return list(split_frames(self._inbox))

    def resize(self, rows: int, columns: int) -> None:
        """Tell the process's terminal its size."""
        with suppress(OSError):
            self._sock.sendall(_size_frame(rows, columns))

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the end; give the exit code, or None when time is up. Output is dropped.

        Raises: ShimLost.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            if deadline is not None:
                left = deadline - time.monotonic()
                if not self._early and (left <= 0 or not self._readable(left)):
                    return None
            for stream, payload in self._frames():
                if stream is Stream.EXITED:
                    return int(decode(payload)["exit_code"])

    def _readable(self, seconds: float) -> bool:
        poller = select.poll()
        poller.register(self._sock, select.POLLIN)
        return bool(poller.poll(seconds * 1000))

    def send(self, data: bytes) -> None:
        """Type `data`; nothing means the end of input."""
        self._sock.sendall(frame(Stream.STDIN, data))

    def receive(self) -> tuple[Stream, bytes]:
        """Give the next piece of output or the end. Raises: ShimLost."""
        while not self._early:
            self._early = self._frames()
        return self._early.pop(0)

    def relay(
        self,
        *,
        stdin: int,
        write: Callable[[Stream, bytes], None],
        detach_keys: str = console.DETACH_KEYS,
        typing: bool = False,
    ) -> Ending:
        """Pass `stdin` (a descriptor, or -1) and the output through until the process ends.

        With `typing`, stdin is a terminal: it is raw meanwhile, its size is followed, and the
        detach keys leave. Raises: ShimLost.
        """
        keys = console.DetachKeys(detach_keys if typing else "")
        with console.raw_mode(stdin) if typing else nullcontext(), _Resizes(stdin, typing) as sizes:
            if typing:
                self.resize(*console.window_size(stdin))
            return self._relay(stdin, write, keys, sizes)

    def _relay(
        self,
        stdin: int,
        write: Callable[[Stream, bytes], None],
        keys: console.DetachKeys,
        sizes: "_Resizes",
    ) -> Ending:
        terminal = stdin
        while True:
            if not self._early:
                # What was not taken yet holds up what is read, never the output: a process that
                # writes more than it reads waits for its reader, and would be waited for.
                ready = self._ready(-1 if len(self._outbox) > _PIECE else stdin, sizes.fd)
                if sizes.fd in ready:
                    os.read(sizes.fd, 64)
                    self._queue(_size_frame(*console.window_size(terminal)))
                self._flush()
                if stdin >= 0 and stdin in ready:
                    stdin, detached = self._type(stdin, keys)
                    if detached:
                        return Ending(detached=True)
                if self._sock.fileno() not in ready:
                    continue
            for stream, payload in self._frames():
                if stream is Stream.EXITED:
                    return Ending(int(decode(payload)["exit_code"]))
                if stream in (Stream.STDOUT, Stream.STDERR):
                    write(stream, payload)

    def _ready(self, *inputs: int) -> set[int]:
        poller = select.poll()
        poller.register(self._sock, select.POLLIN | (select.POLLOUT if self._outbox else 0))
        for fd in inputs:
            if fd >= 0:
                poller.register(fd, select.POLLIN)
        taken = self._sock.fileno()
        return {fd for fd, what in poller.poll() if fd != taken or what != select.POLLOUT}

    def _queue(self, data: bytes) -> None:
        """Send what goes at once of `data`, the rest when the shim takes it."""
        self._outbox += data
        self._flush()

    def _flush(self) -> None:
        try:
            while self._outbox:
                del self._outbox[: self._sock.send(self._outbox, socket.MSG_DONTWAIT)]
        except BlockingIOError:
            return
        except OSError:  # the process is ending: its last frame is on the way
            self._outbox.clear()

    def _type(self, stdin: int, keys: console.DetachKeys) -> tuple[int, bool]:
        try:
            data = os.read(stdin, _PIECE)
        except OSError:
            data = b""
        if not data:
            self._queue(frame(Stream.STDIN, b""))
            return -1, False
        data, detach = keys.feed(data)
        if data:
            self._queue(frame(Stream.STDIN, data))
        return stdin, detach


def _size_frame(rows: int, columns: int) -> bytes:
    return frame(Stream.RESIZE, f"{rows} {columns}".encode())


class _Resizes:
    """Turns SIGWINCH into a byte on `fd`, so that the loop and nobody else writes to the socket."""

    def __init__(self, terminal: int, typing: bool) -> None:
        self.fd = -1
        self._write = -1
        self._typing = typing and terminal >= 0

    def __enter__(self) -> "Self":
        import signal

        if self._typing:
            self.fd, self._write = os.pipe()
            os.set_blocking(self._write, False)
            with suppress(ValueError):  # only the main thread may: others keep the first size
                signal.signal(signal.SIGWINCH, self._note)
        return self

    def _note(self, *_: object) -> None:
        with suppress(BlockingIOError):
            os.write(self._write, b"w")

    def __exit__(self, *_: object) -> None:
        import signal

        if self._typing:
            with suppress(ValueError):
                signal.signal(signal.SIGWINCH, signal.SIG_DFL)
            os.close(self.fd)
            os.close(self._write)
