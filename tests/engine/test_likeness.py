"""Modes, owners, times and attributes of unpacked files are compared, as far as they can be there."""

import io
import os
from pathlib import Path

import pytest
from tests.archives import archive
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.engine.likeness import Likeness
from lamina.layer.apply import unpack
from lamina.layer.sealed import SealedLayer

CAPABILITY = "\x01\x00\x00\x02\x00\x20\x00\x00" + "\x00" * 12
PIECES = (
    Piece("plain", b"x"),
    Piece("owned", b"x", mode=0o4750, uid=1234, gid=5678),
    Piece("link", link="plain", uid=1234),
    Piece("folder", directory=True, mode=0o1777, uid=7),
    Piece("folder/.wh..wh..opq"),
    Piece("other", directory=True),
    Piece("other/.wh.gone"),
    Piece("labelled", b"x", xattrs=(("user.origin", "here"),)),
    Piece("capable", b"x", xattrs=(("security.capability", CAPABILITY), ("trusted.t", "x"))),
    Piece("ancient", b"x", mtime=-(2**33)),
    Piece("old", b"x", mtime=-1.25),
)


@pytest.fixture
def layer(engine: Engine):
    engine.images.load(io.BytesIO(archive("odd:1", layers=(tar(PIECES),), steps=[{}])))
    with engine.layers.open(engine.images.resolve("odd:1").config.diff_ids) as opened:
        yield opened


@pytest.fixture
def folder(layer: SealedLayer, tmp_path: Path) -> Path:
    """The layer as it is unpacked where files can have no owners but us."""
    place = tmp_path / "unpacked"
    place.mkdir()
    unpack(layer, str(place), privileged=False, owners=False, xattr_prefix="user")
    return place


def differences(layer: SealedLayer, folder: Path) -> dict[str, str]:
    found = {}
    with Likeness(str(folder), rootless=True, marked=True) as likeness:
        for path, node in walk(layer):
            if what := likeness.difference(path, node):
                found[path.decode()] = what
    return found


def walk(layer: SealedLayer):
    pending = [(b"", layer.root)]
    while pending:
        prefix, folder = pending.pop()
        for name, node in layer.listdir(folder):
            path = os.path.join(prefix, name)
            yield path, node
            if node.kind.value == "directory":
                pending.append((path, node))


def test_what_cannot_be_here_is_no_difference(layer: SealedLayer, folder: Path):
    assert len(list(walk(layer))) == len(PIECES) - 1
    assert differences(layer, folder) == {}


def test_each_difference_is_named(layer: SealedLayer, folder: Path):
    os.utime(folder / "plain", ns=(1, 1))
    (folder / "owned").chmod(0o750)
    os.setxattr(folder / "labelled", "user.origin", b"there")
    os.setxattr(folder / "capable", "user.more", b"x")
    os.removexattr(folder / "folder", "user.overlay.opaque")
    (folder / "other/gone").unlink()
    (folder / "other/gone").touch()
    (folder / "old").unlink()
    (folder / "link").unlink()
    (folder / "link").mkdir()
    assert differences(layer, folder) == {
        "plain": "time",
        "owned": "mode",
        "labelled": "attributes",
        "capable": "attributes",
        "folder": "marks",
        "other": "time",
        "other/gone": "kind",
        "old": "kind",
        "link": "kind",
    }


def test_an_owner_that_was_recorded_is_compared(layer: SealedLayer, folder: Path):
    os.setxattr(folder / "owned", "user.lamina.owner", b"1234:0")
    assert differences(layer, folder) == {"owned": "owner"}
    os.removexattr(folder / "owned", "user.lamina.owner")
    assert differences(layer, folder) == {"owned": "owner"}
