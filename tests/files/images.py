"""Images for the tests of files: one with every kind in two layers, and Debian."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.archives import archive
from tests.engine.worlds import make_engine
from tests.images import Piece, debian_layout, tar

from lamina.engine.engine import Engine
from lamina.files.image import OpenImage, open_image

__all__ = ["HIGH", "LOW", "opened", "small", "world_of_debian"]

LOW = (
    Piece("etc/", directory=True, mode=0o755),
    Piece("etc/passwd", b"root:x:0:0::/root:/bin/sh\nmaria:x:7:8::/:/bin/sh\n"),
    Piece("etc/group", b"root:x:0:\nstaff:x:8:\n"),
    Piece("etc/motd", b"hello\nworld\n", 0o640, uid=7, gid=8, mtime=1_700_000_000.25),
    Piece("etc/again", hard="etc/motd"),
    Piece("etc/gone", b"gone"),
    Piece("usr/", directory=True),
    Piece("usr/bin/", directory=True),
    Piece("usr/bin/tool.tar.gz", b"t" * 300),
    Piece("bin", link="usr/bin"),
    Piece("up", link="../../../etc"),
    Piece("loop", link="loop"),
    Piece("nowhere", link="/no/such"),
    Piece("cycle/", directory=True),
    Piece("cycle/back", link=".."),
    Piece("old/", directory=True),
    Piece("old/file", b"old"),
    Piece("latin\udce9", b"latin"),
)
HIGH = (
    Piece("etc/.wh.gone"),
    Piece("etc/new", "grüße\r\n".encode()),
    Piece("old/", directory=True),
    Piece("old/.wh..wh..opq"),
    Piece("old/other", b"other"),
)


def small(engine: Engine, name: str = "small:1", *, more: Sequence[Piece] = ()) -> None:
    """Make an image of two layers; the second removes, replaces and adds."""
    engine.images.load(io.BytesIO(archive(name, layers=(tar(LOW), tar([*HIGH, *more])))))


def opened(engine: Engine, name: str = "small:1", **choices: str | int) -> OpenImage:
    """Open an image of `engine`."""
    return open_image(name, engine=engine, **choices)  # type: ignore[arg-type]


@contextmanager
def world_of_debian(folder: Path) -> Iterator[OpenImage]:
    """Give `debian:12` of the three layers, open, on a root of its own."""
    with make_engine(folder) as engine:
        engine.images.copy(f"oci:{debian_layout()}:v1", "debian:12")
        with opened(engine, "debian:12") as image:
            yield image
