"""IPv4 address pools of networks: which subnet, and who has which address in it."""

import socket
import struct
from collections.abc import Iterator

from lamina.spec.wire import Document

__all__ = ["Pool", "candidates", "number", "subnets", "text"]

_NUMBER = struct.Struct("!I")
_BITS = 32


def number(address: str) -> int:
    """Read a dotted address as a number. Raises: OSError (it is none)."""
    return int(_NUMBER.unpack(socket.inet_pton(socket.AF_INET, address))[0])


def text(value: int) -> str:
    """Write a number as a dotted address."""
    return socket.inet_ntoa(_NUMBER.pack(value))


def subnets() -> Iterator[str]:
    """Give the subnets that networks get by themselves, in Docker's order."""
    for second in range(18, 32):
        yield f"172.{second}.0.0/16"
    for third in range(0, 256, 16):
        yield f"192.168.{third}.0/20"


def candidates(network: Document) -> Iterator[tuple[str, str]]:
    """Give (subnet, gateway) pairs to try: its own first, others where it was not asked for.

    Subnets that this machine has routes into come last of all, not at all where others are free.
    """
    yield network["subnet"], network["gateway"]
    if network["fixed"]:
        return
    for subnet in subnets():
        if subnet != network["subnet"]:
            yield subnet, ""


class Pool:
    """The addresses of one subnet. The last is the machine's own, as seen from inside."""

    def __init__(self, subnet: str, gateway: str = "") -> None:
        base, _, bits = subnet.partition("/")
        self.subnet = subnet
        self.prefix = int(bits)
        self._first = number(base) & ~((1 << (_BITS - self.prefix)) - 1)
        self.base = text(self._first)
        self._last = self._first + (1 << (_BITS - self.prefix)) - 1  # broadcast
        self.gateway = gateway or text(self._first + 1)
        self.host = text(self._last - 1)
        self._taken = {number(self.gateway), self._last - 1}

    def take(self, wanted: str = "") -> str:
        """Give a free address, `wanted` where it is free; empty where there is none."""
        if wanted:
            value = number(wanted)
            if value in self._taken or not self._first < value < self._last:
                return ""
        else:
            span = range(self._first + 1, self._last)
            value = next((v for v in span if v not in self._taken), 0)
        if not value:
            return ""
        self._taken.add(value)
        return text(value)

    def free(self, address: str) -> None:
        """Take an address back."""
        self._taken.discard(number(address))

    def overlaps(self, other: "Pool") -> bool:
        """Tell whether the two share an address."""
        return self.contains(number(other.base)) or other.contains(self._first)

    def contains(self, value: int) -> bool:
        """Tell whether an address, as a number, is of this subnet, its first and last included."""
        return self._first <= value <= self._last

    def meets(self, base: int, mask: int) -> bool:
        """Tell whether a route to `base` with `mask` leads into this subnet, or past it."""
        own = (self._first ^ self._last) ^ 0xFFFFFFFF
        return (base ^ self._first) & mask & own == 0

    def __contains__(self, address: str) -> bool:
        """Tell whether an address is of this subnet."""
        return self._first < number(address) < self._last
