"""/etc/hosts, /etc/hostname and /etc/resolv.conf of a container: files of its own, mounted over.

They live in the container's folder, so they are never part of its writable layer.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.records import ContainerRecord
    from lamina.spec.wire import Document

__all__ = ["FILES", "base_hosts", "names_of", "resolver_lines", "write_host_files"]

FILES = ("hosts", "hostname", "resolv.conf")

_LOCAL = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""


def write_host_files(record: "ContainerRecord") -> "list[Document]":
    """Write the three files where missing; give the mounts that show them."""
    texts = {
        "hostname": record.config["Hostname"] + "\n",
        "hosts": _hosts(record),
        "resolv.conf": _resolv(record),
    }
    targets = {mount["Destination"] for mount in record.mounts}
    mounts: list[Document] = []
    for name in FILES:
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
    return "".join(f"{address}\t{host}\n" for host, _, address in pairs)


def resolver_lines(record: "ContainerRecord", *, resolver: bool) -> str:
    """Give /etc/resolv.conf; with `resolver` without servers, as the network's own comes first."""
    host = record.host
    machine = [line.strip() for line in _read("/etc/resolv.conf").splitlines()]
    servers = [f"nameserver {server}" for server in host.get("Dns") or ()]
    servers = servers or [row for row in machine if row.startswith("nameserver")]
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


def _resolv(record: "ContainerRecord") -> str:
    host = record.host
    if any(host.get(key) for key in ("Dns", "DnsSearch", "DnsOptions")):
        return resolver_lines(record, resolver=False)
    return "" if host.get("NetworkMode") == "none" else _read("/etc/resolv.conf")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
