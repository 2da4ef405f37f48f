"""The kernel's interfaces, addresses and routes, by rtnetlink (rtnetlink(7)).

A dozen messages by hand: a library that knows them all takes longer to load than a container to
start, and a program per step costs several milliseconds each.
"""

import errno
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

__all__ = ["Netlink"]

_HEAD = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ERROR = struct.Struct("=i")

_NEWLINK, _DELLINK, _GETLINK, _SETLINK, _NEWADDR, _NEWROUTE, _NEWNEIGHBOUR = (
    16,
    17,
    18,
    19,
    20,
    24,
    28,
)
_REQUEST, _ACK, _REPLACE, _EXCL, _CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_IFF_UP = 1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_NET_NS_FD = (
    1, 3, 4, 10, 18, 28,
)  # fmt: skip
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_IFLA_PROTINFO, _NESTED, _PORT_ISOLATED = 12, 0x8000, 33
_IFA_ADDRESS, _IFA_LOCAL, _NO_DUPLICATES = 1, 2, 0x02
_NEIGHBOUR_DST, _NEIGHBOUR_PROXY, _PERMANENT = 1, 0x08, 0x80
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_TABLE_MAIN, _PROTOCOL_STATIC, _SCOPE_LINK, _UNICAST, _ONLINK = 254, 4, 253, 1, 4
_ERROR_MESSAGE = 2


def _attribute(kind: int, data: bytes) -> bytes:
    size = _ATTRIBUTE.size + len(data)
    return _ATTRIBUTE.pack(size, kind) + data + b"\0" * (-size % 4)


