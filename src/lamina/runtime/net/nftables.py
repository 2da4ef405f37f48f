"""Rules of the kernel's packet filter, by nfnetlink (libnftnl's message format), without a program.

A table with the flag `owner` belongs to the socket that made it: the kernel removes it when the
socket is closed, however its process ended (Linux 5.12). So rules cost neither a process nor a
sweep. Where the kernel cannot do that, the table is removed by name, before and after.
"""

import errno
import os
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

__all__ = [
    "Table",
    "arrives",
    "drop",
    "forward_refusals",
    "leaves",
    "masquerade",
    "new_connection",
    "rules",
    "source",
]

_HEAD = struct.Struct("=IHHII")
_GENERAL = struct.Struct("!BBH")
_ATTRIBUTE = struct.Struct("=HH")
_CODE = struct.Struct("=i")
_WORD = struct.Struct("!I")

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 10 << 8
_BEGIN, _END = 16, 17
_NEWTABLE, _DELTABLE, _NEWCHAIN, _GETCHAIN, _NEWRULE, _GETRULE = 0, 2, 3, 4, 6, 7
_REQUEST, _ACK, _DUMP, _CREATE, _APPEND = 0x1, 0x4, 0x300, 0x400, 0x800
_ERROR, _DONE = 2, 3
_INET, _IPV4, _IPV6 = 1, 2, 10
_NESTED, _KIND = 0x8000, 0x3FFF
_OWNER = 2
_FORWARD, _POSTROUTING = 2, 4
_REGISTER, _VERDICT = 1, 0
_EQUAL, _NOT_EQUAL = 0, 1
_IIFNAME, _OIFNAME, _NFPROTO = 6, 7, 15
_NEW = struct.pack("=I", 8)  # NF_CT_STATE_BIT(IP_CT_NEW)
_NAME_SIZE = 16
_TRIES = 2000
_PAUSE_S = 0.005

Rule = tuple[bytes, ...]
"""Expressions, each done when those before it agreed."""


def _attribute(kind: int, data: bytes) -> bytes:
    size = _ATTRIBUTE.size + len(data)
    return _ATTRIBUTE.pack(size, kind) + data + b"\0" * (-size % 4)


def _nest(kind: int, *parts: bytes) -> bytes:
    return _attribute(kind | _NESTED, b"".join(parts))


def _word(kind: int, value: int) -> bytes:
    return _attribute(kind, _WORD.pack(value & 0xFFFFFFFF))


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _expression(name: str, *attributes: bytes) -> bytes:
    return _nest(1, _text(1, name), _nest(2, *attributes))


def _compare(value: bytes, operation: int = _EQUAL) -> bytes:
    return _expression(
        "cmp", _word(1, _REGISTER), _word(2, operation), _nest(3, _attribute(1, value))
    )


def _meta(key: int) -> bytes:
    return _expression("meta", _word(1, _REGISTER), _word(2, key))


def _interface(key: int, name: str, operation: int) -> Rule:
    raw = name.removesuffix("*").encode()
    if not name.endswith("*"):
        raw = raw.ljust(_NAME_SIZE, b"\0")
    return _meta(key), _compare(raw, operation)


def arrives(interface: str) -> Rule:
    """Match what came in by an interface; `lm*` are all whose names begin so."""
    return _interface(_IIFNAME, interface, _EQUAL)


def leaves(interface: str, *, other: bool = False) -> Rule:
    """Match what goes out by an interface, by any but it with `other`; `lm*` as in `arrives`."""
    return _interface(_OIFNAME, interface, _NOT_EQUAL if other else _EQUAL)


def source(base: str, prefix: int) -> Rule:
    """Match what comes from a subnet, IPv4 or IPv6."""
    family, kind, offset = (
        (socket.AF_INET6, _IPV6, 8) if ":" in base else (socket.AF_INET, _IPV4, 12)
    )
    raw = socket.inet_pton(family, base)
    size = len(raw)
    mask = ((1 << prefix) - 1 << 8 * size - prefix).to_bytes(size, "big")
    load = _expression(
        "payload", _word(1, _REGISTER), _word(2, 1), _word(3, offset), _word(4, size)
    )
    cut = _expression(
        "bitwise",
        _word(1, _REGISTER),
        _word(2, _REGISTER),
        _word(3, size),
        _nest(4, _attribute(1, mask)),
        _nest(5, _attribute(1, bytes(size))),
    )
    return _meta(_NFPROTO), _compare(bytes([kind])), load, cut, _compare(raw)


def new_connection() -> Rule:
    """Match the first packet of a connection."""
    state = _expression("ct", _word(1, _REGISTER), _word(2, 0))
    cut = _expression(
        "bitwise",
        _word(1, _REGISTER),
        _word(2, _REGISTER),
        _word(3, 4),
        _nest(4, _attribute(1, _NEW)),
        _nest(5, _attribute(1, bytes(4))),
    )
    return state, cut, _compare(bytes(4), _NOT_EQUAL)


def drop() -> Rule:
    """Let the packet go no further."""
    verdict = _nest(2, _word(1, 0))
    return (_expression("immediate", _word(1, _VERDICT), _nest(2, verdict)),)


def masquerade() -> Rule:
    """Put the address of the interface that the packet leaves by in its sender's place."""
    return (_expression("masq"),)


def _socket() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    return socket.socket(socket.AF_NETLINK, kind, _NETLINK_NETFILTER)


def _message(kind: int, flags: int, family: int, body: bytes, *, group: int = 0) -> bytes:
    size = _HEAD.size + _GENERAL.size + len(body)
    return _HEAD.pack(size, kind, flags | _REQUEST, 0, 0) + _GENERAL.pack(family, 0, group) + body


