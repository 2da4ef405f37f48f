"""What our modules use of `socket` and `ctypes`, as `light` has it of others: for whoever touches those.

The originals make 300 members of enumerations, and 30 classes of numbers.
"""

from __future__ import annotations

import _ctypes
import _socket
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

__all__ = ["STAND_INS"]

_INT = Struct("@i")
_Simple: Any = vars(_ctypes)["_SimpleCData"]


class _Socket(_socket.socket):
    """`socket.socket` without files on it: a context manager that accepts."""

    __slots__ = ("__weakref__",)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def accept(self) -> tuple[_Socket, Any]:
        """Wait for a client; give its connection, which waits, and its address."""
        fd, address = self._accept()  # type: ignore[attr-defined]
        sock = _Socket(self.family, self.type, self.proto, fileno=fd)
        if _socket.getdefaulttimeout() is None and self.gettimeout():
            sock.setblocking(True)  # noqa: FBT003 - positional only
        return sock, address


def _socket_pair(
    family: int = _socket.AF_UNIX, kind: int = _socket.SOCK_STREAM, proto: int = 0
) -> tuple[_Socket, _Socket]:
    one, other = _socket.socketpair(family, kind, proto)
    return (
        _Socket(family, kind, proto, fileno=one.detach()),
        _Socket(family, kind, proto, fileno=other.detach()),
    )


def _send_fds(
    sock: _Socket, buffers: Sequence[bytes], fds: Sequence[int], flags: int = 0, address: Any = None  # noqa: ANN401 - as there
) -> int:  # fmt: skip
    packed = b"".join(map(_INT.pack, fds))
    rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)]
    return sock.sendmsg(buffers, rights, flags, address)


def _receive_fds(
    sock: _Socket, size: int, most: int, flags: int = 0
) -> tuple[bytes, list[int], int, Any]:
    fds: list[int] = []
    data, rights, told, address = sock.recvmsg(size, _socket.CMSG_LEN(most * _INT.size), flags)
    for level, kind, payload in rights:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            whole = payload[: len(payload) - len(payload) % _INT.size]
            fds += [fd for (fd,) in _INT.iter_unpack(whole)]
    return data, fds, told, address


class _Long(_Simple):  # type: ignore[misc]
    """`ctypes.c_long`; and so on."""

    _type_ = "l"


class _UnsignedLong(_Simple):  # type: ignore[misc]
    _type_ = "L"


class _Unsigned64(_Simple):  # type: ignore[misc]
    _type_ = "Q"


class _Unsigned32(_Simple):  # type: ignore[misc]
    _type_ = "I"


class _Unsigned16(_Simple):  # type: ignore[misc]
    _type_ = "H"


class _Text(_Simple):  # type: ignore[misc]
    _type_ = "z"


class _Int(_Simple):  # type: ignore[misc]
    _type_ = "i"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Int


class _Library:
    """`ctypes.CDLL` of what is loaded, keeping errno apart."""

    def __init__(self, name: Any, *, use_errno: bool) -> None:  # noqa: ANN401 - as there
        if not use_errno:
            raise ValueError("errno is kept")
        self._handle = _ctypes.dlopen(name, 0)

    def __getattr__(self, name: str) -> _Function:
        if name.startswith("__"):
            raise AttributeError(name)
        function = _Function((name, self))  # type: ignore[arg-type]
        setattr(self, name, function)
        return function


STAND_INS: dict[str, dict[str, Any]] = {
    "ctypes": {
        "CDLL": _Library,
        "Structure": _ctypes.Structure,
        "byref": _ctypes.byref,
        "c_char_p": _Text,
        "c_long": _Long,
        "c_uint32": _Unsigned32,
        "c_uint64": _Unsigned64,
        "c_ulong": _UnsignedLong,
        "c_ushort": _Unsigned16,
        "get_errno": _ctypes.get_errno,
        "sizeof": _ctypes.sizeof,
    },
    "socket": {
        **{name: value for name, value in vars(_socket).items() if not name.startswith("_")},
        "recv_fds": _receive_fds,
        "send_fds": _send_fds,
        "socket": _Socket,
        "socketpair": _socket_pair,
    },
}
"""Names by module. Those of `socket` are plain numbers, not members of enumerations."""
