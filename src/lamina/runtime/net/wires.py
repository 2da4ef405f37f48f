"""What a shim does about its container's network: namespace, cables, files, ports."""

import os
import signal
import socket
from contextlib import suppress

from lamina.errors import Invalid, LaminaError, Unavailable
from lamina.runtime import frames, syscalls
from lamina.runtime.net import forward, keeper
from lamina.runtime.net.mending import relieve
from lamina.runtime.net.namespaces import links_of, new_namespace, within
from lamina.runtime.net.netlink import Netlink
from lamina.runtime.net.programs import forwarder, own_children, tunnel, tunnel_program
from lamina.runtime.process import StartFailed
from lamina.spec.wire import Document, decode, encode

__all__ = ["KeeperGone", "Link", "Wires"]

_PATIENCE_S = 60.0


class KeeperGone(StartFailed):
    """A network's keeper ended before it answered."""


class Link:
    """A container's place on one network; the connection is the membership."""

    def __init__(self, order: Document, sock: socket.socket, interface: str) -> None:
        self.order = order
        self.sock = sock
        self.interface = interface
        self.facts: Document = {}

    def ask(self, container: str, namespace: int, *, as_before: bool = False) -> None:
        """Ask for a cable, with the address of the last one if need be; `hear` reads the answer."""
        order = self.order
        request = {
            "op": "join", "container": container, "name": order["container_name"],
            "aliases": order["aliases"], "ip": order["ip"], "ip6": order["ip6"],
            "mac": order["mac"], "dns": order["dns"], "links": order["links"],
            "interface": self.interface,
        }  # fmt: skip
        if as_before:
            six = self.facts.get("address6", "")
            request |= {"ip": self.facts["address"], "ip6": six, "mac": self.facts["mac"]}
        self.sock.settimeout(_PATIENCE_S)
        socket.send_fds(self.sock, [encode(request) + b"\n"], [namespace])

    def is_gone(self) -> bool:
        """Tell whether the keeper hung up: it was killed, and the network with it."""
        try:
            return not self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def hear(self) -> None:
        """Read the answer. Raises: StartFailed."""
        data = b""
        try:
            while not data.endswith(b"\n"):
                piece = self.sock.recv(65536)
                if not piece:
                    raise KeeperGone(f"network {self.order['name']} went away")
                data += piece
        except ConnectionError as error:
            raise KeeperGone(f"network {self.order['name']} went away") from error
        except OSError as error:
            raise StartFailed(f"network {self.order['name']} does not answer: {error}") from error
        facts = decode(data, what="keeper's answer")
        if "error" in facts:
            words = f"failed to set up container networking: {facts['error']}"
            raise StartFailed(words, hint=str(facts.get("hint", "")))
        self.facts = facts

    def document(self) -> Document:
        """Give the endpoint as Docker's inspect shows it."""
        order, facts = self.order, self.facts
        asked = {"IPv4Address": order["ip"], "IPv6Address": order["ip6"]}
        six = facts.get("address6")
        return {
            "IPAMConfig": {key: value for key, value in asked.items() if value} or None,
            "Links": [f"{other}:{name}" for name, other in order["links"].items()] or None,
            "Aliases": list(order["aliases"]) or None,
            "MacAddress": facts["mac"],
            "NetworkID": order["id"],
            "Gateway": facts["gateway"],
            "IPAddress": facts["address"],
            "IPPrefixLen": facts["prefix"],
            "IPv6Gateway": facts["gateway6"] if six else "",
            "GlobalIPv6Address": six or "",
            "GlobalIPv6PrefixLen": facts["prefix6"] if six else 0,
            "GwPriority": order.get("gw_priority", 0),
            "DNSNames": [order["container_name"], *order["aliases"]] if order["resolver"] else None,
        }


