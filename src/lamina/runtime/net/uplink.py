"""The way from a network to the world.

As root: a cable to the machine's own namespace and address translation there. As a plain user:
pasta, else slirp4netns. Without any of them the network works, but only inside.
"""

import os
import time
import zlib
from contextlib import suppress

from lamina.errors import AlreadyExists
from lamina.runtime import syscalls, userns
from lamina.runtime.net.addresses import Pool, routed
from lamina.runtime.net.firewall import PREFIX, Firewall
from lamina.runtime.net.ipv6 import forward_here, switched_off
from lamina.runtime.net.namespaces import set_here, within
from lamina.runtime.net.netlink import Netlink
from lamina.runtime.net.nftables import Rule, Table, arrives, drop, leaves, masquerade
from lamina.runtime.net.pools import Pools
from lamina.runtime.net.programs import own_children, tunnel, tunnel_problem, tunnel_program
from lamina.spec.wire import Document

__all__ = ["Uplink", "keep_apart"]

_OUT = "up0"
_GOING_S = 10.0
_INNER, _OUTER = "fe80::1", "fe80::2"
"""The two ends of a cable, as next hops of IPv6: neither asks for an owner of any other address."""


class Uplink:
    """One network's way out. `note` says what is lacking of it; `mtu` 0 is the kernel's own."""

    def __init__(self, links: Netlink, namespace: int, network: Document) -> None:
        self.note = ""
        self.mtu = 0
        self.host_address = ""
        self._network = network
        self._links = links
        self._host_links = Netlink()
        self._namespace = namespace
        self._folder = network["folder"]
        tag = f"{zlib.crc32(os.fsencode(self._folder)):08x}"
        self._name = network.get("cable") or PREFIX + tag
        self._rootless = userns.rootless_uid() is not None
        self._index = 0
        self._outer = 0
        self._firewall: Firewall | None = None
        self._table: Table | None = None
        self._program = -1
        self._path = ""

    @property
    def fd(self) -> int:
        """What becomes readable when the program behind the way out ends; -1 where there is none."""
        return self._program

    def mend(self) -> None:
        """Start that program anew: it was killed."""
        os.close(self._program)
        self._program = -1
        with suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        self.note = self._carry()

    def route(self, pool: Pool) -> bool:
        """Take the subnet for this network on the machine; tell whether it was free."""
        if not self._rootless and not self._index:
            self._plug_in()
        if routed(pool):
            return False
        if self._rootless:
            return True
        via = pool.gateway
        if ":" in pool.base:
            if problem := switched_off():
                self.note = f"{problem}: the network's IPv6 addresses lead nowhere outside of it"
                return True
            set_here(f"ipv6/conf/{self._name}/accept_ra", "0")
            self._host_links.add_address(self._outer, _OUTER, 64)
            self._links.add_address(self._index, _INNER, 64)
            via = _INNER
        try:
            self._host_links.add_route(self._outer, to=pool.base, prefix=pool.prefix, via=via)
        except FileExistsError:
            return False
        return True

    def _plug_in(self) -> None:
        """Lay the cable to the machine's namespace.

        That of a keeper which was killed is there, with its route, until the kernel has taken its
        namespace down: we wait for that.
        """
        deadline = time.monotonic() + _GOING_S
        here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            while not self._index:
                try:
                    self._index = self._links.add_veth(
                        _OUT,
                        peer=self._name,
                        peer_namespace=here,
                        mtu=self._network.get("mtu") or 0,
                    )
                except FileExistsError:
                    if time.monotonic() > deadline:
                        raise AlreadyExists(
                            f"this machine has an interface {self._name} already"
                        ) from None
                    time.sleep(0.01)
        finally:
            os.close(here)
        self._outer = self._host_links.index(self._name)
        self._host_links.up(self._outer)

    def open(self, pools: Pools, bridge: int) -> None:
        """Let packets of the network, whose bridge has the number `bridge`, out."""
        if self._rootless:
            self._tunnel()
            return
        self.host_address = pools.four.host
        for pool in pools.all:
            if ":" not in pool.base:
                self._host_links.add_address(self._outer, pool.host, 32)
                self._links.add_route(self._index, to=pool.host, prefix=32)
                self._links.add_route(self._index, via=pool.host)
            elif not switched_off():
                self._host_links.add_address(self._outer, pool.host, 128)
                self._links.add_route(self._index, to=pool.host, prefix=128, via=_OUTER)
                self._links.add_route(self._index, via=_OUTER)
                self._links.answer_for(bridge, pool.host)
                forward_here()
        set_here("ipv4/ip_forward", "1")
        self._firewall = Firewall(self._name, kind=self._network.get("firewall", ""))
        self._firewall.open(pools.all, translate=self._network.get("translate", True))
        self.note = self.note or self._firewall.note

    def _show_namespace(self) -> str:
        """Give the namespace a path, in a mount namespace of our own.

        pasta gives up the right to look into our /proc/PID/fd before it opens the path.
        """
        path = f"{self._folder}/netns"
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        syscalls.mount(f"/proc/self/fd/{self._namespace}", path, "", syscalls.MS_BIND)
        return path

    def close(self) -> None:
        """Take back what the machine sees of the network, at once: the next keeper needs the room.

        What is inside ends with us, whenever the kernel comes round to it.
        """
        with suppress(OSError):
            syscalls.umount(f"{self._folder}/netns", syscalls.MNT_DETACH)
        if self._firewall:
            self._firewall.close()
            self._firewall = None
        if self._outer:
            with suppress(OSError):
                self._host_links.remove(self._outer)
            self._outer = 0

    def _tunnel(self) -> None:
        """Have pasta or slirp4netns carry packets for a plain user."""
        wanted = self._network.get("tunnel", "")
        self.note = tunnel_problem(wanted)
        if self.note:
            return
        self._path = self._show_namespace()
        self.note = self._carry()
        if self.note:
            return
        rule = (*leaves("br0", other=True), *masquerade())
        try:
            self._table = _table_in(self._namespace, "lamina", translate=[rule])
        except OSError as error:
            self.note = f"no way out: nftables: {error.strerror or error}"

    def _carry(self) -> str:
        """Start the program that carries, whose end a descriptor tells; give what went wrong."""
        before = own_children()
        problem = tunnel(tunnel_program(self._network.get("tunnel", "")), self._path)
        for pid in sorted(own_children() - before)[-1:]:
            self._program = os.pidfd_open(pid)
        return problem


def keep_apart(namespace: int, bridge: str) -> Table:
    """Have a network pass nothing on from its bridge to its bridge, while the table is kept.

    Raises: OSError.
    """
    rule = (*arrives(bridge), *leaves(bridge), *drop())
    return _table_in(namespace, "apart", forward=[rule])


def _table_in(
    namespace: int,
    name: str,
    *,
    translate: "list[Rule] | None" = None,
    forward: "list[Rule] | None" = None,
) -> Table:
    """Make a table in another namespace."""

    def work() -> tuple[str, tuple[int, ...]]:
        table = Table(name)
        table.install(translate=translate or (), forward=forward or ())
        return "", (table.detach(),)

    _, (fd,) = within(namespace, work)
    return Table(name, fd)
