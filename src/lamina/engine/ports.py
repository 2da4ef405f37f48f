"""Published and exposed ports as people write them, as Docker's documents."""

from collections.abc import Mapping, Sequence

from lamina.errors import Invalid
from lamina.spec.wire import Document

__all__ = ["PortInvalid", "exposed", "published", "to_bind"]

_PROTOCOLS = ("tcp", "udp")
_MOST = 65535


class PortInvalid(Invalid):
    """A `-p` or `--expose` that cannot be understood."""

    exit_code = 125


def published(texts: Sequence[str]) -> Document:
    """Read `-p [[ip:][host]:]container[/protocol]` with ranges; give Docker's PortBindings.

    Raises: PortInvalid.
    """
    bindings: Document = {}
    for text in texts:
        address, outer, inner, protocol = _split(text)
        first, last = _range(inner, text, "containerPort")
        low, high = _range(outer, text, "hostPort") if outer else (0, 0)
        if outer and high - low != last - first and first != last:
            raise PortInvalid(
                f"invalid ranges specified for container and host Ports: {inner} and {outer}"
            )
        for port in range(first, last + 1):
            if not outer:
                host = ""
            elif first == last:
                host = str(low) if low == high else f"{low}-{high}"
            else:
                host = str(low + port - first)
            rows = bindings.setdefault(f"{port}/{protocol}", [])
            row = {"HostIp": address, "HostPort": host}
            if row not in rows:
                rows.append(row)
    return bindings


def exposed(texts: Sequence[str]) -> tuple[str, ...]:
    """Read `--expose PORT[-PORT][/protocol]`; give `port/protocol` each. Raises: PortInvalid."""
    found = []
    for text in texts:
        ports, protocol = _protocol(text, text)
        first, last = _range(ports, text, "port")
        found += [f"{port}/{protocol}" for port in range(first, last + 1)]
    return tuple(found)


def to_bind(
    bindings: Mapping[str, object], also: Sequence[str] = (), *, address: str = ""
) -> list[Document]:
    """List what to bind on the machine: PortBindings, and `also` (`80/tcp`) on ports of its choice.

    On `address` where a port was not given one, by default on every one.
    """
    rows: list[Document] = []
    wanted = dict(bindings)
    for port in also:
        wanted.setdefault(port, [{"HostIp": "", "HostPort": ""}])
    for key, places in wanted.items():
        inner, _, protocol = key.partition("/")
        for place in places if isinstance(places, list) else ():
            low, _, high = str(place.get("HostPort") or "0").partition("-")
            rows.append(
                {
                    "protocol": protocol or "tcp",
                    "address": place.get("HostIp") or address,
                    "first": int(low),
                    "last": int(high or low),
                    "inner": int(inner),
                }
            )
    return rows


def _split(text: str) -> tuple[str, str, str, str]:
    """Give address, port of the machine, port of the container, protocol."""
    rest, protocol = _protocol(text, text)
    address = ""
    if rest.startswith("["):
        address, bracket, rest = rest[1:].partition("]")
        if not bracket or not rest.startswith(":"):
            raise PortInvalid(f"invalid IP address: {text}")
        rest = rest[1:]
        outer, _, inner = rest.rpartition(":")
    else:
        front, _, inner = rest.rpartition(":")
        address, _, outer = front.rpartition(":")
    if address and not _is_address(address):
        raise PortInvalid(f"invalid IP address: {address}", hint="write -p [ip:]host:container")
    if not inner:
        raise PortInvalid(f"no port specified: {text}<empty>")
    return address, outer, inner, protocol


def _protocol(text: str, whole: str) -> tuple[str, str]:
    ports, slash, protocol = text.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in _PROTOCOLS:
        raise PortInvalid(f"invalid proto: {protocol or whole}", hint="tcp or udp")
    return ports, protocol


def _range(text: str, whole: str, what: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    words = (low, high if dash else low)
    if not all(word.isascii() and word.isdigit() and int(word) <= _MOST for word in words):
        raise PortInvalid(f"invalid {what}: {text}", hint=f"in {whole!r}: a number up to {_MOST}")
    first, last = int(words[0]), int(words[1])
    if last < first:
        raise PortInvalid(f"invalid range specified for port: {text}")
    return first, last


def _is_address(text: str) -> bool:
    import socket

    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except OSError:
            continue
        return True
    return False
