"""The addresses of one network: an IPv4 pool, and an IPv6 one where it was asked for."""

from lamina.errors import InUse, Unavailable
from lamina.runtime.net.addresses import Pool
from lamina.spec.wire import Document
from lamina.values import NamedTuple

__all__ = ["AddressTaken", "Place", "Pools"]


class AddressTaken(InUse):
    """Another container of the network has the address."""


class Place(NamedTuple):
    """A container's addresses on a network; `six` is empty where the network has no IPv6."""

    four: str
    six: str = ""


class Pools:
    """Who has which addresses on a network. Both pools are given and taken back together."""

    def __init__(self, network: Document) -> None:
        self._network = network
        self.four = self.fours(network["subnet"], network["gateway"])
        self.six: Pool | None = None
        if network.get("subnet6"):
            reserved = [row for row in network.get("reserved") or () if ":" in row]
            self.six = Pool(
                network["subnet6"],
                network.get("gateway6", ""),
                span=network.get("ip_range6", ""),
                reserved=reserved,
            )

    def fours(self, subnet: str, gateway: str) -> Pool:
        """Give the IPv4 pool that the network would have with this subnet."""
        own = subnet == self._network["subnet"]
        reserved = [row for row in self._network.get("reserved") or () if ":" not in row]
        span = self._network.get("ip_range", "") if own else ""
        return Pool(subnet, gateway, span=span, reserved=reserved if own else ())

    @property
    def all(self) -> tuple[Pool, ...]:
        """Every pool, IPv4 first."""
        return (self.four, self.six) if self.six else (self.four,)

    def take(self, four: str = "", six: str = "") -> Place:
        """Give free addresses, those asked for where they are. Raises: AddressTaken, Unavailable."""
        first = _taken(self.four, four, "IPv4")
        if self.six is None:
            if six:
                self.four.free(first)
                raise Unavailable("the network has no IPv6 addresses")
            return Place(first)
        try:
            return Place(first, _taken(self.six, six, "IPv6"))
        except (AddressTaken, Unavailable):
            self.four.free(first)
            raise

    def free(self, place: Place) -> None:
        """Take addresses back."""
        self.four.free(place.four)
        if self.six and place.six:
            self.six.free(place.six)

    def facts(self) -> Document:
        """Give gateways and subnets as members hear them."""
        found: Document = {
            "gateway": self.four.gateway,
            "prefix": self.four.prefix,
            "subnet": self.four.subnet,
        }
        if self.six:
            found |= {
                "gateway6": self.six.gateway,
                "prefix6": self.six.prefix,
                "subnet6": self.six.subnet,
            }
        return found


def _taken(pool: Pool, wanted: str, family: str) -> str:
    address = pool.take(wanted)
    if address:
        return address
    if wanted:
        raise AddressTaken(
            f"Address already in use: {wanted}",
            hint=f"another container has it, or it is not one of {pool.subnet}'s",
        )
    raise Unavailable(f"no available {family} addresses on this network's address pools")