class Table:
    """A table of IPv4 and IPv6 rules in the network namespace that it is made in.

    Closing it, or the end of the last process that has its socket `fd`, takes the rules away.
    """

    def __init__(self, name: str, fd: int = -1) -> None:
        self._name = name
        self._owned = True
        self._socket = _socket() if fd < 0 else socket.socket(fileno=fd)

    def detach(self) -> int:
        """Let go of the socket that the rules belong to; give its descriptor."""
        return self._socket.detach()

    def install(self, *, translate: Sequence[Rule] = (), forward: Sequence[Rule] = ()) -> None:
        """Put rules in place at once: `translate` on what goes out, `forward` on what passes.

        The table of a process that was just killed may be there for a moment: it is waited for.
        Raises: OSError (EOPNOTSUPP and kin: a kernel without nf_tables).
        """
        code = errno.EBUSY
        for _ in range(_TRIES):
            code = self._send(self._messages(translate, forward))
            if code in (errno.EOPNOTSUPP, errno.EINVAL) and self._owned:  # before Linux 5.12
                self._owned = False
            elif code in (errno.EPERM, errno.EBUSY) and self._owned:
                time.sleep(_PAUSE_S)
            else:
                break
        if code:
            raise OSError(code, os.strerror(code))

    def close(self) -> None:
        """Take the rules away."""
        if not self._owned:
            with suppress(OSError):
                self._send([self._own(_DELTABLE)])
        self._socket.close()

    def _own(self, kind: int, *, flags: bytes = b"") -> bytes:
        body = _text(1, self._name) + flags
        return _message(_SUBSYSTEM | kind, _CREATE if kind == _NEWTABLE else 0, _INET, body)

    def _messages(self, translate: Sequence[Rule], forward: Sequence[Rule]) -> list[bytes]:
        if self._owned:
            found = [self._own(_NEWTABLE, flags=_word(2, _OWNER))]
        else:  # made so that it can be removed, whether it was there or not
            found = [self._own(_NEWTABLE), self._own(_DELTABLE), self._own(_NEWTABLE)]
        for name, kind, hook, priority, rules in (
            ("out", "nat", _POSTROUTING, 100, translate),
            ("through", "filter", _FORWARD, -1, forward),
        ):
            if not rules:
                continue
            place = _text(1, self._name)
            body = place + _text(3, name) + _nest(4, _word(1, hook), _word(2, priority))
            body += _text(7, kind)
            found.append(_message(_SUBSYSTEM | _NEWCHAIN, _CREATE, _INET, body))
            for rule in rules:
                body = place + _text(2, name) + _nest(4, *rule)
                found.append(_message(_SUBSYSTEM | _NEWRULE, _CREATE | _APPEND, _INET, body))
        return found

    def _send(self, messages: Sequence[bytes]) -> int:
        """Have the kernel do all or none of `messages`; give the first error's number or 0."""
        begin = _message(_BEGIN, 0, 0, b"", group=10)
        batch = [begin, *messages, _message(_END, 0, 0, b"", group=10)]
        try:
            self._socket.sendto(b"".join(batch), (0, 0))
        except OSError as error:
            return error.errno or errno.EIO
        code = 0
        with suppress(BlockingIOError):  # it has answered all before it let us go on
            while True:
                answer = self._socket.recv(65536, socket.MSG_DONTWAIT)
                _, kind, _, _, _ = _HEAD.unpack_from(answer)
                if kind == _ERROR:
                    code = code or -_CODE.unpack_from(answer, _HEAD.size)[0]
        return code


def forward_refusals() -> list[tuple[str, str]]:
    """List the chains (`table`, `chain`) of this namespace that drop what is forwarded by policy.

    Another's `accept` does not overrule them: whoever forwards needs a rule in them. The table of
    firewalld counts by its name, as its last rule refuses.
    """
    found: list[tuple[str, str]] = []
    for chain in _listed(_message(_SUBSYSTEM | _GETCHAIN, _DUMP, 0, b"")):
        if (row := _refusing(chain)) and row not in found:
            found.append(row)
    return found


def rules(table: str) -> list[tuple[str, bytes]]:
    """Give (chain, expressions as the kernel has them) of each rule of a table, in its order."""
    asked = _message(_SUBSYSTEM | _GETRULE, _DUMP, _INET, _text(1, table))
    return [
        (row[2].rstrip(b"\0").decode("utf-8", "replace"), row.get(4, b""))
        for row in _listed(asked)
        if row.get(1) == f"{table}\0".encode()
    ]


def _listed(asked: bytes) -> Iterator[dict[int, bytes]]:
    """Give the attributes of each thing that the kernel lists."""
    with suppress(OSError), _socket() as sock:
        sock.settimeout(5)
        sock.sendto(asked, (0, 0))
        while True:
            data = sock.recv(1 << 18)
            while data:
                size, kind, *_ = _HEAD.unpack_from(data)
                if kind in (_ERROR, _DONE):
                    return
                yield _attributes(data[_HEAD.size + _GENERAL.size : size])
                data = data[size + -size % 4 :]


def _refusing(chain: dict[int, bytes]) -> tuple[str, str] | None:
    if _attributes(chain.get(4, b"")).get(1) != _WORD.pack(_FORWARD):
        return None
    table, name = (chain[kind].rstrip(b"\0").decode() for kind in (1, 3))
    drops = chain.get(5) == _WORD.pack(0)
    return (table, name) if drops or table == "firewalld" else None


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while len(data) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(data)
        if size < _ATTRIBUTE.size:
            break
        found[kind & _KIND] = data[_ATTRIBUTE.size : size]
        data = data[size + -size % 4 :]
    return found
