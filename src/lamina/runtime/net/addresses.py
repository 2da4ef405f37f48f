"""Address pools of networks, IPv4 and IPv6: which subnet, and who has which address in it."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress

from lamina.spec.wire import Document

__all__ = [
    "Pool",
    "candidates",
    "family_of",
    "number",
    "private_subnet",
    "routed",
    "subnets",
    "text",
]

_SIZE = {socket.AF_INET: 4, socket.AF_INET6: 16}
_COLUMNS = 10


def family_of(address: str) -> "socket.AddressFamily":
    """Tell AF_INET6 from AF_INET by the look of an address or a subnet."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def number(address: str) -> int:
    """Read an address as a number. Raises: OSError (it is none)."""
    return int.from_bytes(socket.inet_pton(family_of(address), address), "big")


def text(value: int, family: "socket.AddressFamily" = socket.AF_INET) -> str:
    """Write a number as an address."""
    return socket.inet_ntop(family, value.to_bytes(_SIZE[family], "big"))


def subnets() -> Iterator[str]:
    """Give the IPv4 subnets that networks get by themselves, in Docker's order."""
    for second in range(18, 32):
        yield f"172.{second}.0.0/16"
    for third in range(0, 256, 16):
        yield f"192.168.{third}.0/20"


def private_subnet() -> str:
    """Give an IPv6 subnet that nobody else is likely to have (RFC 4193, section 3.2)."""
    return text(0xFD << 120 | int.from_bytes(os.urandom(5), "big") << 80, socket.AF_INET6) + "/64"


def candidates(network: Document) -> Iterator[tuple[str, str]]:
    """Give IPv4 (subnet, gateway) pairs to try: its own first, others where it was not asked for.

    Subnets that this machine has routes into come last of all, not at all where others are free.
    """
    yield network["subnet"], network["gateway"]
    if network["fixed"]:
        return
    for subnet in subnets():
        if subnet != network["subnet"]:
            yield subnet, ""


class Pool:
    """The addresses of one subnet. The last but one is the machine's own, as seen from inside.

    Containers get addresses of `span`, a subnet within it, in order, but for `reserved` ones.
    Raises: OSError, ValueError (no subnet).
    """

    def __init__(
        self, subnet: str, gateway: str = "", *, span: str = "", reserved: Sequence[str] = ()
    ) -> None:
        base, _, bits = subnet.partition("/")
        self.family = family_of(base)
        self._bits = 8 * _SIZE[self.family]
        self.prefix = int(bits)
        self._first, self._last = self._ends(base, self.prefix)
        self._low, self._high = self._first, self._last
        if span:
            start, _, size = span.partition("/")
            self._low, self._high = self._ends(start, int(size or self._bits))
        self.subnet = subnet
        self.base = self._text(self._first)
        self.host = self._text(self._last - 1)
        self._taken = {self._last - 1, *map(number, reserved)}
        if gateway:
            self._taken.add(number(gateway))
        self.gateway = gateway or self.take()

    def _ends(self, base: str, prefix: int) -> tuple[int, int]:
        if not 0 <= prefix <= self._bits:
            raise ValueError(prefix)
        size = 1 << (self._bits - prefix)
        first = number(base) & ~(size - 1)
        return first, first + size - 1

    def _text(self, value: int) -> str:
        return text(value, self.family)

    def take(self, wanted: str = "") -> str:
        """Give a free address, `wanted` where it is free; empty where there is none."""
        if wanted:
            value = number(wanted)
            if value in self._taken or wanted not in self:
                return ""
        else:
            span = range(max(self._low, self._first + 1), min(self._high + 1, self._last))
            value = next((v for v in span if v not in self._taken), 0)
        if not value:
            return ""
        self._taken.add(value)
        return self._text(value)

    def free(self, address: str) -> None:
        """Take an address back."""
        self._taken.discard(number(address))

    def overlaps(self, other: "Pool") -> bool:
        """Tell whether the two share an address."""
        return self.family == other.family and (
            self.contains(number(other.base)) or other.contains(self._first)
        )

    def contains(self, value: int) -> bool:
        """Tell whether an address, as a number, is of this subnet, its first and last included."""
        return self._first <= value <= self._last

    def meets(self, base: int, mask: int) -> bool:
        """Tell whether a route to `base` with `mask` leads into this subnet, or past it."""
        own = (self._first ^ self._last) ^ ((1 << self._bits) - 1)
        return (base ^ self._first) & mask & own == 0

    def __contains__(self, address: str) -> bool:
        """Tell whether an address is of this subnet, and one that somebody may have."""
        return family_of(address) == self.family and self._first < number(address) < self._last


def routed(pool: Pool) -> bool:
    """Tell whether the namespace we are in has a route into the subnet, the default one aside."""
    routes = _routes() if pool.family == socket.AF_INET else _routes6()
    return any(mask and pool.meets(target, mask) for target, mask in routes)


def _routes() -> Iterator[tuple[int, int]]:
    with suppress(OSError), open("/proc/net/route", encoding="utf-8") as table:
        for line in table.readlines()[1:]:
            words = line.split()
            yield (
                int.from_bytes(bytes.fromhex(words[1]), "little"),
                int.from_bytes(bytes.fromhex(words[7]), "little"),
            )


def _routes6() -> Iterator[tuple[int, int]]:
    with suppress(OSError), open("/proc/net/ipv6_route", encoding="utf-8") as table:
        for line in table:
            words = line.split()
            if len(words) < _COLUMNS or words[9] == "lo":  # our own addresses, and what is refused
                continue
            size = int(words[1], 16)
            yield int(words[0], 16), (1 << 128) - (1 << (128 - size))
