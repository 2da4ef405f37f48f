"""A name server for one network: its containers' names from memory, all others asked elsewhere.

It listens on the network's gateway. Questions for the outside leave by the machine's own
namespace, so a resolver on the machine's loopback serves, too. DNS over UDP only (RFC 1035): what
does not fit a datagram is marked as cut short by whoever answers.
"""

import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress

from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Names(Protocol):
        """What a network knows about its containers."""

        def lookup(self, name: str, asker: str = "") -> tuple[str, ...]:
            """Give the addresses of a name, which is in lower case and has no dot at its end."""

        def called(self, address: str) -> str:
            """Give the name of an address, or nothing."""

        def servers(self, address: str) -> tuple[str, ...]:
            """Give the name servers that an address wants to be asked."""


__all__ = ["DNS_PORT", "Question", "Resolver", "answer"]

_HEAD = struct.Struct("!HHHHHH")
_TAIL = struct.Struct("!HH")
_RECORD = struct.Struct("!HHHIH")
_A, _PTR, _AAAA, _IN = 1, 12, 28, 1
_RESPONSE, _AUTHORITATIVE, _RECURSION, _FAILED = 0x8000, 0x0400, 0x0080, 2
_WANTS_RECURSION = 0x0100
_ARPA, _ARPA6, _NIBBLES = ".in-addr.arpa", ".ip6.arpa", 32
_PENDING = 1024
_LIFE_S = 10.0
_SIZE = 4096
DNS_PORT = 53
"""Where name servers listen."""


class Question(NamedTuple):
    """What one datagram asks; `raw` is the question section as it came."""

    number: int
    flags: int
    name: str
    kind: int
    raw: bytes

    @classmethod
    def parse(cls, data: bytes) -> "Question | None":
        """Read a datagram; None for what is no question of one name."""
        try:
            number, flags, count, _, _, _ = _HEAD.unpack_from(data)
            labels = []
            place = _HEAD.size
            while size := data[place]:
                if size > 63:  # noqa: PLR2004 - a pointer, which a question has no use for
                    return None
                labels.append(data[place + 1 : place + 1 + size].decode("ascii").lower())
                place += size + 1
            kind, group = _TAIL.unpack_from(data, place + 1)
        except (struct.error, IndexError, UnicodeDecodeError):
            return None
        if count != 1 or flags & _RESPONSE or group != _IN:
            return None
        end = place + 1 + _TAIL.size
        return cls(number, flags, ".".join(labels), kind, data[_HEAD.size : end])


def answer(question: Question, names: "Names", asker: str = "") -> bytes:
    """Answer from what the network knows; empty where somebody else must be asked."""
    if question.kind == _PTR:
        name = names.called(_reversed(question.name))
        if not name:
            return b""
        labels = [label.encode() for label in name.split(".")]
        return _reply(question, [b"".join(bytes([len(x)]) + x for x in labels) + b"\0"])
    addresses = names.lookup(question.name, asker)
    if not addresses:
        return b""
    family = {_A: socket.AF_INET, _AAAA: socket.AF_INET6}.get(question.kind)
    found = [
        socket.inet_pton(family, address)
        for address in addresses
        if family and (":" in address) == (family == socket.AF_INET6)
    ]
    return _reply(question, found)


def _reversed(name: str) -> str:
    """Give the address that a name below in-addr.arpa or ip6.arpa stands for, or nothing."""
    if name.endswith(_ARPA):
        return ".".join(reversed(name.removesuffix(_ARPA).split(".")))
    nibbles = name.removesuffix(_ARPA6).split(".")
    if not name.endswith(_ARPA6) or len(nibbles) != _NIBBLES:
        return ""
    try:
        return socket.inet_ntop(socket.AF_INET6, bytes.fromhex("".join(reversed(nibbles))))
    except ValueError:
        return ""


def _reply(question: Question, data: list[bytes]) -> bytes:
    flags = _RESPONSE | _AUTHORITATIVE | _RECURSION | question.flags & _WANTS_RECURSION
    rows = [
        b"\xc0\x0c" + _RECORD.pack(question.kind, _IN, 0, 0, len(item))[:8] + _sized(item)
        for item in data
    ]
    return _HEAD.pack(question.number, flags, 1, len(rows), 0, 0) + question.raw + b"".join(rows)


def _sized(item: bytes) -> bytes:
    return struct.pack("!H", len(item)) + item


def _failure(question: Question) -> bytes:
    flags = _RESPONSE | _RECURSION | _FAILED | question.flags & _WANTS_RECURSION
    return _HEAD.pack(question.number, flags, 1, 0, 0, 0) + question.raw


class Resolver:
    """One network's name server: `inner` is bound in the network, the machine is asked for others.

    `readers` gives what to call when a socket is ready.
    """

    def __init__(self, names: "Names", inner: socket.socket, *, outside: bool = True) -> None:
        self._names = names
        self._inner = inner
        self._inner.settimeout(0)
        self._outer: dict[int, socket.socket] = {}
        self._pending: dict[int, tuple[int, tuple[str, int], float]] = {}
        if outside:
            for family in (socket.AF_INET, socket.AF_INET6):
                with suppress(OSError):  # a machine without IPv6
                    self._outer[family] = _udp(family)

    def readers(self) -> dict[int, Callable[[], None]]:
        """Give descriptors and what serves them."""
        found: dict[int, Callable[[], None]] = {self._inner.fileno(): self._ask}
        for sock in self._outer.values():
            found[sock.fileno()] = lambda sock=sock: self._hear(sock)  # type: ignore[misc]
        return found

    def _ask(self) -> None:
        with suppress(OSError):
            while True:
                data, sender = self._inner.recvfrom(_SIZE)
                question = Question.parse(data)
                if question is None:
                    continue
                reply = answer(question, self._names, sender[0]) or self._forward(
                    question, data, sender
                )
                if reply:
                    self._inner.sendto(reply, sender)

    def _forward(self, question: Question, data: bytes, sender: tuple[str, int]) -> bytes:
        """Ask all servers at once: the first to answer wins."""
        servers = self._names.servers(sender[0]) or _servers_of_machine()
        now = time.monotonic()
        while self._pending:
            oldest = next(iter(self._pending))
            if len(self._pending) < _PENDING and now - self._pending[oldest][2] < _LIFE_S:
                break
            del self._pending[oldest]
        number = int.from_bytes(os.urandom(2), "big")
        while number in self._pending:
            number = (number + 1) & 0xFFFF
        sent = False
        for server in servers[:3]:
            family = socket.AF_INET6 if ":" in server else socket.AF_INET
            if sock := self._outer.get(family):
                with suppress(OSError):
                    sock.sendto(number.to_bytes(2, "big") + data[2:], (server, DNS_PORT))
                    sent = True
        if not sent:
            return _failure(question)
        self._pending[number] = (question.number, sender, now)
        return b""

    def _hear(self, sock: socket.socket) -> None:
        with suppress(OSError):
            while True:
                data = sock.recv(_SIZE)
                found = self._pending.pop(int.from_bytes(data[:2], "big"), None)
                if found:
                    number, sender, _ = found
                    self._inner.sendto(number.to_bytes(2, "big") + data[2:], sender)


def _udp(family: int) -> socket.socket:
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    return socket.socket(family, kind)


def _servers_of_machine() -> tuple[str, ...]:
    """Read /etc/resolv.conf, each time: machines change networks."""
    found = []
    with suppress(OSError), open("/etc/resolv.conf", encoding="utf-8", errors="replace") as file:
        for line in file:
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                found.append(words[1].partition("%")[0])
    return tuple(found)
