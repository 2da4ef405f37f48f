"""Where the hub may be sent to by people who only have an account: not into its own network.

A webhook's address is anyone's to choose, and the hub stands where they do not: beside databases,
metadata services and admins' consoles. So addresses are checked after names were resolved, and the
connection goes to the very address that was checked; a name that changes its mind in between gains
nothing. The hub's operator may open networks.
"""

import asyncio
import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from lamina.errors import Denied, Invalid

__all__ = ["AddressForbidden", "GuardedResolver", "check_address", "check_url"]

_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_NAT64 = ip_network("64:ff9b::/96")
_GIVEN_OUT = ip_network("2000::/3")
"""All of IPv6 that is anyone's; elsewhere are site-local addresses and ways to write an IPv4 one."""
_URL_LIMIT = 2000
_LAST_PORT = 65535


class AddressForbidden(Denied):
    """The address is in a network where the hub goes for nobody."""


def check_address(text: str, allowed: tuple[str, ...]) -> str:
    """Give an IP address back if it is public, or in a network of `allowed`.

    Raises: AddressForbidden.
    """
    try:
        address = ip_address(text)
    except ValueError as error:
        raise AddressForbidden(f"{text!r} is no address the hub can check") from error
    inner = _inner(address)
    if any(inner in ip_network(each) or address in ip_network(each) for each in allowed):
        return text
    if not _is_public(inner):
        raise AddressForbidden(
            f"{text} is in a private network",
            hint="who runs the hub can allow it: LAMINA_HUB_WEBHOOK_NETWORKS",
        )
    return text


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    is_given_out = isinstance(address, IPv4Address) or address in _GIVEN_OUT
    return address.is_global and is_given_out and not address.is_multicast


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Give the IPv4 address that an IPv6 one carries; a gateway sends there."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    carried = address.ipv4_mapped or address.sixtofour
    return carried or address


def check_url(url: str, allowed: tuple[str, ...]) -> str:
    """Give a webhook's address back if the hub may be sent there, as far as its text says.

    Names are looked up when it is used. Raises: Invalid, AddressForbidden.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"the address cannot be read: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("write the address as https://HOST/PATH")
    if len(url) > _URL_LIMIT or not url.isascii() or not url.isprintable() or " " in url:
        raise Invalid(f"an address has at most {_URL_LIMIT} letters, all of them ASCII")
    if parts.username is not None or parts.password is not None:
        raise Invalid("the address holds a password", hint="check our signature instead")
    if port == 0:
        raise Invalid("there is no port 0")
    host = parts.hostname
    # others' parsers decode or cut what is no plain name, and would go to another host than was checked
    if not _HOST.fullmatch(parts.netloc):
        raise Invalid(f"{parts.netloc!r} is no host")
    if ":" in host or _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        check_address(host, allowed)  # 127.1 and 0x7f000001 are no addresses, and no names
    return url


class GuardedResolver(AbstractResolver):
    """Looks names up as the system does, and gives only addresses the hub may go to."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give addresses of `host`. Raises: AddressForbidden (one of them is private), OSError."""
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM
        )
        return [
            ResolveResult(
                hostname=host,
                host=check_address(str(row[4][0]).partition("%")[0], self._allowed),
                port=int(row[4][1]),
                family=row[0],
                proto=row[2],
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for row in found
        ]

    async def close(self) -> None:
        """Let go of nothing."""
