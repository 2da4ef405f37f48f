"""The same changes are the same layer, to the last byte, whichever driver the container had."""

import io
import os
import shutil
import socket
import struct
from pathlib import Path

import pytest
from tests.contracts.test_snapshotter import HIGH, LOW, Situation
from tests.images import Piece, tar
from tests.snapshot.piles import seal

from lamina.layer.changeset import LayerStats, write_layer
from lamina.layer.entry import Entry
from lamina.layer.seal import Sealer
from lamina.layer.sealed import SealedLayer
from lamina.layer.tar import read_entries
from lamina.settings import Settings
from lamina.spec.digest import Digest

pytestmark = pytest.mark.root

LATEST_NS = 1_750_000_000 * 10**9  # before every change, so that the clock makes no difference
TOP = tar(
    [
        Piece("pair/", directory=True),
        Piece("pair/one", b"of two names"),
        Piece("pair/two", hard="pair/one"),
        Piece("pair/left", b"alone"),
        Piece("usr/", directory=True),
        *(Piece(f"usr/{number}", b"x" * number) for number in range(40)),
    ]
)
# Version 2 of the attribute: a user of his own may read, group and others by the mask.
ACL = struct.pack(
    "<I" + "HHI" * 5,
    *(2, 1, 6, 0xFFFFFFFF, 2, 4, 1234, 4, 4, 0xFFFFFFFF, 16, 4, 0xFFFFFFFF, 32, 0, 0xFFFFFFFF),
)
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


def change(root: str) -> None:
    """Do about everything that a container may do to its tree."""

    def at(path: str) -> str:
        return f"{root}/{path}"

    Path(at("etc/changed")).write_bytes(b"changed again")
    Path(at("etc/kept")).unlink()
    shutil.rmtree(at("etc/replaced"))
    os.mkdir(at("etc/replaced"))
    Path(at("etc/replaced/new")).write_bytes(b"another")
    shutil.rmtree(at("becomes-folder"))
    Path(at("becomes-folder")).write_bytes(b"a file again")
    Path(at("becomes-file")).unlink()
    os.mkdir(at("becomes-file"))
    os.unlink(at("bin/link"))
    os.symlink("../owned", at("bin/link"))
    os.chmod(at("bin/solo"), 0o700)
    os.chown(at("owned"), 4321, 8765)
    os.unlink(at("pair/left"))
    os.rename(at("pair"), at("couple"))
    os.link(at("empty"), at("again"))
    os.setxattr(at("marked"), "user.second", b"value")
    os.rename(at("marked"), at("couple/marked"))
    for number in range(0, 40, 3):
        os.unlink(at(f"usr/{number}"))
    os.makedirs(at("new/below/deep"))
    for number in range(30):
        Path(at(f"new/below/{number}")).write_bytes(bytes([number]) * 1000 * number)
    os.link(at("new/below/7"), at("new/seventh"))
    Path(at("new/able")).write_bytes(b"x")
    os.setxattr(at("new/able"), "security.capability", CAPABILITY)
    os.setxattr(at("new/able"), "system.posix_acl_access", ACL)
    with open(at("new/sparse"), "wb") as file:
        file.truncate(3_000_000)
        file.seek(1_000_000)
        file.write(b"in the middle")
    os.mkfifo(at("new/pipe"))
    os.mknod(at("new/null"), 0o020666, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(at("new/sock"))
    os.rename(at("new/below/3"), at("moved"))
    os.utime(at("moved"), ns=(1, 1_234_567_890_123_456_789))


def commit(folder: Path, driver: str, tars: tuple[bytes, ...]) -> tuple[bytes, LayerStats, str]:
    """Change a container of `driver`; give its layer and what came of it, and the sealed file."""
    settings = Settings(str(folder / "root"), str(folder / "run"), "", storage_driver=driver)
    place = Situation(settings)
    assert place.snapshotter.name == driver
    pile = seal(place.layers, *tars)
    stack = place.snapshotter.prepare("box", pile)
    with place.mounted(stack, "box") as root:
        change(root)
    parts: list[bytes] = []
    path = str(folder / "layer")
    known: list[Entry] = []
    with (
        place.layers.opened(pile) as parents,
        place.snapshotter.changed("box") as changed,
        Sealer(path) as sealer,
    ):

        def take(data: bytes) -> None:
            sealer.add(known)
            sealer.append(data)
            parts.append(data)
            known.clear()

        stats = write_layer(
            changed.path, parents, take, marks=changed.marks, clamp_ns=LATEST_NS, known=known
        )
        data = b"".join(parts)
        sealer.finish(Digest.of(data), lambda: parents)
    return data, stats, path


def entries(data: bytes) -> dict[bytes, Entry]:
    return {entry.path: entry._replace(offset=0) for entry in read_entries(io.BytesIO(data))}


def test_every_driver_gives_the_same_bytes(tmp_path):
    found = {}
    for driver in ("sealed", "unpacked", "copied"):
        (tmp_path / driver).mkdir()
        found[driver] = commit(tmp_path / driver, driver, (LOW, HIGH, TOP))
    data, stats, path = found["sealed"]
    assert stats.notes == ("left out 'new/sock': a socket",)
    for driver in ("unpacked", "copied"):
        assert found[driver][1] == stats
        assert entries(found[driver][0]) == entries(data)
        assert found[driver][0] == data
        assert Path(found[driver][2]).read_bytes() == Path(path).read_bytes()
    with SealedLayer.open(path) as layer:
        able = layer.lookup(b"new/able")
        assert able is not None
        assert dict(able.xattrs) == {
            "security.capability": CAPABILITY, "system.posix_acl_access": ACL,
        }  # fmt: skip
