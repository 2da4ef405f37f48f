"""/etc/hosts, /etc/hostname and /etc/resolv.conf of a container: files of its own, mounted over.

They live in the container's folder, so they are never part of its writable layer.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.records import ContainerRecord
    from lamina.spec.wire import Document

__all__ = ["FILES", "write_host_files"]

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
    name = record.config["Hostname"]
    if record.config.get("Domainname"):
        name = f"{name}.{record.config['Domainname']} {name}"
    text = text if text.endswith("\n") else text + "\n"
    for row in record.host.get("ExtraHosts") or ():
        host, _, address = row.partition(":")
        text += f"{'127.0.0.1' if address == 'host-gateway' else address}\t{host}\n"
    return text + f"127.0.1.1\t{name}\n"


def _resolv(record: "ContainerRecord") -> str:
    servers = record.host.get("Dns") or ()
    if servers:
        return "".join(f"nameserver {server}\n" for server in servers)
    return "" if record.host.get("NetworkMode") == "none" else _read("/etc/resolv.conf")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