def _name(text: str) -> bytes:
    return _attribute(_IFLA_IFNAME, text.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _raw(address: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


class Netlink:
    """A conversation with one network namespace: that of `sock`, else our own.

    Every method raises OSError with the kernel's reason.
    """

    def __init__(self, sock: "socket.socket | None" = None) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = sock or socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        self._count = 0

    def __enter__(self) -> "Self":
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def index(self, name: str) -> int:
        """Give the number of an interface."""
        answer = self._ask(_GETLINK, _LINK.pack(0, 0, 0, 0, 0) + _name(name), flags=0)
        return int(_LINK.unpack_from(answer, _HEAD.size)[2])

    def up(self, index: int) -> None:
        """Switch an interface on."""
        self._ask(_NEWLINK, _LINK.pack(0, 0, index, _IFF_UP, _IFF_UP))

    def rename(self, index: int, name: str) -> None:
        """Give an interface, which must be down, another name."""
        self._ask(_NEWLINK, _LINK.pack(0, 0, index, 0, 0) + _name(name))

    def set_mac(self, index: int, mac: str) -> None:
        """Give an interface another hardware address, which a bridge then keeps."""
        raw = bytes.fromhex(mac.replace(":", ""))
        self._ask(_NEWLINK, _LINK.pack(0, 0, index, 0, 0) + _attribute(_IFLA_ADDRESS, raw))

    def remove(self, index: int) -> None:
        """Take an interface away; its peer goes with it."""
        self._ask(_DELLINK, _LINK.pack(0, 0, index, 0, 0))

    def add_bridge(self, name: str, *, mtu: int = 0) -> int:
        """Make a bridge, switched on; give its number."""
        info = _attribute(_IFLA_LINKINFO, _attribute(_INFO_KIND, b"bridge"))
        size = _number(_IFLA_MTU, mtu) if mtu else b""
        self._make(_LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP) + _name(name) + size + info)
        return self.index(name)

    def isolate(self, index: int) -> None:
        """Have a port of a bridge speak to the bridge alone, to no other such port."""
        port = _attribute(_IFLA_PROTINFO | _NESTED, _attribute(_PORT_ISOLATED, b"\1"))
        self._ask(_SETLINK, _LINK.pack(socket.AF_BRIDGE, 0, index, 0, 0) + port)

    def add_veth(
        self,
        name: str,
        *,
        peer: str,
        peer_namespace: int,
        mac: str = "",
        master: int = 0,
        mtu: int = 0,
    ) -> int:
        """Lay a cable from here to `peer` in another namespace, our end on; give its number.

        The kernel refuses to switch the far end on before the near one is there. `mac` is the peer's address; `master` the bridge that our end is plugged into.
        """
        size = _number(_IFLA_MTU, mtu) if mtu else b""
        there = _LINK.pack(0, 0, 0, 0, 0) + _name(peer) + size
        there += _number(_IFLA_NET_NS_FD, peer_namespace)
        if mac:
            there += _attribute(_IFLA_ADDRESS, bytes.fromhex(mac.replace(":", "")))
        data = _attribute(_INFO_DATA, _attribute(_VETH_PEER, there))
        info = _attribute(_IFLA_LINKINFO, _attribute(_INFO_KIND, b"veth") + data)
        here = _LINK.pack(0, 0, 0, _IFF_UP, _IFF_UP) + _name(name) + size
        if master:
            here += _number(_IFLA_MASTER, master)
        self._make(here + info)
        return self.index(name)

    def add_address(self, index: int, address: str, prefix: int) -> None:
        """Give an interface an address, which is used at once: nobody is asked for its owner."""
        family, raw = _raw(address)
        body = _ADDRESS.pack(family, prefix, _NO_DUPLICATES, 0, index)
        self._make_of(_NEWADDR, body + _attribute(_IFA_LOCAL, raw) + _attribute(_IFA_ADDRESS, raw))

    def answer_for(self, index: int, address: str) -> None:
        """Have an interface say that an IPv6 address, which is elsewhere, is its own."""
        family, raw = _raw(address)
        body = _NEIGHBOUR.pack(family, index, _PERMANENT, _NEIGHBOUR_PROXY, 0)
        self._make_of(_NEWNEIGHBOUR, body + _attribute(_NEIGHBOUR_DST, raw))

    def add_route(
        self,
        index: int,
        *,
        to: str = "",
        prefix: int = 0,
        via: str = "",
        instead: bool = False,
    ) -> None:
        """Route `to`/`prefix`, by default everything, over an interface.

        The gateway `via` need not be in reach. With `instead` another route there gives way.
        """
        scope, flags = (0, _ONLINK) if via else (_SCOPE_LINK, 0)
        family, gateway = _raw(via) if via else (socket.AF_INET, b"")
        target = b""
        if prefix:
            family, target = _raw(to)
        body = _ROUTE.pack(
            family, prefix, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, scope, _UNICAST, flags
        )
        body += _attribute(_RTA_DST, target) if target else b""
        body += _attribute(_RTA_GATEWAY, gateway) if gateway else b""
        body += _number(_RTA_OIF, index)
        self._ask(_NEWROUTE, body, flags=_ACK | _CREATE | (_REPLACE if instead else _EXCL))

    def _make(self, body: bytes) -> None:
        self._make_of(_NEWLINK, body)

    def _make_of(self, kind: int, body: bytes) -> None:
        self._ask(kind, body, flags=_ACK | _CREATE | _EXCL)

    def _ask(self, kind: int, body: bytes, *, flags: int = _ACK) -> bytes:
        """Send one message; give the answer, where it has content. Raises: OSError."""
        self._count += 1
        head = _HEAD.pack(_HEAD.size + len(body), kind, flags | _REQUEST, self._count, 0)
        self._socket.sendto(head + body, (0, 0))
        while True:
            answer = self._socket.recv(65536)
            _, kind_got, _, number, _ = _HEAD.unpack_from(answer)
            if number != self._count:  # the end of an answer that was cut short
                continue
            if kind_got == _ERROR_MESSAGE:
                (code,) = _ERROR.unpack_from(answer, _HEAD.size)
                if code:
                    raise OSError(-code, errno.errorcode.get(-code, "") + ": " + os.strerror(-code))
            return answer
