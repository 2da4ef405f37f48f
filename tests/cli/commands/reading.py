"""An image of two layers to look into, and a console on it."""

import io
from collections.abc import Sequence

from tests.archives import archive
from tests.consoles import Console, console
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.settings import Settings

__all__ = ["LOWER", "UPPER", "shelve"]

LOWER = (
    Piece("etc/", directory=True, mode=0o755),
    Piece("etc/passwd", b"root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/home:/bin/sh\n"),
    Piece("etc/group", b"root:x:0:\nstaff:x:1000:\n"),
    Piece("etc/old", b"goes"),
    Piece("etc/conf", b"low\n"),
    Piece("opt/gone/", directory=True, mode=0o755),
    Piece("opt/gone/x", b"x"),
    Piece("home/", directory=True, mode=0o700, uid=1000, gid=1000),
    Piece("home/.profile", b"dot\n", uid=1000, gid=1000),
    Piece("home/big", b"b" * 5000, uid=1000, gid=5, mtime=1_790_000_000),
    Piece("home/\x1b[31mred", b"red\n"),
)
UPPER = (
    Piece("etc/.wh.old"),
    Piece("etc/conf", b"high\n", mode=0o600),
    Piece("etc/link", link="conf"),
    Piece("etc/loop", link="loop"),
    Piece("etc/dangling", link="/nosuch"),
    Piece("up", link="../../etc"),
    Piece("opt/gone/", directory=True, mode=0o755),
    Piece("opt/gone/.wh..wh..opq"),
    Piece("opt/gone/y", b"y"),
    Piece("opt/hard", b"one file\n"),
    Piece("opt/harder", hard="opt/hard"),
)


def shelve(settings: Settings, engine: Engine, *more: Sequence[Piece]) -> Console:
    """Load the image `shelf:1` of the two layers, and more on them."""
    layers = [tar(pieces) for pieces in (LOWER, UPPER, *more)]
    steps: list[dict[str, object]] = [
        {"created": "2024-01-02T03:04:05Z", "created_by": "ADD"}
    ] * len(layers)
    engine.images.load(io.BytesIO(archive("shelf:1", layers=layers, steps=steps)))
    return console(settings)
