"""/etc/hosts, /etc/hostname and /etc/resolv.conf of a container: files of its own, mounted over.

They live in the container's folder, so they are never part of its writable layer.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.records import ContainerRecord
    from lamina.spec.wire import Document

__all__ = [
    "FILES",
    "base_hosts",
    "names_of",
    "needs_forwarder",
    "resolver_lines",
    "write_host_files",
]

FILES = ("hosts", "hostname", "resolv.conf")

_RESOLV, _UPSTREAM = "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"
_STUB = "127.0.0.53"

_LOCAL = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""


def write_host_files(record: "ContainerRecord", *, shared: str = "") -> "list[Document]":
    """Write the three files where missing; give the mounts that show them.

    `shared` is the folder of the container whose network this one has: names are that one's too, as with Docker.
    """
    texts = {
        "hostname": record.config["Hostname"] + "\n",
        "hosts": _hosts(record),
        "resolv.conf": _resolv(record),
    }
    targets = {mount["Destination"] for mount in record.mounts}
    mounts: list[Document] = []
    for name in FILES:
        path = f"{shared}/{name}"
        if not shared or not os.path.exists(path):
            path = f"{record.folder}/{name}"
        target = f"/etc/{name}"
        if target in targets:
            continue
        if not os.path.exists(path):
            with open(path, "w", encoding="utf-8") as file:
                file.write(texts[name])
            os.chmod(path, 0o644)
        options = ["rbind", "rprivate", "ro" if record.host.get("ReadonlyRootfs") else "rw"]
        mounts.append({"destination": target, "type": "bind", "source": path, "options": options})
    return mounts


def _hosts(record: "ContainerRecord") -> str:
    alone = record.host.get("NetworkMode") == "none"
    text = _LOCAL if alone else _read("/etc/hosts") or _LOCAL
    text = text if text.endswith("\n") else text + "\n"
    text += _extra(record).replace("host-gateway", "127.0.0.1")
    return text + f"127.0.1.1\t{names_of(record)}\n"


def base_hosts(record: "ContainerRecord") -> str:
    """Give /etc/hosts but for the container's own address, which nobody knows yet.

    The word `host-gateway` stands for the machine's address.
    """
    return _LOCAL + _extra(record)


def names_of(record: "ContainerRecord") -> str:
    """Give the names of a container's own line in /etc/hosts."""
    name = str(record.config["Hostname"])
    domain = record.config.get("Domainname")
    return f"{name}.{domain} {name}" if domain else name


def _extra(record: "ContainerRecord") -> str:
    rows = [str(row).replace("=", ":", 1) for row in record.host.get("ExtraHosts") or ()]
    pairs = [row.partition(":") for row in rows]
    # An IPv6 address may come in brackets, which /etc/hosts does not know.
    return "".join(f"{address.strip('[]')}\t{host}\n" for host, _, address in pairs)


def resolver_lines(record: "ContainerRecord", *, resolver: bool) -> str:
    """Give /etc/resolv.conf for a network of its own; with `resolver` without servers, which come first."""
    host = record.host
    machine = [line.strip() for line in _read(_RESOLV).splitlines()]
    servers = [f"nameserver {server}" for server in host.get("Dns") or _servers()[0]]
    search = [str(name) for name in host.get("DnsSearch") or ()]
    lines = [] if resolver else servers
    if search:
        lines += [] if search == ["."] else [f"search {' '.join(search)}"]
    else:
        lines += [row for row in machine if row.startswith(("search", "domain"))]
    options = [str(option) for option in host.get("DnsOptions") or ()]
    if options:
        lines.append(f"options {' '.join(options)}")
    else:
        lines += [row for row in machine if row.startswith("options")]
    return "".join(f"{line}\n" for line in lines)


def needs_forwarder(record: "ContainerRecord") -> bool:
    """Tell whether only the machine itself reaches its name servers, as they are on its loopback."""
    servers, left_out = _servers()
    return not record.host.get("Dns") and not servers and left_out


def _servers() -> tuple[list[str], bool]:
    """List the machine's name servers that a container reaches; tell whether others were left out.

    systemd-resolved, which is on the loopback, writes those that it asks into a file beside.
    """
    left_out = False
    for path in (_RESOLV, _UPSTREAM):
        rows = [line.split() for line in _read(path).splitlines()]
        found = [row[1] for row in rows if len(row) > 1 and row[0] == "nameserver"]
        reached = [server for server in found if not server.startswith("127.") and server != "::1"]
        if reached:
            return reached, left_out
        left_out = left_out or bool(found)
        if _STUB not in found:
            break
    return [], left_out


def _resolv(record: "ContainerRecord") -> str:
    host = record.host
    if any(host.get(key) for key in ("Dns", "DnsSearch", "DnsOptions")):
        return resolver_lines(record, resolver=False)
    return "" if host.get("NetworkMode") == "none" else _read(_RESOLV)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
