"""Published ports: sockets of the machine, and what comes to them carried into the container.

The sockets are bound before the container starts, so that a port in use is told at once. The shim
keeps them, a child of it carries: one that was killed is replaced, and who connects meanwhile waits.
Nothing is left of them when the shim ends.
"""

import errno
import os
import select
import socket
import struct
import time
from contextlib import suppress

from lamina.errors import Unavailable
from lamina.runtime import syscalls
from lamina.spec.wire import Document
from lamina.stream.files import allow_open_files

__all__ = ["Listening", "PortTaken", "bind", "serve"]

_PIECE = 64 << 10
_HIGH_WATER = 256 << 10
_BACKLOG = 512
_IDLE_S = 90.0
_REST_S = 0.1
_FILES = 1 << 16
_ANY = ("0.0.0.0", "::")  # noqa: S104 - Docker's default for published ports
_RESET = struct.pack("ii", 1, 0)


class PortTaken(Unavailable):
    """A port of the machine cannot be published; `address` and `port` say which."""

    def __init__(self, address: str, port: int, protocol: str, error: OSError) -> None:
        reason = "address already in use" if error.errno == errno.EADDRINUSE else error.strerror
        shown = f"[{address}]" if ":" in address else address
        hint = ""
        if error.errno == errno.EACCES:
            hint = (
                "`sysctl net.ipv4.ip_unprivileged_port_start` says from where on a plain user may"
            )
        super().__init__(f"failed to bind host port {shown}:{port}/{protocol}: {reason}", hint=hint)
        self.address = address
        self.port = port
        self.protocol = protocol
        self.in_use = error.errno == errno.EADDRINUSE


class Listening:
    """One bound socket: `address` and `port` of the machine for `inner`/`protocol` inside."""

    def __init__(self, sock: socket.socket, address: str, inner: int, protocol: str) -> None:
        self.sock = sock
        self.address = address
        self.port = int(sock.getsockname()[1])
        self.inner = inner
        self.protocol = protocol


def bind(wanted: list[Document]) -> list[Listening]:
    """Bind every port of `wanted`: `protocol`, `address`, `first`, `last`, `inner`; all or none.

    Raises: PortTaken.
    """
    bound: list[Listening] = []
    try:
        for row in wanted:
            bound += _bind_one(row)
    except BaseException:
        for listening in bound:
            listening.sock.close()
        raise
    return bound


def _bind_one(row: Document) -> list[Listening]:
    """Bind the first free port of the range on every address asked for."""
    error: PortTaken | None = None
    for port in range(row["first"], row["last"] + 1):
        try:
            return _bind_all(row, port)
        except PortTaken as taken:
            error = error or taken
    raise error or Unavailable("no port to bind")


def _bind_all(row: Document, port: int) -> list[Listening]:
    bound: list[Listening] = []
    asked = row["address"]
    for address in (asked,) if asked else _ANY:
        try:
            sock = _listener(address, port, row["protocol"])
        except OSError as error:
            if not asked and ":" in address and error.errno != errno.EADDRINUSE:
                continue  # a machine without IPv6
            for listening in bound:
                listening.sock.close()
            raise PortTaken(address, port, row["protocol"], error) from error
        bound.append(Listening(sock, address, row["inner"], row["protocol"]))
        port = bound[0].port  # where the kernel chose, IPv6 gets the same
    return bound


