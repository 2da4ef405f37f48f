"""The drivers of networks, and the bridge's options, by the names that Docker's driver has for them."""

from collections.abc import Mapping

from lamina.errors import Denied, Invalid, NotFound, Unsupported
from lamina.spec.wire import Document

__all__ = ["check_driver", "check_ipv6", "check_options", "driver_order"]

_BRIDGE = "com.docker.network.bridge."
_MTU = "com.docker.network.driver.mtu"
_NAME, _ICC, _MASQUERADE, _BINDING = (
    f"{_BRIDGE}{word}"
    for word in ("name", "enable_icc", "enable_ip_masquerade", "host_binding_ipv4")
)
_TRUE, _FALSE = ("true", "1", "t"), ("false", "0", "f")
_LONGEST = 15
_SMALLEST_MTU, _LARGEST_MTU = 68, 65535
_REFUSED = {
    "macvlan": "it takes the machine's own interface, and a plain bridge is what we have",
    "ipvlan": "it takes the machine's own interface, and a plain bridge is what we have",
    "overlay": "it spans machines, and we know one",
}


def check_driver(driver: str) -> None:
    """Refuse all drivers but bridge. Raises: Denied, Unsupported, NotFound."""
    if driver in ("host", "none", "null"):
        kind = "null" if driver == "none" else driver
        raise Denied(f'only one instance of "{kind}" network is allowed')
    if driver in _REFUSED:
        raise Unsupported(
            f"the network driver {driver} is not supported: {_REFUSED[driver]}",
            hint="the driver is bridge",
        )
    if driver != "bridge":
        raise NotFound(
            f'could not find plugin {driver} in v1 plugin registry: plugin "{driver}" not found',
            hint="the driver is bridge",
        )


def check_ipv6() -> None:
    """Refuse IPv6 on a machine that has none. Raises: Unsupported."""
    from lamina.runtime.net.ipv6 import ipv6_problem

    if problem := ipv6_problem():
        raise Unsupported(f"networks cannot have IPv6 here: {problem}")


def check_options(options: Mapping[str, str]) -> None:
    """Refuse values that the bridge cannot take; options that nobody knows are kept. Raises: Invalid."""
    for name in (_ICC, _MASQUERADE):
        text = options.get(name, "true").lower()
        if text not in (*_TRUE, *_FALSE):
            raise Invalid(f"failed to parse {name} value: {text}", hint="true or false")
    mtu = options.get(_MTU, "")
    if mtu and not (mtu.isdigit() and _SMALLEST_MTU <= int(mtu) <= _LARGEST_MTU):
        raise Invalid(f"failed to parse {_MTU} value: {mtu}", hint="1500, for example")
    name = options.get(_NAME, "")
    if len(name) > _LONGEST or any(char in "/: \t" or not char.isprintable() for char in name):
        raise Invalid(
            f"invalid bridge name {name!r}", hint=f"at most {_LONGEST} letters, digits and the like"
        )
    if address := options.get(_BINDING, ""):
        import socket

        try:
            socket.inet_pton(socket.AF_INET, address)
        except OSError as error:
            raise Invalid(f"invalid host binding address: {address}") from error


def driver_order(options: Mapping[str, str]) -> Document:
    """Give what a keeper does differently because of `options`.

    `cable` names the machine's end of the network's cable, empty for one of our choice.
    """
    return {
        "mtu": int(options.get(_MTU) or 0),
        "icc": options.get(_ICC, "true").lower() in _TRUE,
        "translate": options.get(_MASQUERADE, "true").lower() in _TRUE,
        "cable": options.get(_NAME, ""),
    }
