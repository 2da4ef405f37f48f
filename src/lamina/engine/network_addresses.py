"""Which subnets a new network gets: those asked for, checked; others chosen where free."""

from collections.abc import Mapping, Sequence

from lamina.errors import AlreadyExists, Invalid
from lamina.runtime.net.addresses import Pool, family_of, number, private_subnet, subnets
from lamina.runtime.net.addresses import text as written
from lamina.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.network_request import Endpoint
    from lamina.engine.networks import Network
    from lamina.spec.wire import Document

__all__ = ["AddressRequest", "check_places"]

_FOUR, _SIX = 4, 6
_PREFIXES = {_FOUR: (8, 29), _SIX: (16, 124)}
"""Room for gateway, machine and one more."""


@dataclass(frozen=True, slots=True)
class AddressRequest:
    """What `network create` asks about addresses; at most one subnet of each family.

    Every gateway, range and auxiliary address belongs to a subnet that is asked for. `ipv6` chooses
    an IPv6 subnet where none is asked for.
    """

    subnets: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    auxiliary: "Mapping[str, str]" = field(default_factory=dict)
    ipv6: bool = False

    def choose(self, known: "Sequence[Network]") -> "Document":
        """Give a network's fields: `subnet`, `gateway`, `fixed`, … Raises: Invalid, AlreadyExists."""
        if not self.subnets and (self.gateways or self.ranges or self.auxiliary):
            raise Invalid(
                "every ip-range or gateway must have a corresponding subnet",
                hint="add --subnet with the subnet that it belongs to",
            )
        pools = _pools(self.subnets)
        taken = [Pool(s) for n in known for s in (n.subnet, n.subnet6) if s]
        for pool in pools.values():
            if any(pool.overlaps(other) for other in taken):
                raise AlreadyExists(
                    "invalid pool request: Pool overlaps with other one on this address space",
                    hint=f"another network has addresses of {pool.subnet}: `lamina network ls`",
                )
        gateways = self._matched("gateway", self.gateways, pools)
        ranges = self._matched("range", self.ranges, pools)
        for address in self.auxiliary.values():
            _owner("aux-address", address, pools)
        found: Document = {"fixed": _FOUR in pools, "auxiliary": dict(self.auxiliary)}
        found["subnet"] = pools[_FOUR].subnet if _FOUR in pools else _free(taken)
        if _SIX in pools or self.ipv6:
            found["subnet6"] = pools[_SIX].subnet if _SIX in pools else private_subnet()
        reserved = tuple(self.auxiliary.values())
        for family, suffix in ((_FOUR, ""), (_SIX, "6")):
            if f"subnet{suffix}" not in found:
                continue
            found[f"ip_range{suffix}"] = ranges.get(family, "")
            pool = Pool(
                found[f"subnet{suffix}"],
                gateways.get(family, ""),
                span=ranges.get(family, ""),
                reserved=[row for row in reserved if (":" in row) == (family == _SIX)],
            )
            found[f"gateway{suffix}"] = pool.gateway
            if not pool.gateway:
                raise Invalid(f"no address is left in {pool.subnet} for the gateway")
            if pool.gateway in reserved:
                raise Invalid(f"gateway {pool.gateway} is an auxiliary address, too")
        return found

    def _matched(
        self, what: str, texts: Sequence[str], pools: Mapping[int, Pool]
    ) -> dict[int, str]:
        """Give each family's gateway or range. Raises: Invalid."""
        found: dict[int, str] = {}
        for text in texts:
            family = _owner(what, text, pools)
            if family in found:
                raise Invalid(
                    f"cannot configure multiple {what}s ({text}, {found[family]}) "
                    f"on the same subnet ({pools[family].subnet})"
                )
            found[family] = text
        return found


def check_places(network: "Network", endpoint: "Endpoint") -> None:
    """Refuse addresses that a network has not to give. Raises: Invalid."""
    for wanted, subnet, fixed in (
        (endpoint.ip, network.subnet, network.fixed),
        (endpoint.ip6, network.subnet6, bool(network.subnet6)),
    ):
        if not wanted:
            continue
        words = f"invalid config for network {network.name}: invalid endpoint settings:\n"
        if not fixed:
            raise Invalid(
                f"{words}user specified IP address is supported only when connecting to "
                "networks with user configured subnets",
                hint="`lamina network create --subnet 10.5.0.0/24 NAME`"
                if ":" not in wanted
                else "`lamina network create --ipv6 NAME`",
            )
        if wanted not in Pool(subnet):
            raise Invalid(
                f"{words}no configured subnet contains IP address {wanted}",
                hint=f"the network's subnet is {subnet}",
            )


def _pools(texts: Sequence[str]) -> dict[int, Pool]:
    """Read subnets, by family. Raises: Invalid."""
    found: dict[int, Pool] = {}
    for text in texts:
        try:
            pool = Pool(text)
        except (ValueError, OSError) as error:
            raise Invalid(
                f"invalid CIDR address: {text}", hint="such as 10.5.0.0/24 or fd12:3456::/64"
            ) from error
        family = _SIX if ":" in text else _FOUR
        low, high = _PREFIXES[family]
        if not low <= pool.prefix <= high:
            raise Invalid(f"invalid subnet {text}: the prefix is /{low} to /{high}")
        base, _, bits = text.partition("/")
        if pool.base != written(number(base), family_of(base)):
            raise Invalid(f"invalid subnet {text}: it should be {pool.base}/{bits}")
        if family in found:
            raise Invalid(
                f"a network has one IPv{family} subnet, not {found[family].subnet} and {text}"
            )
        found[family] = pool
    return found


def _owner(what: str, text: str, pools: Mapping[int, Pool]) -> int:
    """Tell which family's subnet an address or a range is of. Raises: Invalid."""
    address, slash, _ = text.partition("/")
    for family, pool in pools.items():
        try:
            if slash:
                inner = Pool(text)
                if pool.contains(number(inner.base)) and inner.prefix >= pool.prefix:
                    return family
            elif address in pool:
                return family
        except (ValueError, OSError) as error:
            raise Invalid(f"invalid {what}: {text}") from error
    raise Invalid(f"no matching subnet for {what} {text}")


def _free(taken: Sequence[Pool]) -> str:
    """Give the first IPv4 subnet that no network has. Raises: AlreadyExists."""
    for candidate in subnets():
        pool = Pool(candidate)
        if not any(pool.overlaps(other) for other in taken):
            return candidate
    raise AlreadyExists("all predefined address pools have been fully subnetted")
