"""Images with something in them, pushed as a client pushes, and a hub's explorer run by hand."""

import gzip
import time
from collections.abc import Callable, Sequence

from tests.hub.clients import CONFIG, LAYER, MANIFEST, Client, digest, document
from tests.layer.trees import tar_of

from lamina.hub import Hub
from lamina.hub.database import Connection
from lamina.hub.exploring.explorer import Explorer
from lamina.hub.tables import explorations, manifests
from lamina.hub.tables.explorations import Exploration
from lamina.layer.entry import Entry, Kind

__all__ = [
    "BOTTOM",
    "HOSTILE",
    "KEY",
    "STATUS",
    "TOP",
    "explore",
    "explorer",
    "file",
    "folder",
    "gone",
    "known",
    "perhaps_known",
    "push",
]

KEY = b"-----BEGIN RSA PRIVATE KEY-----\nMIIEabcdefghijklmnop\n"
STATUS = b"Package: hello\nStatus: install ok installed\nVersion: %s\nArchitecture: amd64\n\n"
HOSTILE = b"<img src=x onerror=alert(1)>\xff\n\x1b[31m"
"""A name that wants to be markup, a terminal's order, and is not UTF-8."""


def file(path: bytes, body: bytes = b"", mode: int = 0o644) -> tuple[Entry, bytes]:
    return Entry(path, Kind.FILE, mode, 0, 0, len(body), 0), body


def folder(path: bytes) -> Entry:
    return Entry(path, Kind.DIRECTORY, 0o755, 0, 0, 0, 0)


def gone(path: bytes) -> tuple[Entry, bytes]:
    head, _, name = path.rpartition(b"/")
    return file((head + b"/" if head else b"") + b".wh." + name)


BOTTOM = tar_of(
    [
        folder(b"etc"), file(b"etc/os-release", b"ID=debian\n"), file(b"etc/" + HOSTILE, b"h"),
        folder(b"var"), folder(b"var/lib"), folder(b"var/lib/dpkg"), folder(b"var/lib/dpkg/info"),
        file(b"var/lib/dpkg/status", STATUS % b"1.0"),
        file(b"var/lib/dpkg/info/hello.list", b"/usr/bin/hello\n"),
        folder(b"usr"), folder(b"usr/bin"), file(b"usr/bin/hello", b"#!hello 1\n" * 50, 0o755),
        folder(b"srv"), file(b"srv/id_rsa", KEY), file(b"srv/large", bytes(range(256)) * 400),
    ]
)  # fmt: skip
TOP = tar_of(
    [
        folder(b"etc"), folder(b"srv"), gone(b"srv/id_rsa"), gone(b"srv/large"),
        folder(b"usr"), folder(b"usr/bin"), file(b"usr/bin/hello", b"#!hello 2\n" * 50, 0o755),
        folder(b"var"), folder(b"var/lib"), folder(b"var/lib/dpkg"),
        file(b"var/lib/dpkg/status", STATUS % b"2.0"),
        folder(b"opt"), file(b"opt/notes.txt", b"new\n"),
    ]
)  # fmt: skip


def push(
    client: Client,
    repository: str,
    tag: str,
    layers: Sequence[bytes],
    *,
    env: Sequence[str] = ("PATH=/bin",),
    command: Sequence[str] = (),
    comment: str = "",
    pack: Callable[[bytes], bytes] = lambda data: gzip.compress(data, 1, mtime=0),
    architecture: str = "amd64",
) -> str:
    """Push an image of these tars; give its manifest's digest. A `comment` is all that is told of the lowest."""
    history = [{"created_by": f"RUN step {number}"} for number in range(len(layers))]
    if comment:
        history[0] = {"comment": comment}
    config = document(
        {
            "os": "linux",
            "architecture": architecture,
            "config": {"Env": list(env), **({"Cmd": list(command)} if command else {})},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
            "history": history,
        }
    )
    client.push_blob(repository, config)
    rows = []
    for layer in layers:
        packed = pack(layer)
        client.push_blob(repository, packed)
        rows.append({"mediaType": LAYER, "digest": digest(packed), "size": len(packed)})
    raw = document(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest(config), "size": len(config)},
            "layers": rows,
        }
    )
    answer = client.put_manifest(repository, tag or digest(raw), raw)
    assert answer.status == 201, answer
    return digest(raw)


def explorer(hub: Hub, *, limit: int = 10**9, clock: Callable[[], float] = time.time) -> Explorer:
    """An explorer of the hub's places that works when it is told to."""
    services = hub.services
    return Explorer(services.database, services.storage, clock=clock, root=hub.root, limit=limit)


def explore(hub: Hub, *, limit: int = 10**9) -> int:
    """Look into all that waits."""
    return explorer(hub, limit=limit).look_at_due()


def known(hub: Hub, repository: str, reference: str) -> Exploration:
    """What the hub knows of an image that somebody looked at."""
    found = perhaps_known(hub, repository, reference)
    assert found is not None, "nobody looked"
    return found


def perhaps_known(hub: Hub, repository: str, reference: str) -> Exploration | None:
    """The same, or None where nobody looked."""

    def work(connection: Connection) -> Exploration | None:
        row = connection.execute(
            "SELECT id FROM repositories WHERE name = ?", (repository,)
        ).fetchone()
        return explorations.find(connection, manifests.get(connection, row[0], reference).id)

    return hub.services.database.read(work)
