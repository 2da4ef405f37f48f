"""What a shim does about its container's network: namespace, cables, files, ports."""

import os
import socket
from contextlib import suppress

from lamina.errors import Invalid, LaminaError, Unavailable
from lamina.runtime import frames, syscalls
from lamina.runtime.net import forward, keeper
from lamina.runtime.net.namespaces import links_of, new_namespace, within
from lamina.runtime.net.netlink import Netlink
from lamina.runtime.net.programs import forwarder, tunnel, tunnel_program
from lamina.runtime.process import StartFailed
from lamina.spec.wire import Document, decode, encode

__all__ = ["Wires"]

_PATIENCE_S = 60.0


class _Link:
    """A container's place on one network; the connection is the membership."""

    def __init__(self, order: Document, sock: socket.socket, interface: str) -> None:
        self.order = order
        self.sock = sock
        self.interface = interface
        self.facts: Document = {}

    def ask(self, container: str, namespace: int) -> None:
        """Ask for a cable; the answer is read later."""
        order = self.order
        request = {
            "op": "join", "container": container, "name": order["container_name"],
            "aliases": order["aliases"], "ip": order["ip"], "ip6": order["ip6"],
            "mac": order["mac"], "dns": order["dns"], "links": order["links"],
            "interface": self.interface,
        }  # fmt: skip
        self.sock.settimeout(_PATIENCE_S)
        socket.send_fds(self.sock, [encode(request) + b"\n"], [namespace])

    def hear(self) -> None:
        """Read the answer. Raises: StartFailed."""
        data = b""
        try:
            while not data.endswith(b"\n"):
                piece = self.sock.recv(65536)
                if not piece:
                    raise StartFailed(f"network {self.order['name']} went away")
                data += piece
        except OSError as error:
            raise StartFailed(f"network {self.order['name']} does not answer: {error}") from error
        self.facts = decode(data, what="keeper's answer")
        if "error" in self.facts:
            words = f"failed to set up container networking: {self.facts['error']}"
            raise StartFailed(words, hint=str(self.facts.get("hint", "")))

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
        self._links: list[_Link] = []
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
                self._links.append(_Link(link, keeper.hold(link), f"eth{number + first}"))
            if links:
                self._begin_namespace()
            for joined in self._links:
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
        bound = self._bind()
        for link in self._links:
            link.hear()
            self._plug(link)
        self._show_namespace()
        if mode == "tunnel":
            self._tunnel()
        self._write_files()
        if bound:
            self._main_address = self._main_address or "127.0.0.1"
            forward.serve(bound, self.namespace, self._main_address)
        return self.document()

    def document(self) -> Document:
        """Give what is known of the network, for `state.json`."""
        networks = {link.order["name"]: link.document() for link in self._links}
        return {
            "Networks": networks,
            "Ports": self.ports,
            "Address": self._main_address,
            "Address6": self._main_address6,
            "Notes": [note for link in self._links if (note := link.facts.get("note"))],
        }

    def connect(self, link: Document) -> Document:
        """Join one more network, which somebody holds meanwhile. Raises: StartFailed, Invalid."""
        if self.namespace < 0 or self.order.get("mode") == "container":
            raise Invalid(
                "container sharing network namespace with another container or host cannot be connected to any other network"
            )
        taken = {known.interface for known in self._links}
        first = 1 if self.order.get("mode") == "tunnel" else 0
        names = (f"eth{number}" for number in range(first, len(taken) + 2))
        interface = next(name for name in names if name not in taken)
        joined = _Link(link, frames.connect(f"{link['folder']}/s"), interface)
        try:
            joined.ask(self.container, self.namespace)
            joined.hear()
            self._links.append(joined)
            self._plug(joined)
        except BaseException:
            joined.sock.close()
            raise
        return self.document()

    def disconnect(self, network: str) -> Document:
        """Leave a network. Raises: Invalid (it is not on it)."""
        for link in self._links:
            if link.order["id"] == network:
                self._links.remove(link)
                link.sock.close()
                return self.document()
        raise Invalid(f"container {self.container} is not connected to the network")

    def close(self) -> None:
        """Take back what the run folder shows; the rest ends with us."""
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

    def _plug(self, link: _Link) -> None:
        """Set up our end of a cable."""
        facts = link.facts
        links = self._netlink or Netlink(links_of(self.namespace))
        self._netlink = links
        index = links.index(link.interface)
        links.up(index)
        places = [(facts["address"], facts["prefix"], facts["gateway"])]
        if facts.get("address6"):
            places.append((facts["address6"], facts["prefix6"], facts["gateway6"]))
            self._main_address6 = self._main_address6 or facts["address6"]
        for address, prefix, gateway in places:
            links.add_address(index, address, prefix)
            if not link.order["internal"] and self.order.get("mode") != "tunnel":
                with suppress(FileExistsError):  # the first network leads out
                    links.add_route(index, via=gateway)
        self._main_address = self._main_address or facts["address"]

    def _show_namespace(self) -> None:
        """Give the namespace a path, in our own mount namespace: runtimes and pasta want one."""
        path = f"{self.run_folder}/netns"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        syscalls.mount(f"/proc/self/fd/{self.namespace}", path, "", syscalls.MS_BIND)

    def _tunnel(self) -> None:
        """Let pasta or slirp4netns carry a plain user's packets. Raises: StartFailed."""
        path = f"{self.run_folder}/netns"
        program = tunnel_program(self.order.get("tunnel", ""))
        host = bool(self.order.get("shows_host"))
        self._forwarder = forwarder(program)
        if problem := tunnel(program, path, host=host, interface="eth0"):
            raise StartFailed(f"cannot set up the container's network: {problem}")
        found = within(self.namespace, _own_addresses)[0]
        self._main_address, self._main_address6 = found.split(",")

    def _write_files(self) -> None:
        """Write /etc/hosts and /etc/resolv.conf, which name what is known only now."""
        host = next((link.facts["host"] for link in self._links if link.facts["host"]), "")
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
                for link in self._links
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
    with suppress(OSError), open("/proc/net/route", encoding="ascii") as table:
        for line in table.readlines()[1:]:
            words = line.split()
            if words[1] == "00000000":
                return socket.inet_ntoa(bytes.fromhex(words[2])[::-1]), ()
    return "", ()
