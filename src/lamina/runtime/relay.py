"""The shim's loop: a process's output goes to its log and to who is attached, input comes back.

One thread, one `poll`. A client that reads slowly slows the process down rather than filling
memory, as a pipe would.
"""

import fcntl
import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress

from lamina.errors import Invalid, LaminaError
from lamina.runtime import console
from lamina.runtime.frames import Stream, frame, split_frames
from lamina.runtime.log import LogWriter
from lamina.runtime.process import Started, Stdio
from lamina.spec.wire import Document, decode, encode
from lamina.values import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from lamina.runtime.health import Health

__all__ = ["Answer", "Attendant", "Client", "Pipes", "Relay"]

_PIECE = 32 << 10
_REST_MS = 200
_HIGH_WATER = 256 << 10
_TERMINAL = 64 << 10
_REQUEST_LIMIT = 1 << 20

Answer = tuple[Document, tuple[int, ...]] | None
"""What an operation answers, with descriptors to hand over; None when it took the client away."""


class Attendant(Protocol):
    """Somebody who has things to do in the loop, and never waits there."""

    @property
    def fds(self) -> tuple[int, ...]:
        """The descriptors whose being readable is of interest."""

    def wait_s(self) -> float | None:
        """Give in how many seconds `turn` is wanted at the latest; None for never."""

    def turn(self, ready: "Container[int]") -> None:
        """Do what is due; `ready` holds the descriptors that can be read."""


class Client:
    """Who is connected: at first it asks, then perhaps it is attached to the streams."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.inbox = bytearray()
        self.outbox = bytearray()
        self.asked = False
        self.streams: frozenset[Stream] = frozenset()
        self.gone = False

    def attach(self, streams: frozenset[Stream]) -> None:
        """From here on speak in frames, of these streams."""
        self.asked = True
        self.streams = streams
        self.sock.settimeout(0)

    def send(self, data: bytes) -> None:
        """Queue `data`, and send what goes at once."""
        self.outbox += data
        self.flush()

    def flush(self) -> None:
        """Send what the socket takes without waiting."""
        try:
            while self.outbox and not self.gone:
                del self.outbox[: self.sock.send(self.outbox)]
        except BlockingIOError:
            return
        except OSError:
            self.gone = True

    def close(self) -> None:
        """Let the client go."""
        self.gone = True
        self.sock.close()


class Pipes:
    """The container's side of the streams: what it reads and writes, and our ends of it."""

    def __init__(self, *, terminal: bool, stdin: bool) -> None:
        self.outputs: dict[int, Stream] = {}
        self.input = -1
        self.theirs = Stdio()
        if terminal:
            self._ends: tuple[int, ...] = ()
            return
        read_in = -1
        if stdin:
            read_in, self.input = os.pipe()
            os.set_blocking(self.input, False)
        read_out, write_out = os.pipe()
        read_err, write_err = os.pipe()
        self.outputs = {read_out: Stream.STDOUT, read_err: Stream.STDERR}
        self.theirs = Stdio(read_in, write_out, write_err)
        self._ends = tuple(fd for fd in (read_in, write_out, write_err) if fd >= 0)

    def started(self, started: Started, *, stdin: bool) -> None:
        """Close the container's ends; take the terminal where it has one."""
        for fd in self._ends:
            os.close(fd)
        self._ends = ()
        if started.console >= 0:
            os.set_blocking(started.console, False)
            self.outputs = {started.console: Stream.STDOUT}
            self.input = started.console if stdin else -1

    def last_words(self) -> str:
        """Give what was written to standard error by a program that could not start."""
        for fd in self._ends:
            os.close(fd)
        self._ends = ()
        for fd, stream in self.outputs.items():
            if stream is Stream.STDERR:
                os.set_blocking(fd, False)
                with suppress(BlockingIOError):
                    return os.read(fd, _PIECE).decode("utf-8", "replace").strip()
        return ""

    def close(self) -> None:
        """Close everything that is open still."""
        for fd in {*self._ends, *self.outputs, self.input} - {-1}:
            os.close(fd)
        self._ends, self.outputs, self.input = (), {}, -1


