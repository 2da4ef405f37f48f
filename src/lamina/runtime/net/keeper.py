"""The keeper: one small process per network in use, which owns all that the network is.

A network is a network namespace with a bridge in it, a way out, and a resolver for its names. The
keeper is a fork of the first shim that needs the network. Each member's shim holds a connection to
it, so the kernel counts: when the last shim is gone, however it went, the keeper ends, and when the
keeper is gone, however it went, so are the namespace, the bridge, every cable and the rules of the
way out. Only the keeper's memory has all that; where one is killed, members start another (`mending`).

Protocol: a line of JSON each way. `join` brings the container's namespace as a descriptor; the
connection it came on is the membership. `hold` keeps the network alive without being a member;
`end` comes from a shim that goes and takes the keeper, its child, along: the others start the next.
"""

import fcntl
import os
import select
import signal
import socket
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress

from lamina.errors import AlreadyExists, Invalid, LaminaError, Unavailable
from lamina.runtime import frames, syscalls
from lamina.runtime.net.addresses import candidates
from lamina.runtime.net.ipv6 import ipv6_problem
from lamina.runtime.net.namespaces import datagrams, new_namespace, switch
from lamina.runtime.net.netlink import Netlink
from lamina.runtime.net.pools import Place, Pools
from lamina.runtime.net.resolver import DNS_PORT, Resolver
from lamina.runtime.net.uplink import Uplink, keep_apart
from lamina.runtime.split import retitle
from lamina.spec.wire import Document, decode, encode
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.runtime.net.nftables import Table

__all__ = ["Keeper", "hold", "members", "sweep", "tell", "user_namespace"]

_LINE = 64 << 10
_PATIENCE_S = 30.0
_BRIDGE = "br0"
_TICK_MS = 20


class _Member(NamedTuple):
    """A container on the network; `cable` is our end of its cable, `links` names it has for others."""

    sock: socket.socket
    container: str
    names: tuple[str, ...]
    place: Place
    mac: str
    cable: int
    dns: tuple[str, ...]
    links: Mapping[str, str]


