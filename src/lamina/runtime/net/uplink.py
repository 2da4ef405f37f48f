"""The way from a network to the world.

As root: a cable to the machine's own namespace and NAT there, in an nftables table that belongs to
a running `nft`: the kernel removes the table when that process ends. As a plain user: pasta, else
slirp4netns. Without any of them the network works, but only inside.
"""

import os
import select
import time
import zlib
from contextlib import suppress

from lamina.runtime import syscalls, userns
from lamina.runtime.net.addresses import Pool
from lamina.runtime.net.namespaces import set_here, within
from lamina.runtime.net.netlink import Netlink
from lamina.runtime.net.programs import pasta, slirp, tunnel_problem
from lamina.runtime.programs import which

__all__ = ["Uplink", "has_table"]

_OUT = "up0"
_PREFIX = "lm"
_GOING_S = 10.0
_TRIES = 40
_PAUSE_S = 0.05
_PATIENCE_MS = 20_000


class Uplink:
    """One network's way out. `note` says why there is none; `mtu` 0 is the kernel's own."""

    def __init__(self, links: Netlink, namespace: int, folder: str) -> None:
        self.note = ""
        self.mtu = 0
        self.host_address = ""
        self._links = links
        self._host_links = Netlink()
        self._namespace = namespace
        self._folder = folder
        self._tag = f"{zlib.crc32(os.fsencode(folder)):08x}"
        self._rootless = userns.rootless_uid() is not None
        self._index = 0
        self._outer = 0
        self._nft: tuple[int, int] | None = None

    def route(self, pool: Pool) -> bool:
        """Take the subnet for this network on the machine; tell whether it was free."""
        if not self._rootless and not self._index:
            self._plug_in()
        if _overlaps(pool):
            return False
        if self._rootless:
            return True
        try:
            base, _, _ = pool.subnet.partition("/")
            self._host_links.add_route(self._outer, to=base, prefix=pool.prefix, via=pool.gateway)
        except FileExistsError:
            return False
        return True

    def _plug_in(self) -> None:
        """Lay the cable to the machine's namespace.

        That of a keeper which was killed is there, with its route, until the kernel has taken its
        namespace down: we wait for that.
        """
        name = _PREFIX + self._tag
        deadline = time.monotonic() + _GOING_S
        here = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            while not self._index:
                try:
                    self._index = self._links.add_veth(_OUT, peer=name, peer_namespace=here)
                except FileExistsError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)
        finally:
            os.close(here)
        self._outer = self._host_links.index(name)
        self._host_links.up(self._outer)

    def open(self, pool: Pool) -> None:
        """Let packets out."""
        if self._rootless:
            self._tunnel()
            return
        self._host_links.add_address(self._outer, pool.host, 32)
        self.host_address = pool.host
        self._links.add_route(self._index, to=pool.host, prefix=32)
        self._links.add_route(self._index, via=pool.host)
        set_here("ipv4/ip_forward", "1")
        self._translate(pool)

    def _translate(self, pool: Pool) -> None:
        """Have the machine put its own address on what goes out, and keep networks apart."""
        nft = which("nft")
        if not nft:
            self.note = "no way out: nft is not installed"
            return
        name, out = f"lamina_{self._tag}", _PREFIX + self._tag
        rules = (
            f"add table ip {name} {{ flags owner; }}",
            f"add chain ip {name} out {{ type nat hook postrouting priority 100; }}",
            f'add rule ip {name} out ip saddr {pool.subnet} oifname != "{out}" masquerade',
            f"add chain ip {name} through {{ type filter hook forward priority -1; }}",
            f'add rule ip {name} through oifname "{out}" ct state new drop',
            f'add rule ip {name} through iifname "{out}" oifname "{_PREFIX}*" drop',
            "list tables ip",
        )
        said = ""
        for _ in range(_TRIES):
            said = self._start_nft(nft, "\n".join(rules) + "\n", name)
            if not said:
                return
            time.sleep(_PAUSE_S)  # a killed keeper's table goes a moment after its process
        self.note = f"no way out: nft says {said}"

    def _start_nft(self, nft: str, text: str, name: str) -> str:
        """Start an nft that owns the rules for as long as we live; give what it complains of."""
        read_in, write_in = os.pipe()
        read_out, write_out = os.pipe()
        actions = [
            (os.POSIX_SPAWN_DUP2, read_in, 0),
            (os.POSIX_SPAWN_DUP2, write_out, 1),
            (os.POSIX_SPAWN_DUP2, write_out, 2),
        ]
        child = os.posix_spawn(nft, [nft, "-i"], os.environ, file_actions=actions)
        os.close(read_in)
        os.close(write_out)
        os.write(write_in, text.encode())
        said = b""
        ready = select.poll()
        ready.register(read_out, select.POLLIN)
        while not has_table(said, name):
            piece = os.read(read_out, 4096) if ready.poll(_PATIENCE_MS) else b""
            said += piece
            if not piece or b"Error" in said:
                os.close(write_in)  # its end
                os.close(read_out)
                os.waitpid(child, 0)
                return said.decode("utf-8", "replace").strip()[:300] or "nothing"
        self._nft = (write_in, read_out)  # open as long as the rules shall stand
        return ""

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
        if self._nft:
            write_in, read_out = self._nft
            os.close(write_in)  # it ends then, and its rules with it
            poller = select.poll()
            poller.register(read_out, select.POLLIN)
            while poller.poll(_GOING_S * 1000) and os.read(read_out, 4096):
                pass
            os.close(read_out)
            self._nft = None
        if self._outer:
            with suppress(OSError):
                self._host_links.remove(self._outer)
            self._outer = 0

    def _tunnel(self) -> None:
        """Have pasta or slirp4netns carry packets for a plain user."""
        self.note = tunnel_problem()
        if self.note:
            return
        path = self._show_namespace()
        self.note = pasta(path, "--no-map-gw") if which("pasta") else slirp(path)
        if self.note:
            return
        nft = which("nft")
        if not nft:
            self.note = "no way out: nft is not installed"
            return
        rules = (
            "add table ip lamina; "
            "add chain ip lamina out { type nat hook postrouting priority 100; }; "
            'add rule ip lamina out oifname != "br0" masquerade'
        )

        def work() -> tuple[str, tuple[int, ...]]:
            child = os.posix_spawn(nft, [nft, rules], os.environ)
            return str(os.waitpid(child, 0)[1]), ()

        if within(self._namespace, work)[0] != "0":
            self.note = "no way out: nft refuses the rules"


def has_table(said: bytes, name: str) -> bool:
    """Tell whether nft listed the table, among others perhaps; an echo of a command is no list."""
    return any(line.strip() == f"table ip {name}".encode() for line in said.splitlines())


def _overlaps(pool: Pool) -> bool:
    """Tell whether the namespace we are in has a route into the subnet, the default one aside."""
    with suppress(OSError), open("/proc/net/route", encoding="ascii") as table:
        for line in table.readlines()[1:]:
            words = line.split()
            target = int.from_bytes(bytes.fromhex(words[1]), "little")
            mask = int.from_bytes(bytes.fromhex(words[7]), "little")
            if mask and pool.meets(target, mask):
                return True
    return False