def _listener(address: str, port: int, protocol: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if protocol == "tcp":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        if protocol == "tcp":
            sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def serve(bound: list[Listening], namespace: int, address: str) -> int:
    """Start the child that carries; give its pid. It enters the container's network."""
    child = os.fork()
    if child:
        return child
    try:
        kept = {listening.sock.fileno() for listening in bound} | {namespace}
        for word in os.listdir("/proc/self/fd"):
            if int(word) not in kept:
                with suppress(OSError):
                    os.close(int(word))
        for fd in range(3):
            if fd not in kept:
                os.open(os.devnull, os.O_RDWR)
        syscalls.name_process("lamina-ports")
        allow_open_files(_FILES)  # two a connection
        syscalls.setns(namespace, syscalls.CLONE_NEWNET)
        _Carrier(bound, address).run()
    finally:
        os._exit(1)


class _Way:
    """One direction of a TCP connection: what `source` gave and `target` has not taken yet."""

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self.source = source
        self.target = target
        self.held = bytearray()
        self.ended = False
        self.shut = False

    def pull(self) -> None:
        """Read what is there. Raises: OSError."""
        with suppress(BlockingIOError):
            piece = self.source.recv(_PIECE)
            self.held += piece
            self.ended = not piece

    def push(self) -> None:
        """Write what goes; pass on the end. Raises: OSError."""
        with suppress(BlockingIOError):
            while self.held:
                del self.held[: self.target.send(self.held)]
        if self.ended and not self.held and not self.shut:
            self.shut = True
            self.target.shutdown(socket.SHUT_WR)


class _Pair:
    """A connection from outside and its continuation inside."""

    def __init__(self, outer: socket.socket, inner: socket.socket) -> None:
        self.outer = outer
        self.inner = inner
        self.connected = False
        self.inwards = _Way(outer, inner)
        self.outwards = _Way(inner, outer)

    def events(self, sock: socket.socket) -> int:
        """Give what to wait for on `sock`."""
        if sock is self.inner and not self.connected:
            return select.POLLOUT
        out, into = (self.inwards, self.outwards) if sock is self.outer else (
            self.outwards, self.inwards,
        )  # fmt: skip
        wanted = 0
        if not out.ended and len(out.held) < _HIGH_WATER and self.connected:
            wanted |= select.POLLIN
        if into.held:
            wanted |= select.POLLOUT
        return wanted

    def move(self) -> bool:
        """Carry what can be carried; tell whether the connection goes on. Raises: OSError."""
        if not self.connected:
            code = self.inner.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
            self.connected = True
        for way in (self.inwards, self.outwards):
            if not way.ended and len(way.held) < _HIGH_WATER:
                way.pull()
            way.push()
        return not (self.inwards.shut and self.outwards.shut)

    def close(self, *, reset: bool = False) -> None:
        """End both sides; `reset` tells the outer one that nobody listened."""
        if reset:
            with suppress(OSError):
                self.outer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.outer.close()
        self.inner.close()


class _Carrier:
    """The loop: one thread, one `poll`; a slow reader slows its writer, not its neighbours."""

    def __init__(self, bound: list[Listening], address: str) -> None:
        self._address = address
        self._poll = select.poll()
        self._listening = {row.sock.fileno(): row for row in bound}
        self._pairs: dict[int, tuple[_Pair, socket.socket]] = {}
        self._flows: dict[tuple[int, tuple[object, ...]], socket.socket] = {}
        self._back: dict[int, tuple[Listening, tuple[object, ...]]] = {}
        self._seen: dict[int, float] = {}
        self._resting = False
        self._listen()

    def _listen(self) -> None:
        for fd in self._listening:
            self._poll.register(fd, select.POLLIN)
        self._resting = False

    def _rest(self) -> None:
        """Take nobody new for a moment: there is no room for one more, and those here go on."""
        for fd in self._listening:
            with suppress(KeyError):
                self._poll.unregister(fd)
        self._resting = True

    def run(self) -> None:
        """Carry until the process is ended."""
        began = 0.0
        while True:
            if self._resting:
                began = began or time.monotonic()
                if time.monotonic() - began >= _REST_S:
                    began = 0.0
                    self._listen()
            timeout_s = _REST_S if self._resting else _IDLE_S if self._flows else None
            for fd, _ in self._poll.poll(None if timeout_s is None else timeout_s * 1000):
                if row := self._listening.get(fd):
                    (self._accept if row.protocol == "tcp" else self._inwards)(row)
                elif fd in self._pairs:
                    self._carry(*self._pairs[fd])
                elif fd in self._back:
                    self._outwards(fd)
            self._forget()

    def _accept(self, row: Listening) -> None:
        try:  # first: without room for both the connection stays in the queue
            inner = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError:
            self._rest()
            return
        try:
            outer, _ = row.sock.accept()
        except OSError as error:
            inner.close()
            if not isinstance(error, (BlockingIOError, ConnectionError)):
                self._rest()
            return
        pair = _Pair(outer, inner)
        try:
            for sock in (outer, inner):
                sock.settimeout(0)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(BlockingIOError):
                inner.connect((self._address, row.inner))
        except OSError:
            pair.close(reset=True)
            return
        for sock in (outer, inner):
            self._pairs[sock.fileno()] = (pair, sock)
            self._poll.register(sock.fileno(), pair.events(sock))

    def _carry(self, pair: _Pair, _sock: socket.socket) -> None:
        fds = (pair.outer.fileno(), pair.inner.fileno())
        try:
            going = pair.move()
            reset = False
        except OSError:
            going, reset = False, True
        if going:
            for fd, sock in zip(fds, (pair.outer, pair.inner), strict=True):
                self._wait(fd, pair.events(sock))
            return
        for fd in fds:
            self._wait(fd, 0)
            del self._pairs[fd]
        pair.close(reset=reset)

    def _wait(self, fd: int, events: int) -> None:
        """Wait for `events`; for none at all, not even a hang-up, which would never cease."""
        if events:
            self._poll.register(fd, events)
        else:
            with suppress(KeyError):
                self._poll.unregister(fd)

    def _inwards(self, row: Listening) -> None:
        with suppress(OSError):
            while True:
                data, sender = row.sock.recvfrom(_PIECE)
                flow = self._flows.get((row.sock.fileno(), sender))
                if flow is None:
                    flow = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                    flow.connect((self._address, row.inner))
                    self._flows[(row.sock.fileno(), sender)] = flow
                    self._back[flow.fileno()] = (row, sender)
                    self._poll.register(flow.fileno(), select.POLLIN)
                self._seen[flow.fileno()] = time.monotonic()
                with suppress(ConnectionError, BlockingIOError):
                    flow.send(data)

    def _outwards(self, fd: int) -> None:
        row, sender = self._back[fd]
        flow = self._flows[(row.sock.fileno(), sender)]
        self._seen[fd] = time.monotonic()
        with suppress(OSError):
            while True:
                row.sock.sendto(flow.recv(_PIECE), sender)

    def _forget(self) -> None:
        """Let go of UDP senders that have been silent."""
        if not self._flows:
            return
        limit = time.monotonic() - _IDLE_S
        for fd in [fd for fd, seen in self._seen.items() if seen < limit]:
            row, sender = self._back.pop(fd)
            del self._seen[fd]
            self._poll.unregister(fd)
            self._flows.pop((row.sock.fileno(), sender)).close()