class Wires:
    """One container's network, from before its shim has a PID namespace to its end."""

    def __init__(self, shim_request: Document) -> None:
        self.order: Document = shim_request.get("network") or {}
        self.container: str = shim_request["id"]
        self.folder: str = shim_request["folder"]
        self.run_folder: str = shim_request["run_folder"]
        self.namespace = -1
        self.ports: Document = {}
        self.carrier = 0
        self.tunnel = 0
        self._bound: list[forward.Listening] = []
        self.links: list[Link] = []
        self._problem: LaminaError | None = None
        self._netlink: Netlink | None = None
        self._main_address = ""
        self._main_address6 = ""
        self._forwarder = ""

    def begin(self) -> None:
        """Ask for the cables; keepers are started here, outside of our PID namespace."""
        links = self.order.get("links") or ()
        path = self.order.get("path")
        first = 1 if self.order.get("mode") == "tunnel" else 0  # its eth0 is the tunnel
        try:
            if path:  # may be of /proc, and ours will be another
                self.namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            for number, link in enumerate(links):
                self.links.append(Link(link, keeper.hold(link), f"eth{number + first}"))
            if links:
                self._begin_namespace()
            for joined in self.links:
                with suppress(ConnectionError):  # `hear` finds that, too
                    joined.ask(self.container, self.namespace)
        except LaminaError as error:
            self._problem = error
        except OSError as error:
            self._problem = Unavailable(f"cannot set up the container's network: {error}")

    def finish(self) -> Document:
        """Have the network ready for the first process; give what `state.json` keeps of it.

        Raises: StartFailed, Unavailable.
        """
        if self._problem:
            raise StartFailed(self._problem.message, hint=self._problem.hint) from self._problem
        mode = self.order.get("mode", "")
        if mode in ("", "host", "none"):
            return {}
        if mode == "path":
            self._show_namespace()
            return {}
        if mode == "container":
            self.namespace = self._borrowed()
        elif self.namespace < 0:
            self._begin_namespace()
        self._bound = self._bind()
        for link in self.links:
            try:
                link.hear()
            except KeeperGone:  # it was just killed, or went with the container that had it
                link.sock = keeper.hold(link.order)
                link.ask(self.container, self.namespace)
                link.hear()
            self._plug(link)
        self._lead_out()
        self._show_namespace()
        if mode == "tunnel":
            self._dig()
        self._write_files()
        self._main_address = self._main_address or "127.0.0.1" * bool(self._bound)
        self.restore()
        return self.document()

    def is_whole(self) -> bool:
        """Tell whether the processes that carry packets are there, as far as we know."""
        return bool(self.carrier or not self._bound) and bool(
            self.tunnel or self.order.get("mode") != "tunnel"
        )

    def restore(self) -> None:
        """Start the processes that are not there. Raises: StartFailed, OSError."""
        if self.order.get("mode") == "tunnel" and not self.tunnel:
            self._dig()
        if self._bound and not self.carrier:
            self.carrier = forward.serve(self._bound, self.namespace, self._main_address)

    def rejoin(self, link: Link) -> None:
        """Join a network again whose keeper was killed, at the same address if that is free.

        Raises: StartFailed, Unavailable, OSError.
        """
        if self._netlink:
            with suppress(OSError):  # ours of the old cable goes by itself, but later
                self._netlink.remove(self._netlink.index(link.interface))
        before = link.facts["address"]
        link.sock.close()
        order = link.order
        if order["subnet"] != link.facts["subnet"]:  # it had to take another
            same = {"subnet": link.facts["subnet"], "gateway": link.facts["gateway"]}
            order = {**order, **same, "ip_range": "", "reserved": []}
        link.sock = keeper.hold(order)
        link.ask(self.container, self.namespace, as_before=True)
        try:
            link.hear()
        except StartFailed:
            link.ask(self.container, self.namespace)
            link.hear()
        if self._main_address == before:
            self._main_address = self._main_address6 = ""
        self._plug(link)
        self._lead_out()
        if link.facts["address"] == before:
            return
        self._write_files()
        if self.carrier:
            os.kill(self.carrier, signal.SIGKILL)  # it connects to where we were; another comes

    def complain(self, error: Exception) -> None:
        """Leave word of what could not be mended yet where a person can find it."""
        text = getattr(error, "message", "") or str(error)
        with suppress(OSError), open(f"{self.folder}/shim.log", "a", encoding="utf-8") as file:
            file.write(f"the network cannot be restored, another attempt follows: {text}\n")

    def document(self) -> Document:
        """Give what is known of the network, for `state.json`."""
        networks = {link.order["name"]: link.document() for link in self.links}
        return {
            "Networks": networks,
            "Ports": self.ports,
            "Address": self._main_address,
            "Address6": self._main_address6,
            "Notes": [note for link in self.links if (note := link.facts.get("note"))],
        }

    def connect(self, link: Document) -> Document:
        """Join one more network, which somebody holds meanwhile. Raises: StartFailed, Invalid."""
        if self.namespace < 0 or self.order.get("mode") == "container":
            raise Invalid(
                "container sharing network namespace with another container or host cannot be connected to any other network"
            )
        taken = {known.interface for known in self.links}
        first = 1 if self.order.get("mode") == "tunnel" else 0
        names = (f"eth{number}" for number in range(first, len(taken) + 2))
        interface = next(name for name in names if name not in taken)
        joined = Link(link, frames.connect(f"{link['folder']}/s"), interface)
        try:
            joined.ask(self.container, self.namespace)
            joined.hear()
            self.links.append(joined)
            self._plug(joined)
            self._lead_out()
        except BaseException:
            joined.sock.close()
            raise
        return self.document()

    def disconnect(self, network: str) -> Document:
        """Leave a network. Raises: Invalid (it is not on it)."""
        for link in self.links:
            if link.order["id"] == network:
                self.links.remove(link)
                link.sock.close()
                self._lead_out()
                return self.document()
        raise Invalid(f"container {self.container} is not connected to the network")

    @property
    def helpers(self) -> frozenset[int]:
        """The processes that carry packets and ports; none of the container's."""
        return frozenset({self.carrier, self.tunnel} - {0})

    def close(self) -> None:
        """Take back what the machine sees of it, ports first; the rest ends with our namespaces."""
        for helper in (self.carrier, self.tunnel):
            if helper:
                with suppress(OSError):
                    os.kill(helper, signal.SIGKILL)
                    os.waitpid(helper, 0)
        for listening in self._bound:
            listening.sock.close()
        for link in self.links:
            relieve(link.sock)
        with suppress(OSError):
            syscalls.umount(f"{self.run_folder}/netns", syscalls.MNT_DETACH)

    def _begin_namespace(self) -> None:
        self.namespace, sock = new_namespace()
        self._netlink = Netlink(sock)
        self._netlink.up(self._netlink.index("lo"))

    def _borrowed(self) -> int:
        """Ask another container's shim for its namespace. Raises: StartFailed."""
        try:
            with frames.connect(self.order["socket"]) as sock:
                answer, fds = frames.request(sock, {"op": "netns"})
        except (OSError, LaminaError) as error:
            raise StartFailed("cannot join network of a non running container") from error
        if not fds:
            raise StartFailed(f"cannot join that container's network: {answer.get('error', '')}")
        return fds[0]

    def _bind(self) -> list[forward.Listening]:
        try:
            bound = forward.bind(self.order.get("ports") or [])
        except forward.PortTaken as error:
            raise self._explained(error) from error
        for row in bound:
            places = self.ports.setdefault(f"{row.inner}/{row.protocol}", [])
            places.append({"HostIp": row.address, "HostPort": str(row.port)})
        return bound

    def _explained(self, error: forward.PortTaken) -> StartFailed:
        """Say it in Docker's words, which differ when another container has the port."""
        words = error.message
        if error.in_use and self._published(error.port, error.protocol):
            shown = f"[{error.address}]" if ":" in error.address else error.address
            words = f"Bind for {shown}:{error.port} failed: port is already allocated"
        name = self.order.get("container_name", "")
        return StartFailed(
            "driver failed programming external connectivity on endpoint "
            f"{name} ({self.container}): {words}",
            hint=error.hint,
        )

    def _published(self, port: int, protocol: str) -> bool:
        """Tell whether another container says that it publishes the port."""
        above = os.path.dirname(self.folder)
        for other in os.listdir(above):
            if other == self.container:
                continue
            with suppress(OSError, LaminaError, AttributeError):
                with open(f"{above}/{other}/state.json", "rb") as file:
                    state = decode(file.read(), what="state.json")
                rows = (state.get("network") or {}).get("Ports") or {}
                known = {
                    (inner.rpartition("/")[2], place["HostPort"])
                    for inner, places in rows.items()
                    for place in places
                }
                if state.get("status") == "running" and (protocol, str(port)) in known:
                    return True
        return False

    def _plug(self, link: Link) -> None:
        """Set up our end of a cable."""
        facts = link.facts
        links = self._netlink or Netlink(links_of(self.namespace))
        self._netlink = links
        index = links.index(link.interface)
        links.up(index)
        links.add_address(index, facts["address"], facts["prefix"])
        if facts.get("address6"):
            links.add_address(index, facts["address6"], facts["prefix6"])
            self._main_address6 = self._main_address6 or facts["address6"]
        self._main_address = self._main_address or facts["address"]

    def _lead_out(self) -> None:
        """Lay the way out over the network of the highest priority, the first one among equals."""
        if self.order.get("mode") == "tunnel" or self._netlink is None:
            return
        outer = [link for link in self.links if not link.order["internal"]]
        outer.sort(key=lambda link: -int(link.order.get("gw_priority") or 0))
        for own, gateway in (("address", "gateway"), ("address6", "gateway6")):
            link = next((link for link in outer if link.facts.get(own)), None)
            if link is not None:
                index = self._netlink.index(link.interface)
                self._netlink.add_route(index, via=link.facts[gateway], instead=True)

    def _show_namespace(self) -> None:
        """Give the namespace a path, in our own mount namespace: runtimes and pasta want one."""
        path = f"{self.run_folder}/netns"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        syscalls.mount(f"/proc/self/fd/{self.namespace}", path, "", syscalls.MS_BIND)

    def _dig(self) -> None:
        """Let pasta or slirp4netns carry a plain user's packets. Raises: StartFailed."""
        path = f"{self.run_folder}/netns"
        before = own_children()
        program = tunnel_program(self.order.get("tunnel", ""))
        host = bool(self.order.get("shows_host"))
        self._forwarder = forwarder(program)
        if problem := tunnel(program, path, host=host, interface="eth0"):
            raise StartFailed(f"cannot set up the container's network: {problem}")
        self.tunnel = max(own_children() - before, default=0)
        found = within(self.namespace, _own_addresses)[0]
        self._main_address, self._main_address6 = found.split(",")

    def _write_files(self) -> None:
        """Write /etc/hosts and /etc/resolv.conf, which name what is known only now."""
        host = next((link.facts["host"] for link in self.links if link.facts["host"]), "")
        if not host and self.order.get("mode") == "tunnel":
            host = within(self.namespace, _gateway)[0]
        hosts = self.order.get("hosts")
        if hosts is not None:
            lines = hosts.replace("host-gateway", host or "host-gateway").splitlines()
            text = "".join(f"{line}\n" for line in lines if not line.startswith("host-gateway"))
            names = self.order["host_names"]
            for address in filter(None, (self._main_address, self._main_address6)):
                text += f"{address}\t{names}\n"
            self._write("hosts", text)
        resolv = self.order.get("resolv")
        if resolv is not None:
            lines = [
                f"nameserver {link.facts['gateway']}\n"
                for link in self.links
                if link.order["resolver"] or link.order["asks"]
            ][:1]
            if not lines and self.order.get("forwards"):
                lines = [f"nameserver {self._forwarder}\n"]
            self._write("resolv.conf", "".join(lines) + resolv)

    def _write(self, name: str, text: str) -> None:
        # In place: the container has the file mounted.
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(f"{self.folder}/{name}", 0o644)


def _own_addresses() -> tuple[str, tuple[int, ...]]:
    """Give the addresses that packets to the world have, IPv4 and IPv6, empty where there is none."""
    found = []
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        address = ""
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))  # nothing is sent: it only chooses a source
            address = str(probe.getsockname()[0])
        found.append(address)
    return ",".join(found), ()


def _gateway() -> tuple[str, tuple[int, ...]]:
    """Read the default route's gateway."""
    with suppress(OSError), open("/proc/net/route", encoding="utf-8") as table:
        for line in table.readlines()[1:]:
            words = line.split()
            if words[1] == "00000000":
                return socket.inet_ntoa(bytes.fromhex(words[2])[::-1]), ()
    return "", ()