def hold(network: Document) -> socket.socket:
    """Keep `network` up for as long as the connection given is open; start its keeper if needed.

    Call it with a single thread, from the machine's PID namespace: the keeper is a fork.
    Raises: Unavailable (the machine refuses namespaces).
    """
    folder = network["folder"]
    while True:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        try:
            lock = os.open(f"{folder}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # a keeper ended and took the folder with it
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _same(lock, f"{folder}/lock"):
                continue
            return _connected(folder) or _fork(network)
        finally:
            os.close(lock)


def _sweep(folder: str) -> None:
    """Remove a network's folder, whose lock is ours; its lock last: from then on another may come."""
    for name in os.listdir(folder):
        if name != "lock":
            os.unlink(f"{folder}/{name}")
    os.unlink(f"{folder}/lock")
    with suppress(OSError):  # somebody came, and the folder is theirs now
        os.rmdir(folder)


def sweep(above: str) -> None:
    """Remove what killed keepers left of networks whose folders are in `above`."""
    with suppress(FileNotFoundError):
        for name in os.listdir(above):
            folder = f"{above}/{name}"
            with suppress(OSError):
                lock = os.open(f"{folder}/lock", os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if _same(lock, f"{folder}/lock") and not _answers(folder):
                        _sweep(folder)
                finally:
                    os.close(lock)


def _answers(folder: str) -> bool:
    try:
        frames.connect(f"{folder}/s").close()
    except OSError:
        return False
    return True


def _same(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _connected(folder: str) -> socket.socket | None:
    try:
        sock = frames.connect(f"{folder}/s")
    except OSError:
        return None
    try:
        sock.settimeout(_PATIENCE_S)
        frames.request(sock, {"op": "hold"})
    except (Unavailable, OSError):  # it was just ending
        sock.close()
        return None
    return sock


def tell(folder: str, document: Document) -> Document:
    """Ask one thing of a keeper; an empty answer where the network is not up."""
    try:
        sock = frames.connect(f"{folder}/s")
    except OSError:
        return {}
    with sock:
        sock.settimeout(_PATIENCE_S)
        try:
            return frames.request(sock, document)[0]
        except (Unavailable, OSError):
            return {}


def members(folder: str) -> tuple[Document, ...]:
    """List the running containers on a network: `container`, `name`, `address`, `mac`."""
    return tuple(tell(folder, {"op": "members"}).get("members", ()))


def user_namespace(path: str) -> int:
    """Ask a keeper, or a shim, at `path` for its user namespace; -1 where nobody answers."""
    try:
        with frames.connect(path) as sock:
            sock.settimeout(_PATIENCE_S)
            _, fds = frames.request(sock, {"op": "userns"})
    except (OSError, LaminaError):
        return -1
    return fds[0] if fds else -1


def _fork(network: Document) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ready, write = os.pipe()
    child = os.fork()
    if child:
        theirs.close()
        os.close(write)
        os.waitpid(child, 0)
        with os.fdopen(ready, "rb") as stream:
            word = stream.read().decode("utf-8", "replace")
        if word == "ready":
            return ours
        ours.close()
        raise Unavailable(f"cannot bring up network {network['name']}: {word or 'it died'}")
    try:
        _become_keeper(network, theirs, write)
    finally:
        os._exit(1)


def _become_keeper(network: Document, first: socket.socket, write: int) -> None:
    try:
        os.setsid()
        # In a PID namespace of its own its helpers end with it, also by SIGKILL.
        syscalls.unshare(syscalls.CLONE_NEWPID)
        if os.fork():
            return
        _let_go({first.fileno(), write})
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        syscalls.name_process("lamina-net")
        retitle("lamina-net", network["name"])  # a command's words may hold secrets
        keeper = Keeper(network, first)
    except OSError as error:
        os.write(write, str(error).encode())
        return
    os.write(write, b"ready")
    os.close(write)
    try:
        keeper.run()
    except BaseException:
        import traceback

        with suppress(OSError), open(f"{network['folder']}/log", "a", encoding="utf-8") as file:
            traceback.print_exc(file=file)
        raise


def _let_go(kept: set[int]) -> None:
    """Close what the shim had open; its locks and sockets are not ours to hold."""
    for word in os.listdir("/proc/self/fd"):
        if int(word) > 2 and int(word) not in kept:  # noqa: PLR2004
            with suppress(OSError):
                os.close(int(word))
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.chdir("/")


def _overlapping(subnet: str) -> AlreadyExists:
    return AlreadyExists(
        f"Pool overlaps with other one on this address space: {subnet}",
        hint="another network of this machine uses the subnet; `lamina network rm` one",
    )


def _mac_of(address: str) -> str:
    return "02:42:" + socket.inet_aton(address).hex(":")


class Keeper:
    """The loop of one network; it stays in the machine's namespace and holds the network's."""

    def __init__(self, network: Document, first: socket.socket) -> None:
        self.network = network
        self.members: dict[int, _Member] = {}
        self._holds: dict[int, socket.socket] = {first.fileno(): first}
        self._poll = select.poll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._namespace, links = new_namespace()
        self._links = Netlink(links)
        self._failure: LaminaError | None = None
        self._pools = Pools(network)
        self._bridge = 0
        self._uplink: Uplink | None = None
        self._apart: Table | None = None
        self._ending = False
        self._listener = frames.listen(f"{network['folder']}/s")
        self._watch(self._listener.fileno(), self._accept)
        self._watch(first.fileno(), lambda: self._serve(first))

    def run(self) -> None:
        """Bring the network up, then serve it until nobody is left."""
        try:
            self._open()
        except LaminaError as error:
            self._failure = error
        except OSError as error:
            self._failure = Unavailable(f"cannot bring up network {self.network['name']}: {error}")
        while True:
            wanted = (self.members or self._holds) and not self._ending
            for fd, _ in self._poll.poll(None if wanted else _TICK_MS):
                if reader := self._readers.get(fd):
                    reader()
            alone = not self.members and not self._holds
            if (alone or self._ending) and self._may_end():
                return

    def _open(self) -> None:
        network, pools = self.network, self._pools
        self._links.up(self._links.index("lo"))
        self._bridge = self._links.add_bridge(_BRIDGE, mtu=network.get("mtu") or 0)
        # The machine's own address is one of the subnet's: asked for it, the bridge answers.
        switches = [("ipv4/ip_forward", "1"), (f"ipv4/conf/{_BRIDGE}/proxy_arp", "1")]
        if pools.six:
            if problem := ipv6_problem():
                raise Unavailable(f"network {network['name']} needs IPv6: {problem}")
            switches += [("ipv6/conf/all/forwarding", "1"), (f"ipv6/conf/{_BRIDGE}/proxy_ndp", "1")]
            switches.append((f"ipv6/neigh/{_BRIDGE}/proxy_delay", "0"))
        switch(self._namespace, *switches)
        if not network["internal"]:
            self._uplink = Uplink(self._links, self._namespace, network)
        self._take_subnets()
        # Left alone, a bridge takes the lowest address of what is plugged in: with each newcomer it might
        # change, and members would talk to the old one for as long as they remember it.
        self._links.set_mac(self._bridge, _mac_of(pools.four.gateway))
        for pool in pools.all:
            self._links.add_address(self._bridge, pool.gateway, pool.prefix)
        if self._uplink is not None:
            self._uplink.open(pools, self._bridge)
            self._look_after(self._uplink)
        if not network.get("icc", True):
            self._apart = keep_apart(self._namespace, _BRIDGE)
        self._serve_names()

    def _take_subnets(self) -> None:
        """Settle which subnets the network has. Raises: AlreadyExists."""
        pools, uplink = self._pools, self._uplink
        for subnet, gateway in candidates(self.network):
            pools.four = pools.fours(subnet, gateway)
            if uplink is None or uplink.route(pools.four):
                break
        else:
            raise _overlapping(self.network["subnet"])
        if pools.six and uplink and not uplink.route(pools.six):
            raise _overlapping(pools.six.subnet)

    def _serve_names(self) -> None:
        """Answer for the network's names, for the machine's servers where containers cannot."""
        inner = datagrams(self._namespace, (self._pools.four.gateway, DNS_PORT))
        resolver = Resolver(self, inner, outside=not self.network["internal"])
        for fd, reader in resolver.readers().items():
            self._watch(fd, reader)

    def _look_after(self, uplink: Uplink) -> None:
        """Watch the program that carries what leaves, if there is one; replace it when it ends."""
        if uplink.fd < 0:
            return

        def mend() -> None:
            fd = uplink.fd
            self._poll.unregister(fd)
            del self._readers[fd]
            uplink.mend()
            self._look_after(uplink)

        self._watch(uplink.fd, mend)

    def _watch(self, fd: int, reader: Callable[[], None]) -> None:
        self._readers[fd] = reader
        self._poll.register(fd, select.POLLIN)

    def _may_end(self) -> bool:
        """Tell whether nobody is just coming: whoever comes has the lock."""
        folder = self.network["folder"]
        try:
            lock = os.open(f"{folder}/lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:  # the run folder was swept away
            return True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._uplink:
                self._uplink.close()
            if stat.S_ISSOCK(os.stat(f"{folder}/s").st_mode):
                _sweep(folder)
        except BlockingIOError:
            return False
        except (OSError, LaminaError):
            return True
        return True

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            sock, _ = self._listener.accept()
            sock.settimeout(_PATIENCE_S)
            self._watch(sock.fileno(), lambda: self._serve(sock))

    def _serve(self, sock: socket.socket) -> None:
        fds: list[int] = []
        try:
            data, fds, _, _ = socket.recv_fds(sock, _LINE, 1)
            if not data:
                self._drop(sock)
                return
            request = decode(data, what="request")
            if request.get("op") == "userns":
                self._hand_over(sock)
                return
            answer = self._answer(request, sock, fds)
        except LaminaError as error:
            answer = {"error": error.message, "hint": error.hint, "kind": type(error).__name__}
        except OSError as error:
            answer = {"error": str(error), "hint": "", "kind": "OSError"}
        finally:
            for fd in fds:
                os.close(fd)
        try:
            sock.sendall(encode(answer) + b"\n")
        except OSError:
            self._drop(sock)

    def _hand_over(self, sock: socket.socket) -> None:
        """Give the user namespace that the network belongs to: members must be in it."""
        fd = os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            socket.send_fds(sock, [b"{}\n"], [fd])
        finally:
            os.close(fd)

    def _drop(self, sock: socket.socket) -> None:
        fd = sock.fileno()
        self._holds.pop(fd, None)
        member = self.members.pop(fd, None)
        if member:
            self._pools.free(member.place)
            with suppress(OSError):  # gone with the container's namespace
                self._links.remove(member.cable)
        self._poll.unregister(fd)
        del self._readers[fd]
        sock.close()

    def _answer(self, request: Document, sock: socket.socket, fds: list[int]) -> Document:
        op = request.get("op")
        if op == "hold":
            self._holds[sock.fileno()] = sock
            return {}
        if op == "end":
            self._ending = True
            return {}
        if op == "join":
            return self._join(request, sock, fds[0])
        if op == "rename":
            for fd, member in self.members.items():
                if member.container == request["container"]:
                    names = (request["name"], *member.names[1:])
                    self.members[fd] = member._replace(names=names)
            return {}
        if op == "members":
            rows = [
                {
                    "container": m.container,
                    "name": m.names[0],
                    "address": m.place.four,
                    "address6": m.place.six,
                    "mac": m.mac,
                }
                for m in self.members.values()
            ]
            return {"members": rows, **self._facts()}
        raise Invalid(f"unknown operation {op!r}")

    def _facts(self) -> Document:
        uplink = self._uplink
        return {
            **self._pools.facts(),
            "host": uplink.host_address if uplink else "",
            "note": uplink.note if uplink else "",
        }

    def _join(self, request: Document, sock: socket.socket, namespace: int) -> Document:
        if self._failure:
            raise self._failure
        place = self._pools.take(str(request.get("ip") or ""), str(request.get("ip6") or ""))
        mac = str(request.get("mac") or "") or _mac_of(place.four)
        try:
            index = self._links.add_veth(
                f"v{sock.fileno()}-{request['container'][:8]}",
                peer=request["interface"],
                peer_namespace=namespace,
                mac=mac,
                master=self._bridge,
                mtu=self.network.get("mtu") or (self._uplink.mtu if self._uplink else 0),
            )
            if not self.network.get("icc", True):
                self._links.isolate(index)
        except OSError:
            self._pools.free(place)
            raise
        names = (str(request["name"]), request["container"][:12], *request.get("aliases", ()))
        self.members[sock.fileno()] = _Member(
            sock, request["container"], names, place, mac, index,
            tuple(request.get("dns", ())), request.get("links") or {},
        )  # fmt: skip
        return {"address": place.four, "address6": place.six, "mac": mac, **self._facts()}

    def lookup(self, name: str, asker: str = "") -> tuple[str, ...]:
        """Give the addresses, IPv6 ones too, of the containers called `name`, in the order they came.

        The container with the address `asker` may have a name of its own for another.
        """
        if not self.network["resolver"]:
            return ()
        bare = name.removesuffix(f".{self.network['name'].lower()}")
        linked = next((m.links for m in self.members.values() if m.place.four == asker), {})
        wanted = {name, bare, linked.get(bare, bare)}
        return tuple(
            address
            for member in self.members.values()
            if any(known.lower() in wanted for known in member.names)
            for address in member.place
            if address
        )

    def called(self, address: str) -> str:
        """Give the name of the container with `address`, or nothing."""
        for member in self.members.values():
            if address in member.place and self.network["resolver"]:
                return f"{member.names[0]}.{self.network['name']}"
        return ""

    def servers(self, address: str) -> tuple[str, ...]:
        """Give the name servers that the container with `address` asked for itself."""
        return next((m.dns for m in self.members.values() if address in m.place), ())