class Relay:
    """Runs the streams of one process until it has ended and its output is read."""

    def __init__(
        self,
        listener: socket.socket,
        operate: Callable[[Document, Client], Answer],
        *,
        log: LogWriter | None,
        stdin_once: bool,
        at_rest: Callable[[], None] | None = None,
    ) -> None:
        """`at_rest` is called once, when nothing has happened for a while."""
        self.listener = listener
        self.clients: dict[int, Client] = {}
        self.pipes: Pipes | None = None
        self.terminal = -1
        self._operate = operate
        self._log = log
        self._stdin_once = stdin_once
        self._at_rest = at_rest
        self.health: Health | None = None
        self.attendants: tuple[Attendant, ...] = ()
        self._typed = bytearray()
        self._typed_end = False

    def add(self, client: Client) -> None:
        """Serve `client` from now on."""
        self.clients[client.sock.fileno()] = client

    def broadcast(self, data: bytes, stream: Stream) -> None:
        """Send `data` to every client that wants `stream`."""
        for client in self.clients.values():
            if stream in client.streams:
                client.send(data)

    def run(self, pipes: Pipes, started: Started) -> None:
        """Serve until the process ends and all it wrote has been read."""
        self.pipes = pipes
        self.terminal = started.console
        ended = os.pidfd_open(started.watched)
        try:
            while True:
                ready = self._wait(ended)
                if ended in ready:
                    break
                self._serve(ready)
            self._drain()
        finally:
            os.close(ended)
            pipes.close()
            if self._log:
                self._log.close()

    def idle(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Serve requests while nothing runs, for `seconds` or until `enough()`."""
        import time

        self.pipes = self.health = None
        deadline = time.monotonic() + seconds
        while not enough() and (left := deadline - time.monotonic()) > 0:
            self._serve(self._wait(-1, left))

    def part(self, last: bytes, patience_s: float = 1.0) -> None:
        """Send the last frame to everyone attached and let them go, also those that do not read."""
        attached = {fd: c for fd, c in self.clients.items() if c.streams}
        self.finish(last, patience_s)
        for fd, client in attached.items():
            self.clients.pop(fd, None)
            client.close()

    def finish(self, last: bytes, patience_s: float | None = None) -> None:
        """Send the last frame to everyone attached, and wait until each has it or has gone.

        Gives up when nobody took anything for `patience_s`.
        """
        self.broadcast(last, Stream.EXITED)
        waiting = [c for c in self.clients.values() if c.outbox and not c.gone]
        poller = select.poll()
        for client in waiting:
            poller.register(client.sock, select.POLLOUT)
        while waiting:
            if not poller.poll(None if patience_s is None else int(patience_s * 1000)):
                return
            for client in waiting:
                client.flush()
                if client.gone or not client.outbox:
                    poller.unregister(client.sock)
            waiting = [c for c in waiting if c.outbox and not c.gone]

    def turn_away(self) -> None:
        """Close the connections of all who get nothing any more: who asked too late must not wait."""
        for fd, client in list(self.clients.items()):
            if not client.streams and not client.outbox:
                del self.clients[fd]
                client.close()

    def release(self) -> None:
        """Close every descriptor without a word: for the child that serves an exec."""
        self.listener.close()
        for client in self.clients.values():
            client.sock.close()
        if self.pipes:
            self.pipes.close()

    def _present(self) -> tuple[Attendant, ...]:
        return (*self.attendants, self.health) if self.health else self.attendants

    def _wait(self, ended: int, limit_s: float | None = None) -> dict[int, int]:
        poller = select.poll()
        if ended >= 0:
            poller.register(ended, select.POLLIN)
        for attendant in self._present():
            for fd in attendant.fds:
                poller.register(fd, select.POLLIN)
            spans = [span for span in (limit_s, attendant.wait_s()) if span is not None]
            limit_s = min(spans, default=None)
        timeout = None if limit_s is None else int(limit_s * 1000) + 1
        poller.register(self.listener, select.POLLIN)
        full = False
        for fd, client in self.clients.items():
            full = full or len(client.outbox) > _HIGH_WATER
            # Only who types waits for the reader: others have things to ask, to stop it perhaps.
            types = Stream.STDIN in client.streams
            flags = 0 if types and len(self._typed) > _HIGH_WATER else select.POLLIN
            poller.register(fd, flags | (select.POLLOUT if client.outbox else 0))
        if self.pipes is None:
            return dict(poller.poll(timeout))
        flags_of = {} if full else dict.fromkeys(self.pipes.outputs, select.POLLIN)
        if self._typed and self.pipes.input >= 0:
            flags_of[self.pipes.input] = flags_of.get(self.pipes.input, 0) | select.POLLOUT
        for fd, flags in flags_of.items():
            poller.register(fd, flags)
        if self._at_rest:
            found = poller.poll(_REST_MS if timeout is None else min(timeout, _REST_MS))
            if found:
                return dict(found)
            rest, self._at_rest = self._at_rest, None
            rest()
            return {}
        return dict(poller.poll(timeout))

    def _serve(self, ready: dict[int, int]) -> None:
        pipes = self.pipes
        if pipes is not None:
            for fd in [fd for fd in pipes.outputs if fd in ready]:
                self._read_output(pipes, fd)
            if pipes.input in ready:
                self._write_input()
        if self.listener.fileno() in ready:
            with suppress(BlockingIOError):
                sock, _ = self.listener.accept()
                self.add(Client(sock))
        for fd in [fd for fd in self.clients if fd in ready]:
            client = self.clients[fd]
            if ready[fd] & select.POLLOUT:
                client.flush()
            if ready[fd] & (select.POLLIN | select.POLLHUP | select.POLLERR):
                self._read_client(client)
            if client.gone:
                self._forget(fd)
        for attendant in self._present():
            attendant.turn(ready)

    def _read_output(self, pipes: Pipes, fd: int) -> int:
        """Pass on one piece; give its size, 0 when there is none, now or ever."""
        stream = pipes.outputs[fd]
        try:
            data = os.read(fd, _PIECE)
        except BlockingIOError:
            return 0
        except OSError:  # EIO: the last process closed its terminal
            data = b""
        if not data:
            del pipes.outputs[fd]
            if pipes.input == fd:
                pipes.input = -1
            os.close(fd)
            if fd == self.terminal:
                self.terminal = -1
            return 0
        if self._log:
            self._log.write(int(stream), data)
        self.broadcast(frame(stream, data), stream)
        return len(data)

    def _drain(self) -> None:
        """Read what the process left in its pipes; its children may keep them open for ever.

        And write to them for ever, where they share the machine's processes: no more is read than a pipe
        holds. So little is kept for a client that does not read, and none is waited for: the end is
        told first.
        """
        pipes = self.pipes
        if pipes is None:
            return
        for fd in list(pipes.outputs):
            os.set_blocking(fd, False)
            left = _held(fd)
            while left > 0 and (size := self._read_output(pipes, fd)):
                left -= size

    def _forget(self, fd: int) -> None:
        client = self.clients.pop(fd)
        if Stream.STDIN in client.streams and self._stdin_once:
            self._end_input()
        client.close()

    def _read_client(self, client: Client) -> None:
        try:
            data = client.sock.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            client.gone = True
            return
        client.inbox += data
        try:
            while not client.asked:
                if b"\n" not in client.inbox[:_REQUEST_LIMIT]:
                    client.gone = len(client.inbox) > _REQUEST_LIMIT
                    return
                if not self._ask(client):
                    return
            for stream, payload in split_frames(client.inbox):
                self._take(client, stream, payload)
        except ValueError:
            client.gone = True

    def _ask(self, client: Client) -> bool:
        """Serve the request that is whole in the inbox; False when the client is not ours now."""
        line, _, rest = bytes(client.inbox).partition(b"\n")
        client.inbox = bytearray(rest)
        fds: tuple[int, ...] = ()
        try:
            answer = self._operate(decode(line, what="request"), client)
            if answer is None:
                self.clients.pop(client.sock.fileno(), None)
                client.sock.close()
                return False
            document, fds = answer
        except LaminaError as error:
            document = {"error": error.message, "hint": error.hint}
        except (OSError, KeyError, TypeError) as error:
            document = {"error": str(Invalid(f"request failed: {error}"))}
        try:
            socket.send_fds(client.sock, [encode(document) + b"\n"], fds)
        except OSError:
            client.gone = True
        finally:
            for fd in fds:
                os.close(fd)
        return not client.gone

    def _take(self, client: Client, stream: Stream, payload: bytes) -> None:
        if stream is Stream.RESIZE and self.terminal >= 0:
            rows, _, columns = payload.decode().partition(" ")
            console.resize(self.terminal, int(rows), int(columns))
        elif stream is Stream.STDIN and Stream.STDIN in client.streams:
            if payload:
                self._typed += payload
                self._write_input()
            elif self._stdin_once:
                self._end_input()

    def _end_input(self) -> None:
        self._typed_end = True
        self._write_input()

    def _write_input(self) -> None:
        pipes = self.pipes
        if pipes is None:
            return
        if pipes.input < 0:
            self._typed.clear()
            return
        try:
            while self._typed:
                del self._typed[: os.write(pipes.input, self._typed[:_PIECE])]
        except BlockingIOError:
            return
        except OSError:  # the process closed its standard input
            self._typed.clear()
            self._typed_end = True
        if self._typed_end and pipes.input not in pipes.outputs:
            os.close(pipes.input)
            pipes.input = -1


def _held(fd: int) -> int:
    """Give how much may be waiting in a pipe, or in a terminal, which holds less than that."""
    try:
        return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)
    except OSError:
        return _TERMINAL
