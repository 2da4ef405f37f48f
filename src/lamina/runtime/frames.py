"""What a shim and its clients say to each other on a unix socket.

A client's first line is a request, a JSON object with `op`; the shim answers a JSON line. For
`attach` and `wait` frames follow: a byte for the stream, three zeros, four bytes of length (big
endian), the payload, as Docker frames its streams.
"""

import os
import socket
import struct

from lamina.errors import Unavailable
from lamina.values import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.spec.wire import Document

__all__ = ["ShimGone", "Stream", "connect", "frame", "listen", "request", "split_frames"]


class ShimGone(Unavailable):
    """The shim ended before it answered, and with it all that ran in the container."""


_HEAD = struct.Struct(">BxxxI")
_INT = struct.Struct("@i")
_LIMIT = 1 << 20


class Stream(IntEnum):
    """Where a frame's payload belongs. An empty STDIN frame is the end of input."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    RESIZE = 3
    STARTED = 4
    FAILED = 5
    EXITED = 6


def frame(stream: Stream, payload: bytes) -> bytes:
    """Give one frame."""
    return _HEAD.pack(stream, len(payload)) + payload


def split_frames(buffer: bytearray) -> "Iterator[tuple[Stream, bytes]]":
    """Take the complete frames out of `buffer`. Raises: ValueError (not our protocol)."""
    while len(buffer) >= _HEAD.size:
        stream, size = _HEAD.unpack_from(buffer)
        if size > _LIMIT:
            raise ValueError(f"a frame of {size} bytes")
        if len(buffer) < _HEAD.size + size:
            return
        payload = bytes(buffer[_HEAD.size : _HEAD.size + size])
        del buffer[: _HEAD.size + size]
        yield Stream(stream), payload


def _short(path: str) -> tuple[int, str]:
    """Give a form of `path` that fits a socket address of 108 bytes, and what to close after."""
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return folder, f"/proc/self/fd/{folder}/{os.path.basename(path)}"


def listen(path: str) -> socket.socket:
    """Listen at `path`, which may be long; only its owner may connect."""
    folder, address = _short(path)
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if os.path.lexists(path):
            os.unlink(path)
        before = os.umask(0o177)
        try:
            sock.bind(address)
        finally:
            os.umask(before)
        sock.listen(16)
        return sock
    finally:
        os.close(folder)


def connect(path: str) -> socket.socket:
    """Connect to the shim at `path`. Raises: OSError (nobody listens)."""
    folder, address = _short(path)
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(address)
        except OSError:
            sock.close()
            raise
        return sock
    finally:
        os.close(folder)


def request(sock: socket.socket, document: "Document") -> "tuple[Document, tuple[int, ...]]":
    """Send one request; give the shim's answer and the descriptors that came with it.

    Raises: ShimGone.
    """
    from lamina.spec.wire import decode, encode

    found: list[int] = []
    try:
        sock.sendall(encode(document) + b"\n")
        data = _line(sock, found)
    except (ConnectionError, EOFError) as error:
        for fd in found:
            os.close(fd)
        raise ShimGone("the container's shim went away") from error
    return decode(data, what="shim's answer"), tuple(found)


def _line(sock: socket.socket, found: list[int]) -> bytes:
    """Read one line and not a byte more, since frames may follow; put descriptors into `found`."""
    data = b""
    while not data.endswith(b"\n"):
        # `socket.recv_fds` would drop its flags: look first, then take.
        size = len(sock.recv(65536, socket.MSG_PEEK).partition(b"\n")[0]) + 1
        piece, rights, _, _ = sock.recvmsg(size, socket.CMSG_SPACE(4 * _INT.size))
        if not piece:
            raise EOFError
        for level, kind, payload in rights:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                whole = len(payload) - len(payload) % _INT.size
                found += [fd for (fd,) in _INT.iter_unpack(payload[:whole])]
        data += piece
    return data
